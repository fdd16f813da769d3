#include "local/ecs_service.h"

#include <stdarg.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/ecs_name.h"
#include "local/ecs_task.h"

#define MAX_EVENTS  100
#define MAX_RECORDS 50

json_t *ecs_own(const json_t *document)
{
	return json_object_get(document, "slipway");
}

bool ecs_flag(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

double ecs_time(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key, const char *text)
{
	return strcmp(aws_text(object, key), text) == 0;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_text(text));
}

static void set_time(json_t *object, const char *key, double seconds)
{
	json_object_set_new(object, key, json_real(seconds));
}

void ecs_service_say(json_t *service, double now, const char *fmt, ...)
{
	json_t *events = json_object_get(service, "events");
	AUTO_FREE char *message = NULL;
	char id[ECS_ID_SIZE];
	va_list ap;

	va_start(ap, fmt);
	message = xstrvfmt(fmt, ap);
	va_end(ap);
	ecs_uuid(id);
	json_array_insert_new(events, 0,
			      json_pack("{s:s, s:f, s:o}", "id", id, "createdAt", now, "message",
					json_text(message)));
	while (json_array_size(events) > MAX_EVENTS)
		json_array_remove(events, MAX_EVENTS);
}

static json_t *by_text(const json_t *array, const char *key, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach (array, i, one)
		if (is(one, key, text))
			return one;
	return NULL;
}

json_t *ecs_service_primary(const json_t *service)
{
	return by_text(json_object_get(service, "deployments"), "status", "PRIMARY");
}

/* The newest that was completed once, which is what a rollback goes back to. */
static json_t *last_good(const json_t *service, size_t *index)
{
	json_t *deployments = json_object_get(service, "deployments"), *d;
	size_t i;

	json_array_foreach (deployments, i, d) {
		*index = i;
		if (ecs_flag(ecs_own(d), "completed") && !ecs_flag(ecs_own(d), "given_up") &&
		    !is(d, "status", "PRIMARY"))
			return d;
	}
	return NULL;
}

json_t *ecs_service_source(const json_t *service)
{
	json_t *primary = ecs_service_primary(service);
	size_t index;

	return ecs_flag(ecs_own(primary), "given_up") ? last_good(service, &index) : primary;
}

json_t *ecs_service_record(const json_t *service, const char *arn)
{
	return by_text(json_object_get(ecs_own(service), "records"), "serviceDeploymentArn", arn);
}

json_t *ecs_service_revision(const json_t *service, const char *arn)
{
	return by_text(json_object_get(ecs_own(service), "revisions"), "serviceRevisionArn", arn);
}

/* arn:aws:ecs:REGION:ACCOUNT:service-deployment/CLUSTER/SERVICE/ID */
json_t *ecs_service_of(struct state *s, const char *arn)
{
	const char *slash = strchr(arn, '/');
	AUTO_FREE char *key = NULL;

	if (!slash || path_base(arn) <= slash + 1)
		return NULL;
	key = xstrndup(slash + 1, (size_t)(path_base(arn) - slash - 2));
	return state_get(s, STATE_SERVICES, key);
}

/* ---- what the circuit breaker and the percentages say ---- */

const json_t *ecs_service_breaker(const json_t *service)
{
	const json_t *configuration = json_object_get(service, "deploymentConfiguration");
	const json_t *breaker = json_object_get(configuration, "deploymentCircuitBreaker");

	return ecs_flag(breaker, "enable") ? breaker : NULL;
}

int64_t ecs_service_threshold(const json_t *service)
{
	const json_t *own = json_object_get(ecs_service_breaker(service), "thresholdConfiguration");
	int64_t value = task_json_int(own, "value", 50);
	int64_t part = (aws_int(service, "desiredCount") * value + 99) / 100;

	if (is(own, "type", "COUNT"))
		return value;
	if (is(own, "type", "UNBOUNDED_PERCENT"))
		return part > 1 ? part : 1;
	return part < 3 ? 3 : part > 200 ? 200 : part;
}

int64_t ecs_service_percent(const json_t *service, const char *key, int64_t usual)
{
	return task_json_int(json_object_get(service, "deploymentConfiguration"), key, usual);
}

/* ---- deployments ---- */

