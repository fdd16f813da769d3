/*
 * What a process and all its descendants use, from /proc: works without control groups. A step's first process takes in what its dead
 * descendants used, so that it is given: nothing is lost until the step ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_usage {
	int64_t cpu_ns;       /* user and system, since it started */
	int64_t memory_bytes; /* resident now; shared pages count for each */
	size_t n_processes;
};

/* False: it is gone. proc: "/proc", or a folder that stands for it. */
bool process_usage_read(struct process_usage *out, const char *proc, pid_t root);
