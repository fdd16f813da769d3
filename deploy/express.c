#include "deploy/express.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/express_container.h"
#include "deploy/express_role.h"
#include "deploy/explain.h"
#include "deploy/lookup.h"
#include "deploy/task_run.h"

#define ROLE_SECONDS 60
#define GONE_SECONDS 900
/* Times of one change differ a little from one part of ECS to another. */
#define SLACK_SECONDS 60

void express_release(struct express *e)
{
	if (!e)
		return;
	free(e->arn);
	free(e->url);
	*e = (struct express){0};
}

static int describe(const struct deploy_target *t, const char *arn, bool waiting, json_t **service,
		    struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:[s]}", "serviceArn", arn, "include", "TAGS");
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = "DescribeExpressGatewayService",
		.params = params,
		.fine = {"ResourceNotFoundException", "ServiceNotFoundException",
			 "ClusterNotFoundException"},
		.waiting = waiting,
	};
	AUTO(aws_reply) reply = {0};
	json_t *found;

	*service = NULL;
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return -1;
	found = json_object_get(reply.json, "service");
	if (found)
		*service = json_incref(found);
	return 0;
}

static const char *status_of(const json_t *service)
{
	return aws_text(json_object_get(service, "status"), "statusCode");
}

static char *make_arn(const struct deploy_target *t, const char *name)
{
	AUTO_FREE char *what = xstrfmt("service/%s/%s", path_base(t->cluster), name);

	return deploy_target_arn(t, "ecs", what);
}

int express_find(const struct deploy_target *t, const char *name, json_t **service,
		 struct error *err)
{
	AUTO_FREE char *arn = make_arn(t, name);

	if (describe(t, arn, false, service, err) < 0)
		return error_wrap(err, "look for the Express service %s", name);
	if (*service && strcmp(status_of(*service), "ACTIVE") != 0) {
		json_decref(*service);
		*service = NULL;
	}
	return 0;
}

/* The address of the newest configuration. */
static void take_url(struct express *e, const json_t *service)
{
	const json_t *configuration = json_array_get(
		json_object_get(service, "activeConfigurations"), 0);
	const json_t *path;
	size_t i;

	json_array_foreach (json_object_get(configuration, "ingressPaths"), i, path) {
		const char *endpoint = aws_text(path, "endpoint");

		if (!*endpoint || (e->url && strcmp(aws_text(path, "accessType"), "PUBLIC") != 0))
			continue;
		free(e->url);
		e->url = xstrfmt("%s%s", strstr(endpoint, "://") ? "" : "https://", endpoint);
	}
}

static json_t *make_params(const struct express_wanted *w, json_t *container)
{
	const json_t *own = json_object_get(w->network, "awsvpcConfiguration");
	json_t *p = json_pack("{s:O, s:s, s:s, s:s}", "primaryContainer", container,
			      "healthCheckPath", w->health_path ? w->health_path : "/", "cpu",
			      aws_text(w->definition, "cpu"), "memory",
			      aws_text(w->definition, "memory"));

	if (*aws_text(w->definition, "taskRoleArn"))
		json_object_set_new(p, "taskRoleArn",
				    json_string(aws_text(w->definition, "taskRoleArn")));
	if (*aws_text(w->definition, "executionRoleArn"))
		json_object_set_new(p, "executionRoleArn",
				    json_string(aws_text(w->definition, "executionRoleArn")));
	if (own)
		json_object_set_new(p, "networkConfiguration",
				    json_pack("{s:O*, s:O*}", "subnets",
					      json_object_get(own, "subnets"), "securityGroups",
					      json_object_get(own, "securityGroups")));
	if (w->scale)
		json_object_set_new(
			p, "scalingTarget",
			json_pack("{s:I, s:I, s:s, s:I}", "minTaskCount", (json_int_t)w->scale->min,
				  "maxTaskCount", (json_int_t)w->scale->max, "autoScalingMetric",
				  "AVERAGE_CPU", "autoScalingTargetValue",
				  (json_int_t)(w->scale->cpu_percent ? w->scale->cpu_percent
								     : SCALING_CPU_DEFAULT)));
	return p;
}

