#include "cli/deploy_config.h"

#include <sys/stat.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"

/* A flag's value as one types it; NULL: not one. */
static char *value_text(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return xstrdup(json_string_value(value));
	case JSON_INTEGER:
		return xstrfmt("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_TRUE:
		return xstrdup("true");
	case JSON_FALSE:
		return xstrdup("false");
	case JSON_REAL:
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return NULL;
}

/* name of an object's member: "--env=NAME=VALUE". */
static int add_flag(struct strlist *out, const char *path, const char *flag, const char *name,
		    const json_t *value, struct error *err)
{
	AUTO_FREE char *text = value_text(value);

	if (!text)
		return error_set(err, ERROR_USAGE,
				 "%s: \"%s\" has to be a text, a number or a bool", path, flag);
	strlist_addf(out, "--%s=%s%s%s", flag, name ? name : "", name ? "=" : "", text);
	return 0;
}

static int add_member(struct strlist *out, const char *path, const char *flag, json_t *value,
		      struct error *err)
{
	const char *name;
	json_t *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach (value, i, item)
			if (add_flag(out, path, flag, NULL, item, err) < 0)
				return -1;
		return 0;
	}
	if (!json_is_object(value))
		return add_flag(out, path, flag, NULL, value, err);
	json_object_foreach (value, name, item)
		if (add_flag(out, path, flag, name, item, err) < 0)
			return -1;
	return 0;
}

int deploy_config_read(struct strlist *out, const char *context, bool *found, struct error *err)
{
	AUTO_FREE char *path = path_join(context, DEPLOY_CONFIG);
	AUTO_JSON *j = NULL;
	struct stat st;
	const char *flag;
	json_t *value;

	*found = stat(context, &st) == 0 && S_ISDIR(st.st_mode) && stat(path, &st) == 0;
	if (!*found)
		return 0;
	if (json_parse_file(&j, path, LIMIT_CONFIG_BYTES, err) < 0)
		return -1;
	if (!json_is_object(j))
		return error_set(err, ERROR_SYNTAX, "%s: an object of flags is expected", path);
	json_object_foreach (j, flag, value)
		if (add_member(out, path, flag, value, err) < 0)
			return -1;
	return 0;
}
