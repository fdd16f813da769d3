/*
 * The thread that makes things so: services get the tasks they want (desired count, rolling deployments, circuit breaker, what died comes
 * back), scaling policies move desired counts, and after every change of the state the runner and the network look at it.
 */
#pragma once

#include "local/network.h"
#include "local/runner.h"
#include "local/state.h"

struct reconciler;

struct reconciler_options {
	struct state *state;
	struct runner *runner;
	struct network *network;
	struct reporter *reporter;
	/* Milliseconds; 0: as is usual (reconcile.h, scaling_meter.h). */
	int settle_ms; /* that a task without health check runs before it counts as a success */
	int retry_ms;  /* before a task that died is replaced, the first time */
	int sample_ms; /* between two measurements of scaled services */
};

int reconciler_start(struct reconciler **out, const struct reconciler_options *o,
		     struct error *err);
/* Ends the thread; tasks stay as they are. NULL is allowed. */
void reconciler_free(struct reconciler *r);

CLEANUP_FREE(reconciler)
