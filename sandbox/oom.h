/*
 * Whether the kernel killed a step for want of memory, and how sure that is: it counts such kills for a control group and
 * for the machine, and names no process.
 *
 *	oom_watch_start(&w, group, "");    before the step starts
 *	kill = oom_watch_end(&w, status);  after its end
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct cgroup;

enum oom_kill {
	OOM_NONE,
	OOM_STEP,    /* in the step's own group: it was the step */
	OOM_GROUP,   /* in the group that slipway and all its steps are in */
	OOM_MACHINE, /* somewhere, and no group's count can be read */
};

struct oom_watch {
	char *file; /* NULL: nothing can be read */
	enum oom_kill kind;
	uint64_t before;
};
/* step: the group of the step alone, or NULL. top: "", or a folder that stands for "/". */
void oom_watch_start(struct oom_watch *w, const struct cgroup *step, const char *top);
/* status: exit code of the step, or 128 + signal. Without a group of its own only one that SIGKILL ended can be a case. */
enum oom_kill oom_watch_end(const struct oom_watch *w, int status);
void oom_watch_release(struct oom_watch *w);

/* For a message about a step that failed, in words that claim no more than is known; "" for OOM_NONE. */
const char *oom_text(enum oom_kill kill);

CLEANUP_RELEASE(oom_watch)
