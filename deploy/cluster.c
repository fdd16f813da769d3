#include "deploy/cluster.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define MAX_NAME        255
#define MAX_DESCRIBED   100
/* How long a service-linked role takes at most until ECS sees it. */
#define ROLE_SECONDS 60

void cluster_release(struct cluster *c)
{
	if (!c)
		return;
	free(c->name);
	free(c->arn);
	free(c->status);
	*c = (struct cluster){0};
}

void clusters_free(struct cluster *clusters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cluster_release(&clusters[i]);
	free(clusters);
}

int cluster_check_name(const char *name, struct error *err)
{
	const char *last = path_base(name);

	if (!*last || strlen(last) > MAX_NAME || last[strspn(last, NAME_CHARACTERS)])
		return error_set(err, ERROR_USAGE,
				 "invalid cluster \"%s\": letters, digits, '-' and '_' are "
				 "allowed, at most %d",
				 name, MAX_NAME);
	return 0;
}

static void read_cluster(const struct deploy_target *t, const json_t *j, struct cluster *out)
{
	const json_t *setting;
	size_t i;

	cluster_release(out);
	*out = (struct cluster){
		.found = strcmp(aws_text(j, "status"), "INACTIVE") != 0,
		.owned = deploy_target_owns(t, json_object_get(j, "tags")),
		.name = xstrdup(aws_text(j, "clusterName")),
		.arn = xstrdup(aws_text(j, "clusterArn")),
		.status = xstrdup(aws_text(j, "status")),
		.instances = aws_int(j, "registeredContainerInstancesCount"),
		.services = aws_int(j, "activeServicesCount"),
		.tasks = aws_int(j, "runningTasksCount") + aws_int(j, "pendingTasksCount"),
	};
	json_array_foreach (json_object_get(j, "settings"), i, setting) {
		if (strcmp(aws_text(setting, "name"), "containerInsights") == 0)
			out->insights = strcmp(aws_text(setting, "value"), "disabled") != 0;
	}
}

/* Asks for up to 100. */
static int describe(const struct deploy_target *t, json_t *names, struct aws_reply *reply,
		    struct error *err)
{
	AUTO_JSON *params = json_pack("{s:O, s:[s, s]}", "clusters", names, "include", "TAGS",
				      "SETTINGS");
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "DescribeClusters", .params = params};

	return aws_ask(t->aws, &q, reply, err);
}

int cluster_find(const struct deploy_target *t, const char *name, struct cluster *out,
		 struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *names = json_pack("[s]", name);
	const json_t *failure, *found;
	const char *reason;

	if (cluster_check_name(name, err) < 0)
		return -1;
	if (describe(t, names, &reply, err) < 0)
		return error_wrap(err, "look for the cluster %s", name);
	found = json_array_get(json_object_get(reply.json, "clusters"), 0);
	failure = json_array_get(json_object_get(reply.json, "failures"), 0);
	reason = aws_text(failure, "reason");
	if (!found && *reason && strcmp(reason, "MISSING") != 0)
		return error_set(err, ERROR_REMOTE, "look for the cluster %s: %s %s", name, reason,
				 aws_text(failure, "detail"));
	if (found) {
		read_cluster(t, found, out);
	} else {
		cluster_release(out);
		out->name = xstrdup(path_base(name));
	}
	return 0;
}

/* The role by which ECS makes network interfaces and speaks to load balancers: every account has one after its first use of ECS. */
static int make_linked_role(const struct deploy_target *t, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "AWSServiceName", "ecs.amazonaws.com");
	const struct aws_question q = {
		.service = AWS_IAM,
		.operation = "CreateServiceLinkedRole",
		.params = params,
		.fine = {"InvalidInput"},
	};

	report_log(t->reporter, LOG_INFO,
		   "making the service-linked role of ECS: this account "
		   "uses ECS for the first time");
	if (aws_ask(t->aws, &q, &reply, err) == 0) {
		if (!reply.code || (reply.message && strstr(reply.message, "has been taken")))
			return 0;
		return error_set(err, ERROR_REMOTE, "make the service-linked role of ECS: %s: %s",
				 reply.code, reply.message ? reply.message : "");
	}
	error_wrap(err, "make the service-linked role of ECS");
	return error_hint(err, "an administrator makes it once for the account: aws iam "
			       "create-service-linked-role --aws-service-name ecs.amazonaws.com");
}

