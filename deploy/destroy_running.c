#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/destroy_private.h"
#include "deploy/express.h"
#include "deploy/scaling.h"

#define SERVICES_AT_ONCE 10
#define TASKS_AT_ONCE    100
/* A service drains its load balancer (300 s by default) and gives containers their stop timeout (120 s at most). */
#define END_SECONDS 900

static int ask(const struct deploy_target *t, const char *operation, json_t *params,
	       const char *fine, const char *fine_too, struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = operation,
		.params = params,
		.fine = {fine, fine_too, "ClusterNotFoundException"},
		.waiting = true,
	};

	return aws_ask(t->aws, &q, reply, err);
}

/* The ARNs of a cluster's list, and what describe says of them: a new array. A missing cluster has none. */
static int describe_all(const struct deploy_target *t, const char *cluster, const char *what,
			json_t *list_params, json_t **out, struct error *err)
{
	bool services = strcmp(what, "services") == 0;
	const size_t at_once = services ? SERVICES_AT_ONCE : TASKS_AT_ONCE;
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = services ? "ListServices" : "ListTasks",
		.params = list_params,
		.fine = {"ClusterNotFoundException"},
	};
	AUTO_JSON *all = json_array();
	AUTO_JSON *arns = NULL;

	json_object_set_new(list_params, "cluster", json_string(cluster));
	if (aws_ask_all(t->aws, &q, services ? "serviceArns" : "taskArns", &arns, err) < 0)
		return -1;
	for (size_t at = 0; at < json_array_size(arns); at += at_once) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *some = json_array();
		AUTO_JSON *params = json_pack("{s:s, s:O, s:[s]}", "cluster", cluster, what, some,
					      "include", "TAGS");

		for (size_t i = at; i < at + at_once && i < json_array_size(arns); i++)
			json_array_append(some, json_array_get(arns, i));
		if (ask(t, services ? "DescribeServices" : "DescribeTasks", params, NULL, NULL,
			&reply, err) < 0)
			return -1;
		json_array_extend(all, json_object_get(reply.json, what));
	}
	*out = take_ptr(all);
	return 0;
}

static int list_services(const struct deploy_target *t, const char *cluster, json_t **out,
			 struct error *err)
{
	AUTO_JSON *params = json_object();

	if (describe_all(t, cluster, "services", params, out, err) < 0)
		return error_wrap(err, "list the services of %s", cluster);
	return 0;
}

static int list_tasks(const struct deploy_target *t, const char *cluster, json_t **out,
		      struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "desiredStatus", "RUNNING");

	if (describe_all(t, cluster, "tasks", params, out, err) < 0)
		return error_wrap(err, "list the tasks of %s", cluster);
	return 0;
}

static bool is_over(const json_t *thing)
{
	return strcmp(aws_text(thing, "status"), "INACTIVE") == 0;
}

/* "..task-definition/FAMILY:7" */
static void add_family(struct strlist *families, const char *definition)
{
	const char *name = path_base(definition);
	AUTO_FREE char *family = xstrndup(name, strcspn(name, ":"));

	if (*family && !strlist_has(families, family))
		strlist_add(families, family);
}

static void take_service(const struct deploy_target *t, const json_t *service, struct destroy *d,
			 struct strlist *families)
{
	const char *name = aws_text(service, "serviceName");
	bool express = strcmp(aws_text(service, "resourceManagementType"), "ECS") == 0;
	enum destroy_kind kind = express ? DESTROY_EXPRESS : DESTROY_SERVICE;

	if (is_over(service))
		return;
	if (deploy_target_owns(t, json_object_get(service, "tags"))) {
		destroy_add(d, kind, name, aws_text(service, "serviceArn"));
		add_family(families, aws_text(service, "taskDefinition"));
	} else if (strcmp(name, t->app) == 0) {
		destroy_keep(d, kind, name, NULL);
	}
}

/* A service of the cluster's list is found there; one that the list does not show is known by the app's name. */
static int find_express(const struct deploy_target *t, struct destroy *d, struct error *err)
{
	AUTO_JSON *service = NULL;
	AUTO(error) local = ERROR_INIT;
	const char *arn;

	if (express_find(t, t->app, &service, &local) < 0) {
		/* Not every region and partition has Express Mode. */
		if (local.kind == ERROR_CANCELLED || local.kind == ERROR_NETWORK)
			return error_move(err, &local);
		report_log(t->reporter, LOG_DEBUG, "no Express service: %s", local.message);
		return 0;
	}
	arn = aws_text(service, "serviceArn");
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].kind <= DESTROY_SERVICE && strcmp(d->items[i].id, arn) == 0)
			return 0;
	if (service && deploy_target_owns(t, json_object_get(service, "tags")))
		destroy_add(d, DESTROY_EXPRESS, t->app, arn);
	return 0;
}

