#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/destroy_private.h"

void destroy_names_release(struct destroy_names *n)
{
	strlist_release(&n->families);
	strlist_release(&n->log_groups);
	strlist_release(&n->roles);
	strlist_release(&n->repositories);
}

static void add_once(struct strlist *list, const char *name)
{
	if (*name && !strlist_has(list, name))
		strlist_add(list, name);
}

/* "ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:.." of this account and region. */
static void add_repository(const struct deploy_target *t, const char *image,
			   struct strlist *repositories)
{
	AUTO_FREE char *host = xstrfmt("%s.dkr.ecr.%s.%s/", t->account, t->region,
				       aws_region_suffix(t->region));
	AUTO_FREE char *name = NULL;

	if (!str_starts(image, host))
		return;
	name = xstrndup(image + strlen(host), strcspn(image + strlen(host), "@:"));
	add_once(repositories, name);
}

static void read_names(const struct deploy_target *t, const json_t *definition,
		       struct destroy_names *names)
{
	const json_t *container;
	size_t i;

	add_once(&names->roles, path_base(aws_text(definition, "executionRoleArn")));
	add_once(&names->roles, path_base(aws_text(definition, "taskRoleArn")));
	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, container) {
		const json_t *log = json_object_get(container, "logConfiguration");

		add_once(&names->log_groups,
			 aws_text(json_object_get(log, "options"), "awslogs-group"));
		add_repository(t, aws_text(container, "image"), &names->repositories);
	}
}

static int list(const struct deploy_target *t, const char *family, const char *status, json_t **out,
		struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s}", "familyPrefix", family, "status", status,
				      "sort", "DESC");
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "ListTaskDefinitions", .params = params};

	if (aws_ask_all(t->aws, &q, "taskDefinitionArns", out, err) < 0)
		return error_wrap(err, "list the task definitions of %s", family);
	return 0;
}

static int look_at(const struct deploy_target *t, const char *arn, bool active, struct destroy *d,
		   struct destroy_names *names, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:[s]}", "taskDefinition", arn, "include", "TAGS");
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "DescribeTaskDefinition", .params = params};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "read the task definition %s", path_base(arn));
	if (!deploy_target_owns(t, json_object_get(reply.json, "tags"))) {
		if (active)
			destroy_keep(d, DESTROY_TASK_DEFINITION, path_base(arn), NULL);
		return 0;
	}
	read_names(t, json_object_get(reply.json, "taskDefinition"), names);
	if (active)
		destroy_add(d, DESTROY_TASK_DEFINITION, path_base(arn), arn);
	return 0;
}

/* Of a family whose revisions are all deregistered the newest still tells the names: an earlier run may not have got further. */
static int look_at_family(const struct deploy_target *t, const char *family, struct destroy *d,
			  struct destroy_names *names, struct error *err)
{
	AUTO_JSON *active = NULL;
	AUTO_JSON *inactive = NULL;
	const json_t *arn;
	size_t i;

	if (list(t, family, "ACTIVE", &active, err) < 0)
		return -1;
	json_array_foreach (active, i, arn) {
		if (look_at(t, json_string_value(arn), true, d, names, err) < 0)
			return -1;
	}
	if (json_array_size(active))
		return 0;
	if (list(t, family, "INACTIVE", &inactive, err) < 0)
		return -1;
	arn = json_array_get(inactive, 0);
	return arn ? look_at(t, json_string_value(arn), false, d, names, err) : 0;
}

int destroy_find_definitions(const struct deploy_target *t, struct destroy *d,
			     struct destroy_names *names, struct error *err)
{
	for (size_t i = 0; i < names->families.n; i++)
		if (look_at_family(t, names->families.items[i], d, names, err) < 0)
			return -1;
	return 0;
}

int destroy_definition(const struct deploy_target *t, const struct destroy_item *item,
		       struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "taskDefinition", item->id);
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "DeregisterTaskDefinition", .params = params};

	return aws_ask(t->aws, &q, &reply, err);
}
