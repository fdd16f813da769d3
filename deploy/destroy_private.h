/* The parts of destroy.h: who finds and who removes which kind. */
#pragma once

#include "deploy/destroy.h"

void destroy_add(struct destroy *d, enum destroy_kind kind, const char *name, const char *id);
/* why: after the colon. */
void destroy_keep(struct destroy *d, enum destroy_kind kind, const char *name, const char *why);
const char *destroy_kind_name(enum destroy_kind kind);

/*
 * What runs in the cluster: services, express services, tasks that no service started. families: of their task definitions, each once.
 * A cluster that is not there runs nothing.
 */
int destroy_find_running(const struct deploy_target *t, struct destroy *d, struct strlist *families,
			 struct error *err);
/* Does something of the app run in the cluster? */
int destroy_is_running(const struct deploy_target *t, const char *cluster, bool *running,
		       struct error *err);
/* With its scaling; until its last task is gone. */
int destroy_service(const struct deploy_target *t, const struct destroy_item *item,
		    struct error *err);
int destroy_task(const struct deploy_target *t, const struct destroy_item *item, struct error *err);

/* Load balancers and target groups of the app. */
int destroy_find_balancers(const struct deploy_target *t, struct destroy *d, struct error *err);

/* Security groups of the app. */
int destroy_find_groups(const struct deploy_target *t, struct destroy *d, struct error *err);
int destroy_group(const struct deploy_target *t, const struct destroy_item *item,
		  struct error *err);

/* Task definitions of the families, and what they name: log groups, roles, repositories; each once. */
struct destroy_names {
	struct strlist families, log_groups, roles, repositories;
};
void destroy_names_release(struct destroy_names *n);
int destroy_find_definitions(const struct deploy_target *t, struct destroy *d,
			     struct destroy_names *names, struct error *err);
int destroy_definition(const struct deploy_target *t, const struct destroy_item *item,
		       struct error *err);

CLEANUP_RELEASE(destroy_names)