/* A role that was made a moment ago is not known to ECS at once. */
static int send(const struct deploy_target *t, const char *operation, json_t *params,
		struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ECS, .operation = operation, .params = params};
	int64_t end = time_monotonic_ns() + ROLE_SECONDS * INT64_C(1000000000);

	for (int i = 0;; i++) {
		AUTO(error) local = ERROR_INIT;

		if (aws_ask(t->aws, &q, reply, &local) == 0)
			return 0;
		if (!reply->message || !strstr(reply->message, "assume") ||
		    time_monotonic_ns() >= end)
			return error_move(err, &local);
		report_log(t->reporter, LOG_INFO, "a role is not known to ECS yet: trying again");
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

static int create(const struct deploy_target *t, const struct express_wanted *w, json_t *params,
		  struct aws_reply *reply, struct error *err)
{
	AUTO_FREE char *role = NULL;

	if (!*aws_text(w->definition, "executionRoleArn"))
		return error_set(err, ERROR_USAGE,
				 "--express needs an execution role in the task definition");
	if (express_role_make(t, &role, err) < 0)
		return -1;
	json_object_set_new(params, "infrastructureRoleArn", json_string(role));
	json_object_set_new(params, "serviceName", json_string(w->name));
	json_object_set_new(params, "cluster", json_string(t->cluster));
	json_object_set_new(params, "tags", deploy_target_tags(t, "key", "value"));
	return send(t, "CreateExpressGatewayService", params, reply, err);
}

static int update(const struct deploy_target *t, const struct express_wanted *w,
		  const json_t *current, json_t *params, struct aws_reply *reply, struct error *err)
{
	if (!deploy_target_owns(t, json_object_get(current, "tags"))) {
		error_set(err, ERROR_UNSUPPORTED,
			  "there is an Express service %s that slipway did not make for %s",
			  w->name, t->app);
		return error_hint(err, "deploy under another --name");
	}
	json_object_set_new(params, "serviceArn", json_string(aws_text(current, "serviceArn")));
	return send(t, "UpdateExpressGatewayService", params, reply, err);
}

/* Of the change, by ECS's clock. */
static int64_t time_of(const json_t *service)
{
	const json_t *at = json_object_get(service, "updatedAt");

	if (!json_is_number(at))
		at = json_object_get(service, "createdAt");
	return json_is_number(at) ? (int64_t)json_number_value(at) : time_now();
}

int express_apply(const struct deploy_target *t, const struct express_wanted *w,
		  struct express *out, struct error *err)
{
	AUTO_JSON *container = NULL;
	AUTO_JSON *current = NULL;
	AUTO_JSON *params = NULL;
	AUTO(aws_reply) reply = {0};

	express_release(out);
	if (express_container_make(t, w->definition, w->port, &container, err) < 0 ||
	    express_find(t, w->name, &current, err) < 0)
		return -1;
	params = make_params(w, container);
	out->arn = make_arn(t, w->name);
	out->created = !current;
	if ((current ? update(t, w, current, params, &reply, err)
		     : create(t, w, params, &reply, err)) < 0)
		return error_wrap(err, "Express service %s", w->name);
	take_url(out, json_object_get(reply.json, "service"));
	out->started = time_of(json_object_get(reply.json, "service"));
	return 0;
}

struct watch {
	const struct deploy_target *t;
	struct express *e;
	int step;
	char *status;    /* of its deployment, as last told */
	char *reason;    /* of the same */
	char *dead;      /* ARN of the task that was reported */
	bool cannot_see; /* its deployments cannot be listed: its own status is all there is */
};

/* The newest deployment since we began. */
static int look_at_deployment(struct watch *w, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:{s:I}}", "service", w->e->arn, "cluster",
				      w->t->cluster, "createdAt", "after",
				      (json_int_t)(w->e->started - SLACK_SECONDS));
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = "ListServiceDeployments",
		.params = params,
		.fine = {"ServiceNotFoundException", "UnsupportedFeatureException",
			 "InvalidParameterException"},
		.waiting = true,
	};
	AUTO(aws_reply) reply = {0};
	const json_t *one, *newest = NULL;
	double at = 0;
	size_t i;

	if (w->cannot_see)
		return 0;
	if (aws_ask(w->t->aws, &q, &reply, err) < 0)
		return -1;
	w->cannot_see = reply.code != NULL;
	json_array_foreach (json_object_get(reply.json, "serviceDeployments"), i, one) {
		double made = json_number_value(json_object_get(one, "createdAt"));

		if (!newest || made > at)
			newest = one, at = made;
	}
	if (newest && (!w->status || strcmp(w->status, aws_text(newest, "status")) != 0))
		report_step_note(w->t->reporter, w->step, "%s", aws_text(newest, "status"));
	if (!newest)
		return 0;
	free(w->status);
	free(w->reason);
	w->status = xstrdup(aws_text(newest, "status"));
	w->reason = xstrdup(aws_text(newest, "statusReason"));
	return 0;
}

/* What its first dead task says, once. Listing tasks is not worth an error of its own. */
static int look_at_tasks(struct watch *w, struct error *err)
{
	const struct task_filter filter = {.service = path_base(w->e->arn), .state = TASKS_STOPPED};
	AUTO_JSON *tasks = NULL;
	AUTO(strbuf) report = STRBUF_INIT;
	const json_t *task;
	size_t i;

	if (w->dead || w->cannot_see)
		return 0;
	if (lookup_tasks(w->t, &filter, &tasks, NULL) < 0)
		return cancel_check(w->t->cancel, err);
	json_array_foreach (tasks, i, task) {
		double made = json_number_value(json_object_get(task, "createdAt"));

		if (made + SLACK_SECONDS < (double)w->e->started || !task_is_stopped(task) ||
		    str_starts(aws_text(task, "stoppedReason"), "Scaling activity"))
			continue;
		w->dead = xstrdup(aws_text(task, "taskArn"));
		if (explain_task(w->t, task, NULL, NULL, &report, err) < 0)
			return -1;
		report_log(w->t->reporter, LOG_WARNING, "%s", report.buf);
		break;
	}
	return 0;
}

