/* IAM of the local target: policies of roles, attached ones by their ARN and inline ones by their name. */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "local/api_iam.h"

#define MANAGED     "arn:aws:iam::aws:policy/"
#define MOST_POLICY 10240 /* characters of all inline policies of a role, white space left out */

/* Which policies AWS manages is AWS's own long list: whatever is named like one of them is taken for one. */
static bool is_managed(const char *arn)
{
	size_t n = strlen(MANAGED);

	return str_starts(arn, MANAGED) && arn[n] && !str_ends(arn, "/") &&
	       strspn(arn + n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+="
			       ",.@-/") == strlen(arn + n);
}

static size_t find(const json_t *list, const char *arn)
{
	size_t i;
	json_t *each;

	json_array_foreach (list, i, each)
		if (strcmp(json_string_value(each), arn) == 0)
			return i;
	return json_array_size(list);
}

static int read_arn(struct api_call *c, json_t **role, const char **arn)
{
	if (iam_role(c, role) < 0 || api_text(c, "PolicyArn", arn) < 0)
		return -1;
	if (*arn && str_starts(*arn, "arn:"))
		return 0;
	return api_error(c, "InvalidInput", "ARN %s is not valid.", *arn ? *arn : "(none)");
}

static int attach_role_policy(struct api_call *c)
{
	json_t *role, *list;
	const char *arn;

	if (read_arn(c, &role, &arn) < 0)
		return -1;
	if (!is_managed(arn))
		return api_error(c, "NoSuchEntity",
				 "Policy %s does not exist or is not attachable: the local target "
				 "knows AWS's own policies, " MANAGED "..; others are put into a "
				 "role by PutRolePolicy",
				 arn);
	list = json_object_get(role, "AttachedPolicies");
	if (find(list, arn) == json_array_size(list))
		json_array_append_new(list, json_text(arn));
	return iam_save(c, role);
}

static int detach_role_policy(struct api_call *c)
{
	json_t *role, *list;
	const char *arn;

	if (read_arn(c, &role, &arn) < 0)
		return -1;
	list = json_object_get(role, "AttachedPolicies");
	if (find(list, arn) == json_array_size(list))
		return api_error(c, "NoSuchEntity", "Policy %s was not found.", arn);
	json_array_remove(list, find(list, arn));
	return iam_save(c, role);
}

static int list_attached_role_policies(struct api_call *c)
{
	json_t *role, *each, *shown;
	size_t i;

	if (iam_role(c, &role) < 0)
		return -1;
	shown = json_array();
	json_array_foreach (json_object_get(role, "AttachedPolicies"), i, each)
		json_array_append_new(shown, json_pack("{s:s, s:O}", "PolicyName",
						       path_base(json_string_value(each)),
						       "PolicyArn", each));
	return iam_list(c, "AttachedPolicies", shown);
}

static size_t size_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += !strchr(" \t\r\n", *text);
	return n;
}

static int put_role_policy(struct api_call *c)
{
	const char *name, *text, *key;
	json_t *role, *each, *inline_policies;
	size_t total;

	if (iam_role(c, &role) < 0 || iam_name(c, "PolicyName", 128, &name) < 0 ||
	    api_text(c, "PolicyDocument", &text) < 0 || iam_check_policy(c, text, "Resource") < 0)
		return -1;
	inline_policies = json_object_get(role, "Inline");
	total = size_of(text);
	json_object_foreach (inline_policies, key, each)
		total += strcmp(key, name) ? size_of(json_string_value(each)) : 0;
	if (total > MOST_POLICY)
		return api_error(c, "LimitExceeded",
				 "Maximum policy size of %d bytes exceeded for role %s",
				 MOST_POLICY, json_string_value(json_object_get(role, "RoleName")));
	json_object_set_new(inline_policies, name, json_text(text));
	return iam_save(c, role);
}

static int find_inline(struct api_call *c, json_t **role, const char **name, const char **text)
{
	if (iam_role(c, role) < 0 || iam_name(c, "PolicyName", 128, name) < 0)
		return -1;
	*text = json_string_value(json_object_get(json_object_get(*role, "Inline"), *name));
	if (!*text)
		return api_error(c, "NoSuchEntity", "The role policy with name %s cannot be found.",
				 *name);
	return 0;
}

static int get_role_policy(struct api_call *c)
{
	const char *name, *text;
	json_t *role;

	if (find_inline(c, &role, &name, &text) < 0)
		return -1;
	json_object_set(c->output, "RoleName", json_object_get(role, "RoleName"));
	json_object_set_new(c->output, "PolicyName", json_text(name));
	json_object_set_new(c->output, "PolicyDocument", iam_encode(text));
	return 0;
}

static int delete_role_policy(struct api_call *c)
{
	const char *name, *text;
	json_t *role;

	if (find_inline(c, &role, &name, &text) < 0)
		return -1;
	json_object_del(json_object_get(role, "Inline"), name);
	return iam_save(c, role);
}

static int list_role_policies(struct api_call *c)
{
	json_t *role, *names, *each;
	const char *key;

	if (iam_role(c, &role) < 0)
		return -1;
	names = json_array();
	json_object_foreach (json_object_get(role, "Inline"), key, each)
		json_array_append_new(names, json_text(key));
	return iam_list(c, "PolicyNames", names);
}

static int list_instance_profiles_for_role(struct api_call *c)
{
	json_t *role;

	if (iam_role(c, &role) < 0)
		return -1;
	return iam_list(c, "InstanceProfiles", json_array());
}

const struct api_operation api_iam_policies[] = {
	{"AttachRolePolicy", attach_role_policy, false},
	{"DetachRolePolicy", detach_role_policy, false},
	{"ListAttachedRolePolicies", list_attached_role_policies, false},
	{"PutRolePolicy", put_role_policy, false},
	{"GetRolePolicy", get_role_policy, false},
	{"DeleteRolePolicy", delete_role_policy, false},
	{"ListRolePolicies", list_role_policies, false},
	{"ListInstanceProfilesForRole", list_instance_profiles_for_role, false},
	{0},
};
