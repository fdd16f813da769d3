/*
 * What the status page shows, as JSON made from the state's documents: names, counts, states and reasons, and nothing that is secret
 * (environments of tasks and keys are left out).
 *
 *	{"clusters": [{"name", "status", "services": [..], "tasks": [..], "stopped": N, "tasksLeftOut": N}]}
 *
 * Members carry the names of the ECS API; "id" is the last part of an ARN, "definition" is "FAMILY:REVISION". Lists are in the order in
 * which a person looks for things: services by name, tasks that run before those that stopped, the newest first.
 */
#pragma once

#include "local/state.h"

#define STATUS_EVENTS        20  /* of a service */
#define STATUS_STOPPED_TASKS 50  /* of a cluster */
#define STATUS_RUNNING_TASKS 500 /* of a cluster */

/*
 * A new reference, with the state's lock held. It shares values with the documents: written and let go before the lock is.
 */
json_t *status_document(struct state *s);
