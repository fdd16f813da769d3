#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/task_json.h"
#include "local/runner_private.h"

#define DRAIN_MS       5000 /* the longest that connections are waited for */
#define SECOND         1000000000ll
#define NEVER          INT64_MAX

#define CONTAINER_EXIT "EssentialContainerExited"
#define EXITED         "Essential container in task exited"

void task_fail(struct task *t, const char *code, char *reason)
{
	if (t->stop_code) {
		free(reason);
	} else {
		t->stop_code = code;
		t->stop_reason = reason;
	}
	t->stop_wanted = true;
	pthread_cond_broadcast(&t->changed);
}

static void fail(struct task *t, char *reason)
{
	pthread_mutex_lock(&t->lock);
	task_fail(t, FAILED_TO_START, reason);
	pthread_mutex_unlock(&t->lock);
}

static void move_to(struct task *t, const char *status)
{
	pthread_mutex_lock(&t->lock);
	t->status = status;
	pthread_mutex_unlock(&t->lock);
	task_write(t);
}

static bool is_to_stop(struct task *t)
{
	bool stop;

	pthread_mutex_lock(&t->lock);
	stop = t->stop_wanted;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

static bool is_preparing(struct task *t)
{
	bool preparing;

	pthread_mutex_lock(&t->lock);
	preparing = t->preparing;
	pthread_mutex_unlock(&t->lock);
	return preparing;
}

static int read_plan(struct task *t, struct error *err)
{
	struct state *s = t->runner->o.state;
	AUTO_JSON *definition = NULL, *overrides = NULL;
	const json_t *task, *found;
	const char *key;
	bool stop;

	state_lock(s);
	task = state_get(s, STATE_TASKS, t->id);
	key = path_base(aws_text(task, "taskDefinitionArn"));
	found = json_object_get(state_get(s, STATE_TASK_DEFINITIONS, key), "taskDefinition");
	definition = json_deep_copy(found);
	overrides = json_deep_copy(json_object_get(task, "overrides"));
	stop = strcmp(aws_text(task, "desiredStatus"), "STOPPED") == 0;
	if (!definition)
		error_set(err, ERROR_NOT_FOUND, "the task definition %s does not exist", key);
	state_unlock(s);
	/* Somebody may have told the task itself to stop by now: that holds. */
	pthread_mutex_lock(&t->lock);
	t->stop_wanted |= stop;
	pthread_mutex_unlock(&t->lock);
	if (!definition)
		return -1;
	return task_plan_make(&t->plan, definition, overrides, err);
}

static void make_containers(struct task *t)
{
	t->containers = xcalloc(t->plan.n_containers + 1, sizeof(*t->containers));
	for (size_t i = 0; i < t->plan.n_containers; i++) {
		t->containers[i].task = t;
		t->containers[i].plan = &t->plan.containers[i];
	}
	/* What other threads see of them from now on. */
	pthread_mutex_lock(&t->lock);
	t->n_containers = t->plan.n_containers;
	pthread_mutex_unlock(&t->lock);
}

static int open_network(struct task *t, struct error *err)
{
	struct network *n = t->runner->o.network;

	if (!n)
		return 0;
	if (network_add_task(n, t->id, err) < 0)
		return -1;
	t->space = network_task_space(n, t->id);
	return 0;
}

/* Everything until the first container may start; false: the task is to stop. */
static bool prepare(struct task *t)
{
	AUTO(error) err = ERROR_INIT;

	if (read_plan(t, &err) < 0) {
		fail(t, failure_text("ResourceInitializationError: ", &err));
		return false;
	}
	make_containers(t);
	if (is_to_stop(t))
		return false;
	cgroup_open(&t->cgroup, NULL,
		    &(struct cgroup_limits){.memory = t->plan.memory, .cpu = t->plan.cpu});
	if (open_network(t, &err) < 0) {
		fail(t, failure_text("ResourceInitializationError: failed to configure the "
				     "network of the task: ",
				     &err));
		return false;
	}
	t->pull_started = time_now_ns();
	move_to(t, "PENDING");
	return task_prepare(t);
}

/* All of these with the lock held. */

enum need { NEED_MET, NEED_WAITS, NEED_FAILED };

static enum need need_state(const struct container *other, enum container_condition condition)
{
	bool stopped = other->state == CONTAINER_STOPPED;

	switch (condition) {
	case CONDITION_START:
		if (other->ever_started)
			return NEED_MET;
		break;
	case CONDITION_COMPLETE:
		if (stopped && other->has_exit_code)
			return NEED_MET;
		break;
	case CONDITION_SUCCESS:
		if (stopped && other->has_exit_code && other->exit_code == 0)
			return NEED_MET;
		break;
	case CONDITION_HEALTHY:
	default:
		if (other->health == HEALTH_HEALTHY)
			return NEED_MET;
		if (other->health == HEALTH_UNHEALTHY)
			return NEED_FAILED;
		break;
	}
	return stopped ? NEED_FAILED : NEED_WAITS;
}

/* Also the time at which waiting for it ends, in *deadline when that is earlier. */
static enum need check_need(struct task *t, const struct container *c,
			    const struct container_need *need, int64_t *deadline)
{
	static const char *const names[] = {"START", "COMPLETE", "SUCCESS", "HEALTHY"};
	struct container *other = &t->containers[need->container];
	enum need state = need_state(other, need->condition);
	int64_t until;

	if (state == NEED_FAILED) {
		task_fail(t, FAILED_TO_START,
			  xstrfmt("TaskFailedToStart: container \"%s\" depends on container "
				  "\"%s\" with condition %s, which cannot be met any more",
				  c->plan->name, other->plan->name, names[need->condition]));
		return state;
	}
	if (state == NEED_MET || other->plan->start_timeout <= 0)
		return state;
	if (other->wait_since == 0)
		other->wait_since = time_monotonic_ns();
	until = other->wait_since + other->plan->start_timeout * SECOND;
	if (time_monotonic_ns() >= until) {
		task_fail(t, FAILED_TO_START,
			  xstrfmt("TaskFailedToStart: container \"%s\" depends on container "
				  "\"%s\" with condition %s, which was not met within its "
				  "startTimeout of %lld seconds",
				  c->plan->name, other->plan->name, names[need->condition],
				  (long long)other->plan->start_timeout));
		return NEED_FAILED;
	}
	if (until < *deadline)
		*deadline = until;
	return state;
}

static void start(struct container *c)
{
	struct task *t = c->task;
	AUTO(error) err = ERROR_INIT;

	c->state = CONTAINER_STARTING;
	if (group_run_now(&t->group, container_main, c, &err) < 0) {
		c->state = CONTAINER_STOPPED;
		c->reason = failure_text("CannotStartContainerError: ", &err);
		return;
	}
	if (c->plan->health.command.n > 0 &&
	    group_run_now(&t->group, container_watch_health, c, &err) < 0)
		report_log(t->runner->o.reporter, LOG_WARNING,
			   "task %s, container %s: its health is not checked: %s", t->id,
			   c->plan->name, err.message);
}

static void start_what_may(struct task *t, int64_t *deadline)
{
	for (size_t i = 0; i < t->n_containers && !t->stop_wanted; i++) {
		struct container *c = &t->containers[i];
		bool all = true;

		for (size_t k = 0; k < c->plan->n_needs && c->state == CONTAINER_PENDING; k++)
			all &= check_need(t, c, &c->plan->needs[k], deadline) == NEED_MET;
		if (c->state == CONTAINER_PENDING && all)
			start(c);
	}
}

/* An essential container has ended: so does the task. */
static void look_at_ends(struct task *t)
{
	size_t n_left = 0;

	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container *c = &t->containers[i];

		n_left += c->state != CONTAINER_STOPPED;
		if (c->state != CONTAINER_STOPPED || !c->plan->essential)
			continue;
		if (!c->has_exit_code)
			task_fail(t, FAILED_TO_START,
				  xstrdup(c->reason ? c->reason : "Task failed to start"));
		else
			task_fail(t, CONTAINER_EXIT,
				  xstrdup(c->out_of_memory ? OUT_OF_MEMORY : EXITED));
	}
	if (n_left == 0)
		task_fail(t, CONTAINER_EXIT, xstrdup("All containers in the task exited"));
}

