/* IAM of the local target: roles (AWS Identity and Access Management API, 2010-05-08). They are kept and given back; nobody's rights are looked at. */
#include "local/api_iam.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/time.h"
#include "net/url.h"

#define NAME_LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
#define ID_LETTERS      "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define MOST_TAGS       50
#define DEFAULT_SECONDS 3600
#define LINKED_PATH     "/aws-service-role/"

int iam_name(struct api_call *c, const char *member, size_t most, const char **out)
{
	if (api_text(c, member, out) < 0)
		return -1;
	if (*out && **out && strlen(*out) <= most && strspn(*out, NAME_LETTERS) == strlen(*out))
		return 0;
	return api_error(c, "ValidationError",
			 "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
			 "constraint: Member must have 1 to %zu letters, digits and _+=,.@-",
			 *out ? *out : "null", member, most);
}

int iam_role(struct api_call *c, json_t **role)
{
	const char *name;

	if (iam_name(c, "RoleName", 64, &name) < 0)
		return -1;
	*role = state_get(c->local->state, STATE_ROLES, name);
	if (!*role)
		return api_error(c, "NoSuchEntity", "The role with name %s cannot be found.", name);
	return 0;
}

int iam_save(struct api_call *c, json_t *role)
{
	const char *name = json_string_value(json_object_get(role, "RoleName"));

	return api_put(c, STATE_ROLES, name, json_incref(role));
}

int iam_list(struct api_call *c, const char *member, json_t *array)
{
	int r = api_page(c, array, 100);

	json_object_set_new(c->output, member, array);
	json_object_set_new(c->output, "IsTruncated",
			    json_boolean(json_object_get(c->output, "Marker") != NULL));
	return r;
}

json_t *iam_encode(const char *text)
{
	AUTO(strbuf) out = STRBUF_INIT;

	url_encode(&out, text);
	return json_text(out.buf);
}

static bool is_statement(const json_t *s, const char *wanted)
{
	const char *effect = json_string_value(json_object_get(s, "Effect"));
	AUTO_FREE char *opposite = xstrfmt("Not%s", wanted);

	return effect && (strcmp(effect, "Allow") == 0 || strcmp(effect, "Deny") == 0) &&
	       (json_object_get(s, "Action") || json_object_get(s, "NotAction")) &&
	       (json_object_get(s, wanted) || json_object_get(s, opposite));
}

int iam_check_policy(struct api_call *c, const char *text, const char *wanted)
{
	AUTO_JSON *policy = NULL;
	json_t *statements, *each;
	size_t i;
	bool good;

	if (!text || json_parse(&policy, text, strlen(text), "policy", NULL) < 0 ||
	    !json_is_object(policy))
		return api_error(c, "MalformedPolicyDocument", "This policy contains invalid Json");
	statements = json_object_get(policy, "Statement");
	good = json_is_object(statements) ? is_statement(statements, wanted)
					  : json_array_size(statements) > 0;
	json_array_foreach (statements, i, each)
		good = good && is_statement(each, wanted);
	if (good)
		return 0;
	return api_error(c, "MalformedPolicyDocument",
			 "Syntax errors in policy: each statement needs Effect, Action and %s",
			 wanted);
}

/* As GetRole gives it: without what is kept beside. */
static json_t *describe(const json_t *role, bool tags)
{
	json_t *shown = json_copy((json_t *)(uintptr_t)role);
	const char *trust = json_string_value(json_object_get(role, "AssumeRolePolicyDocument"));

	json_object_del(shown, "AttachedPolicies");
	json_object_del(shown, "Inline");
	json_object_set_new(shown, "AssumeRolePolicyDocument", iam_encode(trust ? trust : ""));
	if (!tags || !json_array_size(json_object_get(shown, "Tags")))
		json_object_del(shown, "Tags");
	return shown;
}

static int get_role(struct api_call *c)
{
	json_t *role;

	if (iam_role(c, &role) < 0)
		return -1;
	json_object_set_new(c->output, "Role", describe(role, true));
	return 0;
}

