/* What one container of a task definition asks for; part of task_plan.h. */
#pragma once

#include <stdint.h>

#include "base/json.h"
#include "sandbox/rootfs.h"

enum container_condition {
	CONDITION_START,
	CONDITION_COMPLETE,
	CONDITION_SUCCESS,
	CONDITION_HEALTHY
};

struct container_need {
	size_t container; /* its place in the plan */
	enum container_condition condition;
};

/* Seconds, as in the definition. */
struct health_plan {
	struct strlist command; /* empty: there is no check */
	int64_t interval, timeout, retries, start_period;
};

struct restart_plan {
	bool enabled;
	int64_t *ignored_codes;
	size_t n_ignored;
	int64_t period; /* seconds that it has to have run */
};

struct mount_plan {
	const char *volume; /* NULL: a file system in memory */
	const char *target;
	bool readonly;
	int64_t size; /* of one in memory, bytes */
};

struct container_plan {
	const char *name, *image; /* views of the definition, as other texts are */
	bool essential, readonly_root;
	bool has_entrypoint, has_command;
	struct strlist entrypoint, command;
	struct strmap env;
	const json_t *secrets; /* [{name, valueFrom}], or NULL */
	const char *user, *cwd;
	struct strlist hosts; /* "name:ip" */
	int64_t cpu;          /* units of 1/1024; 0: none given */
	int64_t memory;       /* bytes; 0: none given */
	int64_t shm_size;     /* bytes; 0: the usual */
	uint64_t add_caps, drop_caps;
	struct sandbox_limit *limits;
	size_t n_limits;
	struct mount_plan *mounts;
	size_t n_mounts;
	struct container_need *needs;
	size_t n_needs;
	int64_t start_timeout, stop_timeout; /* seconds; start: 0: for ever */
	struct health_plan health;
	struct restart_plan restart;
	const char *log_group, *log_prefix; /* NULL: its output goes nowhere */
	bool log_create_group;
	const char *log_unheeded; /* an option that has no effect here; NULL: none */
	const json_t *definition;
};

/*
 * Fills c from c->definition and its override (or NULL), but for what names other containers: needs and volumes_from. ERROR_UNSUPPORTED
 * for what a local task cannot do.
 */
int container_plan_make(struct container_plan *c, const json_t *override, struct error *err);
/* Appends a mount; texts are views. */
struct mount_plan *container_plan_mount(struct container_plan *c);
void container_plan_release(struct container_plan *c);

CLEANUP_RELEASE(container_plan)
