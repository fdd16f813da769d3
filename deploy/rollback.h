/* Bringing a service back to a task definition that it ran before. */
#pragma once

#include "deploy/service.h"

/*
 * The task definition of the newest deployment that was completed with another one than now; *arn: free(). Where ECS does not tell of
 * deployments (an older partition, no permission), the newest active revision before the present one. ERROR_NOT_FOUND when there is
 * none.
 */
int rollback_find(const struct deploy_target *t, const json_t *service, char **arn,
		  struct error *err);
/* "7", "web:7" or an ARN, of the service's family unless it says another; *arn: free(). ERROR_NOT_FOUND, ERROR_USAGE. */
int rollback_resolve(const struct deploy_target *t, const json_t *service, const char *revision,
		     char **arn, struct error *err);
/*
 * UpdateService with that task definition and nothing else; follow it with service_follow(). out->unchanged: it is what runs
 * already, and nothing was asked for.
 */
int rollback_apply(const struct deploy_target *t, const json_t *service, const char *arn,
		   struct service_rollout *out, struct error *err);