static bool is_status(const struct watch *w, const char *status)
{
	return w->status && strcmp(w->status, status) == 0;
}

/* 1: it is over. */
static int look(struct watch *w, enum deploy_outcome *outcome, char **why, struct error *err)
{
	AUTO_JSON *service = NULL;

	if (describe(w->t, w->e->arn, true, &service, err) < 0)
		return -1;
	if (!service || strcmp(status_of(service), "ACTIVE") != 0) {
		*outcome = DEPLOY_FAILED;
		*why = xstrfmt("the service is %s: %s", service ? status_of(service) : "gone",
			       aws_text(json_object_get(service, "status"), "statusReason"));
		return 1;
	}
	take_url(w->e, service);
	if (look_at_deployment(w, err) < 0)
		return -1;
	if (is_status(w, "SUCCESSFUL") || (w->cannot_see && w->e->url)) {
		*outcome = DEPLOY_RUNNING;
		return 1;
	}
	if (look_at_tasks(w, err) < 0)
		return -1;
	if (!w->status || is_status(w, "PENDING") || is_status(w, "IN_PROGRESS"))
		return 0;
	*outcome = w->e->created || is_status(w, "ROLLBACK_FAILED") ? DEPLOY_FAILED
								    : DEPLOY_ROLLED_BACK;
	*why = xstrfmt("its deployment is %s: %s", w->status,
		       *w->reason ? w->reason : "ECS gives no reason");
	return 1;
}

int express_wait(const struct deploy_target *t, struct express *e, int64_t deadline,
		 enum deploy_outcome *outcome, char **why, struct error *err)
{
	struct watch w = {.t = t, .e = e};
	int over = 0;

	*why = NULL;
	w.step = report_step_begin(t->reporter, "waiting for the Express service %s",
				   path_base(e->arn));
	for (int i = 0; over == 0; i++) {
		over = look(&w, outcome, why, err);
		if (over == 0 && time_monotonic_ns() >= deadline) {
			*outcome = DEPLOY_TIMED_OUT;
			*why = xstrfmt("its deployment is still %s",
				       w.status ? w.status : "under way");
			over = 1;
		}
		if (over == 0 && deploy_target_pause(t, i, err) < 0)
			over = -1;
	}
	report_step_end(t->reporter, w.step,
			over > 0 && *outcome == DEPLOY_RUNNING ? STEP_STATUS_DONE
							       : STEP_STATUS_FAILED,
			NULL);
	free(w.status);
	free(w.reason);
	free(w.dead);
	return over < 0 ? -1 : 0;
}

/* Its load balancer goes with it, by the infrastructure role: that one has to stay until then. */
static int wait_gone(const struct deploy_target *t, const char *arn, struct error *err)
{
	int64_t end = time_monotonic_ns() + GONE_SECONDS * INT64_C(1000000000);

	for (int i = 0;; i++) {
		AUTO_JSON *service = NULL;

		if (describe(t, arn, true, &service, err) < 0)
			return -1;
		if (!service || strcmp(status_of(service), "INACTIVE") == 0)
			return 0;
		if (time_monotonic_ns() >= end) {
			error_set(err, ERROR_REMOTE, "the Express service %s is still %s",
				  path_base(arn), status_of(service));
			return error_hint(err, "run this again later: its role is needed until it "
					       "has gone");
		}
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

int express_destroy(const struct deploy_target *t, const char *name, struct strlist *removed,
		    struct error *err)
{
	AUTO_FREE char *arn = make_arn(t, name);
	AUTO_FREE char *role = NULL;
	AUTO_JSON *service = NULL;
	AUTO_JSON *params = json_pack("{s:s}", "serviceArn", arn);
	AUTO(aws_reply) reply = {0};
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "DeleteExpressGatewayService", .params = params};

	if (describe(t, arn, true, &service, err) < 0)
		return -1;
	if (service && strcmp(status_of(service), "INACTIVE") != 0) {
		if (!deploy_target_owns(t, json_object_get(service, "tags")))
			return 0;
		if (strcmp(status_of(service), "ACTIVE") == 0 &&
		    aws_ask(t->aws, &q, &reply, err) < 0)
			return error_wrap(err, "delete the Express service %s", name);
		if (wait_gone(t, arn, err) < 0)
			return -1;
		strlist_addf(removed, "Express service %s", name);
	}
	if (express_role_destroy(t, &role, err) < 0)
		return -1;
	if (role)
		strlist_addf(removed, "role %s", role);
	return 0;
}
