#include "deploy/task_compare.h"

#include <string.h>

#include "base/alloc.h"
#include "deploy/task_json.h"

/* The members that tell elements of a list apart, by which they are paired. */
static const char *const labels[] = {
	"containerPort", "name",      "containerName", "containerPath", "sourceContainer",
	"hostname",      "namespace", "hostPath",      "deviceName",    "expression",
};
/* Maps of names to values that people fill. */
static const char *const maps[] = {"options", "dockerLabels", "driverOpts", "labels"};

static const char *const secret_words[] = {"key",    "token",      "secret",  "password",
					   "passwd", "credential", "private", "auth",
					   "pwd",    "passphrase"};

bool task_name_is_secret(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(secret_words); i++)
		if (strcasestr(name, secret_words[i]))
			return true;
	return false;
}

/* SCHEME://USER:PASSWORD@HOST */
static bool has_login(const char *value)
{
	const char *host = strstr(value, "://"), *at, *colon;

	if (!host)
		return false;
	host += 3;
	at = strchr(host, '@');
	colon = strchr(host, ':');
	return at && colon && colon < at && at < host + strcspn(host, "/ ");
}

bool task_value_is_secret(const char *name, const char *value)
{
	return task_name_is_secret(name) || (value && has_login(value));
}

/* A role by its name is the role by its ARN: arn:aws:iam::ACCOUNT:role/PATH/NAME. */
static void same_role(json_t *a, json_t *b, const char *key)
{
	const char *x = aws_text(a, key), *y = aws_text(b, key);
	const char *last = strrchr(y, '/');

	if (*x && !strchr(x, ':') && last && strstr(y, ":role/") && strcmp(last + 1, x) == 0)
		json_object_set(a, key, json_object_get(b, key));
}

static void normal_pair(const struct task_definition *a, const struct task_definition *b,
			json_t **x, json_t **y)
{
	static const char *const roles[] = {"executionRoleArn", "taskRoleArn"};

	*x = task_definition_normal(a);
	*y = task_definition_normal(b);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		same_role(*x, *y, roles[i]);
		same_role(*y, *x, roles[i]);
	}
}

bool task_definition_equal(const struct task_definition *a, const struct task_definition *b)
{
	AUTO_JSON *x = NULL, *y = NULL;

	normal_pair(a, b, &x, &y);
	return json_equal(x, y) != 0;
}

/* Where a comparison stands: path "" is the task. name is what the value is called by people: a variable, an option, a field. */
struct place {
	const char *path, *name;
	bool filled; /* by people: its value may be a secret */
};

static void add_line(struct strlist *out, char sign, const struct place *p, const json_t *value)
{
	AUTO(strbuf) line = STRBUF_INIT;
	const char *text = json_string_value(value);

	strbuf_printf(&line, "%c %s: ", sign, p->path);
	if (p->filled && task_value_is_secret(p->name, text)) {
		strbuf_puts(&line, "(hidden)");
	} else {
		AUTO_FREE char *shown = json_dumps(value, JSON_ENCODE_ANY);

		strbuf_puts(&line, shown ? shown : "");
	}
	strlist_addn(out, line.buf, line.len);
}

static void diff_value(const struct place *p, const json_t *a, const json_t *b,
		       struct strlist *out);

/* "web", "3000/tcp": how an element of a list is called; NULL: by its place alone. free() */
static char *label_of(const json_t *element)
{
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		const json_t *value = json_object_get(element, labels[i]);

		if (json_is_string(value))
			return xstrdup(json_string_value(value));
		if (json_is_integer(value)) {
			const char *protocol = aws_text(element, "protocol");

			return xstrfmt("%lld/%s", (long long)json_integer_value(value),
				       *protocol ? protocol : "tcp");
		}
	}
	return NULL;
}

