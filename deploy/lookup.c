#include "deploy/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/ecs.h"

#define DESCRIBED_AT_ONCE 100
#define NAMED_AT_MOST     10
#define HEX               "0123456789abcdef"

char *lookup_cluster_of(const char *word)
{
	const char *resource = str_starts(word, "arn:") ? strchr(word, '/') : NULL;
	const char *end = resource ? strchr(resource + 1, '/') : NULL;

	return end ? xstrndup(resource + 1, (size_t)(end - resource - 1)) : NULL;
}

/* The last parts of ARNs, at most NAMED_AT_MOST. */
static char *join_names(const json_t *arns)
{
	AUTO(strlist) names = STRLIST_INIT;
	size_t n = json_array_size(arns);

	for (size_t i = 0; i < n && i < NAMED_AT_MOST; i++)
		if (json_is_string(json_array_get(arns, i)))
			strlist_add(&names, path_base(json_string_value(json_array_get(arns, i))));
	if (n > NAMED_AT_MOST)
		strlist_addf(&names, "... (%zu)", n);
	return strlist_join(&names, ", ");
}

/* Says which clusters there are, as far as that may be asked. */
static int no_cluster(const struct deploy_target *t, struct error *err)
{
	AUTO_JSON *params = json_object();
	AUTO_JSON *arns = NULL;
	AUTO_FREE char *names = NULL;

	error_set(err, ERROR_NOT_FOUND, "there is no cluster %s", t->cluster);
	if (ecs_list(t, "ListClusters", params, "clusterArns", &arns, NULL) < 0)
		return -1;
	names = join_names(arns);
	if (!*names)
		return error_hint(err, "there is none at all; %s",
				  t->local ? "the first slipway deploy --local makes one"
					   : "is the region the right one?");
	return error_hint(err, "there are: %s; --cluster says which", names);
}

/* What was asked failed: for its cluster? */
static int explain_cluster(const struct deploy_target *t, struct error *err)
{
	if (!err || !err->message || !strstr(err->message, "ClusterNotFoundException"))
		return -1;
	error_clear(err);
	return no_cluster(t, err);
}

static int list_arns(const struct deploy_target *t, const struct task_filter *f, const char *state,
		     json_t *all, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s}", "cluster", t->cluster, "desiredStatus", state);
	AUTO_JSON *arns = NULL;

	if (f->service)
		json_object_set_new(params, "serviceName", json_string(f->service));
	else if (f->family)
		json_object_set_new(params, "family", json_string(f->family));
	if (ecs_list(t, "ListTasks", params, "taskArns", &arns, err) < 0)
		return explain_cluster(t, err);
	json_array_extend(all, arns);
	return 0;
}

static int describe(const struct deploy_target *t, const json_t *arns, json_t *tasks,
		    struct error *err)
{
	for (size_t at = 0; at < json_array_size(arns); at += DESCRIBED_AT_ONCE) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *some = json_array();
		AUTO_JSON *params = json_pack("{s:s, s:O, s:[s]}", "cluster", t->cluster, "tasks",
					      some, "include", "TAGS");

		for (size_t i = at; i < json_array_size(arns) && i < at + DESCRIBED_AT_ONCE; i++)
			json_array_append(some, json_array_get(arns, i));
		if (ecs_look(t, "DescribeTasks", params, &reply, err) < 0)
			return explain_cluster(t, err);
		json_array_extend(tasks, json_object_get(reply.json, "tasks"));
	}
	return 0;
}

int lookup_tasks(const struct deploy_target *t, const struct task_filter *filter, json_t **tasks,
		 struct error *err)
{
	AUTO_JSON *arns = json_array();
	AUTO_JSON *found = json_array();

	if ((filter->state & TASKS_RUNNING && list_arns(t, filter, "RUNNING", arns, err) < 0) ||
	    (filter->state & TASKS_STOPPED && list_arns(t, filter, "STOPPED", arns, err) < 0) ||
	    describe(t, arns, found, err) < 0)
		return -1;
	*tasks = ecs_newest_first(found);
	return 0;
}

int lookup_service_if_any(const struct deploy_target *t, const char *name, json_t **service,
			  bool *has_cluster, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:[s], s:[s]}", "cluster", t->cluster, "services",
				      name, "include", "TAGS");
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = "DescribeServices",
		.params = params,
		.fine = {"ClusterNotFoundException"},
		.waiting = true,
	};
	AUTO(aws_reply) reply = {0};
	json_t *found;

	*service = NULL;
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return -1;
	*has_cluster = !reply.code;
	found = json_array_get(json_object_get(reply.json, "services"), 0);
	if (found && strcmp(aws_text(found, "status"), "INACTIVE") != 0)
		*service = json_incref(found);
	return 0;
}

int lookup_service(const struct deploy_target *t, const char *name, json_t **service,
		   struct error *err)
{
	bool has_cluster;

	if (lookup_service_if_any(t, name, service, &has_cluster, err) < 0)
		return -1;
	return has_cluster ? 0 : no_cluster(t, err);
}