/* Adds the input's tags to those of list: a key that is there gets the new value. */
static int merge_tags(struct api_call *c, json_t *list)
{
	json_t *tags = json_object_get(c->input, "Tags"), *tag, *old;
	size_t i, k;

	json_array_foreach (tags, i, tag) {
		const char *key = json_string_value(json_object_get(tag, "Key"));
		const char *value = json_string_value(json_object_get(tag, "Value"));

		if (!key || !value || !*key || strlen(key) > 128 || strlen(value) > 256)
			return api_error(c, "InvalidInput",
					 "A tag has a Key of 1 to 128 characters and a Value of at "
					 "most 256");
		json_array_foreach (list, k, old)
			if (strcmp(json_string_value(json_object_get(old, "Key")), key) == 0)
				break;
		if (k < json_array_size(list))
			json_array_set(list, k, tag);
		else
			json_array_append(list, tag);
	}
	if (json_array_size(list) > MOST_TAGS)
		return api_error(c, "LimitExceeded",
				 "The number of tags has reached the maximum limit of %d.",
				 MOST_TAGS);
	return 0;
}

static json_t *new_role(const struct api_call *c, const char *path, const char *name,
			const char *trust)
{
	AUTO_FREE char *arn = xstrfmt("arn:aws:iam::%s:role%s%s", c->account, path, name);
	char letters[18], made[TIME_TEXT_SIZE];
	AUTO_FREE char *id = NULL;

	random_letters(letters, sizeof(letters) - 1, ID_LETTERS);
	id = xstrfmt("AROA%s", letters);
	time_format(time_now(), 0, made);
	return json_pack("{s:o, s:o, s:s, s:o, s:s, s:o, s:i, s:[], s:[], s:{}}", "Path",
			 json_text(path), "RoleName", json_text(name), "RoleId", id, "Arn",
			 json_text(arn), "CreateDate", made, "AssumeRolePolicyDocument",
			 json_text(trust), "MaxSessionDuration", DEFAULT_SECONDS, "Tags",
			 "AttachedPolicies", "Inline");
}

static int read_path(struct api_call *c, const char **path)
{
	if (api_text(c, "Path", path) < 0)
		return -1;
	if (!*path)
		*path = "/";
	if (**path == '/' && str_ends(*path, "/") && strlen(*path) <= 512 &&
	    strspn(*path, NAME_LETTERS "/") == strlen(*path) && !str_starts(*path, LINKED_PATH))
		return 0;
	return api_error(c, "ValidationError",
			 "The specified value for path is invalid. It must begin and end with / "
			 "and contain only alphanumeric characters and/or / characters.");
}

static int create_role(struct api_call *c)
{
	const char *name, *path, *trust, *about;
	AUTO_JSON *role = NULL;
	int64_t seconds;

	if (iam_name(c, "RoleName", 64, &name) < 0 || read_path(c, &path) < 0 ||
	    api_text(c, "AssumeRolePolicyDocument", &trust) < 0 ||
	    api_text(c, "Description", &about) < 0 ||
	    api_int(c, "MaxSessionDuration", &seconds, DEFAULT_SECONDS) < 0 ||
	    iam_check_policy(c, trust, "Principal") < 0)
		return -1;
	if (state_get(c->local->state, STATE_ROLES, name))
		return api_error(c, "EntityAlreadyExists", "Role with name %s already exists.",
				 name);
	role = new_role(c, path, name, trust);
	json_object_set_new(role, "MaxSessionDuration", json_integer(seconds));
	if (about)
		json_object_set_new(role, "Description", json_text(about));
	if (merge_tags(c, json_object_get(role, "Tags")) < 0 || iam_save(c, role) < 0)
		return -1;
	json_object_set_new(c->output, "Role", describe(role, true));
	return 0;
}

static int delete_role(struct api_call *c)
{
	json_t *role;

	if (iam_role(c, &role) < 0)
		return -1;
	if (json_array_size(json_object_get(role, "AttachedPolicies")))
		return api_error(c, "DeleteConflict",
				 "Cannot delete entity, must detach all policies first.");
	if (json_object_size(json_object_get(role, "Inline")))
		return api_error(c, "DeleteConflict",
				 "Cannot delete entity, must delete policies first.");
	return api_remove(c, STATE_ROLES, json_string_value(json_object_get(c->input, "RoleName")));
}

