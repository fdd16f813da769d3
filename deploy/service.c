#include "deploy/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/lookup.h"

#define ROLE_SECONDS  60
#define DRAIN_SECONDS 300
/* On a service that was scaled to 0 for a deployment that failed: the count it had, so that the next deploy brings it back. */
#define TAG_COUNT "slipway:count"

void service_rollout_release(struct service_rollout *r)
{
	if (!r)
		return;
	free(r->service);
	free(r->arn);
	free(r->deployment);
	free(r->service_deployment);
	free(r->definition);
	free(r->previous);
	free(r->seen_before);
	memset(r, 0, sizeof(*r));
}

json_t *service_deployment(const json_t *service, const char *id)
{
	json_t *d;
	size_t i;

	json_array_foreach (json_object_get(service, "deployments"), i, d)
		if (strcmp(aws_text(d, "id"), id) == 0)
			return d;
	return NULL;
}

json_t *service_primary(const json_t *service)
{
	json_t *d;
	size_t i;

	json_array_foreach (json_object_get(service, "deployments"), i, d)
		if (strcmp(aws_text(d, "status"), "PRIMARY") == 0)
			return d;
	return NULL;
}

int service_find(const struct deploy_target *t, const char *name, json_t **service,
		 struct error *err)
{
	bool has_cluster;

	if (lookup_service_if_any(t, name, service, &has_cluster, err) < 0)
		return -1;
	if (*service && strcmp(aws_text(*service, "status"), "ACTIVE") != 0) {
		json_decref(*service);
		*service = NULL;
	}
	return 0;
}

