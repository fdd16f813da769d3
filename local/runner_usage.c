#include "local/runner_private.h"
#include "sandbox/process_usage.h"

void container_usage(struct container *c, struct runner_usage *out)
{
	struct process_usage now;

	*out = (struct runner_usage){.cpu_ns = c->cpu_before};
	if (c->pid <= 0 || !process_usage_read(&now, "/proc", c->pid))
		return;
	/* What a moment ago was counted of a process that has just ended stays counted. */
	if (now.cpu_ns > c->cpu_now)
		c->cpu_now = now.cpu_ns;
	out->cpu_ns += c->cpu_now;
	out->memory_bytes = now.memory_bytes;
}

bool runner_task_usage(struct runner *r, const char *task_id, struct runner_usage *out)
{
	struct task *t;
	bool runs = false;

	*out = (struct runner_usage){0};
	pthread_mutex_lock(&r->lock);
	t = runner_find(r, task_id);
	if (t) {
		pthread_mutex_lock(&t->lock);
		for (size_t i = 0; i < t->n_containers; i++) {
			struct runner_usage one;

			container_usage(&t->containers[i], &one);
			out->cpu_ns += one.cpu_ns;
			out->memory_bytes += one.memory_bytes;
			runs |= t->containers[i].pid > 0;
		}
		pthread_mutex_unlock(&t->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return runs;
}