static bool is_up(const struct task *t)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].state == CONTAINER_PENDING ||
		    t->containers[i].state == CONTAINER_STARTING)
			return false;
	return true;
}

static void wait_until(struct task *t, int64_t deadline)
{
	const struct timespec until = {.tv_sec = deadline / SECOND, .tv_nsec = deadline % SECOND};

	if (deadline == NEVER)
		pthread_cond_wait(&t->changed, &t->lock);
	else
		pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

/* What the document shows of containers, to tell whether it is to be written again. */
static uint64_t look_of(const struct task *t)
{
	uint64_t look = 17;

	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container *c = &t->containers[i];

		look = look * 31 + (uint64_t)c->state * 7 + (uint64_t)c->health +
		       (uint64_t)c->pid * 101 + (uint64_t)c->n_restarts * 1009;
	}
	return look;
}

/* Starts containers, and watches them until the task is to stop. */
static void serve(struct task *t)
{
	uint64_t written = 0;

	pthread_mutex_lock(&t->lock);
	while (!t->stop_wanted) {
		int64_t deadline = NEVER;
		uint64_t look;

		start_what_may(t, &deadline);
		look_at_ends(t);
		if (t->stop_wanted)
			break;
		if (is_up(t) && !t->is_running) {
			t->status = "RUNNING";
			t->is_running = true;
			written = 0;
		}
		look = look_of(t);
		if (look != written) {
			written = look;
			pthread_mutex_unlock(&t->lock);
			task_write(t);
			pthread_mutex_lock(&t->lock);
			/* What happened meanwhile has woken nobody. */
			continue;
		}
		wait_until(t, deadline);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Somebody still runs who depends on it. */
static bool is_needed(const struct task *t, size_t container)
{
	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container *c = &t->containers[i];

		for (size_t k = 0; k < c->plan->n_needs; k++)
			if (c->plan->needs[k].container == container &&
			    c->state != CONTAINER_STOPPED)
				return true;
	}
	return false;
}

static void ask_to_stop(struct container *c, int64_t now, int64_t *deadline)
{
	if (!c->stop_asked) {
		c->stop_asked = true;
		c->kill_at = now + c->plan->stop_timeout * SECOND;
		if (c->control)
			run_control_signal(c->control, c->stop_signal);
		pthread_cond_broadcast(&c->task->changed);
	}
	if (!c->killed && (now >= c->kill_at || c->task->hurry)) {
		c->killed = true;
		if (c->control)
			run_control_kill(c->control);
	}
	if (!c->killed && c->kill_at < *deadline)
		*deadline = c->kill_at;
}

/* Containers end in the reverse of the order in which they depend on each other. */
static void stop_containers(struct task *t)
{
	size_t n_left;

	pthread_mutex_lock(&t->lock);
	/* All of them, before it is asked who is needed by whom. */
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].state == CONTAINER_PENDING)
			t->containers[i].state = CONTAINER_STOPPED;
	do {
		int64_t now = time_monotonic_ns(), deadline = NEVER;

		n_left = 0;
		for (size_t i = 0; i < t->n_containers; i++) {
			struct container *c = &t->containers[i];

			if (c->state == CONTAINER_STOPPED)
				continue;
			n_left++;
			if (!is_needed(t, i))
				ask_to_stop(c, now, &deadline);
		}
		if (n_left > 0)
			wait_until(t, deadline);
	} while (n_left > 0);
	t->execution_stopped = time_now_ns();
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* As behind a load balancer: who is connected may end, if it is somebody else who wants the task to stop. */
static void drain(struct task *t)
{
	bool wanted;

	pthread_mutex_lock(&t->lock);
	wanted = !t->stop_reason;
	pthread_mutex_unlock(&t->lock);
	if (wanted && t->runner->o.network)
		network_drain_task(t->runner->o.network, t->id, DRAIN_MS);
}

