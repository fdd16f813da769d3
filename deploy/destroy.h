/*
 * Removing what slipway made for an app, and nothing else: only what carries the app's tags goes.
 *
 *	destroy_find(&target, images, &d, err)      asks, changes nothing
 *	destroy_plan(&d, &lines)                    "- delete service web", "= keep log group /ecs/web: not made by slipway"
 *	destroy_run(&target, &d, err)               goes on after a failure; again: what is left
 */
#pragma once

#include "deploy/target.h"

/* In the order of their removal: what uses another thing goes before it. */
enum destroy_kind {
	DESTROY_EXPRESS,
	DESTROY_SERVICE,
	DESTROY_TASK,
	DESTROY_BALANCER,
	DESTROY_TARGET_GROUP,
	DESTROY_SECURITY_GROUP,
	DESTROY_ROLE,
	DESTROY_LOG_GROUP,
	DESTROY_REPOSITORY,
	DESTROY_TASK_DEFINITION,
	DESTROY_CLUSTER,
	DESTROY_KINDS,
};

struct destroy_item {
	enum destroy_kind kind;
	char *name; /* as people know it */
	char *id;   /* as the service wants it: an ARN, an ID, a name */
	bool removed;
};

struct destroy {
	bool images; /* repositories go with the images in them */
	struct destroy_item *items;
	size_t n, cap;
	struct strlist kept; /* "log group /ecs/web: not made by slipway for web" */
};

void destroy_release(struct destroy *d);
/*
 * What there is of the app in the target's region: services and tasks of its cluster, the rest wherever it is. While another cluster
 * still runs the app, what is shared by both is kept. ERROR_DENIED and others as aws_ask().
 */
int destroy_find(const struct deploy_target *t, bool images, struct destroy *d, struct error *err);
void destroy_plan(const struct destroy *d, struct strlist *lines);
/* ERROR_REMOTE after the rest was tried: what is left, a line each. ERROR_CANCELLED at once. */
int destroy_run(const struct deploy_target *t, struct destroy *d, struct error *err);

CLEANUP_RELEASE(destroy)