static json_t *labelled(const json_t *list, const char *label)
{
	size_t i;
	json_t *element;

	json_array_foreach (list, i, element) {
		AUTO_FREE char *mine = label_of(element);

		if (mine && strcmp(mine, label) == 0)
			return element;
	}
	return NULL;
}

/* Longer lists, which no task definition of 64 KiB has, are compared as a whole. */
#define LONGEST_PAIRED 4000

/* Each element has a name that no other of the list has. */
static bool can_pair(const json_t *list)
{
	size_t i;
	json_t *element;

	if (json_array_size(list) > LONGEST_PAIRED)
		return false;
	json_array_foreach (list, i, element) {
		AUTO_FREE char *label = label_of(element);

		if (!label || labelled(list, label) != element)
			return false;
	}
	return true;
}

/* {"name": "PORT", "value": "3000"}: its value alone, when there is nothing else. */
static const json_t *variable_of(const json_t *element)
{
	const json_t *value = json_object_get(element, "value");

	return value && json_object_get(element, "name") && json_object_size(element) == 2 ? value
											   : NULL;
}

static void diff_element(const struct place *p, const char *label, const json_t *a, const json_t *b,
			 struct strlist *out)
{
	AUTO_FREE char *path = xstrfmt("%s[%s]", p->path, label);
	struct place inner = {.path = path, .name = label};
	const json_t *x = a ? variable_of(a) : NULL, *y = b ? variable_of(b) : NULL;

	if ((!a || x) && (!b || y)) {
		inner.filled = true;
		diff_value(&inner, x, y, out);
	} else {
		diff_value(&inner, a, b, out);
	}
}

static void diff_lists(const struct place *p, const json_t *a, const json_t *b, struct strlist *out)
{
	size_t i;
	json_t *element;

	json_array_foreach (a, i, element) {
		AUTO_FREE char *label = label_of(element);

		diff_element(p, label, element, labelled(b, label), out);
	}
	json_array_foreach (b, i, element) {
		AUTO_FREE char *label = label_of(element);

		if (!labelled(a, label))
			diff_element(p, label, NULL, element, out);
	}
}

static void diff_member(const struct place *p, const char *key, const json_t *a, const json_t *b,
			struct strlist *out)
{
	bool is_map = str_in(p->name, maps, ARRAY_SIZE(maps));
	AUTO_FREE char *path = is_map     ? xstrfmt("%s[%s]", p->path, key)
			       : *p->path ? xstrfmt("%s.%s", p->path, key)
					  : xstrdup(key);
	struct place inner = {.path = path, .name = key, .filled = is_map};

	diff_value(&inner, a, b, out);
}

static void diff_objects(const struct place *p, const json_t *a, const json_t *b,
			 struct strlist *out)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)a, key, value)
		diff_member(p, key, value, json_object_get(b, key), out);
	json_object_foreach ((json_t *)(uintptr_t)b, key, value)
		if (!json_object_get(a, key))
			diff_member(p, key, NULL, value, out);
}

/* Goes down as long as both sides, or the one there is, can be named part by part. */
static void diff_value(const struct place *p, const json_t *a, const json_t *b, struct strlist *out)
{
	bool objects = (!a || json_is_object(a)) && (!b || json_is_object(b));
	bool lists = (!a || (json_is_array(a) && can_pair(a))) &&
		     (!b || (json_is_array(b) && can_pair(b)));

	if (a && b && json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b))
		return;
	if (objects) {
		diff_objects(p, a, b, out);
	} else if (lists) {
		diff_lists(p, a, b, out);
	} else {
		if (a)
			add_line(out, '-', p, a);
		if (b)
			add_line(out, '+', p, b);
	}
}

void task_definition_diff(const struct task_definition *a, const struct task_definition *b,
			  struct strlist *out)
{
	AUTO_JSON *x = NULL, *y = NULL;
	struct place top = {.path = "", .name = ""};

	normal_pair(a, b, &x, &y);
	diff_value(&top, x, y, out);
}
