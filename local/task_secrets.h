/*
 * Secrets of a container: valueFrom of its definition, looked up in the local target's own Secrets Manager and Parameter Store
 * (ECS Developer Guide, "Pass sensitive data to an Amazon ECS container").
 */
#pragma once

#include "base/json.h"
#include "local/state.h"

#define SECRET_SUFFIX 6 /* letters at the end of a secret's ARN */

/* By its ARN, with or without the letters at its end, or its name; NULL: there is none. A view, with the state's lock held. */
json_t *secret_find(struct state *s, const char *id);
/*
 * Sets each {name, valueFrom} of secrets (NULL: none) in env. -1 and *reason (free()), in ECS's words, when one cannot be read.
 * Takes the state's lock by itself.
 */
int task_secrets_read(struct strmap *env, struct state *s, const json_t *secrets, char **reason);
