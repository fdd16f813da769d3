#include "deploy/rollback.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/ecs.h"
#include "deploy/explain.h"

#define REVISIONS_AT_ONCE 20 /* of DescribeServiceRevisions */

/* The revisions that deployments were completed with, newest first: an array of ARNs. */
static json_t *sorted_revisions(const json_t *deployments)
{
	AUTO_JSON *newest = ecs_newest_first(deployments);
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach (newest, i, one)
		if (i < REVISIONS_AT_ONCE)
			json_array_append_new(
				out, json_string(aws_text(one, "targetServiceRevisionArn")));
	return out;
}

static const char *definition_of(const json_t *revisions, const char *arn)
{
	const json_t *one;
	size_t i;

	json_array_foreach (revisions, i, one) {
		if (strcmp(aws_text(one, "serviceRevisionArn"), arn) == 0)
			return aws_text(one, "taskDefinition");
	}
	return "";
}

/* *arn stays NULL when no deployment tells of another task definition. */
static int find_completed(const struct deploy_target *t, const json_t *service, const char *now,
			  char **arn, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:[s]}", "cluster", t->cluster, "service",
				      aws_text(service, "serviceName"), "status", "SUCCESSFUL");
	AUTO_JSON *wanted = NULL;
	AUTO_JSON *asked = NULL;
	AUTO(aws_reply) listed = {0}, described = {0};
	const json_t *revisions;

	if (ecs_look(t, "ListServiceDeployments", params, &listed, err) < 0)
		return -1;
	wanted = sorted_revisions(json_object_get(listed.json, "serviceDeployments"));
	if (!json_array_size(wanted))
		return 0;
	asked = json_pack("{s:O}", "serviceRevisionArns", wanted);
	if (ecs_look(t, "DescribeServiceRevisions", asked, &described, err) < 0)
		return -1;
	revisions = json_object_get(described.json, "serviceRevisions");
	for (size_t i = 0; !*arn && i < json_array_size(wanted); i++) {
		const char *revision = json_string_value(json_array_get(wanted, i));
		const char *found = revision ? definition_of(revisions, revision) : "";

		if (*found && strcmp(found, now) != 0)
			*arn = xstrdup(found);
	}
	return 0;
}

static char *family_of(const char *definition)
{
	const char *name = path_base(definition);

	return xstrndup(name, strcspn(name, ":"));
}

static int64_t revision_of(const char *definition)
{
	const char *colon = strrchr(path_base(definition), ':');

	return colon ? strtoll(colon + 1, NULL, 10) : 0;
}

static int find_revision_before(const struct deploy_target *t, const char *now, char **arn,
				struct error *err)
{
	AUTO_FREE char *family = family_of(now);
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s}", "familyPrefix", family, "status", "ACTIVE",
				      "sort", "DESC");
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "ListTaskDefinitions", .params = params};
	AUTO_JSON *arns = NULL;
	const json_t *one;
	size_t i;

	if (aws_ask_all(t->aws, &q, "taskDefinitionArns", &arns, err) < 0)
		return -1;
	json_array_foreach (arns, i, one) {
		const char *text = json_string_value(one);
		AUTO_FREE char *of = text ? family_of(text) : NULL;

		/* familyPrefix is a prefix: "web" finds web-admin as well. */
		if (text && strcmp(of, family) == 0 && revision_of(text) < revision_of(now)) {
			*arn = xstrdup(text);
			return 0;
		}
	}
	return 0;
}

int rollback_find(const struct deploy_target *t, const json_t *service, char **arn,
		  struct error *err)
{
	const char *now = aws_text(service_primary(service), "taskDefinition");
	AUTO(error) local = ERROR_INIT;

	*arn = NULL;
	if (find_completed(t, service, now, arn, &local) < 0) {
		if (local.kind == ERROR_CANCELLED || local.kind == ERROR_NETWORK)
			return error_move(err, &local);
		report_log(t->reporter, LOG_WARNING,
			   "ECS does not tell of the deployments before, so the revision before is "
			   "taken: %s",
			   local.message);
		if (find_revision_before(t, now, arn, err) < 0)
			return -1;
	}
	if (*arn)
		return 0;
	error_set(err, ERROR_NOT_FOUND,
		  "the service %s has no completed deployment with another task definition than %s",
		  aws_text(service, "serviceName"), path_base(now));
	return error_hint(err,
			  "name a revision: slipway rollback%s %s REVISION; 'slipway "
			  "task-definition list%s' shows them",
			  deploy_target_flag(t), aws_text(service, "serviceName"),
			  deploy_target_flag(t));
}

int rollback_resolve(const struct deploy_target *t, const json_t *service, const char *revision,
		     char **arn, struct error *err)
{
	AUTO_FREE char *family = family_of(aws_text(service_primary(service), "taskDefinition"));
	bool number = *revision && !revision[strspn(revision, "0123456789")];
	AUTO_FREE char *name = number ? xstrfmt("%s:%s", family, revision) : xstrdup(revision);
	AUTO_JSON *definition = NULL;

	if (describe_definition(t, name, &definition, err) < 0)
		return error_wrap(err, "look for the task definition %s", name);
	if (strcmp(aws_text(definition, "status"), "INACTIVE") == 0)
		return error_set(
			err, ERROR_NOT_FOUND,
			"the task definition %s was deregistered: ECS starts no task of it", name);
	*arn = xstrdup(aws_text(definition, "taskDefinitionArn"));
	return 0;
}

int rollback_apply(const struct deploy_target *t, const json_t *service, const char *arn,
		   struct service_rollout *out, struct error *err)
{
	const char *name = aws_text(service, "serviceName");
	const char *now = aws_text(service_primary(service), "taskDefinition");
	const char *seen = aws_text(service, "currentServiceDeployment");
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s}", "cluster", t->cluster, "service", name,
				      "taskDefinition", arn);
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "UpdateService", .params = params};
	AUTO(aws_reply) reply = {0};
	bool failed = strcmp(aws_text(service_primary(service), "rolloutState"), "FAILED") == 0;

	service_rollout_release(out);
	out->service = xstrdup(name);
	out->definition = xstrdup(arn);
	out->previous = xstrdup(now);
	out->unchanged = strcmp(now, arn) == 0 && !failed;
	if (*seen)
		out->seen_before = xstrdup(seen);
	if (out->unchanged)
		return 0;
	/* The deployment of it was given up: ECS starts no task of it any more. */
	if (failed && strcmp(now, arn) == 0)
		json_object_set_new(params, "forceNewDeployment", json_true());
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "bring the service %s back to %s", name, path_base(arn));
	service_rollout_begin(out, json_object_get(reply.json, "service"));
	return 0;
}
