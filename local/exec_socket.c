#include "local/exec_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/pool.h"

#define SOCKET_NAME  "exec.sock"
#define MAX_PROGRAMS 256
#define N_FDS        3
#define AGAIN_MS     50 /* while there are no descriptors */

struct exec_socket {
	struct runner *runner;
	int folder_fd, fd, wake_fd;
	struct pool *pool;
	struct group group;
};

struct exec_request {
	struct exec_socket *s;
	int fd; /* the client's connection */
	int fds[N_FDS];
	json_t *json;
};

/* A path of any length, by the folder's descriptor: an address holds 107 bytes. */
static void socket_address(struct sockaddr_un *out, int folder_fd)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, folder_fd);
}

static void exec_request_free(struct exec_request *r)
{
	for (size_t i = 0; i < N_FDS; i++)
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	if (r->fd >= 0)
		close(r->fd);
	json_decref(r->json);
	free(r);
}

static void answer(const struct exec_request *r, int status, const struct error *why)
{
	AUTO_JSON *json = json_pack("{s:i}", "status", status);
	AUTO(strbuf) text = STRBUF_INIT;

	if (why)
		json_object_set_new(json, "error", json_text(why->message));
	json_write(json, &text);
	if (send(r->fd, text.buf, text.len, MSG_NOSIGNAL) < 0)
		return; /* who went away needs no answer */
}

/* The descriptors that came along; true: just three. */
static bool take_fds(struct msghdr *m, int fds[N_FDS])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const size_t count = c->cmsg_len > CMSG_LEN(0)
					     ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
					     : 0;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < N_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n == N_FDS && !(m->msg_flags & (MSG_CTRUNC | MSG_TRUNC));
}

static int receive(struct exec_request *r, struct error *err)
{
	AUTO_FREE char *text = xmalloc(EXEC_PACKET_LIMIT);
	union {
		char bytes[CMSG_SPACE(N_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = {.iov_base = text, .iov_len = EXEC_PACKET_LIMIT};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(r->fd, &m, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return error_errno(err, "read the request");
	if (!take_fds(&m, r->fds) || n == 0)
		return error_set(err, ERROR_CORRUPT, "the request is not whole");
	return json_parse(&r->json, text, (size_t)n, "request", err);
}

static int run(const struct exec_request *r, int *status, struct error *err)
{
	AUTO(strlist) command = STRLIST_INIT;
	AUTO(strlist) env = STRLIST_INIT;
	const char *task, *container;
	bool tty;

	if (json_get_string(r->json, "task", &task, "request", err) < 0 ||
	    json_opt_string(r->json, "container", &container, "request", err) < 0 ||
	    json_opt_strlist(r->json, "command", &command, "request", err) < 0 ||
	    json_opt_strlist(r->json, "environment", &env, "request", err) < 0 ||
	    json_opt_bool(r->json, "tty", &tty, false, "request", err) < 0)
		return -1;
	if (!command.n)
		return error_set(err, ERROR_USAGE, "there is no command to run");
	return runner_exec(r->s->runner, task, container,
			   &(struct runner_program){.argv = &command,
						    .env = &env,
						    .stdin_fd = r->fds[0],
						    .stdout_fd = r->fds[1],
						    .stderr_fd = r->fds[2],
						    .tty = tty},
			   status, err);
}

static int serve(void *arg, struct error *ignored)
{
	struct exec_request *r = arg;
	AUTO(error) why = ERROR_INIT;
	int status = 0;

	(void)ignored;
	if (receive(r, &why) == 0 && run(r, &status, &why) == 0)
		answer(r, status, NULL);
	else
		answer(r, why.kind == ERROR_STEP && why.status ? why.status : 125, &why);
	exec_request_free(r);
	return 0;
}

static int accept_all(void *arg, struct error *err)
{
	struct exec_socket *s = arg;
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
			      {.fd = s->wake_fd, .events = POLLIN}};

	(void)err;
	while (!p[1].revents) {
		AUTO(error) why = ERROR_INIT;
		struct exec_request *r;
		int fd;

		if (poll(p, 2, -1) < 0 || !p[0].revents)
			continue;
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			/* Out of descriptors: who waits in the backlog would wake us at once again. */
			if (errno == EMFILE || errno == ENFILE)
				(void)poll(&p[1], 1, AGAIN_MS);
			continue;
		}
		r = xcalloc(1, sizeof(*r));
		*r = (struct exec_request){.s = s, .fd = fd, .fds = {-1, -1, -1}};
		if (group_run_now(&s->group, serve, r, &why) < 0) {
			answer(r, 125, &why);
			exec_request_free(r);
		}
	}
	return 0;
}

static int listen_in(struct exec_socket *s, struct error *err)
{
	struct sockaddr_un address;

	socket_address(&address, s->folder_fd);
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return error_errno(err, "make a socket");
	if (unlinkat(s->folder_fd, SOCKET_NAME, 0) < 0 && errno != ENOENT)
		return error_errno(err, "remove the " SOCKET_NAME " of an earlier target");
	if (bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchmodat(s->folder_fd, SOCKET_NAME, 0600, 0) < 0 || listen(s->fd, 16) < 0)
		return error_errno(err, "listen at " SOCKET_NAME);
	return 0;
}

int exec_socket_open(struct exec_socket **out, const char *folder, struct runner *runner,
		     struct error *err)
{
	AUTO_PTR(exec_socket) s = xcalloc(1, sizeof(*s));

	s->runner = runner;
	s->fd = -1;
	s->wake_fd = eventfd(0, EFD_CLOEXEC);
	s->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->folder_fd < 0 || s->wake_fd < 0)
		return error_errno(err, "open %s", folder);
	if (listen_in(s, err) < 0)
		return -1;
	s->pool = pool_new(MAX_PROGRAMS);
	group_init(&s->group, s->pool);
	if (group_run_now(&s->group, accept_all, s, err) < 0)
		return -1;
	*out = take_ptr(s);
	return 0;
}

void exec_socket_free(struct exec_socket *s)
{
	const uint64_t one = 1;

	if (!s)
		return;
	if (s->wake_fd >= 0 && write(s->wake_fd, &one, sizeof(one)) < 0)
		abort();
	if (s->pool)
		group_wait(&s->group, NULL);
	pool_free(s->pool);
	if (s->fd >= 0) {
		unlinkat(s->folder_fd, SOCKET_NAME, 0);
		close(s->fd);
	}
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->folder_fd >= 0)
		close(s->folder_fd);
	free(s);
}