static int list_roles(struct api_call *c)
{
	json_t *shown = json_array(), *role;
	const char *prefix, *name;

	if (api_text(c, "PathPrefix", &prefix) < 0) {
		json_decref(shown);
		return -1;
	}
	json_object_foreach (state_all(c->local->state, STATE_ROLES), name, role) {
		const char *path = json_string_value(json_object_get(role, "Path"));

		if (!prefix || str_starts(path, prefix))
			json_array_append_new(shown, describe(role, false));
	}
	return iam_list(c, "Roles", shown);
}

static int update_assume_role_policy(struct api_call *c)
{
	const char *trust;
	json_t *role;

	if (iam_role(c, &role) < 0 || api_text(c, "PolicyDocument", &trust) < 0 ||
	    iam_check_policy(c, trust, "Principal") < 0)
		return -1;
	json_object_set_new(role, "AssumeRolePolicyDocument", json_text(trust));
	return iam_save(c, role);
}

static int tag_role(struct api_call *c)
{
	AUTO_JSON *tags = NULL;
	json_t *role;

	if (iam_role(c, &role) < 0)
		return -1;
	tags = json_copy(json_object_get(role, "Tags"));
	if (merge_tags(c, tags) < 0)
		return -1;
	json_object_set(role, "Tags", tags);
	return iam_save(c, role);
}

static int untag_role(struct api_call *c)
{
	json_t *role, *keys = json_object_get(c->input, "TagKeys"), *key, *tags;
	size_t i;

	if (iam_role(c, &role) < 0)
		return -1;
	tags = json_object_get(role, "Tags");
	json_array_foreach (keys, i, key) {
		const char *name = json_string_value(key);

		for (size_t k = json_array_size(tags); name && k-- > 0;)
			if (strcmp(json_string_value(
					   json_object_get(json_array_get(tags, k), "Key")),
				   name) == 0)
				json_array_remove(tags, k);
	}
	return iam_save(c, role);
}

static int list_role_tags(struct api_call *c)
{
	json_t *role;

	if (iam_role(c, &role) < 0)
		return -1;
	return iam_list(c, "Tags", json_copy(json_object_get(role, "Tags")));
}

/* Service names with the names of their roles; others get one of their first word. */
static char *linked_name(const char *service)
{
	static const char *const rows[][2] = {
		{"ecs.amazonaws.com", "AWSServiceRoleForECS"},
		{"ecs.application-autoscaling.amazonaws.com",
		 "AWSServiceRoleForApplicationAutoScaling_ECSService"},
		{"elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i][0], service) == 0)
			return xstrdup(rows[i][1]);
	return xstrfmt("AWSServiceRoleFor_%.*s", (int)strcspn(service, "."), service);
}

static int create_service_linked_role(struct api_call *c)
{
	AUTO_FREE char *trust = NULL, *name = NULL, *path = NULL;
	AUTO_JSON *role = NULL;
	const char *service;

	if (api_text(c, "AWSServiceName", &service) < 0)
		return -1;
	if (!service || !str_ends(service, ".amazonaws.com") || strlen(service) > 100 ||
	    strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(service))
		return api_error(c, "InvalidInput",
				 "AWSServiceName is the name of a service, as ecs.amazonaws.com");
	name = linked_name(service);
	path = xstrfmt(LINKED_PATH "%s/", service);
	if (state_get(c->local->state, STATE_ROLES, name))
		return api_error(c, "InvalidInput",
				 "Service role name %s has been taken in this account, please try "
				 "a different suffix.",
				 name);
	trust = xstrfmt("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
			"\"Principal\":{\"Service\":\"%s\"},\"Action\":\"sts:AssumeRole\"}]}",
			service);
	role = new_role(c, path, name, trust);
	if (iam_save(c, role) < 0)
		return -1;
	json_object_set_new(c->output, "Role", describe(role, true));
	return 0;
}

const struct api_operation api_iam[] = {
	{"CreateRole", create_role, false},
	{"GetRole", get_role, false},
	{"DeleteRole", delete_role, false},
	{"ListRoles", list_roles, false},
	{"UpdateAssumeRolePolicy", update_assume_role_policy, false},
	{"TagRole", tag_role, false},
	{"UntagRole", untag_role, false},
	{"ListRoleTags", list_role_tags, false},
	{"CreateServiceLinkedRole", create_service_linked_role, false},
	{0},
};
