#include "deploy/task_register.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_compare.h"
#include "deploy/task_json.h"

int task_definition_describe(const struct deploy_target *t, const char *name,
			     struct task_definition *td, char **arn, struct error *err)
{
	AUTO(aws_reply) reply = {.json = NULL};
	AUTO_JSON *params = json_pack("{s:s, s:[s]}", "taskDefinition", name, "include", "TAGS");
	const struct aws_question question = {
		.service = AWS_ECS,
		.operation = "DescribeTaskDefinition",
		.params = params,
		.fine = {"ClientException"},
	};
	json_t *found;

	*td = (struct task_definition){.json = NULL};
	*arn = NULL;
	if (aws_ask(t->aws, &question, &reply, err) < 0)
		return -1;
	if (reply.code) {
		if (strstr(reply.message, "Unable to describe") ||
		    strstr(reply.message, "not found"))
			return 0;
		return error_set(err, ERROR_REMOTE, "describe the task definition %s: %s: %s", name,
				 reply.code, reply.message);
	}
	if (json_get_object(reply.json, "taskDefinition", &found,
			    "the answer of DescribeTaskDefinition", err) < 0)
		return -1;
	*arn = xstrdup(aws_text(found, "taskDefinitionArn"));
	task_definition_from_json(td, found);
	if (json_object_get(reply.json, "tags"))
		json_object_set(td->json, "tags", json_object_get(reply.json, "tags"));
	return 0;
}

static int make_revision(const struct deploy_target *t, const struct task_definition *td,
			 char **arn, struct error *err)
{
	AUTO(aws_reply) reply = {.json = NULL};
	const struct aws_question question = {
		.service = AWS_ECS, .operation = "RegisterTaskDefinition", .params = td->json};
	json_t *made;

	if (aws_ask(t->aws, &question, &reply, err) < 0)
		return error_wrap(err, "register the task definition %s",
				  task_definition_family(td));
	if (json_get_object(reply.json, "taskDefinition", &made,
			    "the answer of RegisterTaskDefinition", err) < 0)
		return -1;
	*arn = xstrdup(aws_text(made, "taskDefinitionArn"));
	return 0;
}

int task_definition_register(const struct deploy_target *t, const struct task_definition *td,
			     char **arn, bool *made, struct error *err)
{
	AUTO(task_definition) there = {.json = NULL};
	AUTO_FREE char *there_arn = NULL;

	*made = false;
	if (task_definition_describe(t, task_definition_family(td), &there, &there_arn, err) < 0)
		return -1;
	if (there.json && task_definition_equal(&there, td)) {
		*arn = take_ptr(there_arn);
		return 0;
	}
	if (make_revision(t, td, arn, err) < 0)
		return -1;
	*made = true;
	return 0;
}

/* params is released. */
static int list_all(const struct deploy_target *t, const char *operation, json_t *params,
		    const char *key, struct strlist *out, struct error *err)
{
	AUTO_JSON *owned = params;
	AUTO_JSON *list = NULL;
	const struct aws_question question = {
		.service = AWS_ECS, .operation = operation, .params = owned};
	json_t *item;
	size_t i;

	if (aws_ask_all(t->aws, &question, key, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, item)
		strlist_add(out, path_base(task_json_string(item)));
	return 0;
}

int task_definition_families(const struct deploy_target *t, struct strlist *out, struct error *err)
{
	return list_all(t, "ListTaskDefinitionFamilies", json_pack("{s:s}", "status", "ACTIVE"),
			"families", out, err);
}

int task_definition_revisions(const struct deploy_target *t, const char *family,
			      struct strlist *out, struct error *err)
{
	return list_all(t, "ListTaskDefinitions",
			json_pack("{s:s, s:s, s:s}", "familyPrefix", family, "status", "ACTIVE",
				  "sort", "DESC"),
			"taskDefinitionArns", out, err);
}
