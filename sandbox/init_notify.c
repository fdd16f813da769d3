#include "sandbox/init_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCH 0
#endif

static call_handler handle;
static void (*greeted)(pid_t child, const void *data, size_t len);
static int procfd = -1;
static int listeners[NOTIFY_MAX];
static size_t n_listeners;
static int pair[2] = {-1, -1};

void notify_begin(call_handler handler, int proc)
{
	handle = handler;
	procfd = proc;
}

void notify_greet(void (*greet)(pid_t child, const void *data, size_t len))
{
	greeted = greet;
}

int notify_procfd(void)
{
	return procfd;
}

void notify_prepare(void)
{
	if (!handle)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fail(STAGE_FILTER, errno, "make a socket for the system call filter");
}

static int load(const void *filter, size_t len, unsigned long flags)
{
	struct sock_fprog prog = {.len = (unsigned short)(len / sizeof(struct sock_filter)),
				  .filter = (struct sock_filter *)(uintptr_t)filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

bool notify_load(const struct orders *o, const void *data, size_t len)
{
	/* Without the first flag a signal makes the caller ask again, and one that comes every few milliseconds for ever. */
	static const unsigned long flags[] = {
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
			SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	};
	int fd = -1;

	for (size_t i = 0; i < 2 && fd < 0; i++)
		fd = load(o->filter, o->filter_len, flags[i]);
	/* A container may be supervised itself: there is one listener for all filters of a process. */
	if (fd < 0 &&
	    load(o->plain_filter, o->plain_filter_len, SECCOMP_FILTER_FLAG_SPEC_ALLOW) < 0)
		fail(STAGE_FILTER, errno, "load the system call filter");
	if (pair[1] >= 0)
		send_with_fd(pair[1], data, len, fd);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A descriptor that a message carries; -1: none. *len is the room for its data, and what came. */
static int receive_fd(int from, void *data, size_t *len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} space;
	struct iovec iov = {.iov_base = data, .iov_len = *len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space.bytes,
			     .msg_controllen = sizeof(space.bytes)};
	const struct cmsghdr *c;
	int fd = -1;
	ssize_t n;

	do {
		n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	*len = (size_t)n;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

void notify_take(pid_t child)
{
	char data[NOTIFY_DATA];
	size_t len = sizeof(data);
	int fd;

	if (pair[0] < 0)
		return;
	close(pair[1]);
	fd = receive_fd(pair[0], data, &len);
	close(pair[0]);
	pair[0] = pair[1] = -1;
	if (fd >= 0 && n_listeners < NOTIFY_MAX) {
		/* Caller and answerer take turns on one processor: several times faster than waking another one. Kernels >= 6.6. */
		(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
		listeners[n_listeners++] = fd;
		if (greeted)
			greeted(child, data, len);
	} else if (fd >= 0) {
		close(fd);
	}
}

size_t notify_fds(int fds[NOTIFY_MAX])
{
	memcpy(fds, listeners, n_listeners * sizeof(*fds));
	return n_listeners;
}

static void forget(int listener)
{
	for (size_t i = 0; i < n_listeners; i++)
		if (listeners[i] == listener) {
			close(listener);
			listeners[i] = listeners[--n_listeners];
			return;
		}
}

void notify_serve(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct seccomp_notif n;
	struct call c = {.listener = listener};

	if (poll(&p, 1, 0) <= 0)
		return;
	/* Nobody uses the filter any more. */
	if (!(p.revents & POLLIN)) {
		forget(listener);
		return;
	}
	memset(&n, 0, sizeof(n));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
		return;
	c.id = n.id;
	c.pid = (pid_t)n.pid;
	c.number = n.data.nr;
	for (size_t i = 0; i < 6; i++)
		c.args[i] = n.data.args[i];
	/* Numbers and structs of another architecture are not told apart here. */
	if (n.data.arch == NATIVE_ARCH)
		handle(&c);
	call_continue(&c);
}

void notify_await(int fd)
{
	struct pollfd p[NOTIFY_MAX + 1];

	while (n_listeners > 0) {
		size_t n = n_listeners;

		p[0] = (struct pollfd){.fd = fd, .events = POLLIN};
		for (size_t i = 0; i < n; i++)
			p[i + 1] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
		if (poll(p, (nfds_t)n + 1, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			return;
		for (size_t i = 0; i < n; i++)
			if (p[i + 1].revents)
				notify_serve(p[i + 1].fd);
	}
}

static void respond(struct call *c, int64_t value, int number, uint32_t flags)
{
	struct seccomp_notif_resp r = {.id = c->id, .val = value, .error = -number, .flags = flags};

	if (c->answered)
		return;
	c->answered = true;
	(void)ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

void call_result(struct call *c, int64_t value)
{
	respond(c, value, 0, 0);
}

void call_error(struct call *c, int number)
{
	respond(c, 0, number, 0);
}

void call_continue(struct call *c)
{
	respond(c, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

void call_give(struct call *c, int fd, bool cloexec)
{
	struct seccomp_notif_addfd a = {
		.id = c->id, .srcfd = (uint32_t)fd, .newfd_flags = cloexec ? O_CLOEXEC : 0};
	int there = ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);

	if (there < 0)
		call_error(c, errno);
	else
		call_result(c, there);
}

void call_proc_name(const struct call *c, const char *name, char out[INIT_PATH])
{
	snprintf(out, INIT_PATH, "%d/%s", (int)c->pid, name);
}

/* The number of a thread that is gone may be another's by now. */
static bool is_valid(const struct call *c)
{
	uint64_t id = c->id;

	return ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int open_memory(struct call *c, int flags)
{
	char name[INIT_PATH];
	int fd;

	call_proc_name(c, "mem", name);
	call_act(c);
	fd = openat(procfd, name, flags | O_CLOEXEC);
	call_act_end();
	if (fd >= 0 && !is_valid(c)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The quick way, which a container's own filter may refuse. -1: not that way. */
static ssize_t read_directly(const struct call *c, uint64_t address, void *out, size_t len)
{
	struct iovec here = {.iov_base = out, .iov_len = len};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};

	return process_vm_readv(c->pid, &here, 1, &there, 1, 0);
}

static bool write_directly(const struct call *c, uint64_t address, const void *data, size_t len)
{
	struct iovec here = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};

	return process_vm_writev(c->pid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

static bool read_path_directly(const struct call *c, uint64_t address, char *out, size_t size)
{
	size_t len = 0;

	while (len < size) {
		size_t want = 256 - (address + len) % 256;
		ssize_t n;

		if (want > size - len)
			want = size - len;
		n = read_directly(c, address + len, out + len, want);
		if (n <= 0)
			return false;
		if (memchr(out + len, '\0', (size_t)n))
			return is_valid(c);
		len += (size_t)n;
	}
	return false;
}

bool call_read(struct call *c, uint64_t address, void *out, size_t len)
{
	ssize_t n;
	int fd;

	if (read_directly(c, address, out, len) == (ssize_t)len && is_valid(c))
		return true;
	fd = open_memory(c, O_RDONLY);
	n = fd < 0 ? -1 : pread(fd, out, len, (off_t)address);

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)len;
}

/* In pieces that end with a page: the next page may not be there. */
bool call_read_path(struct call *c, uint64_t address, char *out, size_t size)
{
	size_t len = 0;
	bool done = false;
	int fd;

	if (read_path_directly(c, address, out, size))
		return true;
	fd = open_memory(c, O_RDONLY);

	while (fd >= 0 && len < size && !done) {
		size_t want = 256 - (address + len) % 256;
		ssize_t n;

		if (want > size - len)
			want = size - len;
		n = pread(fd, out + len, want, (off_t)(address + len));
		if (n <= 0)
			break;
		done = memchr(out + len, '\0', (size_t)n) != NULL;
		len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return done;
}

bool call_write(struct call *c, uint64_t address, const void *data, size_t len)
{
	ssize_t n;
	int fd;

	/* Another process may have taken the number of one that is gone: asked before, not after. */
	if (is_valid(c) && write_directly(c, address, data, len))
		return true;
	fd = open_memory(c, O_RDWR);
	n = fd < 0 ? -1 : pwrite(fd, data, len, (off_t)address);

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)len;
}

/* Of the caller's status, the number behind the key, which begins with a line break. */
static long status_number(const struct call *c, const char *key, int base, long otherwise)
{
	char name[INIT_PATH], text[1024];
	const char *at;
	ssize_t n;
	int fd;

	call_proc_name(c, "status", name);
	fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return otherwise;
	text[n] = '\0';
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, base) : otherwise;
}

pid_t call_process(const struct call *c)
{
	return (pid_t)status_number(c, "\nTgid:", 10, c->pid);
}

mode_t call_umask(const struct call *c)
{
	return (mode_t)status_number(c, "\nUmask:", 8, 022);
}

/* Who may look into a process is asked by these ids: root without CAP_SYS_PTRACE may not look into another user's. */
void call_act(const struct call *c)
{
	char name[INIT_PATH];
	struct stat st;

	call_proc_name(c, "", name);
	if (fstatat(procfd, name, &st, 0) < 0 || (st.st_uid == 0 && st.st_gid == 0))
		return;
	(void)setfsgid(st.st_gid);
	(void)setfsuid(st.st_uid);
}

void call_act_end(void)
{
	(void)setfsuid(0);
	(void)setfsgid(0);
}
