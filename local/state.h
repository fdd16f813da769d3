/*
 * What the local target knows: JSON documents by kind and key, in memory and on disk. A document that state_put() has taken
 * survives kill -9 and a power cut; nothing half-written is ever read.
 *
 *	state_open(&state, folder, err);
 *	state_lock(state);
 *	service = state_get(state, STATE_SERVICES, "default/web");    a view, as long as the lock is held
 *	state_put(state, STATE_SERVICES, "default/web", changed, err);
 *	state_unlock(state);
 *
 * One lock guards everything: whoever holds it sees and makes changes that belong together. It is held for moments, never while waiting
 * for a process, a socket or a pull.
 *
 *	FOLDER/state.json         {"schema": 1}; a newer one is refused
 *	FOLDER/.lock              held by the process that has it open
 *	FOLDER/KIND/HEX.json      {"key": .., "document": ..}; HEX is the SHA-256 of the key
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* Kinds, with what the key is. */
#define STATE_CLUSTERS         "clusters"         /* NAME */
#define STATE_SERVICES         "services"         /* CLUSTER/NAME */
#define STATE_TASKS            "tasks"            /* the id, 32 hexadecimal digits */
#define STATE_TASK_DEFINITIONS "task-definitions" /* FAMILY:REVISION */
#define STATE_REPOSITORIES     "repositories"     /* NAME */
#define STATE_LOG_GROUPS       "log-groups"       /* NAME */
#define STATE_ROLES            "roles"            /* NAME */
#define STATE_SECURITY_GROUPS  "security-groups"  /* sg-ID */
#define STATE_SCALABLE_TARGETS "scalable-targets" /* RESOURCE */
#define STATE_SCALING_POLICIES "scaling-policies" /* RESOURCE/NAME */
#define STATE_SECRETS          "secrets" /* ARN; the file is readable by its owner alone, as all are */
#define STATE_PARAMETERS       "parameters" /* /NAME */
#define STATE_SETTINGS         "settings" /* what the target itself keeps: keys, region, addresses in use */

struct state;

/*
 * Reads everything. ERROR_DENIED when another process has the folder open, ERROR_UNSUPPORTED for a newer schema, ERROR_CORRUPT for a
 * document that cannot be read, by its path.
 */
int state_open(struct state **out, const char *folder, struct error *err);
void state_free(struct state *s);

void state_lock(struct state *s);
void state_unlock(struct state *s);

/* All of these with the lock held. */
/* NULL: there is none. The document may be changed in place when state_put() of the same follows before the lock goes. */
json_t *state_get(struct state *s, const char *kind, const char *key);
/* Every document of the kind by its key, an object in the order in which keys came; a view that no put or remove of the kind outlives. */
json_t *state_all(struct state *s, const char *kind);
/* Takes the reference, also on failure (ERROR_SYSTEM: nothing changed on disk). */
int state_put(struct state *s, const char *kind, const char *key, json_t *document,
	      struct error *err);
/* What is not there is no error. */
int state_remove(struct state *s, const char *kind, const char *key, struct error *err);
/* Counts every put, remove and state_wake(). */
uint64_t state_version(const struct state *s);
/* Gives the lock away until the version is another than seen, or timeout_ms (< 0: never) have passed. */
void state_wait(struct state *s, uint64_t seen, int timeout_ms);
/* Somebody should look, though no document changed. */
void state_wake(struct state *s);

CLEANUP_FREE(state)
