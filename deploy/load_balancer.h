/*
 * The stable address of a service (--lb): an application load balancer of Elastic Load Balancing with its target group, listeners and
 * security group, all tagged as the app's. Made before the service, which then registers its tasks there by itself.
 *
 *	load_balancer_find(&target, &lb, err)                 by its name, which follows from the app's
 *	load_balancer_plan(&lb, &wanted, &lines)
 *	load_balancer_make(&target, &wanted, &lb, err)        lb.members goes into CreateService
 *	load_balancer_wait(&target, &lb, deadline, err)       until it answers: some minutes
 */
#pragma once

#include "deploy/target_group.h"

struct load_balancer_wanted {
	const json_t *network; /* networkConfiguration of the service */
	const char *container;
	int64_t port;            /* of the container */
	const char *health_path; /* NULL: "/" */
	const char *certificate; /* ARN: HTTPS on 443, and 80 leads there; NULL: HTTP on 80 */
};

struct load_balancer {
	char *name;
	char *arn; /* NULL: there is none */
	char *dns; /* NULL with arn */
	bool active;
	bool https;
	struct strlist subnets; /* IDs, of one that is there */
	struct target_group group;
	json_t *members; /* loadBalancers of CreateService and UpdateService; after make */
};

void load_balancer_release(struct load_balancer *lb);
/* Letters, digits and hyphens, at most 32: others than an app's name may have are told apart by a hash. free() */
char *load_balancer_name(const struct deploy_target *t);
/* A missing one is no error. ERROR_UNSUPPORTED for one of that name that is not the app's. */
int load_balancer_find(const struct deploy_target *t, struct load_balancer *out, struct error *err);
/* A line each: "+ load balancer slipway-web ...", "= load balancer slipway-web". */
void load_balancer_plan(const struct load_balancer *lb, const struct load_balancer_wanted *w,
			struct strlist *lines);
/* Makes what is missing, changes what differs. ERROR_NOT_FOUND for subnets in which it cannot be. */
int load_balancer_make(const struct deploy_target *t, const struct load_balancer_wanted *w,
		       struct load_balancer *lb, struct error *err);
/* Until it is active; deadline of time_monotonic_ns(). *ready false: it was not by then. ERROR_REMOTE when AWS could not make it. */
int load_balancer_wait(const struct deploy_target *t, struct load_balancer *lb, int64_t deadline,
		       bool *ready, struct error *err);
/* "http://DNS", with a certificate "https://DNS"; free(). */
char *load_balancer_url(const struct load_balancer *lb);
/*
 * After the service has gone: load balancer, target group, security group, as far as they carry the app's tags. removed: a line
 * each. Waits until AWS lets go of the addresses.
 */
int load_balancer_destroy(const struct deploy_target *t, struct strlist *removed,
			  struct error *err);

CLEANUP_RELEASE(load_balancer)
