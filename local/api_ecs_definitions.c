/* ECS: task definitions (ECS API Reference, RegisterTaskDefinition and its neighbours). */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/ecs_definition.h"
#include "local/ecs_input.h"

#define CODE     "ClientException"
#define FAMILIES "families"
#define PAGE     100

static const char *definition_key(const json_t *definition)
{
	return path_base(ecs_text(definition, "taskDefinitionArn"));
}

/* Counted where no deletion reaches, so that a number is never used twice. */
static int next_revision(struct api_call *c, const char *family, int64_t *revision)
{
	struct state *s = c->local->state;
	json_t *known = state_get(s, STATE_SETTINGS, FAMILIES);
	json_t *changed = known ? json_copy(known) : json_object();

	*revision = task_json_int(changed, family, 0) + 1;
	json_object_set_new(changed, family, json_integer(*revision));
	return api_put(c, STATE_SETTINGS, FAMILIES, changed);
}

static int put(struct api_call *c, json_t *document)
{
	const char *key = definition_key(json_object_get(document, "taskDefinition"));

	return api_put(c, STATE_TASK_DEFINITIONS, key, document);
}

static void show(struct api_call *c, const json_t *document, bool with_tags)
{
	json_t *tags = json_object_get(document, "tags");

	json_object_set_new(c->output, "taskDefinition",
			    json_deep_copy(json_object_get(document, "taskDefinition")));
	if (with_tags && json_array_size(tags))
		json_object_set_new(c->output, "tags", json_deep_copy(tags));
}

static int register_definition(struct api_call *c)
{
	const char *family = ecs_text(c->input, "family");
	json_t *tags = json_object_get(c->input, "tags"), *stored, *document;
	AUTO_FREE char *what = NULL, *arn = NULL;
	int64_t revision;

	if (ecs_definition_check(c, c->input) < 0 || next_revision(c, family, &revision) < 0)
		return -1;
	what = xstrfmt("task-definition/%s:%lld", family, (long long)revision);
	arn = api_arn(c, "ecs", what);
	stored = ecs_definition_stored(c->input);
	json_object_set_new(stored, "taskDefinitionArn", json_string(arn));
	json_object_set_new(stored, "revision", json_integer(revision));
	json_object_set_new(stored, "status", json_string("ACTIVE"));
	json_object_set_new(stored, "registeredAt", api_now());
	json_object_set_new(stored, "registeredBy", json_string(c->caller));
	document = json_pack("{s:o, s:o}", "taskDefinition", stored, "tags",
			     json_is_array(tags) ? json_deep_copy(tags) : json_array());
	show(c, document, true);
	return put(c, document);
}

static int find(struct api_call *c, const char *name, json_t **document)
{
	*document = ecs_find_definition(c->local->state, name);
	if (*document)
		return 0;
	return api_error(c, CODE, "Unable to describe task definition.");
}

static int describe(struct api_call *c)
{
	json_t *document;

	if (ecs_check_input(c, "taskDefinition:s! include:t") < 0 ||
	    find(c, ecs_text(c->input, "taskDefinition"), &document) < 0)
		return -1;
	show(c, document, ecs_includes(c, "TAGS"));
	return 0;
}

static int deregister(struct api_call *c)
{
	const char *name = ecs_text(c->input, "taskDefinition");
	json_t *document, *changed, *definition;

	if (ecs_check_input(c, "taskDefinition:s!") < 0)
		return -1;
	if (!strchr(path_base(name), ':'))
		return api_error(c, CODE, "Invalid revision number. Number: null");
	if (find(c, name, &document) < 0)
		return -1;
	changed = json_deep_copy(document);
	definition = json_object_get(changed, "taskDefinition");
	if (ecs_is(definition, "status", "ACTIVE")) {
		json_object_set_new(definition, "status", json_string("INACTIVE"));
		json_object_set_new(definition, "deregisteredAt", api_now());
	}
	show(c, changed, false);
	return put(c, changed);
}

static int delete_one(struct api_call *c, const char *name, json_t *deleted, json_t *failures)
{
	json_t *document = strchr(path_base(name), ':') ? ecs_find_definition(c->local->state, name)
							: NULL;
	json_t *changed, *definition;

	if (!document) {
		ecs_add_failure(failures, name, "The specified task definition was not found.");
		return 0;
	}
	if (ecs_is(json_object_get(document, "taskDefinition"), "status", "ACTIVE")) {
		ecs_add_failure(failures, name,
				"The specified task definition is still in ACTIVE status. Please "
				"deregister the target and try again.");
		return 0;
	}
	changed = json_deep_copy(document);
	definition = json_object_get(changed, "taskDefinition");
	json_object_set_new(definition, "status", json_string("DELETE_IN_PROGRESS"));
	json_object_set_new(definition, "deleteRequestedAt", api_now());
	json_array_append_new(deleted, json_deep_copy(definition));
	return put(c, changed);
}

