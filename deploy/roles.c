#include "deploy/roles.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define SHARED_NAME     "ecsTaskExecutionRole"
#define MANAGED_POLICY  "service-role/AmazonECSTaskExecutionRolePolicy"
#define SECRETS_PREFIX  "slipway-secrets-"
#define POLICY_PREFIX   "slipway-policy-"
#define MAX_POLICY      (64u << 10)
#define MAX_POLICY_NAME 128
#define SUFFIX_LENGTH   6

void task_role_release(struct task_role *r)
{
	if (!r)
		return;
	free(r->name);
	free(r->arn);
	strlist_release(&r->attach);
	strlist_release(&r->drop);
	json_decref(r->put);
	*r = (struct task_role){0};
}

/* "arn:P:iam::ACCOUNT:role/path/NAME" */
static const char *name_of(const char *given)
{
	return str_starts(given, "arn:") ? path_base(given) : given;
}

static char *arn_of(const struct deploy_target *t, const char *name)
{
	AUTO_FREE char *what = xstrfmt("role/%s", name);

	return deploy_target_arn(t, "iam", what);
}

/* What the user names is checked when that is allowed, and believed when it is not. */
static int find_given(const struct deploy_target *t, const char *given, struct task_role *out,
		      struct error *err)
{
	AUTO(role) role = {0};
	AUTO(error) local = ERROR_INIT;
	bool is_arn = str_starts(given, "arn:");

	task_role_release(out);
	if (role_check_name(name_of(given), err) < 0)
		return -1;
	if (role_find(t, name_of(given), &role, &local) < 0) {
		if (local.kind != ERROR_DENIED)
			return error_move(err, &local);
		report_log(t->reporter, LOG_DEBUG, "role %s is not checked: %s", given,
			   local.message);
		role.found = role.trusts_tasks = true;
	}
	if (!role.found)
		return error_set(err, ERROR_NOT_FOUND, "there is no role %s in account %s", given,
				 t->account);
	if (!role.trusts_tasks)
		return error_set(err, ERROR_NOT_FOUND,
				 "the role %s cannot be used by tasks: its trust policy does not "
				 "let ecs-tasks.amazonaws.com take it",
				 given);
	out->origin = TASK_ROLE_GIVEN;
	out->found = true;
	out->name = xstrdup(name_of(given));
	out->arn = is_arn ? xstrdup(given) : role.arn ? take_ptr(role.arn) : arn_of(t, given);
	return 0;
}

/* ARN:KEY:STAGE:VERSION names a part of a secret; the resource ends with the secret's own name. */
static void add_secret(json_t *list, const char *arn)
{
	const char *end = arn;
	const char *dash;
	AUTO_FREE char *whole = NULL;

	for (int i = 0; i < 7 && end; i++)
		end = strchr(end + (i > 0), ':');
	whole = end ? xstrndup(arn, (size_t)(end - arn)) : xstrdup(arn);
	json_array_append_new(list, json_text(whole));
	dash = strrchr(whole, '-');
	/* Without the six characters that Secrets Manager appends, any six stand for them. */
	if (!dash || strlen(dash + 1) != SUFFIX_LENGTH) {
		AUTO_FREE char *any = xstrfmt("%s-??????", whole);

		json_array_append_new(list, json_text(any));
	}
}

static void add_statement(json_t *statements, const char *sid, const char *action, json_t *list)
{
	if (json_array_size(list))
		json_array_append_new(statements,
				      json_pack("{s:s, s:s, s:s, s:O}", "Sid", sid, "Effect",
						"Allow", "Action", action, "Resource", list));
}

