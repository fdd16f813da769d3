#include "local/log_group.h"

#include "base/alloc.h"
#include "base/time.h"
#include "local/local.h"

json_t *log_group_new(const char *region, const char *name, const char *class, json_t *tags)
{
	AUTO_FREE char *arn = xstrfmt("arn:aws:logs:%s:" LOCAL_ACCOUNT ":log-group:%s", region,
				      name);
	AUTO_FREE char *all = xstrfmt("%s:*", arn);

	return json_pack("{s:{s:s, s:I, s:i, s:s, s:s, s:s}, s:o}", "logGroup", "logGroupName",
			 name, "creationTime", (json_int_t)(time_now_ns() / 1000000),
			 "metricFilterCount", 0, "arn", all, "logGroupArn", arn, "logGroupClass",
			 class, "tags", tags);
}

int log_group_need(struct state *s, const char *region, const char *name, struct error *err)
{
	int r = 0;

	state_lock(s);
	if (!state_get(s, STATE_LOG_GROUPS, name))
		r = state_put(s, STATE_LOG_GROUPS, name,
			      log_group_new(region, name, "STANDARD", json_object()), err);
	state_unlock(s);
	return r;
}
