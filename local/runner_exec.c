/* Further programs in containers that run: slipway exec. */
#include <string.h>

#include "base/strmap.h"
#include "local/runner_private.h"

/* With the runner's lock held. */
static struct container *find_container(const struct task *t, const char *name)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (!name || strcmp(t->containers[i].plan->name, name) == 0)
			return &t->containers[i];
	return NULL;
}

static int not_running(const char *task_id, const char *container, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "the container %s of the task %s does not run",
			 container ? container : "", task_id);
}

/* The container stays until container_let_go(). */
static int hold(struct runner *r, const char *task_id, const char *name, struct container **out,
		struct run_control **control, struct error *err)
{
	struct task *t;

	pthread_mutex_lock(&r->lock);
	t = runner_find(r, task_id);
	*control = NULL;
	if (t) {
		pthread_mutex_lock(&t->lock);
		*out = find_container(t, name);
		*control = *out ? container_hold(*out) : NULL;
		pthread_mutex_unlock(&t->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return *control ? 0 : not_running(task_id, name, err);
}

int runner_exec(struct runner *r, const char *task_id, const char *name,
		const struct runner_program *p, int *status, struct error *err)
{
	AUTO(strmap) variables = STRMAP_INIT;
	AUTO(strlist) env = STRLIST_INIT;
	struct run_control *control;
	struct container *c;
	int result;

	if (hold(r, task_id, name, &c, &control, err) < 0)
		return -1;
	strmap_from_env(&variables, &c->env);
	strmap_from_env(&variables, p->env);
	strmap_to_env(&variables, &env);
	result = run_control_exec(
		control,
		&(struct run_program){
			.argv = p->argv->items,
			.env = env.items,
			.cwd = c->plan->cwd ? c->plan->cwd : c->image->config.working_dir,
			.user = c->plan->user ? c->plan->user : c->image->config.user,
			.stdin_fd = p->stdin_fd,
			.stdout_fd = p->stdout_fd,
			.stderr_fd = p->stderr_fd,
			.tty = p->tty,
			.timeout_ms = -1,
		},
		status, err);
	pthread_mutex_lock(&c->task->lock);
	container_let_go(c);
	pthread_mutex_unlock(&c->task->lock);
	return result;
}