static int delete_definitions(struct api_call *c)
{
	json_t *names = json_object_get(c->input, "taskDefinitions"), *name;
	json_t *deleted = json_array(), *failures = json_array();
	size_t i;

	json_object_set_new(c->output, "taskDefinitions", deleted);
	json_object_set_new(c->output, "failures", failures);
	if (ecs_check_input(c, "taskDefinitions:t!") < 0)
		return -1;
	if (json_array_size(names) > 10)
		return api_error(c, "InvalidParameterException",
				 "taskDefinitions can have at most 10 items.");
	json_array_foreach (names, i, name)
		if (delete_one(c, json_string_value(name), deleted, failures) < 0)
			return -1;
	return 0;
}

/* By family, then by revision as a number: texts would put 10 before 2. */
static int by_family_and_revision(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int64_t m = task_json_int(x, "revision", 0), n = task_json_int(y, "revision", 0);
	int order = strcmp(ecs_text(x, "family"), ecs_text(y, "family"));

	return order ? order : (m > n) - (m < n);
}

static int list(struct api_call *c)
{
	const char *family = ecs_text(c->input, "familyPrefix"), *key;
	const char *status = ecs_text(c->input, "status");
	bool backwards = ecs_is(c->input, "sort", "DESC");
	json_t *out = json_array(), *document;
	AUTO_FREE json_t **found = NULL;
	size_t n = 0, cap = 0;

	json_object_set_new(c->output, "taskDefinitionArns", out);
	if (ecs_check_input(c, "familyPrefix:s status:s sort:s nextToken:s maxResults:i") < 0 ||
	    ecs_check_word(c, "status", status, "ACTIVE INACTIVE DELETE_IN_PROGRESS") < 0 ||
	    ecs_check_word(c, "sort", ecs_text(c->input, "sort"), "ASC DESC") < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_TASK_DEFINITIONS), key, document) {
		json_t *definition = json_object_get(document, "taskDefinition");

		if ((*family && !ecs_is(definition, "family", family)) ||
		    !ecs_is(definition, "status", *status ? status : "ACTIVE"))
			continue;
		GROW(found, n + 1, cap);
		found[n++] = definition;
	}
	if (n)
		qsort((void *)found, n, sizeof(json_t *), by_family_and_revision);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, json_object_get(found[backwards ? n - 1 - i : i],
						       "taskDefinitionArn"));
	return api_page(c, out, PAGE);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_families(struct api_call *c)
{
	const char *prefix = ecs_text(c->input, "familyPrefix"), *key;
	const char *status = ecs_text(c->input, "status");
	json_t *out = json_array(), *document;
	AUTO_JSON *seen = json_object();
	AUTO_FREE const char **names = NULL;
	size_t n = 0, cap = 0;

	json_object_set_new(c->output, "families", out);
	if (ecs_check_input(c, "familyPrefix:s status:s nextToken:s maxResults:i") < 0 ||
	    ecs_check_word(c, "status", status, "ACTIVE INACTIVE ALL") < 0)
		return -1;
	/* A family is active when one of its revisions is. */
	json_object_foreach (state_all(c->local->state, STATE_TASK_DEFINITIONS), key, document) {
		const json_t *definition = json_object_get(document, "taskDefinition");
		const char *family = ecs_text(definition, "family");
		bool active = ecs_is(definition, "status", "ACTIVE");

		if (str_starts(family, prefix) && (active || !json_object_get(seen, family)))
			json_object_set_new(seen, family, json_boolean(active));
	}
	json_object_foreach (seen, key, document) {
		bool wants_active = strcmp(status, "INACTIVE") != 0;

		if (strcmp(status, "ALL") != 0 && json_is_true(document) != wants_active)
			continue;
		GROW(names, n + 1, cap);
		names[n++] = key;
	}
	if (n)
		qsort((void *)names, n, sizeof(char *), by_text);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, json_string(names[i]));
	return api_page(c, out, PAGE);
}

const struct api_operation api_ecs_definitions[] = {
	{"RegisterTaskDefinition", register_definition, false},
	{"DescribeTaskDefinition", describe, false},
	{"DeregisterTaskDefinition", deregister, false},
	{"DeleteTaskDefinitions", delete_definitions, false},
	{"ListTaskDefinitions", list, false},
	{"ListTaskDefinitionFamilies", list_families, false},
	{0},
};
