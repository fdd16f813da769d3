#include "deploy/role.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sha256.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
#define MAX_NAME        64
#define TASKS           "ecs-tasks.amazonaws.com"

void role_release(struct role *r)
{
	if (!r)
		return;
	free(r->name);
	free(r->arn);
	*r = (struct role){0};
}

int role_check_name(const char *name, struct error *err)
{
	if (!*name || strlen(name) > MAX_NAME || name[strspn(name, NAME_CHARACTERS)])
		return error_set(err, ERROR_USAGE,
				 "invalid role \"%s\": letters, digits and _+=,.@- are allowed, "
				 "at most %d",
				 name, MAX_NAME);
	return 0;
}

char *role_name(const struct deploy_target *t, const char *suffix)
{
	AUTO_FREE char *name = xstrfmt("slipway-%s-%s", t->app, suffix);
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	int room = MAX_NAME - (int)strlen("slipway---") - 8 - (int)strlen(suffix);

	if (strlen(name) <= MAX_NAME)
		return take_ptr(name);
	sha256_buf(t->app, strlen(t->app), hash);
	sha256_hex(hash, hex);
	return xstrfmt("slipway-%.*s-%.8s-%s", room, t->app, hex, suffix);
}

/* What a person without the permission can do about it. */
static int explain(const struct deploy_target *t, const char *name, const char *what,
		   struct error *err)
{
	error_wrap(err, "%s the role %s", what, name);
	if (!err || err->kind != ERROR_DENIED)
		return -1;
	return error_hint(err,
			  "ask an administrator for what 'slipway iam-policy deploy --name %s' "
			  "prints, or for roles that are ready: --execution-role, --task-role",
			  t->app);
}

static int ask(const struct deploy_target *t, const char *operation, json_t *params,
	       const char *fine, struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_IAM, .operation = operation, .params = params, .fine = {fine}};

	return aws_ask(t->aws, &q, reply, err);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

json_t *role_read_document(const char *text)
{
	AUTO(strbuf) plain = STRBUF_INIT;
	json_t *out = NULL;

	for (const char *c = text; *c; c++) {
		int high = *c == '%' && *text != '{' ? hex_digit(c[1]) : -1;
		int low = high >= 0 ? hex_digit(c[2]) : -1;

		if (low >= 0) {
			strbuf_putc(&plain, (char)(high * 16 + low));
			c += 2;
		} else {
			strbuf_putc(&plain, *c);
		}
	}
	if (json_parse(&out, plain.buf, plain.len, "a policy document", NULL) < 0)
		return NULL;
	return out;
}

/* One string, or a list that has it. */
static bool names(const json_t *value, const char *text)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		return strcmp(json_string_value(value), text) == 0;
	json_array_foreach (value, i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

static bool statement_trusts(const json_t *s)
{
	const json_t *service = json_object_get(json_object_get(s, "Principal"), "Service");

	return strcmp(aws_text(s, "Effect"), "Allow") == 0 && names(service, TASKS) &&
	       names(json_object_get(s, "Action"), "sts:AssumeRole");
}

bool role_trusts_tasks(const json_t *trust)
{
	const json_t *statements = json_object_get(trust, "Statement");
	const json_t *s;
	size_t i;

	if (json_is_object(statements))
		return statement_trusts(statements);
	json_array_foreach (statements, i, s) {
		if (statement_trusts(s))
			return true;
	}
	return false;
}

/* Without the condition, tasks of any account could be made to take the role: the confused deputy. */
json_t *role_trust(const struct deploy_target *t)
{
	return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:{s:{s:s}}}]}", "Version", "2012-10-17",
			 "Statement", "Effect", "Allow", "Principal", "Service", TASKS, "Action",
			 "sts:AssumeRole", "Condition", "StringEquals", "aws:SourceAccount",
			 t->account);
}

static bool is_of_region(const struct deploy_target *t, const json_t *tags)
{
	const json_t *tag;
	size_t i;

	json_array_foreach (tags, i, tag) {
		if (strcmp(aws_text(tag, "Key"), TAG_REGION) == 0)
			return strcmp(aws_text(tag, "Value"), t->region) == 0;
	}
	return false;
}

int role_find(const struct deploy_target *t, const char *name, struct role *out, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;
	AUTO_JSON *trust = NULL;
	const json_t *role, *tags;

	if (role_check_name(name, err) < 0)
		return -1;
	params = json_pack("{s:s}", "RoleName", name);
	if (ask(t, "GetRole", params, "NoSuchEntity", &reply, err) < 0)
		return explain(t, name, "look for", err);
	role_release(out);
	out->name = xstrdup(name);
	if (reply.code)
		return 0;
	role = json_object_get(reply.json, "Role");
	tags = json_object_get(role, "Tags");
	trust = role_read_document(aws_text(role, "AssumeRolePolicyDocument"));
	out->found = true;
	out->arn = xstrdup(aws_text(role, "Arn"));
	out->owned = deploy_target_owns(t, tags);
	out->of_region = is_of_region(t, tags);
	out->trusts_tasks = role_trusts_tasks(trust);
	return 0;
}

