/* The infrastructure role of ECS Express Mode: with it ECS makes load balancers and scaling in our account. */
#pragma once

#include "deploy/target.h"

/* *arn: ecsInfrastructureRoleForExpressServices (the console's) when it is there, else slipway-APP-infrastructure, made; free(). */
int express_role_make(const struct deploy_target *t, char **arn, struct error *err);
/* The app's own, if there is one; *removed: its name, else NULL. free() */
int express_role_destroy(const struct deploy_target *t, char **removed, struct error *err);