/* A service of that name that is being deleted stands in the way of a new one. */
static int wait_for_drain(const struct deploy_target *t, const char *name, struct error *err)
{
	int64_t end = time_monotonic_ns() + (int64_t)DRAIN_SECONDS * 1000000000;

	for (int i = 0;; i++) {
		AUTO_JSON *service = NULL;
		bool has_cluster;

		if (lookup_service_if_any(t, name, &service, &has_cluster, err) < 0)
			return -1;
		if (!service || strcmp(aws_text(service, "status"), "DRAINING") != 0)
			return 0;
		if (time_monotonic_ns() >= end)
			return error_set(
				err, ERROR_REMOTE,
				"the service %s is being deleted (DRAINING) and does not end",
				name);
		if (i == 0)
			report_log(t->reporter, LOG_INFO,
				   "waiting for the deleted service %s to drain", name);
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

/* The count that slipway took from it for a deployment that failed; 0: it did not. */
static int64_t lost_count(const json_t *service)
{
	const char *text = deploy_target_tag(json_object_get(service, "tags"), TAG_COUNT);

	return aws_int(service, "desiredCount") == 0 ? strtoll(text, NULL, 10) : 0;
}

/* For the next deploy; that it may not be noted costs comfort alone. False: it is not. */
static bool note_count(const struct deploy_target *t, const char *arn, int64_t count)
{
	AUTO_FREE char *text = xstrfmt("%lld", (long long)count);
	AUTO_JSON *params = json_pack("{s:s, s:[{s:s, s:s}]}", "resourceArn", arn, "tags", "key",
				      TAG_COUNT, "value", text);
	AUTO(aws_reply) reply = {0};
	AUTO(error) why = ERROR_INIT;

	if (aws_ask(t->aws,
		    &(struct aws_question){
			    .service = AWS_ECS, .operation = "TagResource", .params = params},
		    &reply, &why) == 0)
		return true;
	report_log(t->reporter, LOG_DEBUG, "%s", why.message);
	return false;
}

/* What the service has of its own stays, but for the circuit breaker: a rollback is what following it relies on. */
static json_t *deployment_configuration(const struct service_change *c, const json_t *current)
{
	const json_t *own = json_object_get(current, "deploymentConfiguration");
	json_t *configuration = own ? json_deep_copy(own)
				    : json_pack("{s:i, s:i}", "maximumPercent", 200,
						"minimumHealthyPercent", 100);
	json_t *breaker = json_pack("{s:b, s:b}", "enable", 1, "rollback", 1);

	if (c->max_failures > 0)
		json_object_set_new(breaker, "thresholdConfiguration",
				    json_pack("{s:s, s:I}", "type", "COUNT", "value",
					      (json_int_t)c->max_failures));
	/* Rolling is the default; its bake time of 0 means nothing there. */
	if (strcmp(aws_text(configuration, "strategy"), "ROLLING") == 0) {
		json_object_del(configuration, "strategy");
		json_object_del(configuration, "bakeTimeInMinutes");
	}
	json_object_set_new(configuration, "deploymentCircuitBreaker", breaker);
	return configuration;
}

static void set_shared(json_t *p, const struct deploy_target *t, const struct service_change *c,
		       const json_t *current)
{
	json_object_set_new(p, "cluster", json_string(t->cluster));
	json_object_set_new(p, "taskDefinition", json_string(c->definition));
	json_object_set_new(p, "deploymentConfiguration", deployment_configuration(c, current));
	if (c->network)
		json_object_set(p, "networkConfiguration", c->network);
	if (c->load_balancers)
		json_object_set(p, "loadBalancers", c->load_balancers);
	if (c->load_balancers && c->grace_seconds >= 0)
		json_object_set_new(p, "healthCheckGracePeriodSeconds",
				    json_integer(c->grace_seconds));
	if (c->enable_exec)
		json_object_set_new(p, "enableExecuteCommand", json_true());
}

static json_t *create_params(const struct deploy_target *t, const struct service_change *c)
{
	json_t *p = json_pack("{s:s, s:s, s:I, s:b, s:s, s:o}", "serviceName", c->name,
			      "launchType", c->launch_type, "desiredCount",
			      (json_int_t)(c->desired_count < 0 ? 1 : c->desired_count),
			      "enableECSManagedTags", 1, "propagateTags", "SERVICE", "tags",
			      deploy_target_tags(t, "key", "value"));

	set_shared(p, t, c, NULL);
	return p;
}

static bool has_failed(const json_t *service)
{
	return strcmp(aws_text(service_primary(service), "rolloutState"), "FAILED") == 0;
}

static json_t *update_params(const struct deploy_target *t, const struct service_change *c,
			     const json_t *current)
{
	json_t *p = json_pack("{s:s}", "service", c->name);
	int64_t lost = lost_count(current);

	set_shared(p, t, c, current);
	if (c->desired_count >= 0 && !c->scaled_by_itself)
		json_object_set_new(p, "desiredCount", json_integer(c->desired_count));
	else if (lost > 0)
		json_object_set_new(p, "desiredCount", json_integer(lost));
	/* After a failure the same definition is deployed anew: what was wrong may have been mended elsewhere. */
	if (c->force || lost > 0 || (current && has_failed(current)))
		json_object_set_new(p, "forceNewDeployment", json_true());
	return p;
}

static bool says(const struct aws_reply *reply, const char *words)
{
	return reply->message && strstr(reply->message, words);
}

/* Partitions that have not got the newest member of the circuit breaker yet: 1 when it was there to take off. */
static bool drop_threshold(json_t *params)
{
	json_t *configuration = json_object_get(params, "deploymentConfiguration");
	json_t *breaker = json_object_get(configuration, "deploymentCircuitBreaker");

	return json_object_del(breaker, "thresholdConfiguration") == 0;
}

/* Roles made a moment ago, and whatever a second attempt of another form can mend; 1: try again. */
static int recover(const struct deploy_target *t, const struct aws_reply *reply, json_t *params,
		   int64_t end, int *i, struct error *err)
{
	if ((says(reply, "thresholdConfiguration") || says(reply, "Unknown parameter") ||
	     aws_reply_is(reply, "SerializationException")) &&
	    drop_threshold(params))
		return 1;
	if ((!says(reply, "assume the service linked role") && !says(reply, "assume the role") &&
	     !says(reply, "assume role")) ||
	    time_monotonic_ns() >= end)
		return 0;
	report_log(t->reporter, LOG_INFO, "a role is not known to ECS yet: trying again");
	return deploy_target_pause(t, (*i)++, err) < 0 ? -1 : 1;
}

/* *again: the name is taken by a service that was not seen before. */
static int send(const struct deploy_target *t, const char *operation, json_t *params,
		json_t **service, bool *exists, struct error *err)
{
	int64_t end = time_monotonic_ns() + (int64_t)ROLE_SECONDS * 1000000000;
	const struct aws_question q = {
		.service = AWS_ECS, .operation = operation, .params = params};
	int pauses = 0;

	for (;;) {
		AUTO(aws_reply) reply = {0};
		AUTO(error) local = ERROR_INIT;
		json_t *found;
		int again;

		if (aws_ask(t->aws, &q, &reply, &local) == 0) {
			if (json_get_object(reply.json, "service", &found, "the answer of ECS",
					    err) < 0)
				return -1;
			*service = json_incref(found);
			return 0;
		}
		*exists = says(&reply, "not idempotent");
		if (*exists)
			return error_move(err, &local);
		again = recover(t, &reply, params, end, &pauses, err);
		if (again < 0)
			return -1;
		if (again == 0)
			return error_move(err, &local);
	}
}

static int create(const struct deploy_target *t, const struct service_change *c, json_t **service,
		  struct error *err)
{
	AUTO_JSON *params = create_params(t, c);
	AUTO_JSON *update = NULL;
	AUTO(error) local = ERROR_INIT;
	bool exists = false;

	if (wait_for_drain(t, c->name, err) < 0)
		return -1;
	if (send(t, "CreateService", params, service, &exists, &local) == 0)
		return 0;
	if (!exists)
		return error_move(err, &local);
	/* somebody else made it meanwhile */
	update = update_params(t, c, NULL);
	return send(t, "UpdateService", update, service, &exists, err);
}

/* The task definition that ECS would go back to: of the deployment that was completed last; "" when there is none. */
static const char *last_good(const json_t *service)
{
	const json_t *primary = service_primary(service);
	json_t *one;
	size_t i;

	if (lost_count(service) > 0)
		return "";
	json_array_foreach (json_object_get(service, "deployments"), i, one) {
		if (strcmp(aws_text(one, "rolloutState"), "COMPLETED") == 0)
			return aws_text(one, "taskDefinition");
	}
	/* Partitions and deployment controllers that tell no state. */
	return *aws_text(primary, "rolloutState") ? "" : aws_text(primary, "taskDefinition");
}

void service_rollout_begin(struct service_rollout *out, const json_t *service)
{
	const json_t *now = service_primary(service);
	const json_t *time = json_object_get(now, "createdAt");

	free(out->deployment);
	out->deployment = xstrdup(aws_text(now, "id"));
	out->started = json_is_number(time) ? json_number_value(time) : (double)time_now();
}

static void fill(struct service_rollout *out, const struct service_change *c, const json_t *current,
		 const json_t *service)
{
	const json_t *before = current ? service_primary(current) : NULL;
	const char *old = current ? aws_text(current, "currentServiceDeployment") : "";
	const char *arn = aws_text(service, "currentServiceDeployment");

	service_rollout_release(out);
	out->service = xstrdup(c->name);
	out->arn = xstrdup(aws_text(service, "serviceArn"));
	service_rollout_begin(out, service);
	out->definition = xstrdup(c->definition);
	out->count = aws_int(service, "desiredCount");
	if (current && *last_good(current))
		out->previous = xstrdup(last_good(current));
	if (*old)
		out->seen_before = xstrdup(old);
	if (*arn && strcmp(arn, old) != 0)
		out->service_deployment = xstrdup(arn);
	out->unchanged = before && strcmp(aws_text(before, "id"), out->deployment) == 0;
	if (out->unchanged)
		out->started = (double)time_now();
}

int service_apply(const struct deploy_target *t, const struct service_change *c,
		  const json_t *current, struct service_rollout *out, struct error *err)
{
	AUTO_JSON *service = NULL;
	AUTO_JSON *params = NULL;
	bool exists;

	if (!current) {
		if (create(t, c, &service, err) < 0)
			return -1;
	} else {
		params = update_params(t, c, current);
		if (send(t, "UpdateService", params, &service, &exists, err) < 0)
			return -1;
		if (lost_count(current) > 0)
			note_count(t, aws_text(current, "serviceArn"), 0);
	}
	fill(out, c, current, service);
	if (current && c->desired_count != 0 && aws_int(service, "desiredCount") == 0)
		report_log(
			t->reporter, LOG_WARNING,
			"the service %s is scaled to 0, so nothing runs: --desired-count N changes that",
			c->name);
	return 0;
}

static int set_service(const struct deploy_target *t, json_t *params, struct error *err)
{
	AUTO(aws_reply) reply = {0};

	return aws_ask(t->aws,
		       &(struct aws_question){
			       .service = AWS_ECS, .operation = "UpdateService", .params = params},
		       &reply, err);
}

static bool stop_deployment(const struct deploy_target *t, const struct service_rollout *r)
{
	AUTO_JSON *params = json_pack("{s:s, s:s}", "serviceDeploymentArn", r->service_deployment,
				      "stopType", "ROLLBACK");
	AUTO(aws_reply) reply = {0};
	AUTO(error) why = ERROR_INIT;

	if (aws_ask(t->aws,
		    &(struct aws_question){.service = AWS_ECS,
					   .operation = "StopServiceDeployment",
					   .params = params},
		    &reply, &why) == 0)
		return true;
	report_log(t->reporter, LOG_DEBUG, "%s", why.message);
	return false;
}

int service_take_back(const struct deploy_target *t, const struct service_rollout *r, char **back,
		      struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s}", "cluster", t->cluster, "service", r->service);

	if (!r->previous) {
		json_object_set_new(params, "desiredCount", json_integer(0));
		if (set_service(t, params, err) < 0)
			return error_wrap(err, "scale the service %s to 0", r->service);
		if (r->count > 0 && note_count(t, r->arn, r->count))
			*back = xstrfmt("the service %s has nothing to go back to: scaled to 0; "
					"the next deploy brings it back to %lld",
					r->service, (long long)r->count);
		else
			*back = xstrfmt("the service %s has nothing to go back to: scaled to 0 "
					"(--desired-count scales it up again)",
					r->service);
		return 0;
	}
	if (!r->service_deployment || !stop_deployment(t, r)) {
		json_object_set_new(params, "taskDefinition", json_string(r->previous));
		if (set_service(t, params, err) < 0)
			return error_wrap(err, "bring the service %s back to %s", r->service,
					  path_base(r->previous));
	}
	*back = xstrfmt("the service %s goes back to %s", r->service, path_base(r->previous));
	return 0;
}
