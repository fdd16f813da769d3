/* ECS: deployments of services and their revisions, and the tags of everything that ECS has. */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/ecs_service.h"

#define PAGE          100
#define MAX_DESCRIBED 20

static int put_service(struct api_call *c, json_t *service)
{
	AUTO_FREE char *key = ecs_service_key(ecs_text(ecs_own(service), "cluster"),
					      ecs_text(service, "serviceName"));

	return api_put(c, STATE_SERVICES, key, service);
}

static json_t *brief(const json_t *record)
{
	static const char *const keys[] = {
		"serviceDeploymentArn", "serviceArn", "clusterArn",  "startedAt", "createdAt",
		"finishedAt",           "status",     "statusReason"};
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(record, keys[i]))
			json_object_set(out, keys[i], json_object_get(record, keys[i]));
	json_object_set(out, "targetServiceRevisionArn",
			json_object_get(json_object_get(record, "targetServiceRevision"), "arn"));
	return out;
}

/* The ends of createdAt are moments; 0: no end. */
static bool is_wanted(const struct api_call *c, const json_t *record)
{
	const json_t *status = json_object_get(c->input, "status");
	const json_t *created = json_object_get(c->input, "createdAt");
	double at = ecs_time(record, "createdAt");

	return (!json_array_size(status) || ecs_has_text(status, ecs_text(record, "status"))) &&
	       at >= ecs_time(created, "after") &&
	       (!json_object_get(created, "before") || at <= ecs_time(created, "before"));
}

