/* Rules of the task as a whole, wherever it runs. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

#define MOST_CONTAINERS 10
#define MOST_BYTES      (64u << 10)
#define MOST_TAGS       50
#define LONGEST_NAME    255

/* 1 to 255 of [A-Za-z0-9_-]. */
static bool is_name(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
			return false;
	return len > 0 && len <= LONGEST_NAME;
}

static void family(struct lint *l)
{
	const char *name = task_definition_family(l->td);

	if (json_object_get(l->td->json, "family") && !is_name(name))
		lint_say(l, LINT_AT(&lint_top, "family"),
			 "\"%s\" is no family name: 1 to 255 letters, digits, - and _ are", name);
}

static void container_count(struct lint *l)
{
	json_t *list = task_definition_containers(l->td);
	const struct lint_place *at = LINT_AT(&lint_top, "containerDefinitions");

	if (list && !json_array_size(list))
		lint_say(l, at, "a task has at least one container");
	if (json_array_size(list) > MOST_CONTAINERS)
		lint_say(l, at, "%zu containers: ECS takes %d", json_array_size(list),
			 MOST_CONTAINERS);
}

static void container_names(struct lint *l)
{
	AUTO(strlist) seen = STRLIST_INIT;
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(l->td), i, c) {
		const char *name = aws_text(c, "name");
		const struct lint_place *at = LINT_CONTAINER(i, name);

		if (!is_name(name))
			lint_say(l, at,
				 "a container needs a name of 1 to 255 letters, digits, - and _");
		else if (strlist_has(&seen, name))
			lint_say(l, at, "another container is called \"%s\" too", name);
		strlist_add(&seen, name);
	}
}

static void essential(struct lint *l)
{
	json_t *list = task_definition_containers(l->td), *c;
	size_t i;

	json_array_foreach (list, i, c)
		if (!json_is_false(json_object_get(c, "essential")))
			return;
	if (json_array_size(list))
		lint_say(l, LINT_AT(&lint_top, "containerDefinitions"),
			 "no container is essential: leave out \"essential\": false where the task "
			 "should end with the container");
}

static void size_of_all(struct lint *l)
{
	AUTO(strbuf) text = STRBUF_INIT;

	json_write(l->td->json, &text);
	if (text.len > MOST_BYTES)
		lint_say(l, &lint_top,
			 "%zu bytes as compact JSON: ECS takes 64 KiB; put long environments into "
			 "environmentFiles or a parameter",
			 text.len);
}

/* "name" or arn:aws...:iam::ACCOUNT:role/... */
static bool is_role(const char *s)
{
	if (str_starts(s, "arn:"))
		return strstr(s, ":iam::") && strstr(s, ":role/");
	return *s && !strpbrk(s, ":/ ");
}

static void roles(struct lint *l)
{
	static const char *const fields[] = {"executionRoleArn", "taskRoleArn"};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *role = aws_text(l->td->json, fields[i]);

		if (*role && !is_role(role))
			lint_say(l, LINT_AT(&lint_top, fields[i]),
				 "\"%s\" is no role: a role's name or its ARN "
				 "(arn:aws:iam::ACCOUNT:role/NAME) is",
				 role);
	}
}

static void execution_role(struct lint *l)
{
	const char *reason = task_definition_needs_execution_role(l->td);

	if (reason && !l->options->role_follows && !*aws_text(l->td->json, "executionRoleArn"))
		lint_say(l, LINT_AT(&lint_top, "executionRoleArn"),
			 "an execution role is needed, because %s: name one that has the policy "
			 "AmazonECSTaskExecutionRolePolicy",
			 reason);
}

static void tags(struct lint *l)
{
	json_t *list = json_object_get(l->td->json, "tags"), *tag;
	AUTO(strlist) seen = STRLIST_INIT;
	size_t i;

	if (json_array_size(list) > MOST_TAGS)
		lint_say(l, LINT_AT(&lint_top, "tags"), "%zu tags: ECS takes %d",
			 json_array_size(list), MOST_TAGS);
	json_array_foreach (list, i, tag) {
		const char *key = aws_text(tag, "key");
		const struct lint_place *at = LINT_IN(LINT_AT(&lint_top, "tags"), i, key);

		if (strncasecmp(key, "aws:", 4) == 0)
			lint_say(l, at, "keys that begin with aws: are AWS's own");
		else if (!*key || strlen(key) > 128)
			lint_say(l, at, "a tag's key has 1 to 128 letters");
		else if (strlist_has(&seen, key))
			lint_say(l, at, "the key is there twice");
		strlist_add(&seen, key);
	}
}

/* What the containers reserve together must fit into what the task has. */
static void sums(struct lint *l)
{
	int64_t cpu = task_json_cpu(aws_text(l->td->json, "cpu")), cpus = 0, memories = 0;
	int64_t memory = task_json_memory(aws_text(l->td->json, "memory"));
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(l->td), i, c) {
		int64_t hard = task_json_int(c, "memory", 0);

		cpus += task_json_int(c, "cpu", 0);
		if (memory > 0 && hard > memory)
			lint_say(l, LINT_AT(LINT_CONTAINER(i, aws_text(c, "name")), "memory"),
				 "%lld MiB are more than the task's %lld", (long long)hard,
				 (long long)memory);
		else
			memories += task_json_int(c, "memoryReservation", hard);
	}
	if (cpu > 0 && cpus > cpu)
		lint_say(l, LINT_AT(&lint_top, "cpu"),
			 "the containers ask for %lld units of CPU, the task has %lld",
			 (long long)cpus, (long long)cpu);
	if (memory > 0 && memories > memory)
		lint_say(l, LINT_AT(&lint_top, "memory"),
			 "the containers reserve %lld MiB, the task has %lld", (long long)memories,
			 (long long)memory);
}

static void volumes(struct lint *l)
{
	AUTO(strlist) seen = STRLIST_INIT;
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(l->td->json, "volumes"), i, v) {
		const char *name = aws_text(v, "name");
		const struct lint_place *at = LINT_IN(LINT_AT(&lint_top, "volumes"), i, name);

		if (!is_name(name))
			lint_say(l, at,
				 "a volume needs a name of 1 to 255 letters, digits, - and _");
		else if (strlist_has(&seen, name))
			lint_say(l, at, "another volume is called \"%s\" too", name);
		strlist_add(&seen, name);
	}
}

const struct lint_rule lint_rules_task[] = {
	{"family", LINT_ERROR, family, NULL},
	{"container-count", LINT_ERROR, container_count, NULL},
	{"container-name", LINT_ERROR, container_names, NULL},
	{"essential", LINT_ERROR, essential, NULL},
	{"size", LINT_ERROR, size_of_all, NULL},
	{"role", LINT_ERROR, roles, NULL},
	{"execution-role", LINT_ERROR, execution_role, NULL},
	{"tags", LINT_ERROR, tags, NULL},
	{"sum", LINT_ERROR, sums, NULL},
	{"volume-name", LINT_ERROR, volumes, NULL},
	{NULL, LINT_ERROR, NULL, NULL},
};