int exec_socket_ask(const char *folder, const json_t *request, const int fds[3], int *fd,
		    struct error *err)
{
	AUTO_FD int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	AUTO(strbuf) text = STRBUF_INIT;
	struct sockaddr_un address;
	union {
		char bytes[CMSG_SPACE(N_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec v;
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (folder_fd < 0 || s < 0)
		return error_errno(err, "open %s", folder);
	socket_address(&address, folder_fd);
	if (connect(s, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_NOT_FOUND, "connect to the local target at %s/%s: %s",
				 folder, SOCKET_NAME, strerror(errno));
	json_write(request, &text);
	if (text.len > EXEC_PACKET_LIMIT)
		return error_set(err, ERROR_USAGE, "the command is too long: %zu bytes", text.len);
	v = (struct iovec){.iov_base = text.buf, .iov_len = text.len};
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(N_FDS * sizeof(int));
	memcpy(CMSG_DATA(c), fds, N_FDS * sizeof(int));
	if (sendmsg(s, &m, MSG_NOSIGNAL) < 0)
		return error_errno(err, "ask the local target");
	*fd = take_fd(s);
	return 0;
}

int exec_socket_answer(int fd, int *status, struct error *err)
{
	AUTO_FREE char *text = xmalloc(EXEC_PACKET_LIMIT);
	AUTO_JSON *json = NULL;
	ssize_t n = recv(fd, text, EXEC_PACKET_LIMIT, 0);
	const char *why;
	int64_t code;

	if (n < 0)
		return error_errno(err, "read the local target's answer");
	if (n == 0)
		return error_set(err, ERROR_NETWORK,
				 "the local target ended before the command did");
	if (json_parse(&json, text, (size_t)n, "the local target's answer", err) < 0 ||
	    json_get_int(json, "status", &code, "the local target's answer", err) < 0 ||
	    json_opt_string(json, "error", &why, "the local target's answer", err) < 0)
		return -1;
	*status = (int)code;
	if (!why)
		return 0;
	error_set(err, ERROR_STEP, "%s", why);
	err->status = (int)code;
	return -1;
}