json_t *secrets_policy(const struct deploy_target *t, const struct strlist *secrets)
{
	AUTO_JSON *parameters = json_array();
	AUTO_JSON *values = json_array();
	json_t *statements;

	for (size_t i = 0; secrets && i < secrets->n; i++) {
		const char *from = secrets->items[i];

		if (str_starts(from, "arn:") && strstr(from, ":secretsmanager:")) {
			add_secret(values, from);
		} else if (str_starts(from, "arn:")) {
			json_array_append_new(parameters, json_text(from));
		} else {
			AUTO_FREE char *what = xstrfmt("parameter%s%s", *from == '/' ? "" : "/",
						       from);
			AUTO_FREE char *arn = deploy_target_arn(t, "ssm", what);

			json_array_append_new(parameters, json_text(arn));
		}
	}
	if (!json_array_size(parameters) && !json_array_size(values))
		return NULL;
	statements = json_array();
	add_statement(statements, "Parameters", "ssm:GetParameters", parameters);
	add_statement(statements, "Secrets", "secretsmanager:GetSecretValue", values);
	return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
}

/* Which of the inline policies the role lacks, and which of slipway's own it has too many. */
static int compare_inline(const struct deploy_target *t, const char *prefix, json_t *wanted,
			  struct task_role *out, struct error *err)
{
	AUTO(strlist) there = STRLIST_INIT;
	const char *name;
	json_t *document;

	if (role_policies(t, out->name, &there, err) < 0)
		return -1;
	json_object_foreach (wanted, name, document) {
		bool same = false;

		if (strlist_has(&there, name) &&
		    role_has_policy(t, out->name, name, document, &same, err) < 0)
			return -1;
		if (!same)
			json_object_set(out->put, name, document);
	}
	for (size_t i = 0; i < there.n; i++)
		if (str_starts(there.items[i], prefix) && !json_object_get(wanted, there.items[i]))
			strlist_add(&out->drop, there.items[i]);
	return 0;
}

static int compare_attached(const struct deploy_target *t, const struct strlist *wanted,
			    struct task_role *out, struct error *err)
{
	AUTO(strlist) there = STRLIST_INIT;

	if (role_attached(t, out->name, &there, err) < 0)
		return -1;
	for (size_t i = 0; i < wanted->n; i++)
		if (!strlist_has(&there, wanted->items[i]))
			strlist_add(&out->attach, wanted->items[i]);
	return 0;
}

/* A role of the app's own: what it has to have, against what is there. */
static int find_own(const struct deploy_target *t, const char *suffix, const char *prefix,
		    const struct strlist *attach, json_t *put, struct task_role *out,
		    struct error *err)
{
	AUTO(role) role = {0};

	task_role_release(out);
	out->origin = TASK_ROLE_APP;
	out->put = json_object();
	out->name = role_name(t, suffix);
	if (role_find(t, out->name, &role, err) < 0)
		return -1;
	out->arn = role.found ? take_ptr(role.arn) : arn_of(t, out->name);
	out->found = role.found;
	out->owned = role.owned || !role.found;
	if (!role.found) {
		strlist_copy(&out->attach, attach);
		json_object_update(out->put, put);
		return 0;
	}
	if (!role.trusts_tasks)
		return error_set(err, ERROR_NOT_FOUND,
				 "the role %s cannot be used by tasks: its trust policy does not "
				 "let ecs-tasks.amazonaws.com take it",
				 out->name);
	if (!role.owned)
		return 0;
	if (compare_attached(t, attach, out, err) < 0)
		return -1;
	return compare_inline(t, prefix, put, out, err);
}

int execution_role_find(const struct deploy_target *t, const char *given,
			const struct strlist *secrets, struct task_role *out, struct error *err)
{
	AUTO(role) shared = {0};
	AUTO(strlist) attach = STRLIST_INIT;
	AUTO_JSON *put = json_object();
	json_t *policy = secrets_policy(t, secrets);
	/* Of each region its own: the role is the account's. */
	AUTO_FREE char *name = xstrfmt(SECRETS_PREFIX "%s", t->region);

	if (policy)
		json_object_set_new(put, name, policy);
	if (given)
		return find_given(t, given, out, err);
	if (!policy) {
		if (role_find(t, SHARED_NAME, &shared, err) < 0)
			return -1;
		if (shared.found && shared.trusts_tasks) {
			task_role_release(out);
			out->origin = TASK_ROLE_SHARED;
			out->found = true;
			out->name = xstrdup(SHARED_NAME);
			out->arn = take_ptr(shared.arn);
			return 0;
		}
	}
	strlist_addf(&attach, "arn:%s:iam::aws:policy/" MANAGED_POLICY, t->partition);
	return find_own(t, "execution", name, &attach, put, out, err);
}

