/* Questions to ECS that only look (ECS API Reference). */
#pragma once

#include "deploy/target.h"

/*
 * Asks, for as long as something is waited for: tried more often than a call that changes something. params is a view. Errors as
 * aws_ask().
 */
int ecs_look(const struct deploy_target *t, const char *operation, json_t *params,
	     struct aws_reply *reply, struct error *err);
/* All pages of a list: the members of the arrays called key, in one new array. params is changed. */
int ecs_list(const struct deploy_target *t, const char *operation, json_t *params, const char *key,
	     json_t **out, struct error *err);
/* The same objects by createdAt, the newest first, tasks of one moment by ARN; a new array. */
json_t *ecs_newest_first(const json_t *objects);