static json_t *new_revision(const json_t *service, const json_t *definition, const char *arn,
			    double now)
{
	static const char *const keys[] = {"launchType",          "capacityProviderStrategy",
					   "platformVersion",     "platformFamily",
					   "loadBalancers",       "serviceRegistries",
					   "networkConfiguration"};
	json_t *images = json_array(), *out, *c;
	size_t i;

	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, c)
		json_array_append_new(images, json_pack("{s:O, s:O}", "containerName",
							json_object_get(c, "name"), "image",
							json_object_get(c, "image")));
	out = json_pack("{s:s, s:O, s:O, s:O, s:o, s:b, s:f}", "serviceRevisionArn", arn,
			"serviceArn", json_object_get(service, "serviceArn"), "clusterArn",
			json_object_get(service, "clusterArn"), "taskDefinition",
			json_object_get(definition, "taskDefinitionArn"), "containerImages", images,
			"guardDutyEnabled", 0, "createdAt", now);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(service, keys[i]))
			json_object_set_new(out, keys[i],
					    json_deep_copy(json_object_get(service, keys[i])));
	return out;
}

static json_t *revision_summary(const char *arn)
{
	return json_pack("{s:s, s:i, s:i, s:i}", "arn", arn, "requestedTaskCount", 0,
			 "runningTaskCount", 0, "pendingTaskCount", 0);
}

static json_t *new_record(const json_t *service, const char *arn, const char *revision, double now)
{
	json_t *sources = json_array(), *out, *d;
	size_t i;

	json_array_foreach (json_object_get(service, "deployments"), i, d)
		if (ecs_flag(ecs_own(d), "completed"))
			json_array_append_new(sources,
					      revision_summary(aws_text(ecs_own(d), "revision")));
	out = json_pack("{s:s, s:O, s:O, s:f, s:f, s:s, s:o, s:o, s:o}", "serviceDeploymentArn",
			arn, "serviceArn", json_object_get(service, "serviceArn"), "clusterArn",
			json_object_get(service, "clusterArn"), "createdAt", now, "updatedAt", now,
			"status", "PENDING", "deploymentConfiguration",
			json_deep_copy(json_object_get(service, "deploymentConfiguration")),
			"targetServiceRevision", revision_summary(revision),
			"sourceServiceRevisions", sources);
	json_object_set_new(out, "deploymentCircuitBreaker",
			    ecs_service_breaker(service)
				    ? json_pack("{s:s, s:i, s:I}", "status", "MONITORING",
						"failureCount", 0, "threshold",
						(json_int_t)ecs_service_threshold(service))
				    : json_pack("{s:s, s:i, s:i}", "status", "DISABLED",
						"failureCount", 0, "threshold", 0));
	return out;
}

void ecs_record_end(json_t *record, const char *status, const char *reason, double now)
{
	json_t *breaker = json_object_get(record, "deploymentCircuitBreaker");

	if (!record)
		return;
	set_text(record, "status", status);
	if (reason)
		set_text(record, "statusReason", reason);
	set_time(record, "updatedAt", now);
	set_time(record, "finishedAt", now);
	if (strcmp(status, "STOPPED") == 0)
		set_time(record, "stoppedAt", now);
	if (is(breaker, "status", "MONITORING"))
		set_text(breaker, "status", "MONITORING_COMPLETE");
}

/* Those that nothing names any more go: the list would grow with every deploy. */
static void prune(json_t *service)
{
	json_t *own = ecs_own(service), *records = json_object_get(own, "records");
	json_t *revisions = json_object_get(own, "revisions"), *kept = json_array(), *r, *d;
	size_t i, j;

	while (json_array_size(records) > MAX_RECORDS)
		json_array_remove(records, MAX_RECORDS);
	json_array_foreach (revisions, i, r) {
		const char *arn = aws_text(r, "serviceRevisionArn");
		bool named = false;

		json_array_foreach (records, j, d)
			named |= is(json_object_get(d, "targetServiceRevision"), "arn", arn);
		json_array_foreach (json_object_get(service, "deployments"), j, d)
			named |= is(ecs_own(d), "revision", arn);
		if (named)
			json_array_append(kept, r);
	}
	json_object_set_new(own, "revisions", kept);
}