static bool lacks_linked_role(const struct aws_reply *reply)
{
	return aws_reply_is(reply, "InvalidParameterException") && reply->message &&
	       strcasestr(reply->message, "service linked role");
}

/* By name, so a repeated request finds what an earlier one made. */
static int create(const struct deploy_target *t, json_t *params, struct aws_reply *reply,
		  struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "CreateCluster", .params = params};
	int64_t until = time_monotonic_ns() + ROLE_SECONDS * INT64_C(1000000000);

	for (int n = 0;; n++) {
		AUTO(error) local = ERROR_INIT;

		if (aws_ask(t->aws, &q, reply, &local) == 0)
			return 0;
		if (!lacks_linked_role(reply) || time_monotonic_ns() > until)
			return error_move(err, &local);
		if (n == 0 && make_linked_role(t, err) < 0)
			return -1;
		if (deploy_target_pause(t, n, err) < 0)
			return -1;
	}
}

int cluster_make(const struct deploy_target *t, const char *name, bool insights,
		 struct cluster *out, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;

	if (str_starts(name, "arn:"))
		return error_set(err, ERROR_NOT_FOUND,
				 "there is no cluster %s: one is made by its name, not by its ARN",
				 name);
	if (cluster_check_name(name, err) < 0)
		return -1;
	params = json_pack("{s:s, s:[s, s], s:o}", "clusterName", name, "capacityProviders",
			   "FARGATE", "FARGATE_SPOT", "tags",
			   deploy_target_tags(t, "key", "value"));
	if (insights)
		json_object_set_new(
			params, "settings",
			json_pack("[{s:s, s:s}]", "name", "containerInsights", "value", "enabled"));
	if (create(t, params, &reply, err) < 0)
		return error_wrap(err, "make the cluster %s", name);
	read_cluster(t, json_object_get(reply.json, "cluster"), out);
	out->owned = true;
	return 0;
}

int cluster_delete(const struct deploy_target *t, const char *name, bool *busy, struct error *err)
{
	static const char *const busy_codes[] = {
		"ClusterContainsServicesException", "ClusterContainsTasksException",
		"ClusterContainsContainerInstancesException", "UpdateInProgressException"};
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "cluster", name);
	const struct aws_question q = {
		.service = AWS_ECS,
		.operation = "DeleteCluster",
		.params = params,
		.fine = {"ClusterNotFoundException"},
	};
	int r = aws_ask(t->aws, &q, &reply, err);

	if (busy)
		*busy = r < 0 && reply.code &&
			str_in(reply.code, busy_codes, ARRAY_SIZE(busy_codes));
	if (r == 0)
		return 0;
	error_wrap(err, "delete the cluster %s", name);
	if (aws_reply_is(&reply, "ClusterContainsServicesException") ||
	    aws_reply_is(&reply, "ClusterContainsTasksException"))
		error_hint(err,
			   "slipway ps%s --cluster %s shows what runs there, slipway destroy "
			   "ends it",
			   deploy_target_flag(t), name);
	return -1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cluster *)a)->name, ((const struct cluster *)b)->name);
}

int cluster_list(const struct deploy_target *t, struct cluster **out, size_t *n, struct error *err)
{
	AUTO_JSON *params = json_object();
	AUTO_JSON *arns = NULL;
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "ListClusters", .params = params};
	struct cluster *list;
	size_t found = 0;

	if (aws_ask_all(t->aws, &q, "clusterArns", &arns, err) < 0)
		return error_wrap(err, "list the clusters");
	list = xcalloc(json_array_size(arns) + 1, sizeof(*list));
	for (size_t at = 0; at < json_array_size(arns); at += MAX_DESCRIBED) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *some = json_array();
		const json_t *one;
		size_t i;

		for (i = at; i < at + MAX_DESCRIBED && i < json_array_size(arns); i++)
			json_array_append(some, json_array_get(arns, i));
		if (describe(t, some, &reply, err) < 0) {
			clusters_free(list, found);
			return error_wrap(err, "list the clusters");
		}
		json_array_foreach (json_object_get(reply.json, "clusters"), i, one) {
			if (found < json_array_size(arns))
				read_cluster(t, one, &list[found++]);
		}
	}
	qsort(list, found, sizeof(*list), by_name);
	*out = list;
	*n = found;
	return 0;
}