/* "slipway-policy-" and the file's name, in the characters that IAM takes. */
static int read_policy(const char *path, json_t *put, struct error *err)
{
	AUTO_JSON *document = NULL;
	AUTO_FREE char *name = xstrfmt(POLICY_PREFIX "%s", path_base(path));

	for (char *c = name; *c; c++)
		if (!strchr("_+=,.@-", *c) && !(*c >= '0' && *c <= '9') &&
		    !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'))
			*c = '-';
	if (strlen(name) > MAX_POLICY_NAME)
		name[MAX_POLICY_NAME] = '\0';
	if (json_parse_file(&document, path, MAX_POLICY, err) < 0)
		return error_wrap(err, "--task-policy");
	if (!json_object_get(document, "Statement")) {
		error_set(err, ERROR_USAGE,
			  "--task-policy %s: it is no policy: it has no Statement", path);
		return error_hint(err, "an ARN or a file with an IAM policy document is expected");
	}
	if (json_object_get(put, name))
		return error_set(err, ERROR_USAGE,
				 "--task-policy %s: another file is called the same (%s)", path,
				 name);
	json_object_set(put, name, document);
	return 0;
}

int task_role_find(const struct deploy_target *t, const char *given, const struct strlist *policies,
		   struct task_role *out, struct error *err)
{
	AUTO(strlist) attach = STRLIST_INIT;
	AUTO_JSON *put = json_object();

	task_role_release(out);
	if (given && policies && policies->n)
		return error_set(err, ERROR_USAGE,
				 "--task-policy makes a role, so --task-role cannot be given with "
				 "it");
	if (given)
		return find_given(t, given, out, err);
	for (size_t i = 0; policies && i < policies->n; i++) {
		if (str_starts(policies->items[i], "arn:"))
			strlist_add(&attach, policies->items[i]);
		else if (read_policy(policies->items[i], put, err) < 0)
			return -1;
	}
	if (!attach.n && !json_object_size(put))
		return 0;
	return find_own(t, "task", POLICY_PREFIX, &attach, put, out, err);
}

bool task_role_is_ready(const struct task_role *r)
{
	return r->origin != TASK_ROLE_APP || !r->owned ||
	       (r->found && !r->attach.n && !r->drop.n && !json_object_size(r->put));
}

void task_role_plan(const struct task_role *r, const char *what, struct strlist *lines)
{
	const char *name;
	const json_t *document;

	if (r->origin == TASK_ROLE_NONE)
		return;
	if (r->found)
		strlist_addf(lines, "= %s %s%s", what, r->name,
			     r->origin == TASK_ROLE_APP && !r->owned
				     ? " (not made by slipway: left as it is)"
				     : "");
	else
		strlist_addf(lines, "+ create %s %s", what, r->name);
	for (size_t i = 0; i < r->attach.n; i++)
		strlist_addf(lines, "+ attach policy %s to %s", r->attach.items[i], r->name);
	json_object_foreach (r->put, name, document)
		strlist_addf(lines, "+ write policy %s of %s", name, r->name);
	for (size_t i = 0; i < r->drop.n; i++)
		strlist_addf(lines, "- delete policy %s of %s", r->drop.items[i], r->name);
}

int task_role_make(const struct deploy_target *t, struct task_role *r, struct error *err)
{
	const char *name;
	const json_t *document;

	if (task_role_is_ready(r))
		return 0;
	if (!r->found && role_make(t, r->name, err) < 0)
		return -1;
	for (size_t i = 0; i < r->attach.n; i++)
		if (role_attach(t, r->name, r->attach.items[i], err) < 0)
			return -1;
	json_object_foreach (r->put, name, document) {
		if (role_put_policy(t, r->name, name, document, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->drop.n; i++)
		if (role_delete_policy(t, r->name, r->drop.items[i], err) < 0)
			return -1;
	r->found = true;
	strlist_clear(&r->attach);
	strlist_clear(&r->drop);
	json_object_clear(r->put);
	return 0;
}
