/* What the files of the runner share: tasks and containers while they run. */
#pragma once

#include <pthread.h>

#include "base/pool.h"
#include "local/container_log.h"
#include "local/ecs_name.h"
#include "local/runner.h"
#include "local/task_plan.h"
#include "oci/lease.h"
#include "sandbox/cgroup.h"
#include "sandbox/run_control.h"

/* ECS's words for the container and, when it is essential, its task. */
#define OUT_OF_MEMORY "OutOfMemoryError: Container killed due to memory usage"

struct runner {
	struct runner_options o;
	char *folder;
	struct pool *pool;
	struct group group; /* the threads of tasks */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* guarded by lock */
	struct task **tasks;
	size_t n_tasks, cap_tasks;
	bool stopping;
	unsigned int
		unmet; /* limits that cannot be enforced here: enum cgroup_limit; set when it opens */
};

enum container_state {
	CONTAINER_PENDING,
	CONTAINER_STARTING,
	CONTAINER_RUNNING,
	CONTAINER_STOPPED,
};

enum container_health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct container {
	struct task *task;
	const struct container_plan *plan;
	/* Set before its thread starts. */
	struct image *image;
	char *digest; /* of what the image's name points at */
	char *id;     /* "runtimeId" */
	struct rootfs *fs;
	struct strlist argv, env; /* env is secret */
	struct sandbox_mount *mounts;
	struct strlist sources; /* owns folders that mounts point at */
	int stop_signal;
	struct container_log log;
	/* Guarded by the task's lock. */
	enum container_state state;
	enum container_health health;
	struct run_control *control; /* while it runs */
	size_t n_control_users;
	pid_t pid; /* of the first process of its namespace; 0: none */
	bool ever_started, has_exit_code, out_of_memory, stop_asked, killed;
	int exit_code;
	char *reason;                    /* NULL: none */
	int64_t kill_at;                 /* time_monotonic_ns(), once it is asked to stop */
	int64_t started_ns;              /* time_monotonic_ns() of the last start */
	int64_t wait_since;              /* ... since when others wait for it; 0: not yet */
	int64_t started_at, finished_at; /* time_now_ns(); 0: not yet */
	int64_t n_restarts;
	int64_t cpu_before, cpu_now; /* nanoseconds, of runs before and of this one, as last seen */
};

struct task {
	struct runner *runner;
	char id[40];
	char credentials_id[ECS_ID_SIZE]; /* in the path of those of its role */
	/* Set by its own thread before others start. */
	struct task_plan plan;
	struct container *containers;
	size_t n_containers;
	struct lease *lease;   /* of what its images are made of: prune keeps it */
	struct cgroup *cgroup; /* NULL: there are none here */
	struct space *space;   /* NULL: the machine's own network */
	struct group group;    /* the threads of its containers, and that which prepares them */
	struct cancel stop;    /* of a pull: it is to stop */
	/* The lock is never held while the state's is taken; the other way round is fine. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool hurry;            /* its containers are killed, without time to end */
	bool stop_wanted;      /* by whoever changed its document, or by itself */
	bool preparing;        /* a thread is about its images and containers */
	const char *status;    /* "PENDING" .. */
	const char *stop_code; /* why it stops by itself; NULL: it does not */
	char *stop_reason;
	bool is_running; /* or was: all of its containers had started */
	int64_t pull_started, pull_stopped, started, execution_stopped, stopped; /* time_now_ns() */
};

#define FAILED_TO_START "TaskFailedToStart"

/* runner_task.c: the life of a task, on a thread of its own; ends by task_free(). */
int task_main(void *arg, struct error *err);
void task_free(struct task *t);
/* With the lock held: the task is to end, for the first reason that is given. Takes reason. */
void task_fail(struct task *t, const char *code, char *reason);

/*
 * runner_prepare.c: what comes before containers start: images, log streams, environments, roots. On a thread of its own, since a task that is
 * to stop waits for none of it: false when it is to stop, or failed (then for a reason in ECS's words).
 */
bool task_prepare(struct task *t);
/* Until that thread has ended: it is soon after task_prepare(), unless layers are still being extracted. */
void task_await_preparation(struct task *t);
/* "PREFIXmessage" without hints; free(). */
char *failure_text(const char *prefix, const struct error *err);

/* runner_container.c: runs a container until it is not started again; a job. */
int container_main(void *arg, struct error *err);
/* With the task's lock held: as long as it is held it works; NULL: it does not run. */
struct run_control *container_hold(struct container *c);
void container_let_go(struct container *c);
void container_release(struct container *c);

/* runner_health.c: its health check, as long as it runs; a job. */
int container_watch_health(void *arg, struct error *err);
const char *container_health_name(enum container_health health);
/* Of the task, from that of its essential containers. With the lock held. */
enum container_health task_health(const struct task *t);

/* runner.c. With the runner's lock held, during which the task stays; NULL: it does not run. */
struct task *runner_find(struct runner *r, const char *task_id);

/* runner_usage.c. With the task's lock held. */
void container_usage(struct container *c, struct runner_usage *out);

/* runner_document.c: writes what is so into the task's document. */
void task_write(struct task *t);
const char *container_status(const struct container *c);
