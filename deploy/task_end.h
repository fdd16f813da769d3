/* How a task ended, read from what DescribeTasks says of it (ECS API Reference, Task and Container). */
#pragma once

#include <stdbool.h>

#include "base/json.h"

struct task_end {
	char *cause;    /* one line: "container \"web\" exited with code 1" */
	char *reason;   /* AWS's words, the most telling ones; NULL: none */
	char *culprit;  /* the container that ended it; NULL: the task never started */
	int exit_code;  /* of the culprit; -1: none */
	bool succeeded; /* the essential container ended by itself with 0 */
};

/*
 * task: one of DescribeTasks, lastStatus STOPPED. definition: its task definition, which says who is essential; NULL: every container
 * counts as essential. A container without an exit code never ran: that is a failure whatever the others say.
 */
void task_end_read(struct task_end *out, const json_t *task, const json_t *definition);
void task_end_release(struct task_end *e);
/* The container's code; of one that could not start what docker run ends with: 127 not found, 126 not executable, else 125. */
int task_end_code(const struct task_end *e);
/* Did both end alike: in the same way, with the same code? */
bool task_end_equal(const struct task_end *a, const struct task_end *b);

/* The container's exit code; -1: it has none. */
int container_exit_code(const json_t *container);

CLEANUP_RELEASE(task_end)
