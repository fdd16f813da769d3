/* Log groups of CloudWatch Logs (API of 2014-03-28): where tasks write. */
#pragma once

#include "deploy/target.h"

struct log_group {
	bool found;
	char *name, *arn; /* arn NULL while it is missing */
	int64_t days;     /* retention; 0: for ever */
};

void log_group_release(struct log_group *g);
/* 1 to 512 of letters, digits and _-/.#: ERROR_USAGE. */
int log_group_check_name(const char *name, struct error *err);
/* 0 (for ever), or a number of days that CloudWatch knows (1, 3, 5, 7, 14, 30 ..): ERROR_USAGE names them. */
int log_group_check_days(int64_t days, struct error *err);
/* A missing one is no error: found is false. */
int log_group_find(const struct deploy_target *t, const char *name, struct log_group *out,
		   struct error *err);
/* Tagged. One that somebody else made meanwhile is taken as it is. out is filled anew. */
int log_group_make(const struct deploy_target *t, const char *name, int64_t days,
		   struct log_group *out, struct error *err);
/* Whether slipway made it for the app. */
int log_group_owned(const struct deploy_target *t, const struct log_group *g, bool *owned,
		    struct error *err);
int log_group_delete(const struct deploy_target *t, const char *name, struct error *err);

CLEANUP_RELEASE(log_group)
