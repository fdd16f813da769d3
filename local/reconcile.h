/*
 * One look of the reconciler at everything, with the state's lock held and a clock that is given. Each look derives what is to be done from the documents
 * alone, so a process that ends between any two writes loses nothing: the next look goes on.
 */
#pragma once

#include "local/state.h"

struct reconcile {
	struct state *state;
	double now; /* seconds since 1970 */
	double settle; /* seconds that a task without health check runs before it counts as a success */
	double retry; /* seconds before a task that died is replaced; doubles up to RECONCILE_MAX_RETRY */
	double next; /* out: when time alone will bring something to do; 0: never */
};

#define RECONCILE_SETTLE    3.0
#define RECONCILE_RETRY     1.0
#define RECONCILE_MAX_RETRY 60.0

/*
 * Every service: what happened to its tasks is counted and told in its events, its deployments move on, and tasks are made and asked to
 * stop as it wants them. ERROR_SYSTEM when the state cannot be written.
 */
int reconcile_services(struct reconcile *r, struct error *err);
/* Forgets stopped tasks (ecs_task.h says when) and services that have been INACTIVE as long. */
int reconcile_forget(struct reconcile *r, struct error *err);
/* Brings r->next forward. */
void reconcile_at(struct reconcile *r, double moment);
