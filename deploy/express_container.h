/* The container of an Express service, as CreateExpressGatewayService calls it, from a task definition. */
#pragma once

#include "deploy/target.h"

/*
 * primaryContainer in *out, a new reference. port 0: the first port mapping's. ERROR_UNSUPPORTED for what has no place there and would
 * be lost; what AWS does instead (health checks by the load balancer) is a warning.
 */
int express_container_make(const struct deploy_target *t, const json_t *definition, int64_t port,
			   json_t **out, struct error *err);