/* "services: a, b" for a hint; "" when there are none or they may not be listed. */
static char *name_services(const struct deploy_target *t)
{
	AUTO_JSON *params = json_pack("{s:s}", "cluster", t->cluster);
	AUTO_JSON *arns = NULL;
	AUTO_FREE char *names = NULL;

	if (ecs_list(t, "ListServices", params, "serviceArns", &arns, NULL) < 0)
		return xstrdup("");
	names = join_names(arns);
	return *names ? xstrfmt("services there: %s", names) : xstrdup("");
}

static int no_service(const struct deploy_target *t, const char *name, struct error *err)
{
	AUTO_FREE char *there = name_services(t);

	error_set(err, ERROR_NOT_FOUND, "there is no service %s in the cluster %s", path_base(name),
		  t->cluster);
	return error_hint(err, "%s",
			  *there ? there : "the cluster has no services; --cluster names another");
}

int lookup_need_service(const struct deploy_target *t, const char *name, json_t **service,
			struct error *err)
{
	if (lookup_service(t, name, service, err) < 0)
		return -1;
	return *service ? 0 : no_service(t, name, err);
}

/* Tasks as people tell them apart: "0123456789ab (web:3)". */
static char *name_tasks(const json_t *tasks)
{
	AUTO(strlist) names = STRLIST_INIT;
	json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task) {
		if (i == NAMED_AT_MOST) {
			strlist_addf(&names, "... (%zu)", json_array_size(tasks));
			break;
		}
		strlist_addf(&names, "%.*s (%s)", TASK_ID_SHOWN,
			     path_base(aws_text(task, "taskArn")),
			     path_base(aws_text(task, "taskDefinitionArn")));
	}
	return strlist_join(&names, ", ");
}

static bool is_id(const char *word)
{
	return *word && !word[strspn(word, HEX)] && strlen(word) <= 32;
}

static bool is_of_family(const json_t *task, const char *word)
{
	const char *family = path_base(aws_text(task, "taskDefinitionArn"));
	size_t n = strlen(word);

	return strncmp(family, word, n) == 0 && (family[n] == ':' || !family[n]);
}

/* Those whose id begins with the word, or whose family it is. */
static json_t *matching(const json_t *tasks, const char *word, bool by_family)
{
	json_t *found = json_array(), *task;
	size_t i, n = strlen(word);

	json_array_foreach (tasks, i, task) {
		if (by_family ? is_of_family(task, word)
			      : strncmp(lookup_task_id(task), word, n) == 0)
			json_array_append(found, task);
	}
	return found;
}

static int no_task(const struct deploy_target *t, const char *word, enum task_state state,
		   const json_t *tasks, struct error *err)
{
	AUTO_FREE char *names = name_tasks(tasks);
	AUTO_FREE char *services = name_services(t);

	error_set(err, ERROR_NOT_FOUND, "there is no %stask or service %s in the cluster %s",
		  state == TASKS_RUNNING ? "running " : "", path_base(word), t->cluster);
	if (*services)
		error_hint(err, "%s", services);
	if (*names)
		return error_hint(err, "tasks there: %s", names);
	return error_hint(err, "no task runs there%s",
			  state == TASKS_RUNNING ? "" : ", and none stopped in the last hour");
}

static int ambiguous(const char *word, const char *why, const json_t *found, struct error *err)
{
	AUTO_FREE char *names = name_tasks(found);

	return error_set(err, ERROR_USAGE, "%s %s: %s", word, why, names);
}

int lookup_task(const struct deploy_target *t, const char *word, enum task_state state,
		json_t **task, struct error *err)
{
	const char *id = path_base(word);
	AUTO_JSON *tasks = NULL;
	AUTO_JSON *found = NULL;

	*task = NULL;
	if (lookup_tasks(t, &(struct task_filter){.state = state}, &tasks, err) < 0)
		return -1;
	if (is_id(id))
		found = matching(tasks, id, false);
	if (json_array_size(found) > 1)
		return ambiguous(id, "is the beginning of several tasks", found, err);
	if (!json_array_size(found)) {
		json_decref(found);
		found = matching(tasks, id, true);
	}
	if (!json_array_size(found))
		return no_task(t, word, state, tasks, err);
	if (json_array_size(found) > 1 && state == TASKS_RUNNING)
		return ambiguous(id, "is the family of several tasks", found, err);
	*task = json_incref(json_array_get(found, 0));
	return 0;
}

int lookup_any(const struct deploy_target *t, const char *word, enum task_state state,
	       json_t **service, json_t **task, struct error *err)
{
	*service = *task = NULL;
	if (!strstr(word, ":task/") && lookup_service(t, word, service, err) < 0)
		return -1;
	return *service ? 0 : lookup_task(t, word, state, task, err);
}

bool lookup_is_family(const json_t *task, const char *word)
{
	return task && is_of_family(task, word);
}

const char *lookup_task_id(const json_t *task)
{
	return path_base(aws_text(task, "taskArn"));
}