static int list(struct api_call *c)
{
	json_t *out = json_array(), *cluster, *service, *record;
	AUTO_FREE char *key = NULL;
	size_t i;

	json_object_set_new(c->output, "serviceDeployments", out);
	if (ecs_check_input(c, "service:s! cluster:s status:t createdAt:o nextToken:s "
			       "maxResults:i") < 0 ||
	    ecs_check_object(c, json_object_get(c->input, "createdAt"), "createdAt",
			     "after:n before:n") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	key = ecs_service_key(ecs_text(cluster, "clusterName"), ecs_text(c->input, "service"));
	service = state_get(c->local->state, STATE_SERVICES, key);
	if (!service)
		return api_error(c, "ServiceNotFoundException", "Service not found.");
	json_array_foreach (json_object_get(ecs_own(service), "records"), i, record)
		if (is_wanted(c, record))
			json_array_append_new(out, brief(record));
	return api_page(c, out, PAGE);
}

/* Each of the ARNs of the input's member key is looked for in its service. */
static int describe_each(struct api_call *c, const char *key, const char *output,
			 json_t *(*find)(const json_t *service, const char *arn))
{
	json_t *arns = json_object_get(c->input, key), *arn;
	json_t *found = json_array(), *failures = json_array();
	size_t i;

	json_object_set_new(c->output, output, found);
	json_object_set_new(c->output, "failures", failures);
	if (json_array_size(arns) > MAX_DESCRIBED)
		return api_error(c, "InvalidParameterException", "%s can have at most 20 items.",
				 key);
	json_array_foreach (arns, i, arn) {
		json_t *service = ecs_service_of(c->local->state, json_string_value(arn));
		AUTO_JSON *counted = service ? json_deep_copy(service) : NULL;
		const json_t *one;

		if (counted)
			ecs_service_count(counted, c->local->state);
		one = find(counted, json_string_value(arn));
		if (one)
			json_array_append_new(found, ecs_shown(one));
		else
			ecs_add_failure(failures, json_string_value(arn), "MISSING");
	}
	return 0;
}

static int describe(struct api_call *c)
{
	if (ecs_check_input(c, "serviceDeploymentArns:t!") < 0)
		return -1;
	return describe_each(c, "serviceDeploymentArns", "serviceDeployments", ecs_service_record);
}

static int describe_revisions(struct api_call *c)
{
	if (ecs_check_input(c, "serviceRevisionArns:t!") < 0)
		return -1;
	return describe_each(c, "serviceRevisionArns", "serviceRevisions", ecs_service_revision);
}

static bool has_completed(const json_t *service)
{
	json_t *d;
	size_t i;

	json_array_foreach (json_object_get(service, "deployments"), i, d)
		if (ecs_flag(ecs_own(d), "completed"))
			return true;
	return false;
}

/* Only asked for here: the reconciler does it, and the states between are seen as AWS shows them. */
static int stop(struct api_call *c)
{
	const char *arn = ecs_text(c->input, "serviceDeploymentArn");
	const char *type = ecs_text(c->input, "stopType");
	bool abort = strcmp(type, "ABORT") == 0;
	json_t *service, *changed, *record;

	if (ecs_check_input(c, "serviceDeploymentArn:s! stopType:s") < 0 ||
	    ecs_check_word(c, "stopType", type, "ROLLBACK ABORT") < 0)
		return -1;
	service = ecs_service_of(c->local->state, arn);
	record = ecs_service_record(service, arn);
	if (!record)
		return api_error(c, "ServiceDeploymentNotFoundException",
				 "Service deployment not found.");
	if (!ecs_is(record, "status", "PENDING") && !ecs_is(record, "status", "IN_PROGRESS"))
		return api_error(c, "ConflictException",
				 "The service deployment is not in a state that can be stopped.");
	if (!abort && !has_completed(service))
		return api_error(c, "ConflictException",
				 "There is no service revision to roll back to.");
	changed = json_deep_copy(service);
	record = ecs_service_record(changed, arn);
	json_object_set_new(record, "status",
			    json_string(abort ? "STOP_REQUESTED" : "ROLLBACK_REQUESTED"));
	json_object_set_new(record, "updatedAt", api_now());
	json_object_set_new(c->output, "serviceDeploymentArn", json_string(arn));
	return put_service(c, changed);
}

/* ---- tags ---- */

/* Which document an ARN means: its kind and key (free()); *document is a view. */
static int find_resource(struct api_call *c, const char *arn, const char **kind, char **key,
			 json_t **document)
{
	static const struct {
		const char *word, *kind;
	} kinds[] = {{":cluster/", STATE_CLUSTERS},
		     {":service/", STATE_SERVICES},
		     {":task/", STATE_TASKS},
		     {":task-definition/", STATE_TASK_DEFINITIONS}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *at = strstr(arn, kinds[i].word);

		if (!at)
			continue;
		at += strlen(kinds[i].word);
		free(*key);
		*kind = kinds[i].kind;
		*key = xstrdup(strcmp(*kind, STATE_SERVICES) == 0 ? at : path_base(at));
		*document = state_get(c->local->state, *kind, *key);
		if (*document)
			return 0;
	}
	return api_error(c, "InvalidParameterException", "The specified resource was not found: %s",
			 arn);
}

static int list_tags(struct api_call *c)
{
	const char *kind;
	AUTO_FREE char *key = NULL;
	json_t *document, *tags;

	if (ecs_check_input(c, "resourceArn:s!") < 0 ||
	    find_resource(c, ecs_text(c->input, "resourceArn"), &kind, &key, &document) < 0)
		return -1;
	tags = json_object_get(document, "tags");
	json_object_set_new(c->output, "tags", tags ? json_deep_copy(tags) : json_array());
	return 0;
}

static void remove_tag(json_t *tags, const char *key)
{
	for (size_t i = json_array_size(tags); i-- > 0;)
		if (ecs_is(json_array_get(tags, i), "key", key))
			json_array_remove(tags, i);
}

static int change_tags(struct api_call *c, const json_t *added, const json_t *removed)
{
	const char *kind;
	AUTO_FREE char *key = NULL;
	AUTO_JSON *changed = NULL;
	json_t *document, *tags, *one;
	size_t i;

	if (ecs_check_tags(c, added) < 0 ||
	    find_resource(c, ecs_text(c->input, "resourceArn"), &kind, &key, &document) < 0)
		return -1;
	changed = json_deep_copy(document);
	tags = json_object_get(changed, "tags");
	if (!tags) {
		tags = json_array();
		json_object_set_new(changed, "tags", tags);
	}
	json_array_foreach (removed, i, one)
		remove_tag(tags, json_string_value(one));
	json_array_foreach (added, i, one) {
		remove_tag(tags, ecs_text(one, "key"));
		json_array_append_new(tags, json_deep_copy(one));
	}
	return ecs_check_tag_count(c, tags) < 0 ? -1 : api_put(c, kind, key, take_ptr(changed));
}

static int tag(struct api_call *c)
{
	if (ecs_check_input(c, "resourceArn:s! tags:a!") < 0)
		return -1;
	return change_tags(c, json_object_get(c->input, "tags"), NULL);
}

static int untag(struct api_call *c)
{
	if (ecs_check_input(c, "resourceArn:s! tagKeys:t!") < 0)
		return -1;
	return change_tags(c, NULL, json_object_get(c->input, "tagKeys"));
}

const struct api_operation api_ecs_deployments[] = {
	{"ListServiceDeployments", list, false},
	{"DescribeServiceDeployments", describe, false},
	{"DescribeServiceRevisions", describe_revisions, false},
	{"StopServiceDeployment", stop, false},
	{"ListTagsForResource", list_tags, false},
	{"TagResource", tag, false},
	{"UntagResource", untag, false},
	{0},
};
