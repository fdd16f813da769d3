/*
 * Names of ECS's things: ids, ARNs, and the keys of their documents (state.h). What a client gives as a name or an ARN is read by its last part.
 */
#pragma once

#include <stddef.h>

#include "base/json.h"

#define ECS_ID_SIZE 37 /* the longest, a UUID, with its NUL */

/* 32 hexadecimal digits: of a task. */
void ecs_hex_id(char out[ECS_ID_SIZE]);
/* "0f3c6a0e-...": of an attachment, an event. */
void ecs_uuid(char out[ECS_ID_SIZE]);
/* 19 decimal digits, the first not 0: of a deployment, a revision. */
void ecs_number_id(char out[ECS_ID_SIZE]);

/* Something beside the cluster whose ARN is given: "arn:aws:ecs:REGION:ACCOUNT:" and the text; free(). */
char *ecs_arn_beside(const char *cluster_arn, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* 1 to 255 letters, digits, - and _. */
bool ecs_name_is_valid(const char *name);
/* "CLUSTER/SERVICE" of a service's ARN or of a name in that cluster; free(). */
char *ecs_service_key(const char *cluster, const char *service);
/* Seconds since 1970 with fraction. */
double ecs_now(void);
