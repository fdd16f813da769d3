/*
 * Services that scale by themselves: a scalable target and a policy of Application Auto Scaling (API of 2016-02-06) that keeps the
 * average CPU of a service's tasks near a value.
 */
#pragma once

#include "deploy/target.h"

#define SCALING_CPU_DEFAULT 60

struct scaling {
	int64_t min, max;
	int64_t cpu_percent; /* what the policy keeps; 0: unknown or none of slipway's */
};

/* "1..10", 0 <= min <= max: ERROR_USAGE. cpu_percent is not touched. */
int scaling_parse(const char *text, struct scaling *out, struct error *err);
/* 1 to 100: ERROR_USAGE. */
int scaling_check_cpu(int64_t percent, struct error *err);
/*
 * Whether Application Auto Scaling decides the service's count, and between which bounds (out may be NULL). When it does,
 * UpdateService must leave desiredCount away, or the two fight.
 */
int scaling_find(const struct deploy_target *t, const char *service, bool *found,
		 struct scaling *out, struct error *err);
/* After the service was made; again: changes what differs. A cpu_percent of 0 means SCALING_CPU_DEFAULT. */
int scaling_apply(const struct deploy_target *t, const char *service, const struct scaling *s,
		  struct error *err);
/* Removes the target with its policies, whoever made it: the count is the caller's again. */
int scaling_remove(const struct deploy_target *t, const char *service, bool *removed,
		   struct error *err);
/* Removes the target with its policies, when it carries the app's tags. Before the service is deleted. */
int scaling_destroy(const struct deploy_target *t, const char *service, bool *removed,
		    struct error *err);
