/*
 * A log group, as a document of STATE_LOG_GROUPS:
 *
 *	{"logGroup": as DescribeLogGroups gives it, without storedBytes, "tags": {..}}
 */
#pragma once

#include "local/state.h"

/* class: "STANDARD" ..; tags: an object, taken. A new reference. */
json_t *log_group_new(const char *region, const char *name, const char *class, json_t *tags);
/* Makes the group when it is missing (awslogs-create-group). Takes the state's lock by itself. */
int log_group_need(struct state *s, const char *region, const char *name, struct error *err);
