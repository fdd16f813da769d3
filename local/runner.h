/*
 * Runs tasks: what a task's document says is wanted becomes containers in the sandbox, and what happens to them becomes what the document
 * says is so. The runner looks at documents of STATE_TASKS and needs no other orders:
 *
 *	desiredStatus RUNNING, lastStatus PROVISIONING   it starts it: PENDING (pull), ACTIVATING, RUNNING
 *	desiredStatus STOPPED                            it stops it: DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED
 *
 * Who wants a task to stop sets desiredStatus, stopCode, stoppedReason and stoppingAt; when a task ends by itself, the runner sets these.
 * Each task has a thread of its own, each container another (sandbox processes die with the thread that started them).
 */
#pragma once

#include "local/images.h"
#include "local/log_store.h"
#include "local/network.h"
#include "local/state.h"

struct runner;

struct runner_options {
	struct state *state;
	struct sandbox *sandbox;
	struct store *store;
	const struct images *images;
	struct log_store *logs;
	struct network *network; /* NULL: tasks are in the network of this machine */
	struct reporter *reporter;
	const char *folder; /* for what tasks need on disk while they run */
	const char *region; /* "us-east-1"; NULL: tasks are not told */
	int api_port; /* at which tasks reach the local target, at the address of metadata; 0: they do not */
};

struct runner_usage {
	int64_t cpu_ns;       /* of all its containers since it started */
	int64_t memory_bytes; /* now */
};

/* Tasks that an earlier process left running are marked STOPPED: their processes died with it. */
int runner_open(struct runner **out, const struct runner_options *o, struct error *err);
/* Looks for what is to be started or stopped; never waits. Called by one thread after every change of the state, without its lock. */
void runner_look(struct runner *r);
/* False: the task does not run. */
bool runner_task_usage(struct runner *r, const char *task_id, struct runner_usage *out);
/* A further program in a container that runs: with its root, user, environment and limits. */
struct runner_program {
	const struct strlist *argv, *env; /* env: over the container's own */
	int stdin_fd, stdout_fd, stderr_fd;
	bool tty; /* as in struct run_program */
};
/* Waits for its end; name NULL: the first container. As run_control_exec(); ERROR_NOT_FOUND: it does not run. */
int runner_exec(struct runner *r, const char *task_id, const char *name,
		const struct runner_program *p, int *status, struct error *err);
/* What the metadata endpoint answers (network_options). */
void runner_metadata(void *arg, const char *task_id, const char *path, int *status, char **json);
/*
 * Stops every task as ECS would (SIGTERM, stopTimeout, SIGKILL), waits, and writes down how each ended. A second signal noted in cancel (may be
 * NULL) kills what has not ended yet.
 */
void runner_stop_all(struct runner *r, const char *reason, const struct cancel *cancel);
void runner_free(struct runner *r);

CLEANUP_FREE(runner)
