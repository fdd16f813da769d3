/*
 * Task definitions as ECS registers them (ECS API Reference, RegisterTaskDefinition): what it refuses, in its words, and what it fills in.
 */
#pragma once

#include "local/api.h"

/* Whether ECS would take the input as a task definition; -1 after api_error(). */
int ecs_definition_check(struct api_call *c, const json_t *input);
/* The body of a revision as it is stored, without ARN, revision and status; a new reference. */
json_t *ecs_definition_stored(const json_t *input);
/*
 * Whether its tasks may start with these settings (of RunTask, CreateService or UpdateService): launch type, network, roles. definition: the inner object.
 * -1 after api_error().
 */
int ecs_definition_check_use(struct api_call *c, const json_t *definition, const json_t *settings);
