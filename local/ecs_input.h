/* Input of ECS's operations, held against what its model knows before anything is done with it; refusals in AWS's words. */
#pragma once

#include "local/api.h"

/*
 * The members that there are, each with its type: "cluster:s count:i tags:a overrides:o force:b taskDefinition:s!", where s is a text, i a
 * whole number of 32 bits (Integer of the model), n a number, b true or false, a an array, t an array of texts, o an object, and ! means that it may not be missing or empty. 0, or -1 after api_error().
 */
int ecs_check_input(struct api_call *c, const char *members);
/* The same of an object inside; where names it in messages. What is NULL is fine. */
int ecs_check_object(struct api_call *c, const json_t *object, const char *where,
		     const char *members);
/* Each of the array's members is such an object. */
int ecs_check_objects(struct api_call *c, const json_t *array, const char *where,
		      const char *members);
/* Text of a checked member; "" when it is missing. */
const char *ecs_text(const json_t *object, const char *key);
bool ecs_is(const json_t *object, const char *key, const char *text);
/* Whether the array of texts has it. */
bool ecs_has_text(const json_t *array, const char *text);
/* Whether "include" of the input has it. */
bool ecs_includes(const struct api_call *c, const char *what);
/* At most 50 tags, keys of 1 to 128 characters, no reserved "aws:". */
int ecs_check_tags(struct api_call *c, const json_t *tags);
/* Of all that a resource has. */
int ecs_check_tag_count(struct api_call *c, const json_t *tags);
/* A word of the list, blanks between; NULL or "": fine. */
int ecs_check_word(struct api_call *c, const char *where, const char *text, const char *words);

/* That "cluster" of the input names, or "default"; a view. -1: ClusterNotFoundException. */
int ecs_find_cluster(struct api_call *c, json_t **cluster);
/* {"taskDefinition", "tags"} that FAMILY, FAMILY:REVISION or an ARN names; NULL: there is none. A family means its highest ACTIVE revision. */
json_t *ecs_find_definition(struct state *s, const char *name);
/* A copy without what is private of ours; "slipway": {"address", "ports"} of the thing itself stays. A new reference. */
json_t *ecs_shown(const json_t *document);
/* {"arn", "reason": "MISSING"} is appended. */
void ecs_add_failure(json_t *failures, const char *arn, const char *reason);
/* The id of a task that a name or ARN means; a view. */
const char *ecs_task_id(const char *name);
