/*
 * Parameter Store of the local target (AWS Systems Manager API, 2014-11-06): the other place that secrets of task definitions are read from. Values of every
 * type lie in files that their owner alone may read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/sha256.h"
#include "local/api.h"

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/"
#define MOST_NAME    1011
#define MOST_VALUE   4096
#define MOST_LEVELS  15
#define MOST_NAMES   10
#define PAGE         50
#define INVALID      "ValidationException"
#define SECURE       "SecureString"

static char *arn_of(const struct api_call *c, const char *name)
{
	AUTO_FREE char *what = xstrfmt("parameter%s%s", *name == '/' ? "" : "/", name);

	return api_arn(c, "ssm", what);
}

/* A name, its ARN, and either with ":VERSION" behind it. *version: 0 when none is asked for. */
static json_t *find(struct api_call *c, const char *text, int64_t *version)
{
	const char *name = strstr(text, ":parameter/");
	const char *start = name ? name + strlen(":parameter") : text;
	size_t n = strcspn(start, ":");
	AUTO_FREE char *plain = xstrndup(start, n);
	json_t *parameter;

	*version = start[n] ? strtoll(start + n + 1, NULL, 10) : 0;
	if (start[n] && *version <= 0)
		*version = -1;
	parameter = state_get(c->local->state, STATE_PARAMETERS, plain);
	if (!parameter && name)
		parameter = state_get(c->local->state, STATE_PARAMETERS, plain + 1);
	return parameter;
}

static int check_name(struct api_call *c, const char *name)
{
	size_t levels = 0;

	for (const char *p = name; p && *p; p++)
		levels += *p == '/';
	if (!name || !*name || strlen(name) > MOST_NAME ||
	    strspn(name, NAME_LETTERS) != strlen(name) || str_ends(name, "/") || strstr(name, "//"))
		return api_error(c, INVALID,
				 "Parameter name: can't be prefixed with \"ssm\" "
				 "(case-insensitive). If formed as a path, it can consist of "
				 "sub-paths divided by slash symbol; each sub-path can be formed "
				 "as a mix of letters, numbers and the following 3 symbols .-_");
	if (levels > 0 && *name != '/')
		return api_error(c, INVALID, "Parameter name must be a fully qualified name.");
	if (levels > MOST_LEVELS)
		return api_error(c, "HierarchyLevelLimitExceededException",
				 "A hierarchy can have a maximum of %d levels.", MOST_LEVELS);
	name += *name == '/';
	if (strncasecmp(name, "aws", 3) == 0 || strncasecmp(name, "ssm", 3) == 0)
		return api_error(c, "AccessDeniedException",
				 "No access to reserved parameter name: %s.", name);
	return 0;
}

struct given {
	const char *name, *value, *type, *about;
	bool overwrite;
};

/* What would be promised and not kept. */
static int refuse_extras(struct api_call *c)
{
	static const char *const names[] = {"AllowedPattern", "Policies"};
	const char *tier, *type;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(c->input, names[i]))
			return api_error(c, INVALID, "the local target does not hold values to %s",
					 names[i]);
	if (api_text(c, "Tier", &tier) < 0 || api_text(c, "DataType", &type) < 0)
		return -1;
	if ((tier && strcmp(tier, "Advanced") == 0) || (type && strcmp(type, "text") != 0))
		return api_error(c, INVALID,
				 "the local target has parameters of tier Standard and data type "
				 "text alone");
	return 0;
}

static int check_given(struct api_call *c, const struct given *g, const json_t *old)
{
	static const char *const types[] = {"String", "StringList", SECURE};

	if (check_name(c, g->name) < 0)
		return -1;
	if (!g->value || !*g->value || strlen(g->value) > MOST_VALUE)
		return api_error(c, INVALID,
				 "1 validation error detected: Value at 'value' failed to satisfy "
				 "constraint: Member must have 1 to %d bytes",
				 MOST_VALUE);
	if (!g->type && !old)
		return api_error(c, INVALID,
				 "A parameter type is required when you create a parameter.");
	if (g->type && !str_in(g->type, types, ARRAY_SIZE(types)))
		return api_error(c, INVALID,
				 "1 validation error detected: Value '%.40s' at 'type' failed to "
				 "satisfy constraint: Member must satisfy enum value set: "
				 "[SecureString, StringList, String]",
				 g->type);
	if (refuse_extras(c) < 0)
		return -1;
	if (old && !g->overwrite)
		return api_error(c, "ParameterAlreadyExists",
				 "The parameter already exists. To overwrite this value, set the "
				 "overwrite option in the request to true.");
	if (g->overwrite && json_array_size(json_object_get(c->input, "Tags")))
		return api_error(c, INVALID,
				 "Invalid request: tags and overwrite can't be used together.");
	return 0;
}

