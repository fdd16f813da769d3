#include "builder/stop.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"

/* It is the first process of its namespace: everything of the step goes with it. */
static void end_process(int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

void build_stop(struct build *b, struct error *err)
{
	pthread_mutex_lock(&b->lock);
	if (!b->stopping) {
		/* A signal reaches every step by itself, and leaves it time to end well. */
		b->killing = err->kind != ERROR_CANCELLED;
		b->stopping = true;
		error_move(&b->failure, err);
		for (size_t i = 0; b->killing && i < b->n_processes; i++)
			end_process(b->processes[i]);
	}
	pthread_mutex_unlock(&b->lock);
}

bool build_is_stopping(struct build *b)
{
	bool stopping;

	pthread_mutex_lock(&b->lock);
	stopping = b->stopping;
	pthread_mutex_unlock(&b->lock);
	return stopping;
}

int build_process_add(struct build *b, pid_t pid)
{
	/* A pid may belong to somebody else by the time it is used, a descriptor of it may not. */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return -1;
	pthread_mutex_lock(&b->lock);
	GROW(b->processes, b->n_processes + 1, b->cap_processes);
	b->processes[b->n_processes++] = pidfd;
	if (b->killing)
		end_process(pidfd);
	pthread_mutex_unlock(&b->lock);
	return pidfd;
}

void build_process_remove(struct build *b, int handle)
{
	if (handle < 0)
		return;
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->n_processes; i++)
		if (b->processes[i] == handle) {
			b->processes[i] = b->processes[--b->n_processes];
			break;
		}
	pthread_mutex_unlock(&b->lock);
	close(handle);
}
