#include "sandbox/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/process.h"
#include "base/strlist.h"

#define PROGRAM  "slirp4netns"
#define LINK     "eth1"
#define START_MS 10000

/* It writes a byte when the network is up, and closes the pipe when it cannot be. */
static int await_ready(int fd, struct error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;
	int n;

	do
		n = poll(&p, 1, START_MS);
	while (n < 0 && errno == EINTR);
	if (n > 0 && read(fd, &byte, 1) == 1)
		return 0;
	return error_set(err, ERROR_UNSUPPORTED,
			 PROGRAM
			 " does not work here: it needs /dev/net/tun, with the right to open it");
}

static void make_arguments(struct strlist *argv, int userns, int netns, int end, int ready)
{
	strlist_add(argv, PROGRAM);
	strlist_add(argv, "--configure");
	strlist_add(argv, "--mtu=65520");
	strlist_add(argv, "--disable-host-loopback");
	strlist_add(argv, "--enable-sandbox");
	strlist_addf(argv, "--exit-fd=%d", end);
	strlist_addf(argv, "--ready-fd=%d", ready);
	strlist_add(argv, "--netns-type=path");
	if (userns >= 0)
		strlist_addf(argv, "--userns-path=/proc/self/fd/%d", userns);
	strlist_addf(argv, "/proc/self/fd/%d", netns);
	strlist_add(argv, LINK);
}

int outbound_start(struct outbound *o, int userns, int netns, struct error *err)
{
	AUTO(strlist) argv = STRLIST_INIT;
	struct process_options p = {
		.path = PROGRAM,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		/* Its sandbox makes private only the root itself and then unmounts all: shared mounts went on the whole machine (slirp4netns 1.2.0). */
		.private_mounts = true,
	};
	int end[2], ready[2], keep[4], r;

	if (pipe2(end, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	AUTO_FD int theirs = end[0];

	o->end_fd = end[1];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	AUTO_FD int answer = ready[0];

	make_arguments(&argv, userns, netns, theirs, ready[1]);
	keep[p.n_keep_fds++] = theirs;
	keep[p.n_keep_fds++] = ready[1];
	keep[p.n_keep_fds++] = netns;
	if (userns >= 0)
		keep[p.n_keep_fds++] = userns;
	p.keep_fds = keep;
	p.argv = argv.items;
	r = process_spawn(&o->pid, &p, err);
	close(ready[1]);
	return r < 0 ? -1 : await_ready(answer, err);
}

void outbound_release(struct outbound *o)
{
	int status;

	if (o->end_fd >= 0)
		close(take_fd(o->end_fd));
	if (o->pid > 0) {
		kill(o->pid, SIGKILL);
		(void)process_wait(o->pid, &status, NULL);
	}
	o->pid = -1;
}
