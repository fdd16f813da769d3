#include "deploy/task_definition.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/task_json.h"

/* What DescribeTaskDefinition has beyond what RegisterTaskDefinition takes (ECS API Reference, TaskDefinition). */
static const char *const answer_only[] = {
	"taskDefinitionArn",  "revision",        "status",
	"requiresAttributes", "compatibilities", "registeredAt",
	"registeredBy",       "deregisteredAt",  "deleteRequestedAt",
};

void task_definition_release(struct task_definition *td)
{
	json_decref(td->json);
	free(td->where);
	free(td->text);
	*td = (struct task_definition){NULL, NULL, NULL};
}

void task_definition_strip(json_t *json)
{
	for (size_t i = 0; i < ARRAY_SIZE(answer_only); i++)
		json_object_del(json, answer_only[i]);
}

/* A number where the API has a text: people write "cpu": 256, and it can mean one thing only. */
static void number_to_text(json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);

	if (json_is_integer(value)) {
		AUTO_FREE char *text = xstrfmt("%lld", (long long)json_integer_value(value));

		json_object_set_new(json, key, json_string(text));
	}
}

void task_definition_from_json(struct task_definition *out, const json_t *json)
{
	*out = (struct task_definition){.json = json_deep_copy(json)};
	task_definition_strip(out->json);
	number_to_text(out->json, "cpu");
	number_to_text(out->json, "memory");
}

int task_definition_read(struct task_definition *out, const char *text, size_t len,
			 const char *where, struct error *err)
{
	AUTO_JSON *json = NULL;
	json_t *inner;

	if (json_parse(&json, text, len, where, err) < 0)
		return error_wrap(err, "read the task definition");
	if (!json_is_object(json))
		return error_set(err, ERROR_SYNTAX,
				 "%s: a task definition is a JSON object, as \"aws ecs "
				 "register-task-definition --cli-input-json\" takes it",
				 where);
	inner = json_object_get(json, "taskDefinition");
	if (json_is_object(inner) && !json_object_get(json, "containerDefinitions")) {
		json_t *tags = json_object_get(json, "tags");

		if (tags && !json_object_get(inner, "tags"))
			json_object_set(inner, "tags", tags);
		task_definition_from_json(out, inner);
	} else {
		task_definition_from_json(out, json);
	}
	out->where = xstrdup(where);
	out->text = xstrndup(text, len);
	return 0;
}

json_t *task_definition_containers(const struct task_definition *td)
{
	json_t *list = json_object_get(td->json, "containerDefinitions");

	return json_is_array(list) ? list : NULL;
}

const char *task_definition_family(const struct task_definition *td)
{
	return aws_text(td->json, "family");
}

bool task_definition_is_fargate(const struct task_definition *td)
{
	size_t i;
	json_t *value;

	json_array_foreach (json_object_get(td->json, "requiresCompatibilities"), i, value)
		if (strcmp(task_json_string(value), "FARGATE") == 0)
			return true;
	return false;
}

static const char *where_of(const struct task_definition *td)
{
	return td->where ? td->where : "task definition";
}

/* The essential container when there is one alone; a container is essential unless it says false. */
static json_t *only_essential(const struct task_definition *td)
{
	size_t i;
	json_t *c, *found = NULL;

	json_array_foreach (task_definition_containers(td), i, c) {
		if (json_is_false(json_object_get(c, "essential")))
			continue;
		if (found)
			return NULL;
		found = c;
	}
	return found;
}

static char *names_of(const struct task_definition *td)
{
	AUTO(strlist) names = STRLIST_INIT;
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(td), i, c)
		strlist_add(&names, aws_text(c, "name"));
	return strlist_join(&names, ", ");
}

int task_definition_choose(const struct task_definition *td, const char *container, const char *app,
			   json_t **out, struct error *err)
{
	json_t *list = task_definition_containers(td), *found = NULL;
	AUTO_FREE char *names = NULL;

	if (!json_is_object(json_array_get(list, 0)))
		return error_set(err, ERROR_NOT_FOUND,
				 "%s: there is no container to put the image into: "
				 "containerDefinitions is missing or empty",
				 where_of(td));
	if (container)
		found = container_named(list, container);
	else if (json_array_size(list) == 1)
		found = json_array_get(list, 0);
	else if (!app || !(found = container_named(list, app)))
		found = only_essential(td);
	if (found) {
		*out = found;
		return 0;
	}
	names = names_of(td);
	if (container)
		return error_set(err, ERROR_NOT_FOUND,
				 "%s: there is no container \"%s\" (there are: %s)", where_of(td),
				 container, names);
	(void)error_set(err, ERROR_NOT_FOUND,
			"%s: which container gets the image is not clear (there are: %s)",
			where_of(td), names);
	return error_hint(err, "name it with --container");
}

int task_definition_put_image(struct task_definition *td, const char *container, const char *app,
			      const char *image, struct error *err)
{
	json_t *found;

	if (task_definition_choose(td, container, app, &found, err) < 0)
		return -1;
	json_object_set_new(found, "image", json_text(image));
	return 0;
}

void task_definition_default(struct task_definition *td, const char *field, const char *value)
{
	if (!*aws_text(td->json, field))
		json_object_set_new(td->json, field, json_text(value));
}