int destroy_find_running(const struct deploy_target *t, struct destroy *d, struct strlist *families,
			 struct error *err)
{
	AUTO_JSON *services = NULL;
	AUTO_JSON *tasks = NULL;
	const json_t *one;
	size_t i;

	if (list_services(t, t->cluster, &services, err) < 0 ||
	    list_tasks(t, t->cluster, &tasks, err) < 0)
		return -1;
	json_array_foreach (services, i, one)
		take_service(t, one, d, families);
	json_array_foreach (tasks, i, one) {
		if (str_starts(aws_text(one, "group"), "service:") ||
		    !deploy_target_owns(t, json_object_get(one, "tags")))
			continue;
		destroy_add(d, DESTROY_TASK, path_base(aws_text(one, "taskArn")),
			    aws_text(one, "taskArn"));
		add_family(families, aws_text(one, "taskDefinitionArn"));
	}
	return find_express(t, d, err);
}

int destroy_is_running(const struct deploy_target *t, const char *cluster, bool *running,
		       struct error *err)
{
	AUTO_JSON *services = NULL;
	AUTO_JSON *tasks = NULL;
	const json_t *one;
	size_t i;

	*running = false;
	if (list_services(t, cluster, &services, err) < 0 ||
	    list_tasks(t, cluster, &tasks, err) < 0)
		return -1;
	json_array_foreach (services, i, one)
		*running |= !is_over(one) && deploy_target_owns(t, json_object_get(one, "tags"));
	json_array_foreach (tasks, i, one)
		*running |= deploy_target_owns(t, json_object_get(one, "tags"));
	return 0;
}

/* Asks again and again until is_gone() says so of the answer. */
static int wait_until(const struct deploy_target *t, const char *operation, json_t *params,
		      bool (*is_gone)(const struct aws_reply *reply), struct error *err)
{
	int64_t until = time_monotonic_ns() + END_SECONDS * INT64_C(1000000000);

	for (int n = 0;; n++) {
		AUTO(aws_reply) reply = {0};

		if (ask(t, operation, params, "ResourceNotFoundException",
			"ServiceNotFoundException", &reply, err) < 0)
			return -1;
		if (reply.code || is_gone(&reply))
			return 0;
		if (time_monotonic_ns() > until)
			return error_set(err, ERROR_REMOTE, "it has not ended after %d minutes",
					 END_SECONDS / 60);
		if (deploy_target_pause(t, n, err) < 0)
			return -1;
	}
}

static bool service_is_gone(const struct aws_reply *reply)
{
	const json_t *service = json_array_get(json_object_get(reply->json, "services"), 0);

	return !service || is_over(service);
}

static bool task_is_gone(const struct aws_reply *reply)
{
	const json_t *task = json_array_get(json_object_get(reply->json, "tasks"), 0);

	return !task || strcmp(aws_text(task, "lastStatus"), "STOPPED") == 0;
}

int destroy_service(const struct deploy_target *t, const struct destroy_item *item,
		    struct error *err)
{
	AUTO(aws_reply) scaled = {0};
	AUTO(aws_reply) deleted = {0};
	AUTO_JSON *zero = json_pack("{s:s, s:s, s:i}", "cluster", t->cluster, "service", item->id,
				    "desiredCount", 0);
	AUTO_JSON *force = json_pack("{s:s, s:s, s:b}", "cluster", t->cluster, "service", item->id,
				     "force", true);
	AUTO_JSON *which = json_pack("{s:s, s:[s]}", "cluster", t->cluster, "services", item->id);
	bool had_scaling;

	/* Else it would start tasks again while they are stopped. */
	if (scaling_destroy(t, item->name, &had_scaling, err) < 0 ||
	    ask(t, "UpdateService", zero, "ServiceNotFoundException", "ServiceNotActiveException",
		&scaled, err) < 0 ||
	    ask(t, "DeleteService", force, "ServiceNotFoundException", "ServiceNotActiveException",
		&deleted, err) < 0)
		return -1;
	return wait_until(t, "DescribeServices", which, service_is_gone, err);
}

int destroy_task(const struct deploy_target *t, const struct destroy_item *item, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *stop = json_pack("{s:s, s:s, s:s}", "cluster", t->cluster, "task", item->id,
				    "reason", "slipway destroy");
	AUTO_JSON *which = json_pack("{s:s, s:[s]}", "cluster", t->cluster, "tasks", item->id);

	if (ask(t, "StopTask", stop, NULL, NULL, &reply, err) < 0)
		return -1;
	return wait_until(t, "DescribeTasks", which, task_is_gone, err);
}
