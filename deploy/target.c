#include "deploy/target.h"

#include <stdlib.h>
#include <string.h>

#include "aws/sts.h"
#include "base/alloc.h"
#include "base/time.h"

#define FIRST_PAUSE_MS 3000
#define LAST_PAUSE     5 /* times the first */

#define APP_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define MAX_APP        255

const char *deploy_target_flag(const struct deploy_target *t)
{
	return t->local ? " --local" : "";
}

int deploy_target_check_app(const char *app, struct error *err)
{
	if (!*app || strlen(app) > MAX_APP || app[strspn(app, APP_CHARACTERS)])
		return error_set(err, ERROR_USAGE,
				 "invalid name \"%s\": letters, digits, '-' and '_' are allowed, "
				 "at most %d",
				 app, MAX_APP);
	return 0;
}

void deploy_target_release(struct deploy_target *t)
{
	if (!t)
		return;
	free(t->account);
	free(t->caller);
	free(t->region);
	free(t->partition);
	t->account = t->caller = t->region = t->partition = NULL;
}

/* "arn:aws-cn:sts::1:..": the partition as AWS says it, whatever the region's name looks like. */
static char *partition_of(const char *arn, const char *region)
{
	const char *end = str_starts(arn, "arn:") ? strchr(arn + 4, ':') : NULL;

	return end ? xstrndup(arn + 4, (size_t)(end - arn - 4))
		   : xstrdup(aws_region_partition(region));
}

static int explain(const struct deploy_target *t, struct error *err)
{
	error_wrap(err, "who we are at AWS");
	if (err && err->kind == ERROR_DENIED)
		return error_hint(err,
				  "profile in use: %s; 'aws sts get-caller-identity' asks the same",
				  aws_profile_name(t->aws));
	if (err && err->kind == ERROR_NETWORK)
		return error_hint(err, "is %s a region, and does this network reach AWS?",
				  t->region);
	return -1;
}

int deploy_target_identify(struct deploy_target *t, struct error *err)
{
	AUTO(aws_identity) who = {0};
	const char *region;

	if (aws_find_region(t->aws, &region, err) < 0)
		return -1;
	if (!region) {
		error_set(err, ERROR_USAGE, "no AWS region is set");
		return error_hint(err, "give --region, set AWS_REGION, or a region in the profile");
	}
	deploy_target_release(t);
	t->region = xstrdup(region);
	if (aws_caller_identity(t->aws, &who, err) < 0)
		return explain(t, err);
	t->account = take_ptr(who.account);
	t->caller = take_ptr(who.arn);
	t->partition = partition_of(t->caller, region);
	return 0;
}

char *deploy_target_arn(const struct deploy_target *t, const char *service, const char *what)
{
	bool global = strcmp(service, "iam") == 0;

	return xstrfmt("arn:%s:%s:%s:%s:%s", t->partition, service, global ? "" : t->region,
		       t->account, what);
}

json_t *deploy_target_tags(const struct deploy_target *t, const char *key_name,
			   const char *value_name)
{
	return json_pack("[{s:s, s:s}, {s:s, s:s}]", key_name, TAG_APP, value_name, t->app,
			 key_name, TAG_MADE_BY, value_name, MADE_BY);
}

const char *deploy_target_tag(const json_t *tags, const char *name)
{
	json_t *tag;
	size_t i;

	json_array_foreach (tags, i, tag) {
		bool small = json_object_get(tag, "key") != NULL;

		if (strcmp(aws_text(tag, small ? "key" : "Key"), name) == 0)
			return aws_text(tag, small ? "value" : "Value");
	}
	return "";
}

bool deploy_target_owns(const struct deploy_target *t, const json_t *tags)
{
	return strcmp(deploy_target_tag(tags, TAG_MADE_BY), MADE_BY) == 0 &&
	       strcmp(deploy_target_tag(tags, TAG_APP), t->app) == 0;
}

int deploy_target_pause_until(const struct deploy_target *t, int n, int64_t deadline,
			      struct error *err)
{
	int64_t first = t->poll_ms ? t->poll_ms : FIRST_PAUSE_MS;
	int64_t ns = first * (n < LAST_PAUSE ? n + 1 : LAST_PAUSE) * 1000000;
	int64_t left = deadline - time_monotonic_ns();

	return cancel_sleep(t->cancel, left < ns ? (left > 0 ? left : 0) : ns, err);
}

int deploy_target_pause(const struct deploy_target *t, int n, struct error *err)
{
	return deploy_target_pause_until(t, n, INT64_MAX, err);
}
