#include <string.h>
#include <time.h>

#include "base/time.h"
#include "local/runner_private.h"

#define SECOND 1000000000ll

const char *container_health_name(enum container_health health)
{
	switch (health) {
	case HEALTH_HEALTHY:
		return "HEALTHY";
	case HEALTH_UNHEALTHY:
		return "UNHEALTHY";
	case HEALTH_UNKNOWN:
	default:
		return "UNKNOWN";
	}
}

/* UNHEALTHY when one is, UNKNOWN while one is, and when none has a check (ECS Developer Guide, "task health"). */
enum container_health task_health(const struct task *t)
{
	enum container_health health = HEALTH_UNKNOWN;
	bool any = false, unknown = false;

	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container *c = &t->containers[i];

		if (!c->plan->essential || c->plan->health.command.n == 0)
			continue;
		any = true;
		if (c->health == HEALTH_UNHEALTHY)
			health = HEALTH_UNHEALTHY;
		unknown |= c->health == HEALTH_UNKNOWN;
	}
	if (health == HEALTH_UNHEALTHY)
		return health;
	return any && !unknown ? HEALTH_HEALTHY : HEALTH_UNKNOWN;
}

/* With the lock held: until it runs; false: it has stopped. */
static bool await_running(struct container *c)
{
	while (c->state == CONTAINER_PENDING || c->state == CONTAINER_STARTING)
		pthread_cond_wait(&c->task->changed, &c->task->lock);
	return c->state == CONTAINER_RUNNING;
}

/* With the lock held: until the time has come; false: it is not the run any more that began at started_ns. */
static bool await_time(struct container *c, int64_t started_ns, int64_t at)
{
	const struct timespec until = {.tv_sec = at / SECOND, .tv_nsec = at % SECOND};

	while (c->state == CONTAINER_RUNNING && c->started_ns == started_ns && !c->stop_asked &&
	       time_monotonic_ns() < at)
		pthread_cond_timedwait(&c->task->changed, &c->task->lock, &until);
	return c->state == CONTAINER_RUNNING && c->started_ns == started_ns && !c->stop_asked;
}

static bool check(struct container *c, struct run_control *control)
{
	const struct container_plan *p = c->plan;
	const struct image_config *config = &c->image->config;
	const struct run_program program = {
		.argv = p->health.command.items,
		.env = c->env.items,
		.cwd = p->cwd ? p->cwd : config->working_dir,
		.user = p->user ? p->user : config->user,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.timeout_ms = (int)p->health.timeout * 1000,
	};
	int status;

	return run_control_exec(control, &program, &status, NULL) == 0 && status == 0;
}

/* With the lock held. */
static void note(struct container *c, bool well, bool in_start, int64_t *failures)
{
	if (well) {
		*failures = 0;
		c->health = HEALTH_HEALTHY;
	} else if (!in_start && ++*failures >= c->plan->health.retries) {
		c->health = HEALTH_UNHEALTHY;
	}
	pthread_cond_broadcast(&c->task->changed);
}

/* With the lock held: checks one run of it, until that ends. */
static void watch_run(struct container *c)
{
	const struct health_plan *h = &c->plan->health;
	const int64_t began = c->started_ns;
	int64_t failures = 0, at = began;
	bool was_well = false;

	while (await_time(c, began, at += h->interval * SECOND)) {
		struct run_control *control = container_hold(c);
		bool well;

		if (!control)
			return;
		pthread_mutex_unlock(&c->task->lock);
		well = check(c, control);
		pthread_mutex_lock(&c->task->lock);
		container_let_go(c);
		if (c->state != CONTAINER_RUNNING || c->started_ns != began || c->stop_asked)
			return;
		was_well |= well;
		at = time_monotonic_ns();
		note(c, well, !was_well && at - began < h->start_period * SECOND, &failures);
	}
}

int container_watch_health(void *arg, struct error *err)
{
	struct container *c = arg;

	(void)err;
	pthread_mutex_lock(&c->task->lock);
	while (await_running(c) && !c->stop_asked) {
		int64_t began = c->started_ns;

		watch_run(c);
		/* The same run, about to end: nothing more is to be known of it. */
		while (c->state == CONTAINER_RUNNING && c->started_ns == began)
			pthread_cond_wait(&c->task->changed, &c->task->lock);
	}
	pthread_mutex_unlock(&c->task->lock);
	return 0;
}
