/*
 * ECS Express Mode (--express): one call makes a service with a load balancer, HTTPS, an address of its own and autoscaling. What the
 * container needs is read from a task definition; port and health path are always sent, since the defaults (80, /ping) are no app's.
 */
#pragma once

#include "deploy/outcome.h"
#include "deploy/scaling.h"
#include "deploy/target.h"

struct express_wanted {
	const char *name;
	const json_t *definition;    /* a task definition with one container and its roles */
	int64_t port;                /* of the container; 0: its first port mapping */
	const char *health_path;     /* NULL: "/" */
	const struct scaling *scale; /* NULL: AWS's default, 1..20 at 60 % */
	const json_t *network;       /* networkConfiguration; NULL: the default VPC */
};

struct express {
	char *arn;
	char *url; /* "https://...on.aws"; NULL: not known yet */
	bool created;
	int64_t started; /* seconds since 1970 */
};

void express_release(struct express *e);
/*
 * *service NULL: there is no such Express service; else what DescribeExpressGatewayService says, with tags, a new reference.
 * The target is identified.
 */
int express_find(const struct deploy_target *t, const char *name, json_t **service,
		 struct error *err);
/*
 * Creates or updates it, with the infrastructure role that it needs (ecsInfrastructureRoleForExpressServices when there, else one of the
 * app's is made). ERROR_UNSUPPORTED for what Express Mode cannot take: several containers, an entry point, UDP; ERROR_UNSUPPORTED for a
 * service that is not the app's.
 */
int express_apply(const struct deploy_target *t, const struct express_wanted *w,
		  struct express *out, struct error *err);
/*
 * Until its deployment is done; deadline of time_monotonic_ns(). The first task that dies is reported (LOG_WARNING). *outcome:
 * DEPLOY_RUNNING, DEPLOY_FAILED, DEPLOY_ROLLED_BACK or DEPLOY_TIMED_OUT; *why: in the last three, a sentence, free().
 */
int express_wait(const struct deploy_target *t, struct express *e, int64_t deadline,
		 enum deploy_outcome *outcome, char **why, struct error *err);
/*
 * Deletes the service when it carries the app's tags, waits until AWS has taken its load balancer away, then removes the app's
 * infrastructure role. removed: a line each.
 */
int express_destroy(const struct deploy_target *t, const char *name, struct strlist *removed,
		    struct error *err);

CLEANUP_RELEASE(express)
