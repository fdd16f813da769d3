#include "sandbox/init_notify.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROGRAMS 64 /* that run at once in one step */

static struct program {
	uint32_t id;
	pid_t pid; /* 0: free */
} programs[MAX_PROGRAMS];

static void refuse(uint32_t id, int number, const char *why)
{
	report_of_program(id);
	tell_failure(STAGE_FORK, number, why);
	report_of_program(0);
}

void programs_start(const struct orders *step, const struct request *q, const int fds[EXEC_FDS])
{
	struct program *p = programs;
	int number;
	pid_t pid;

	while (p < programs + MAX_PROGRAMS && p->pid != 0)
		p++;
	if (p == programs + MAX_PROGRAMS) {
		refuse((uint32_t)q->id, EAGAIN,
		       "start a program: too many run in this container already");
		return;
	}
	notify_prepare();
	pid = fork();
	if (pid == 0)
		program_run(step, (uint32_t)q->id, fds);
	number = errno;
	notify_take(pid);
	if (pid < 0)
		refuse((uint32_t)q->id, number, "start a program in the container");
	else
		*p = (struct program){.id = (uint32_t)q->id, .pid = pid};
}

void programs_end(uint32_t id)
{
	for (struct program *p = programs; p < programs + MAX_PROGRAMS; p++)
		if (p->pid != 0 && p->id == id) {
			(void)kill(-p->pid, SIGKILL);
			(void)kill(p->pid, SIGKILL);
		}
}

void programs_ended(pid_t pid, int status)
{
	for (struct program *p = programs; p < programs + MAX_PROGRAMS; p++)
		if (p->pid == pid) {
			report_program(p->id, status);
			p->pid = 0;
		}
}
