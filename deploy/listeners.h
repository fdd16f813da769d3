/* The listeners of a load balancer (Elastic Load Balancing, API of 2015-12-01). */
#pragma once

#include "deploy/target.h"

/*
 * HTTP on 80 to the target group; with a certificate (ARN) HTTPS on 443 to it, and 80 redirects there. Those that are there are
 * changed where they differ, others than these two ports' are left alone.
 */
int listeners_make(const struct deploy_target *t, const char *balancer, const char *group,
		   const char *certificate, struct error *err);
