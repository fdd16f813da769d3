/*
 * Secrets of a container: valueFrom of its definition, looked up in the local target's own Secrets Manager and Parameter Store
 * (ECS Developer Guide, "Pass sensitive data to an Amazon ECS container").
 */
#pragma once

#include "base/json.h"
#include "local/state.h"

/*
 * Sets each {name, valueFrom} of secrets (NULL: none) in env. -1 and *reason (free()), in ECS's words, when one cannot be read.
 * Takes the state's lock by itself.
 */
int task_secrets_read(struct strmap *env, struct state *s, const json_t *secrets, char **reason);