static json_t *new_deployment(const json_t *service, const json_t *definition, const char *id,
			      double now)
{
	static const char *const keys[] = {"launchType", "capacityProviderStrategy",
					   "networkConfiguration", "platformFamily"};
	AUTO_FREE char *reason = xstrfmt("ECS deployment %s in progress.", id);
	const char *version = aws_text(service, "platformVersion");
	json_t *out = json_pack(
		"{s:s, s:s, s:O, s:O, s:i, s:i, s:i, s:f, s:f, s:s, s:s, s:{}}", "id", id, "status",
		"PRIMARY", "taskDefinition", json_object_get(definition, "taskDefinitionArn"),
		"desiredCount", json_object_get(service, "desiredCount"), "pendingCount", 0,
		"runningCount", 0, "failedTasks", 0, "createdAt", now, "updatedAt", now,
		"rolloutState", "IN_PROGRESS", "rolloutStateReason", reason, "slipway");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(service, keys[i]))
			json_object_set_new(out, keys[i],
					    json_deep_copy(json_object_get(service, keys[i])));
	if (*version)
		set_text(out, "platformVersion",
			 strcmp(version, "LATEST") == 0 ? "1.4.0" : version);
	return out;
}

/* The PRIMARY becomes ACTIVE: another takes its place. What was under way ends there. */
static void replace_primary(json_t *service, double now)
{
	json_t *before = ecs_service_primary(service), *own = ecs_own(before);
	bool completed = ecs_flag(own, "completed");
	const char *record = aws_text(own, completed ? "rolls_back" : "record");

	if (!before)
		return;
	set_text(before, "status", "ACTIVE");
	set_time(before, "updatedAt", now);
	if (!completed)
		json_object_set_new(own, "given_up", json_true());
	if (*record && is(before, "rolloutState", "IN_PROGRESS"))
		ecs_record_end(ecs_service_record(service, record), "STOPPED",
			       "The service deployment was replaced by a newer one.", now);
	if (completed && is(before, "rolloutState", "IN_PROGRESS"))
		set_text(before, "rolloutState", "COMPLETED");
	json_object_del(own, "rolls_back");
}

json_t *ecs_service_deploy(json_t *service, const json_t *definition, double now)
{
	json_t *own = ecs_own(service), *made;
	const char *cluster = aws_text(own, "cluster"), *name = aws_text(service, "serviceName");
	const char *cluster_arn = aws_text(service, "clusterArn");
	char number[ECS_ID_SIZE];
	AUTO_FREE char *id = NULL, *revision = NULL, *record = NULL;

	ecs_number_id(number);
	id = xstrfmt("ecs-svc/%s", number);
	ecs_number_id(number);
	revision = ecs_arn_beside(cluster_arn, "service-revision/%s/%s/%s", cluster, name, number);
	ecs_hex_id(number);
	record = ecs_arn_beside(cluster_arn, "service-deployment/%s/%s/%.21s", cluster, name,
				number);
	replace_primary(service, now);
	json_object_set(service, "taskDefinition",
			json_object_get(definition, "taskDefinitionArn"));
	made = new_deployment(service, definition, id, now);
	set_text(ecs_own(made), "revision", revision);
	set_text(ecs_own(made), "record", record);
	json_array_insert_new(json_object_get(own, "revisions"), 0,
			      new_revision(service, definition, revision, now));
	json_array_insert_new(json_object_get(own, "records"), 0,
			      new_record(service, record, revision, now));
	json_array_insert_new(json_object_get(service, "deployments"), 0, made);
	json_object_del(own, "steady");
	prune(service);
	return made;
}

/* It ran before, and may still: its tasks are kept, and none of them has to start anew. */
static void promote(json_t *service, json_t *good, size_t index, const char *record, double now)
{
	static const char *const keys[] = {"taskDefinition", "networkConfiguration", "launchType",
					   "capacityProviderStrategy"};
	json_t *deployments = json_object_get(service, "deployments");
	AUTO_FREE char *reason = xstrfmt(
		"ECS deployment circuit breaker: rolling back to deploymentId %s.",
		aws_text(good, "id"));

	json_incref(good);
	json_array_remove(deployments, index);
	json_array_insert_new(deployments, 0, good);
	set_text(good, "status", "PRIMARY");
	set_text(good, "rolloutState", "IN_PROGRESS");
	set_text(good, "rolloutStateReason", reason);
	set_time(good, "updatedAt", now);
	set_text(ecs_own(good), "rolls_back", record);
	json_object_del(ecs_own(good), "not_before");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(good, keys[i]))
			json_object_set_new(service, keys[i],
					    json_deep_copy(json_object_get(good, keys[i])));
	ecs_service_say(service, now, "(service %s) rolling back to deployment %s.",
			aws_text(service, "serviceName"), aws_text(good, "id"));
}