static int put_parameter(struct api_call *c)
{
	struct given g = {0};
	AUTO_FREE char *arn = NULL;
	const json_t *old;
	int64_t version;
	json_t *parameter;

	if (api_text(c, "Name", &g.name) < 0 || api_text(c, "Value", &g.value) < 0 ||
	    api_text(c, "Type", &g.type) < 0 || api_text(c, "Description", &g.about) < 0 ||
	    api_flag(c, "Overwrite", &g.overwrite, false) < 0)
		return -1;
	old = g.name ? state_get(c->local->state, STATE_PARAMETERS, g.name) : NULL;
	if (check_given(c, &g, old) < 0)
		return -1;
	arn = arn_of(c, g.name);
	version = aws_int(old, "Version") + 1;
	parameter = json_pack("{s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:s, s:s}", "Name", g.name,
			      "Type", g.type ? g.type : aws_text(old, "Type"), "Value", g.value,
			      "Version", (json_int_t)version, "LastModifiedDate", api_now(), "ARN",
			      arn, "DataType", "text", "Tier", "Standard", "LastModifiedUser",
			      c->caller);
	if (g.about || *aws_text(old, "Description"))
		json_object_set_new(parameter, "Description",
				    json_text(g.about ? g.about : aws_text(old, "Description")));
	json_object_set(parameter, "Tags", json_object_get(old ? old : c->input, "Tags"));
	if (api_put(c, STATE_PARAMETERS, g.name, parameter) < 0)
		return -1;
	json_object_set_new(c->output, "Version", json_integer(version));
	json_object_set_new(c->output, "Tier", json_string("Standard"));
	return 0;
}

/* What stands for a value that is not to be shown: no key but the target's makes it, and nobody makes the value of it. */
static json_t *sealed(const struct api_call *c, const char *value)
{
	AUTO(strbuf) out = STRBUF_INIT;
	const char *key = c->local->secret_key;
	uint8_t raw[SHA256_SIZE];

	sha256_hmac(key, strlen(key), value, strlen(value), raw);
	base64_encode(&out, raw, sizeof(raw));
	return json_text(out.buf);
}

static json_t *shown(const struct api_call *c, const json_t *parameter, bool decrypt)
{
	static const char *const names[] = {
		"Name", "Type", "Value", "Version", "LastModifiedDate", "ARN", "DataType"};
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		json_object_set(out, names[i], json_object_get(parameter, names[i]));
	if (!decrypt && strcmp(aws_text(parameter, "Type"), SECURE) == 0)
		json_object_set_new(out, "Value", sealed(c, aws_text(parameter, "Value")));
	return out;
}

static int get_parameter(struct api_call *c)
{
	const json_t *parameter;
	const char *name;
	int64_t version;
	bool decrypt;

	if (api_text(c, "Name", &name) < 0 || api_flag(c, "WithDecryption", &decrypt, false) < 0)
		return -1;
	parameter = name ? find(c, name, &version) : NULL;
	if (!parameter)
		return api_error(c, "ParameterNotFound", "Parameter %.200s not found.",
				 name ? name : "(none)");
	if (version && version != aws_int(parameter, "Version"))
		return api_error(c, "ParameterVersionNotFound",
				 "Systems Manager could not find version of %.200s: the local "
				 "target keeps the newest one",
				 name);
	json_object_set_new(c->output, "Parameter", shown(c, parameter, decrypt));
	return 0;
}

static int names_of(struct api_call *c, json_t **names)
{
	const json_t *name;
	size_t i;

	*names = json_object_get(c->input, "Names");
	json_array_foreach (*names, i, name)
		if (!json_is_string(name))
			return api_error(c, "SerializationException", "Names are to be texts");
	if (json_array_size(*names) < 1 || json_array_size(*names) > MOST_NAMES)
		return api_error(c, INVALID,
				 "1 validation error detected: Value at 'names' failed to satisfy "
				 "constraint: Member must have length between 1 and %d",
				 MOST_NAMES);
	return 0;
}

static int get_parameters(struct api_call *c)
{
	json_t *found = json_array(), *wrong = json_array(), *names, *name;
	int64_t version;
	bool decrypt;
	size_t i;

	json_object_set_new(c->output, "Parameters", found);
	json_object_set_new(c->output, "InvalidParameters", wrong);
	if (api_flag(c, "WithDecryption", &decrypt, false) < 0 || names_of(c, &names) < 0)
		return -1;
	json_array_foreach (names, i, name) {
		const json_t *parameter = find(c, json_string_value(name), &version);

		if (parameter && (!version || version == aws_int(parameter, "Version")))
			json_array_append_new(found, shown(c, parameter, decrypt));
		else
			json_array_append(wrong, name);
	}
	return 0;
}

/* Directly below path, or at any depth. */
static bool is_below(const char *name, const char *path, bool deep)
{
	size_t n = strlen(path);

	n -= n > 0 && path[n - 1] == '/';
	return strncmp(name, path, n) == 0 && name[n] == '/' &&
	       (deep || !strchr(name + n + 1, '/'));
}

