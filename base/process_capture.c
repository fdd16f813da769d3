#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"

#define TICK_MS 10 /* where the kernel cannot tell by a descriptor */

struct capture {
	const char *path;
	pid_t pid; /* 0 when reaped */
	bool is_group;
	int pidfd; /* -1: the kernel has none */
	int fds[2];
	struct strbuf *bufs[2];
	int64_t deadline_ns; /* -1: none */
	int timeout_ms;
	const struct cancel *cancel;
};

static void capture_release(struct capture *c)
{
	int raw;

	if (c->pid > 0) {
		kill(c->is_group ? -c->pid : c->pid, SIGKILL);
		while (waitpid(c->pid, &raw, 0) < 0 && errno == EINTR)
			;
	}
	if (c->pidfd >= 0)
		close(c->pidfd);
	for (int i = 0; i < 2; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
}
CLEANUP_RELEASE(capture)

/*
 * The input as a file in memory: nothing has to be pumped, a child that does not read it raises no
 * SIGPIPE, and it never touches a disk by name.
 */
static int input_file(const void *input, size_t len, struct error *err)
{
	AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "make a file in memory");
	if (fs_write_all(fd, input, len, "the file in memory", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "rewind a file in memory");
	return take_fd(fd);
}

/* Reads what is there; the descriptor is closed at the end. */
static int drain(struct capture *c, int i, struct error *err)
{
	char chunk[16 << 10];

	for (;;) {
		ssize_t n = read(c->fds[i], chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			if (n < 0)
				error_errno(err, "read the output of %s", c->path);
			close(take_fd(c->fds[i]));
			return n < 0 ? -1 : 0;
		}
		strbuf_add(c->bufs[i], chunk, (size_t)n);
		wipe(chunk, (size_t)n);
		if (c->bufs[i]->overflow)
			return error_set(err, ERROR_CORRUPT,
					 "%s printed more than the %zu bytes allowed: ended",
					 c->path, c->bufs[i]->limit);
	}
}

/* Milliseconds that poll may wait; -1 for ever. */
static int poll_timeout(const struct capture *c)
{
	int64_t left = -1;

	if (c->deadline_ns >= 0) {
		left = (c->deadline_ns - time_monotonic_ns() + 999999) / 1000000;
		if (left < 0)
			left = 0;
	}
	if (c->pidfd < 0 || (c->cancel && c->cancel->wake_fd < 0))
		if (left < 0 || left > TICK_MS)
			left = TICK_MS;
	return (int)left;
}

static int check_end(const struct capture *c, struct error *err)
{
	if (cancel_check(c->cancel, err) < 0)
		return -1;
	if (c->deadline_ns < 0 || time_monotonic_ns() < c->deadline_ns)
		return 0;
	error_set(err, ERROR_SYSTEM, "%s did not end within %d ms: ended", c->path, c->timeout_ms);
	if (err)
		err->number = ETIMEDOUT;
	return -1;
}

/* 1 when it has ended, with its status. */
static int try_reap(struct capture *c, int *status, struct error *err)
{
	int raw;
	pid_t pid = waitpid(c->pid, &raw, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return 0;
	c->pid = 0;
	if (pid < 0)
		return error_errno(err, "wait for %s", c->path);
	*status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
	return 1;
}

/*
 * Ends with the child, not with its output: a process that it left behind may hold that open. What
 * the child wrote is in the pipes by then.
 */
static int capture_run(struct capture *c, int *status, struct error *err)
{
	for (;;) {
		struct pollfd fds[4] = {
			{.fd = c->fds[0], .events = POLLIN},
			{.fd = c->fds[1], .events = POLLIN},
			{.fd = c->pidfd, .events = POLLIN},
			{.fd = c->cancel ? c->cancel->wake_fd : -1, .events = POLLIN},
		};
		int ended;

		if (poll(fds, 4, poll_timeout(c)) < 0 && errno != EINTR)
			return error_errno(err, "wait for %s", c->path);
		if (check_end(c, err) < 0)
			return -1;
		ended = try_reap(c, status, err);
		if (ended < 0)
			return -1;
		for (int i = 0; i < 2; i++)
			if (c->fds[i] >= 0 && drain(c, i, err) < 0)
				return -1;
		if (ended)
			return 0;
	}
}

static int make_pipe(struct capture *c, int i, int *child_end, struct error *err)
{
	int ends[2];

	if (!c->bufs[i])
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "start %s: pipe", c->path);
	c->fds[i] = ends[0];
	*child_end = ends[1];
	/* Only our end: the flag belongs to the open file, and each end is one of its own. */
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, "start %s: pipe", c->path);
	return 0;
}

int process_capture(const struct process_options *opt, const void *input, size_t input_len,
		    struct strbuf *out, struct strbuf *errout, int timeout_ms,
		    const struct cancel *cancel, int *status, struct error *err)
{
	AUTO(capture)
	c = {
		.path = opt->path,
		.pidfd = -1,
		.fds = {-1, -1},
		.bufs = {out, errout},
		.deadline_ns = -1,
		.timeout_ms = timeout_ms,
		.cancel = cancel,
	};
	AUTO_FD int in = -1;
	AUTO_FD int out_end = -1;
	AUTO_FD int err_end = -1;
	struct process_options with_pipes = *opt;

	if (cancel_check(cancel, err) < 0)
		return -1;
	if (input_len && (in = input_file(input, input_len, err)) < 0)
		return error_wrap(err, "start %s", opt->path);
	if (make_pipe(&c, 0, &out_end, err) < 0 || make_pipe(&c, 1, &err_end, err) < 0)
		return -1;
	with_pipes.stdin_fd = in;
	with_pipes.stdout_fd = out_end;
	with_pipes.stderr_fd = err_end;
	if (timeout_ms >= 0)
		c.deadline_ns = time_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	if (process_spawn(&c.pid, &with_pipes, err) < 0)
		return -1;
	/* The child's ends are its own now: the end of its output shall be seen. */
	if (out_end >= 0)
		close(take_fd(out_end));
	if (err_end >= 0)
		close(take_fd(err_end));
	c.is_group = opt->new_session;
	c.pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	return capture_run(&c, status, err);
}
