/* Target groups of Elastic Load Balancing (API of 2015-12-01): where a load balancer finds an app's tasks, by their addresses. */
#pragma once

#include "deploy/target.h"

struct target_group_wanted {
	const char *vpc;
	int64_t port;
	const char *health_path; /* "/" */
};

struct target_group {
	char *name, *arn; /* arn NULL: there is none */
	char *vpc, *health_path;
	bool owned; /* carries the app's tags */
};

void target_group_release(struct target_group *g);
/* By name; a missing one is no error. */
int target_group_find(const struct deploy_target *t, const char *name, struct target_group *out,
		      struct error *err);
/* Makes it, or gives it the wanted health check. ERROR_NOT_FOUND when it is in another VPC, which cannot be changed. */
int target_group_make(const struct deploy_target *t, const struct target_group_wanted *w,
		      struct target_group *g, struct error *err);
int target_group_delete(const struct deploy_target *t, const char *arn, struct error *err);

/* Does the load balancer, target group or listener carry the app's tags? */
int balancer_part_is_owned(const struct deploy_target *t, const char *arn, bool *owned,
			   struct error *err);
/* A question to Elastic Load Balancing; fine: an error code that is none, or NULL. */
int balancer_ask(const struct deploy_target *t, const char *operation, json_t *params,
		 const char *fine, struct aws_reply *reply, struct error *err);

CLEANUP_RELEASE(target_group)