static int get_parameters_by_path(struct api_call *c)
{
	json_t *found = json_array(), *parameter;
	const char *path, *name;
	bool decrypt, deep;

	json_object_set_new(c->output, "Parameters", found);
	if (api_text(c, "Path", &path) < 0 || api_flag(c, "WithDecryption", &decrypt, false) < 0 ||
	    api_flag(c, "Recursive", &deep, false) < 0)
		return -1;
	if (!path || *path != '/')
		return api_error(c, INVALID,
				 "The parameter doesn't meet the parameter name "
				 "requirements: Path begins with a slash.");
	json_object_foreach (state_all(c->local->state, STATE_PARAMETERS), name, parameter)
		if (is_below(name, path, deep))
			json_array_append_new(found, shown(c, parameter, decrypt));
	return api_page(c, found, PAGE);
}

static bool value_fits(const char *value, const char *option, const char *wanted)
{
	if (strcmp(option, "BeginsWith") == 0)
		return str_starts(value, wanted);
	if (strcmp(option, "Contains") == 0)
		return strstr(value, wanted) != NULL;
	return strcmp(value, wanted) == 0;
}

/* ParameterFilters, and what was before them: Filters, whose names are beginnings. */
static int fits(struct api_call *c, const json_t *parameter, const char *member, const char *usual,
		bool *out)
{
	const json_t *filter, *value;
	size_t i, k;

	json_array_foreach (json_object_get(c->input, member), i, filter) {
		const char *key = aws_text(filter, "Key"), *option = aws_text(filter, "Option");
		bool any = false;

		if (strcmp(key, "Name") != 0 && strcmp(key, "Type") != 0)
			return api_error(c, "InvalidFilterKey",
					 "the local target filters parameters by Name and Type, "
					 "not by \"%.40s\"",
					 key);
		json_array_foreach (json_object_get(filter, "Values"), k, value)
			any = any || (json_is_string(value) &&
				      value_fits(aws_text(parameter, key), *option ? option : usual,
						 json_string_value(value)));
		*out = *out && any;
	}
	return 0;
}

static int describe_parameters(struct api_call *c)
{
	json_t *found = json_array(), *parameter, *one;
	const char *name;

	json_object_set_new(c->output, "Parameters", found);
	json_object_foreach (state_all(c->local->state, STATE_PARAMETERS), name, parameter) {
		bool wanted = true;

		if (fits(c, parameter, "ParameterFilters", "Equals", &wanted) < 0 ||
		    fits(c, parameter, "Filters", "BeginsWith", &wanted) < 0)
			return -1;
		if (!wanted)
			continue;
		one = json_copy(parameter);
		json_object_del(one, "Value");
		json_object_del(one, "Tags");
		json_array_append_new(found, one);
	}
	return api_page(c, found, PAGE);
}

static int list_tags_for_resource(struct api_call *c)
{
	const json_t *parameter;
	const char *type, *id;

	if (api_text(c, "ResourceType", &type) < 0 || api_text(c, "ResourceId", &id) < 0)
		return -1;
	parameter = id ? state_get(c->local->state, STATE_PARAMETERS, id) : NULL;
	if (!parameter || !type || strcmp(type, "Parameter") != 0)
		return api_error(c, "InvalidResourceId",
				 "The resource ID is not valid: the local target has parameters "
				 "alone");
	json_object_set_new(c->output, "TagList", json_array());
	if (json_is_array(json_object_get(parameter, "Tags")))
		json_object_set(c->output, "TagList", json_object_get(parameter, "Tags"));
	return 0;
}

static int delete_parameter(struct api_call *c)
{
	const char *name;

	if (api_text(c, "Name", &name) < 0)
		return -1;
	if (!name || !state_get(c->local->state, STATE_PARAMETERS, name))
		return api_error(c, "ParameterNotFound", "Parameter %.200s not found.",
				 name ? name : "(none)");
	return api_remove(c, STATE_PARAMETERS, name);
}

static int delete_parameters(struct api_call *c)
{
	json_t *gone = json_array(), *wrong = json_array(), *names, *name;
	size_t i;

	json_object_set_new(c->output, "DeletedParameters", gone);
	json_object_set_new(c->output, "InvalidParameters", wrong);
	if (names_of(c, &names) < 0)
		return -1;
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);
		bool there = state_get(c->local->state, STATE_PARAMETERS, text) != NULL;

		json_array_append(there ? gone : wrong, name);
		if (api_remove(c, STATE_PARAMETERS, text) < 0)
			return -1;
	}
	return 0;
}

const struct api_operation api_ssm[] = {
	{"PutParameter", put_parameter, false},
	{"GetParameter", get_parameter, false},
	{"GetParameters", get_parameters, false},
	{"GetParametersByPath", get_parameters_by_path, false},
	{"DescribeParameters", describe_parameters, false},
	{"ListTagsForResource", list_tags_for_resource, false},
	{"DeleteParameter", delete_parameter, false},
	{"DeleteParameters", delete_parameters, false},
	{0},
};
