#include "deploy/log_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/.#"
#define MAX_NAME        512

/* PutRetentionPolicy, retentionInDays: no other is taken. */
static const int16_t DAYS[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
			       365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

void log_group_release(struct log_group *g)
{
	if (!g)
		return;
	free(g->name);
	free(g->arn);
	*g = (struct log_group){0};
}

int log_group_check_name(const char *name, struct error *err)
{
	if (!*name || strlen(name) > MAX_NAME || name[strspn(name, NAME_CHARACTERS)])
		return error_set(err, ERROR_USAGE,
				 "invalid log group \"%s\": letters, digits and _ - / . # are "
				 "allowed, at most %d",
				 name, MAX_NAME);
	return 0;
}

int log_group_check_days(int64_t days, struct error *err)
{
	AUTO(strlist) known = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	if (days == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(DAYS); i++) {
		if (DAYS[i] == days)
			return 0;
		strlist_addf(&known, "%d", DAYS[i]);
	}
	joined = strlist_join(&known, ", ");
	error_set(err, ERROR_USAGE, "CloudWatch cannot keep logs for %lld days", (long long)days);
	return error_hint(err, "it knows %s; 0 keeps them for ever", joined);
}

int log_group_find(const struct deploy_target *t, const char *name, struct log_group *out,
		   struct error *err)
{
	AUTO_JSON *params = NULL;
	AUTO_JSON *groups = NULL;
	struct aws_question q = {.service = AWS_LOGS, .operation = "DescribeLogGroups"};
	const json_t *group;
	size_t i;

	if (log_group_check_name(name, err) < 0)
		return -1;
	log_group_release(out);
	out->name = xstrdup(name);
	q.params = params = json_pack("{s:s}", "logGroupNamePrefix", name);
	if (aws_ask_all(t->aws, &q, "logGroups", &groups, err) < 0)
		return error_wrap(err, "look for the log group %s", name);
	json_array_foreach (groups, i, group) {
		const char *arn = aws_text(group, "arn");

		if (strcmp(aws_text(group, "logGroupName"), name) != 0)
			continue;
		out->found = true;
		out->days = aws_int(group, "retentionInDays");
		/* "..:log-group:NAME:*" stands for its streams; the group's own has no end. */
		out->arn = str_ends(arn, ":*") ? xstrndup(arn, strlen(arn) - 2) : xstrdup(arn);
		break;
	}
	return 0;
}

static int put_retention(const struct deploy_target *t, const char *name, int64_t days,
			 struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:I}", "logGroupName", name, "retentionInDays",
				      (json_int_t)days);
	const struct aws_question q = {
		.service = AWS_LOGS, .operation = "PutRetentionPolicy", .params = params};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "let the log group %s keep %lld days", name,
				  (long long)days);
	return 0;
}

int log_group_make(const struct deploy_target *t, const char *name, int64_t days,
		   struct log_group *out, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:{s:s, s:s}}", "logGroupName", name, "tags", TAG_APP,
				      t->app, TAG_MADE_BY, MADE_BY);
	const struct aws_question q = {
		.service = AWS_LOGS,
		.operation = "CreateLogGroup",
		.params = params,
		.fine = {"ResourceAlreadyExistsException"},
	};
	AUTO_FREE char *what = xstrfmt("log-group:%s", name);

	if (log_group_check_name(name, err) < 0 || log_group_check_days(days, err) < 0)
		return -1;
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "make the log group %s", name);
	if (reply.code)
		return log_group_find(t, name, out, err);
	if (days && put_retention(t, name, days, err) < 0)
		return -1;
	log_group_release(out);
	*out = (struct log_group){
		.found = true,
		.name = xstrdup(name),
		.arn = deploy_target_arn(t, "logs", what),
		.days = days,
	};
	return 0;
}

int log_group_owned(const struct deploy_target *t, const struct log_group *g, bool *owned,
		    struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "resourceArn", g->arn);
	AUTO_JSON *list = json_array();
	const struct aws_question q = {
		.service = AWS_LOGS, .operation = "ListTagsForResource", .params = params};
	const char *key;
	json_t *value;

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "read the tags of the log group %s", g->name);
	json_object_foreach (json_object_get(reply.json, "tags"), key, value)
		json_array_append_new(list, json_pack("{s:s, s:O}", "key", key, "value", value));
	*owned = deploy_target_owns(t, list);
	return 0;
}

int log_group_delete(const struct deploy_target *t, const char *name, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "logGroupName", name);
	const struct aws_question q = {
		.service = AWS_LOGS,
		.operation = "DeleteLogGroup",
		.params = params,
		.fine = {"ResourceNotFoundException"},
	};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "delete the log group %s", name);
	return 0;
}
