#include "sandbox/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_of(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

/* Everything else in the namespace: killed, and waited for, so that nobody writes to the change set any more. */
static void kill_rest(void)
{
	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void pass_signal(pid_t command, int sig)
{
	if (kill(-command, sig) < 0)
		(void)kill(command, sig);
}

static void serve_request(pid_t command, int control_fd)
{
	struct request q;
	ssize_t n = recv(control_fd, &q, sizeof(q), 0);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n != (ssize_t)sizeof(q)) {
		/* slipway is gone: nobody waits for the step any more. */
		kill_rest();
		_exit(125);
	}
	if (q.kind == REQUEST_SIGNAL)
		pass_signal(command, (int)q.value);
	else if (q.kind == REQUEST_KILL)
		(void)kill(-1, SIGKILL);
}

/* true when the command itself has ended. */
static bool collect(pid_t command, int *status)
{
	bool ended = false;
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0)
		if (pid == command) {
			*status = status_of(wstatus);
			ended = true;
		}
	return ended;
}

void reap(pid_t command, int control_fd)
{
	sigset_t all;
	struct signalfd_siginfo info;
	struct pollfd p[2];
	int fd, status = 125;
	bool ended = false;

	sigfillset(&all);
	fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fail(STAGE_FORK, errno, "watch the command");
	p[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = control_fd, .events = POLLIN};
	while (!ended) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			if (info.ssi_signo != SIGCHLD)
				pass_signal(command, (int)info.ssi_signo);
		ended = collect(command, &status);
		if (!ended && p[1].revents)
			serve_request(command, control_fd);
	}
	kill_rest();
	report_value(REPORT_EXITED, status);
	_exit(0);
}
