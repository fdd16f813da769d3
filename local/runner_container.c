#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "local/runner_private.h"

#define SECOND 1000000000ll

static void on_output(void *arg, int fd, const void *data, size_t len)
{
	struct container *c = arg;
	AUTO(error) err = ERROR_INIT;

	if (container_log_write(&c->log, fd, data, len, &err) < 0)
		report_log(c->task->runner->o.reporter, LOG_WARNING,
			   "task %s, container %s: its output is lost: %s", c->task->id,
			   c->plan->name, err.message);
}

static void on_started(void *arg, pid_t pid)
{
	struct container *c = arg;
	struct task *t = c->task;

	pthread_mutex_lock(&t->lock);
	c->state = CONTAINER_RUNNING;
	c->health = HEALTH_UNKNOWN;
	c->ever_started = true;
	c->pid = pid;
	c->started_ns = time_monotonic_ns();
	if (c->started_at == 0)
		c->started_at = time_now_ns();
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

struct run_control *container_hold(struct container *c)
{
	if (c->control)
		c->n_control_users++;
	return c->control;
}

void container_let_go(struct container *c)
{
	c->n_control_users--;
	pthread_cond_broadcast(&c->task->changed);
}

/* Nobody else may have it any more; with the lock held. */
static void drop_control(struct container *c)
{
	struct run_control *control = c->control;

	c->control = NULL;
	while (c->n_control_users > 0)
		pthread_cond_wait(&c->task->changed, &c->task->lock);
	run_control_free(control);
}

/* What runc says of a command that cannot be started, so that whoever knows AWS's words finds them. */
static char *start_failure(const struct container *c, const struct error *err)
{
	const char *command = c->argv.items[0];
	AUTO_FREE char *detail = failure_text("", err);
	const char *why = "no such file or directory";

	if (err->kind != ERROR_STEP)
		return xstrfmt("CannotStartContainerError: %s", detail);
	if (strstr(detail, "Exec format error"))
		why = "exec format error";
	else if (err->status == 126)
		why = "permission denied";
	else if (!strchr(command, '/'))
		why = "executable file not found in $PATH";
	return xstrfmt("CannotStartContainerError: failed to create new container runtime task: "
		       "unable to start container process: exec: \"%s\": %s: unknown (%s)",
		       command, why, detail);
}

static int run(struct container *c, struct run_control *control, struct run_result *result,
	       struct error *err)
{
	const struct container_plan *p = c->plan;
	const struct image_config *config = &c->image->config;
	struct run_spec spec = {
		.argv = c->argv.items,
		.env = c->env.items,
		.cwd = p->cwd ? p->cwd : config->working_dir,
		.user = p->user        ? p->user
			: config->user ? config->user
				       : "",
		.add_hosts = &p->hosts,
		.network = c->task->space ? SANDBOX_NETWORK_NONE : SANDBOX_NETWORK_HOST,
		.space = c->task->space,
		.mounts = c->mounts,
		.n_mounts = p->n_mounts,
		.readonly_root = p->readonly_root,
		.stdin_fd = -1,
		.group = c->task->cgroup,
		.memory_max = p->memory,
		.shm_size = p->shm_size,
		.limits = p->limits,
		.n_limits = p->n_limits,
		.add_caps = p->add_caps,
		.drop_caps = p->drop_caps,
		.output = on_output,
		.started = on_started,
		.control = control,
		.arg = c,
	};

	return rootfs_run(c->fs, &spec, result, err);
}

static bool is_ignored(const struct restart_plan *r, int code)
{
	for (size_t i = 0; i < r->n_ignored; i++)
		if (r->ignored_codes[i] == code)
			return true;
	return false;
}

/* With the lock held, after a run that began. */
static bool may_restart(const struct container *c)
{
	const struct restart_plan *r = &c->plan->restart;

	return r->enabled && !c->stop_asked && !is_ignored(r, c->exit_code) &&
	       time_monotonic_ns() - c->started_ns >= r->period * SECOND;
}

/* One run. False: it was the last. */
static bool run_once(struct container *c)
{
	struct task *t = c->task;
	struct run_result result = {0};
	AUTO(error) err = ERROR_INIT;
	struct run_control *control;
	bool again = false;
	int r;

	pthread_mutex_lock(&t->lock);
	if (c->stop_asked || run_control_open(&c->control, &err) < 0) {
		if (err.kind)
			c->reason = failure_text("CannotStartContainerError: ", &err);
		pthread_mutex_unlock(&t->lock);
		return false;
	}
	c->state = CONTAINER_STARTING;
	control = c->control;
	pthread_mutex_unlock(&t->lock);
	r = run(c, control, &result, &err);
	(void)container_log_finish(&c->log, NULL);
	pthread_mutex_lock(&t->lock);
	drop_control(c);
	c->pid = 0;
	c->cpu_before += c->cpu_now;
	c->cpu_now = 0;
	free(take_ptr(c->reason));
	if (r < 0) {
		c->reason = start_failure(c, &err);
	} else if (c->ever_started) {
		c->has_exit_code = true;
		c->exit_code = result.status;
		c->out_of_memory = result.oom == OOM_STEP;
		if (c->out_of_memory)
			c->reason = xstrdup(OUT_OF_MEMORY);
		again = may_restart(c);
		c->n_restarts += again;
	}
	pthread_mutex_unlock(&t->lock);
	return again;
}

int container_main(void *arg, struct error *err)
{
	struct container *c = arg;
	struct task *t = c->task;

	(void)err;
	while (run_once(c))
		;
	pthread_mutex_lock(&t->lock);
	c->state = CONTAINER_STOPPED;
	c->finished_at = time_now_ns();
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

void container_release(struct container *c)
{
	rootfs_free(c->fs);
	image_free(c->image);
	container_log_release(&c->log);
	for (size_t i = 0; i < c->env.n; i++)
		wipe(c->env.items[i], strlen(c->env.items[i]));
	strlist_release(&c->env);
	strlist_release(&c->argv);
	strlist_release(&c->sources);
	free(c->mounts);
	free(c->reason);
	free(c->digest);
	free(c->id);
}