void ecs_service_give_up(json_t *service, const char *reason, bool roll_back, double now)
{
	json_t *primary = ecs_service_primary(service), *own = ecs_own(primary);
	AUTO_FREE char *arn = xstrdup(aws_text(own, "record"));
	json_t *record = ecs_service_record(service, arn);
	size_t index = 0;
	json_t *good = last_good(service, &index);

	json_object_set_new(own, "given_up", json_true());
	json_object_del(ecs_own(service), "steady");
	set_text(primary, "rolloutState", "FAILED");
	set_text(primary, "rolloutStateReason", reason);
	set_time(primary, "updatedAt", now);
	ecs_service_say(service, now,
			"(service %s) (deployment %s) deployment failed: tasks failed to start.",
			aws_text(service, "serviceName"), aws_text(primary, "id"));
	if (!roll_back || !good) {
		ecs_record_end(record, roll_back ? "ROLLBACK_FAILED" : "STOPPED", reason, now);
		return;
	}
	set_text(record, "status", "ROLLBACK_IN_PROGRESS");
	set_text(record, "statusReason", reason);
	set_time(record, "updatedAt", now);
	json_object_set_new(record, "rollback",
			    json_pack("{s:s, s:f, s:s}", "reason", reason, "startedAt", now,
				      "serviceRevisionArn", aws_text(ecs_own(good), "revision")));
	set_text(primary, "status", "ACTIVE");
	promote(service, good, index, arn, now);
}

/* ---- counts ---- */

static void count_deployment(json_t *d, const json_t *service, struct state *s)
{
	int64_t running = 0, pending = 0;
	bool wanted = d == ecs_service_source(service);
	const char *key;
	json_t *task;

	json_object_foreach (state_all(s, STATE_TASKS), key, task) {
		if (strcmp(ecs_task_deployment(task), aws_text(d, "id")) != 0 ||
		    !ecs_task_is_live(task))
			continue;
		if (is(task, "lastStatus", "RUNNING"))
			running++;
		else
			pending++;
	}
	json_object_set_new(d, "runningCount", json_integer(running));
	json_object_set_new(d, "pendingCount", json_integer(pending));
	json_object_set_new(d, "desiredCount",
			    json_integer(wanted ? aws_int(service, "desiredCount") : 0));
}

/* What is no deployment any more has none. */
static void count_summary(json_t *summary, const json_t *deployments)
{
	const json_t *found = NULL;
	json_t *d;
	size_t i;

	json_array_foreach (deployments, i, d)
		if (!found && is(ecs_own(d), "revision", aws_text(summary, "arn")))
			found = d;
	json_object_set_new(summary, "requestedTaskCount",
			    json_integer(aws_int(found, "desiredCount")));
	json_object_set_new(summary, "runningTaskCount",
			    json_integer(aws_int(found, "runningCount")));
	json_object_set_new(summary, "pendingTaskCount",
			    json_integer(aws_int(found, "pendingCount")));
}

void ecs_service_count(json_t *service, struct state *s)
{
	json_t *deployments = json_object_get(service, "deployments"), *current = json_array(), *d;
	json_t *newest = json_array_get(json_object_get(ecs_own(service), "records"), 0), *one;
	int64_t running = 0, pending = 0;
	size_t i;

	json_array_foreach (deployments, i, d) {
		json_t *summary = revision_summary(aws_text(ecs_own(d), "revision"));

		count_deployment(d, service, s);
		running += aws_int(d, "runningCount");
		pending += aws_int(d, "pendingCount");
		count_summary(summary, deployments);
		json_array_append_new(current, summary);
	}
	json_object_set_new(service, "runningCount", json_integer(running));
	json_object_set_new(service, "pendingCount", json_integer(pending));
	json_object_set_new(service, "currentServiceRevisions", current);
	if (newest) {
		json_object_set(service, "currentServiceDeployment",
				json_object_get(newest, "serviceDeploymentArn"));
		count_summary(json_object_get(newest, "targetServiceRevision"), deployments);
		json_array_foreach (json_object_get(newest, "sourceServiceRevisions"), i, one)
			count_summary(one, deployments);
	}
}
