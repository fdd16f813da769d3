/* What CreateService and UpdateService take, and what the local target refuses of it. */
#pragma once

#include "local/api.h"

/* The members that both have, besides their own. -1 after api_error(). */
int ecs_service_check_input(struct api_call *c, const char *own_members);
/* deploymentConfiguration over what there was (NULL: the defaults); a new reference, NULL after api_error(). */
json_t *ecs_service_configuration(struct api_call *c, const json_t *before);