int role_make(const struct deploy_target *t, const char *name, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *trust = role_trust(t);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *params = NULL;
	json_t *tags = deploy_target_tags(t, "Key", "Value");

	json_array_append_new(tags, json_pack("{s:s, s:s}", "Key", TAG_REGION, "Value", t->region));
	json_write(trust, &text);
	params = json_pack("{s:s, s:s, s:s, s:o}", "RoleName", name, "AssumeRolePolicyDocument",
			   text.buf, "Description", "Made by slipway for tasks of ECS", "Tags",
			   tags);
	if (ask(t, "CreateRole", params, "EntityAlreadyExists", &reply, err) < 0)
		return explain(t, name, "make", err);
	return 0;
}

int role_attach(const struct deploy_target *t, const char *role, const char *policy,
		struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:s}", "RoleName", role, "PolicyArn", policy);

	if (ask(t, "AttachRolePolicy", params, NULL, &reply, err) < 0) {
		error_wrap(err, "policy %s", policy);
		return explain(t, role, "attach a policy to", err);
	}
	return 0;
}

int role_attached(const struct deploy_target *t, const char *role, struct strlist *out,
		  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "RoleName", role);
	AUTO_JSON *list = NULL;
	const struct aws_question q = {
		.service = AWS_IAM,
		.operation = "ListAttachedRolePolicies",
		.params = params,
		.fine = {"NoSuchEntity"},
	};
	const json_t *one;
	size_t i;

	if (aws_ask_all(t->aws, &q, "AttachedPolicies", &list, err) < 0)
		return explain(t, role, "read the policies of", err);
	json_array_foreach (list, i, one)
		strlist_add(out, aws_text(one, "PolicyArn"));
	return 0;
}

int role_policies(const struct deploy_target *t, const char *role, struct strlist *out,
		  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "RoleName", role);
	AUTO_JSON *list = NULL;
	const struct aws_question q = {
		.service = AWS_IAM,
		.operation = "ListRolePolicies",
		.params = params,
		.fine = {"NoSuchEntity"},
	};
	const json_t *one;
	size_t i;

	if (aws_ask_all(t->aws, &q, "PolicyNames", &list, err) < 0)
		return explain(t, role, "read the policies of", err);
	json_array_foreach (list, i, one) {
		if (json_is_string(one))
			strlist_add(out, json_string_value(one));
	}
	return 0;
}

int role_put_policy(const struct deploy_target *t, const char *role, const char *name,
		    const json_t *document, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *params = NULL;

	json_write(document, &text);
	params = json_pack("{s:s, s:s, s:s}", "RoleName", role, "PolicyName", name,
			   "PolicyDocument", text.buf);
	if (ask(t, "PutRolePolicy", params, NULL, &reply, err) < 0) {
		error_wrap(err, "policy %s", name);
		return explain(t, role, "write a policy of", err);
	}
	return 0;
}

int role_has_policy(const struct deploy_target *t, const char *role, const char *name,
		    const json_t *document, bool *out, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:s}", "RoleName", role, "PolicyName", name);
	AUTO_JSON *there = NULL;

	*out = false;
	if (ask(t, "GetRolePolicy", params, "NoSuchEntity", &reply, err) < 0)
		return explain(t, role, "read a policy of", err);
	if (reply.code)
		return 0;
	there = role_read_document(aws_text(reply.json, "PolicyDocument"));
	*out = there && json_equal(there, document);
	return 0;
}

int role_delete_policy(const struct deploy_target *t, const char *role, const char *name,
		       struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:s}", "RoleName", role, "PolicyName", name);

	if (ask(t, "DeleteRolePolicy", params, "NoSuchEntity", &reply, err) < 0)
		return explain(t, role, "delete a policy of", err);
	return 0;
}

static int detach(const struct deploy_target *t, const char *role, const char *policy,
		  struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:s}", "RoleName", role, "PolicyArn", policy);

	if (ask(t, "DetachRolePolicy", params, "NoSuchEntity", &reply, err) < 0)
		return explain(t, role, "detach a policy from", err);
	return 0;
}

int role_delete(const struct deploy_target *t, const char *name, struct error *err)
{
	AUTO(strlist) attached = STRLIST_INIT;
	AUTO(strlist) inlined = STRLIST_INIT;
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "RoleName", name);

	if (role_attached(t, name, &attached, err) < 0 || role_policies(t, name, &inlined, err) < 0)
		return -1;
	for (size_t i = 0; i < attached.n; i++)
		if (detach(t, name, attached.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < inlined.n; i++)
		if (role_delete_policy(t, name, inlined.items[i], err) < 0)
			return -1;
	if (ask(t, "DeleteRole", params, "NoSuchEntity", &reply, err) < 0)
		return explain(t, name, "delete", err);
	return 0;
}
