#include "local/runner.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/runner_private.h"
#include "local/runner_recovery.h"

/* A task takes a thread, and each of its containers one or two. */
#define MAX_THREADS 4096

/* Once for all tasks: what is not possible here is not possible for any of them. */
static void try_limits(struct runner *r)
{
	const struct cgroup_limits some = {.memory = 64 << 20, .cpu = 1024};
	AUTO_PTR(cgroup) group = NULL;

	cgroup_sweep();
	r->unmet = cgroup_open(&group, NULL, &some);
	if (r->unmet)
		report_log(
			r->o.reporter, LOG_WARNING,
			"limits of tasks on %s are not enforced: this machine lets slipway make "
			"no control group with them (root may, and \"systemd-run --user --scope\" "
			"where systemd delegates them)",
			!(r->unmet & CGROUP_CPU)      ? "memory"
			: !(r->unmet & CGROUP_MEMORY) ? "CPU"
						      : "CPU and memory");
}

int runner_open(struct runner **out, const struct runner_options *o, struct error *err)
{
	AUTO_PTR(runner) r = xcalloc(1, sizeof(*r));

	r->o = *o;
	r->folder = path_join(o->folder, "tasks");
	r->pool = pool_new(MAX_THREADS);
	group_init(&r->group, r->pool);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	if (runner_recover(o, r->folder, err) < 0 || fs_mkdir_p(r->folder, 0700, err) < 0)
		return -1;
	try_limits(r);
	*out = take_ptr(r);
	return 0;
}

struct task *runner_find(struct runner *r, const char *id)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (strcmp(r->tasks[i]->id, id) == 0)
			return r->tasks[i];
	return NULL;
}

static struct task *task_new(struct runner *r, const char *id)
{
	struct task *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t clock;

	t->runner = r;
	snprintf(t->id, sizeof(t->id), "%s", id);
	ecs_uuid(t->credentials_id);
	t->status = "PROVISIONING";
	t->stop.wake_fd = -1;
	group_init(&t->group, r->pool);
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &clock);
	pthread_condattr_destroy(&clock);
	return t;
}

static void stop(struct task *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop_wanted = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* With the runner's lock held. A task that gets no thread now gets one at the next look. */
static void start(struct runner *r, const char *id)
{
	AUTO(error) err = ERROR_INIT;
	struct task *t;

	if (r->stopping)
		return;
	t = task_new(r, id);
	if (group_run_now(&r->group, task_main, t, &err) < 0) {
		report_log(r->o.reporter, LOG_WARNING, "task %s waits: %s", id, err.message);
		group_wait(&t->group, NULL);
		pthread_cond_destroy(&t->changed);
		pthread_mutex_destroy(&t->lock);
		free(t);
		return;
	}
	GROW(r->tasks, r->n_tasks + 1, r->cap_tasks);
	r->tasks[r->n_tasks++] = t;
}

void runner_look(struct runner *r)
{
	const char *id;
	json_t *document;

	state_lock(r->o.state);
	pthread_mutex_lock(&r->lock);
	json_object_foreach (state_all(r->o.state, STATE_TASKS), id, document) {
		struct task *t;

		if (strcmp(aws_text(document, "lastStatus"), "STOPPED") == 0)
			continue;
		t = runner_find(r, id);
		if (!t)
			start(r, id);
		else if (strcmp(aws_text(document, "desiredStatus"), "STOPPED") == 0)
			stop(t);
	}
	pthread_mutex_unlock(&r->lock);
	state_unlock(r->o.state);
}

void task_free(struct task *t)
{
	struct runner *r = t->runner;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i] == t)
			r->tasks[i] = r->tasks[--r->n_tasks];
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	group_wait(&t->group, NULL);
	for (size_t i = 0; i < t->n_containers; i++)
		container_release(&t->containers[i]);
	free(t->containers);
	lease_free(t->lease);
	cgroup_free(t->cgroup);
	task_plan_release(&t->plan);
	free(t->stop_reason);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* With the runner's lock held. */
static void end_all(struct runner *r, const char *reason, bool at_once)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		struct task *t = r->tasks[i];

		pthread_mutex_lock(&t->lock);
		t->hurry |= at_once;
		task_fail(t, "TerminationNotice", xstrdup(reason));
		pthread_mutex_unlock(&t->lock);
	}
}

void runner_stop_all(struct runner *r, const char *reason, const struct cancel *cancel)
{
	bool at_once = false;

	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	end_all(r, reason, false);
	while (r->n_tasks > 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&r->changed, &r->lock, &until);
		if (cancel && cancel->count > 1 && !at_once) {
			at_once = true;
			end_all(r, reason, true);
		}
	}
	pthread_mutex_unlock(&r->lock);
	runner_mark_stopped(r->o.state, reason, r->o.reporter);
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	runner_stop_all(r, "The local target ended.", NULL);
	group_wait(&r->group, NULL);
	pool_free(r->pool);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r->tasks);
	free(r->folder);
	free(r);
}
