#include "sandbox/init_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t first_start(struct orders *o, enum stage stage, const char *of,
		  void (*first)(struct orders *o, int parent_fd, int announced_fd))
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), announced[2];
	pid_t pid;

	if (self < 0 || pipe2(announced, O_CLOEXEC) < 0)
		fail(stage, errno, "open a handle of the own process");
	pid = fork();
	if (pid < 0)
		fail(STAGE_FORK, errno, "start the first process of the %s", of);
	if (pid == 0) {
		if (o->agent_fd >= 0)
			close(o->agent_fd);
		close(announced[1]);
		first(o, self, announced[0]);
	}
	report_value(REPORT_PID, pid);
	(void)!write(announced[1], "", 1);
	close(announced[0]);
	close(announced[1]);
	return pid;
}

static int status_of(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

static int procfd = -1;

void reap_descendants(int fd)
{
	procfd = fd;
}

static void kill_all(void)
{
	if (procfd >= 0)
		descendants_kill(procfd);
	else
		(void)kill(-1, SIGKILL);
}

/* Everything else in the namespace: killed, and waited for, so that nobody writes to the change set any more. */
static void kill_rest(void)
{
	if (procfd >= 0) {
		descendants_end(procfd);
		return;
	}
	kill_all();
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void pass_signal(pid_t command, int sig)
{
	if (kill(-command, sig) < 0)
		(void)kill(command, sig);
}

/* As recv(), with the descriptors of a REQUEST_EXEC; *n_fds tells how many came. */
static ssize_t receive(int control_fd, struct request *q, int fds[EXEC_FDS], size_t *n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * EXEC_FDS)];
	} space;
	struct iovec iov = {.iov_base = q, .iov_len = sizeof(*q)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space.bytes,
			     .msg_controllen = sizeof(space.bytes)};
	ssize_t n = recvmsg(control_fd, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*n_fds = 0;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
	}
	return n;
}

static void serve_request(pid_t command, const struct orders *o)
{
	struct request q;
	int fds[EXEC_FDS];
	size_t n_fds;
	ssize_t n = receive(o->control_fd, &q, fds, &n_fds);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n != (ssize_t)sizeof(q)) {
		/* slipway is gone: nobody waits for the step any more. */
		kill_rest();
		_exit(125);
	}
	if (q.kind == REQUEST_SIGNAL)
		pass_signal(command, (int)q.value);
	else if (q.kind == REQUEST_SIGNAL_COMMAND)
		(void)kill(command, (int)q.value);
	else if (q.kind == REQUEST_KILL)
		kill_all();
	else if (q.kind == REQUEST_EXEC && n_fds == EXEC_FDS)
		programs_start(o, &q, fds);
	else if (q.kind == REQUEST_END_EXEC)
		programs_end(q.value);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* true when the command itself has ended. */
static bool collect(pid_t command, int *status)
{
	bool ended = false;
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0)
		if (pid != command) {
			programs_ended(pid, status_of(wstatus));
		} else {
			*status = status_of(wstatus);
			ended = true;
		}
	return ended;
}

void reap(pid_t command, const struct orders *o)
{
	sigset_t all;
	struct signalfd_siginfo info;
	struct pollfd p[2 + NOTIFY_MAX];
	int listeners[NOTIFY_MAX];
	size_t n;
	int fd, status = 125;
	bool ended = false;

	sigfillset(&all);
	fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fail(STAGE_FORK, errno, "watch the command");
	p[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = o->control_fd, .events = POLLIN};
	while (!ended) {
		n = notify_fds(listeners);
		for (size_t i = 0; i < n; i++)
			p[2 + i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
		if (poll(p, (nfds_t)(2 + n), -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < n; i++)
			if (p[2 + i].revents)
				notify_serve(listeners[i]);
		while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			if (info.ssi_signo != SIGCHLD)
				pass_signal(command, (int)info.ssi_signo);
		ended = collect(command, &status);
		if (!ended && p[1].revents)
			serve_request(command, o);
	}
	kill_rest();
	report_value(REPORT_EXITED, status);
	_exit(0);
}