static void leave_places(struct task *t)
{
	cgroup_free(take_ptr(t->cgroup));
	if (t->runner->o.network)
		network_remove_task(t->runner->o.network, t->id);
}

static void remove_folder(struct task *t)
{
	AUTO_FREE char *folder = path_join(t->runner->folder, t->id);
	AUTO(error) err = ERROR_INIT;

	if (access(folder, F_OK) == 0 &&
	    sandbox_remove_tree(t->runner->o.sandbox, folder, &err) < 0)
		report_log(t->runner->o.reporter, LOG_WARNING, "task %s: %s", t->id, err.message);
}

int task_main(void *arg, struct error *err)
{
	struct task *t = arg;

	(void)err;
	if (prepare(t)) {
		move_to(t, "ACTIVATING");
		serve(t);
		if (t->is_running) {
			move_to(t, "DEACTIVATING");
			drain(t);
		}
		move_to(t, "STOPPING");
	}
	stop_containers(t);
	move_to(t, "DEPROVISIONING");
	leave_places(t);
	if (!is_preparing(t))
		remove_folder(t);
	t->stopped = time_now_ns();
	move_to(t, "STOPPED");
	/* A pull that was broken off is no reason to wait, but for this thread. */
	task_await_preparation(t);
	remove_folder(t);
	task_free(t);
	return 0;
}
