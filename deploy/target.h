/*
 * Where a deploy goes: the account, region and cluster, and the name of the app, which everything that is made for it carries as a
 * tag. Each step of deploy takes it first.
 */
#pragma once

#include "aws/ask.h"
#include "base/log.h"

#define TAG_APP     "slipway:app"
#define TAG_MADE_BY "slipway:made-by"
#define MADE_BY     "slipway"

struct deploy_target {
	struct aws *aws; /* not owned, as all views here */
	struct reporter *reporter;
	const struct cancel *cancel;
	const char *app;     /* a task definition family's name */
	const char *cluster; /* name or ARN */
	const char *
		local; /* URL of the status page of the local target, which stands for AWS and its console; NULL: it is AWS */
	int poll_ms;   /* the first pause between two looks; 0: 3 s */
	/* found by deploy_target_identify(); owned */
	char *account, *caller, *region, *partition;
};

/* " --local" or "": for commands that a hint names, which must ask where this was asked. */
const char *deploy_target_flag(const struct deploy_target *t);
/* Letters, digits, '-' and '_', at most 255, as a task definition's family: ERROR_USAGE. */
int deploy_target_check_app(const char *app, struct error *err);
/*
 * Asks who we are (STS GetCallerIdentity, which needs no permission): wrong keys, clock, region or network are told here, before
 * anything is built. Errors as aws_call(), with what to try.
 */
int deploy_target_identify(struct deploy_target *t, struct error *err);
void deploy_target_release(struct deploy_target *t);
/* "arn:aws:ecs:REGION:ACCOUNT:what" of a service's signing name; free(). */
char *deploy_target_arn(const struct deploy_target *t, const char *service, const char *what);
/*
 * The tags of what is made for the app, in the service's own words: [{"Key": .., "Value": ..}] as ECR, IAM and EC2 call them,
 * [{"key": .., "value": ..}] for ECS; a new reference.
 */
json_t *deploy_target_tags(const struct deploy_target *t, const char *key_name,
			   const char *value_name);
/* The value of a tag (either spelling of "key"); "": it is not there. */
const char *deploy_target_tag(const json_t *tags, const char *name);
/* Are these the tags (either spelling) of something that slipway made for the app? */
bool deploy_target_owns(const struct deploy_target *t, const json_t *tags);
/* The same, but never beyond deadline (of time_monotonic_ns()). */
int deploy_target_pause_until(const struct deploy_target *t, int n, int64_t deadline,
			      struct error *err);
/* The pause before the nth look at the same thing (from 0): 3 s, growing to 15 s. ERROR_CANCELLED. */
int deploy_target_pause(const struct deploy_target *t, int n, struct error *err);

CLEANUP_RELEASE(deploy_target)
