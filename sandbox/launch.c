#include "sandbox/launch.h"

#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/process.h"
#include "sandbox/fd_message.h"
#include "sandbox/memory_program.h"
#include "sandbox/sandbox_private.h"

#define MAX_KEEP 24

extern const char sandbox_init_program[], sandbox_init_program_end[];

static int make_program(struct error *err)
{
	/* two labels of one block of bytes: numbers, since to the compiler they are two objects */
	size_t len = (size_t)((uintptr_t)sandbox_init_program_end -
			      (uintptr_t)sandbox_init_program);

	return memory_program_make("slipway-init", sandbox_init_program, len, err);
}

static int program_fd(struct sandbox *sb, struct error *err)
{
	int fd;

	pthread_mutex_lock(&sb->lock);
	if (sb->init_fd < 0)
		sb->init_fd = make_program(err);
	fd = sb->init_fd;
	pthread_mutex_unlock(&sb->lock);
	return fd;
}

static int make_sockets(int pair[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "make a socket for the sandbox");
	return 0;
}

static int start(pid_t *pid, int program, int orders, const struct launch_options *o,
		 const int *sockets, size_t n_sockets, struct error *err)
{
	char path[32], number[16];
	char *argv[] = {(char[]){"slipway-init"}, number, NULL};
	char *envp[] = {NULL};
	int keep[MAX_KEEP];
	struct process_options p = {
		.path = path,
		.argv = argv,
		.envp = envp,
		.stdin_fd = o->stdin_fd,
		.stdout_fd = o->stdout_fd,
		.stderr_fd = o->stderr_fd,
		.keep_fds = keep,
		.death_signal = o->outlives_thread ? 0 : SIGKILL,
	};

	if (1 + n_sockets + o->n_keep_fds > MAX_KEEP)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"start the sandbox: more than %d descriptors are to be handed over",
			MAX_KEEP);
	keep[p.n_keep_fds++] = orders;
	for (size_t i = 0; i < n_sockets; i++)
		keep[p.n_keep_fds++] = sockets[i];
	for (size_t i = 0; i < o->n_keep_fds; i++)
		keep[p.n_keep_fds++] = o->keep_fds[i];
	fs_fd_path(program, path);
	snprintf(number, sizeof(number), "%d", orders);
	if (process_spawn(pid, &p, err) < 0)
		return error_wrap(err, "start the sandbox");
	return 0;
}

int launch_init(struct launch *l, struct sandbox *sb, struct order_block *orders,
		const struct launch_options *o, struct error *err)
{
	int control[2] = {-1, -1}, agent[2] = {-1, -1}, program, r = -1;
	AUTO_FD int block = -1;

	program = program_fd(sb, err);
	if (program < 0 || make_sockets(control, err) < 0)
		return -1;
	if (o->agent && make_sockets(agent, err) < 0) {
		close(control[0]);
		close(control[1]);
		return -1;
	}
	order_u32(orders, ORDER_CONTROL_FD, (uint32_t)control[1]);
	if (o->agent)
		order_u32(orders, ORDER_AGENT_FD, (uint32_t)agent[1]);
	if (order_finish(orders, &block, err) == 0) {
		const int sockets[] = {control[1], agent[1]};

		r = start(&l->pid, program, block, o, sockets, o->agent ? 2 : 1, err);
	}
	close(control[1]);
	if (o->agent)
		close(agent[1]);
	l->control_fd = control[0];
	l->agent_fd = agent[0];
	if (r < 0)
		launch_release(l);
	return r;
}

static void close_sockets(struct launch *l)
{
	if (l->control_fd >= 0)
		close(l->control_fd);
	if (l->agent_fd >= 0)
		close(l->agent_fd);
	if (l->first_fd >= 0)
		close(l->first_fd);
	l->control_fd = l->agent_fd = l->first_fd = -1;
}

void launch_end(struct launch *l, int *status)
{
	int code = 0;

	close_sockets(l);
	if (l->pid > 0)
		process_wait(l->pid, &code, NULL);
	l->pid = -1;
	if (status)
		*status = code;
}

void launch_first(struct launch *l, pid_t pid)
{
	if (l->first_fd < 0)
		l->first_fd = (int)syscall(SYS_pidfd_open, pid, 0);
}

void launch_kill(const struct launch *l)
{
	/*
	 * The outer process waits for the first one, whose end comes after that of all others in the namespace. Where there is none, it
	 * ends those itself, and takes its time when there are many: killed, it would leave them behind.
	 */
	if (l->first_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, l->first_fd, SIGKILL, NULL, 0);
	else if (l->pid > 0)
		kill(l->pid, SIGKILL);
}

bool launch_release(struct launch *l)
{
	int status;

	launch_kill(l);
	launch_end(l, &status);
	return status < 128;
}

int launch_receive(int control_fd, bool wait, struct report *r, int *fd)
{
	ssize_t n = fd_message_receive(control_fd, r, sizeof(*r), wait ? 0 : MSG_DONTWAIT, fd);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -1;
	if (n != (ssize_t)sizeof(*r)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return 0;
	}
	r->text[sizeof(r->text) - 1] = '\0';
	return 1;
}

void launch_request(int control_fd, enum request_kind kind, uint32_t value)
{
	struct request q = {.kind = kind, .value = value};

	(void)!send(control_fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int launch_failed(const struct report *r, struct error *err)
{
	errno = r->number;
	switch ((enum stage)r->stage) {
	case STAGE_EXEC:
		error_set(err, ERROR_STEP, "%s", r->text);
		if (err)
			err->status = r->number == ENOENT || r->number == ENOTDIR ? 127 : 126;
		return -1;
	case STAGE_USER:
		if (r->number == 0)
			return error_set(err, ERROR_NOT_FOUND, "%s", r->text);
		return error_errno(err, "%s", r->text);
	case STAGE_USERNS:
	case STAGE_NAMESPACES:
	case STAGE_NETWORK:
	case STAGE_PRIVATE:
	case STAGE_SCRATCH:
	case STAGE_OVERLAY:
	case STAGE_ROOT:
	case STAGE_PROC:
	case STAGE_SYS:
	case STAGE_PIVOT:
	case STAGE_CHROOT:
	case STAGE_FILTER:
		if (r->number == 0)
			error_set(err, ERROR_UNSUPPORTED, "sandbox: %s", r->text);
		else
			error_errno(err, "sandbox: %s", r->text);
		return error_hint(err, "\"slipway doctor\" shows what this machine lacks");
	case STAGE_ORDERS:
	case STAGE_TARGET:
	case STAGE_DEV:
	case STAGE_MOUNT:
	case STAGE_CWD:
	case STAGE_PRIVILEGES:
	case STAGE_FORK:
	default:
		if (r->number == 0)
			return error_set(err, ERROR_DENIED, "%s", r->text);
		return error_errno(err, "%s", r->text);
	}
}
