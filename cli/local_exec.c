#include "cli/local_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/local_target.h"
#include "local/exec_socket.h"
#include "sandbox/fd_message.h"
#include "sandbox/terminal.h"

/* How often the size of the user's window is looked at, as run -t does. */
#define WINDOW_TICK_MS 250

enum { SLOT_ANSWER, SLOT_MASTER, SLOT_KEYS, SLOT_SIGNAL, N_SLOTS };

/* What a command with a terminal has here: the master side comes through the socket once the container has made it. */
struct seat {
	struct terminal terminal;
	int socket;  /* -1: no terminal, or it has come */
	int user_fd; /* where keys come from; -1: none */
};

static void take_terminal(struct seat *s)
{
	char byte = 0;
	int master;

	if (fd_message_receive(s->socket, &byte, 1, 0, &master) == 1 && master >= 0)
		terminal_start(&s->terminal, master, s->user_fd);
	/* Its size is set: the program may start. */
	(void)!send(s->socket, &byte, 1, MSG_NOSIGNAL);
	close(take_fd(s->socket));
}

/* False: nothing is there now, or ever again. */
static bool show(struct terminal *t)
{
	char buf[4096];
	ssize_t n = t->master >= 0 ? read(t->master, buf, sizeof(buf)) : 0;

	if (n <= 0)
		return false;
	return fs_write_all(STDOUT_FILENO, buf, (size_t)n, "standard output", NULL) == 0;
}

/* Until the answer is there. */
static int wait_for_answer(struct app *a, struct seat *s, int fd, struct error *err)
{
	struct terminal *t = &s->terminal;
	bool shown = true;

	while (cancel_check(a->cancel, err) == 0) {
		struct pollfd p[N_SLOTS] = {
			[SLOT_ANSWER] = {.fd = fd, .events = POLLIN},
			[SLOT_MASTER] = {.fd = s->socket >= 0 ? s->socket
					       : shown        ? t->master
							      : -1,
					 .events = terminal_events(t)},
			[SLOT_KEYS] = {.fd = terminal_input(t), .events = POLLIN},
			[SLOT_SIGNAL] = {.fd = a->cancel->wake_fd, .events = POLLIN},
		};

		if (poll(p, N_SLOTS, t->master >= 0 ? WINDOW_TICK_MS : -1) < 0 && errno != EINTR)
			return error_errno(err, "wait for the command");
		if (s->socket >= 0 && p[SLOT_MASTER].revents) {
			take_terminal(s);
			continue;
		}
		if (t->master >= 0)
			terminal_resize(t);
		if (p[SLOT_MASTER].revents & POLLOUT)
			terminal_write(t);
		if (p[SLOT_KEYS].revents)
			terminal_read(t);
		if (p[SLOT_MASTER].revents & (POLLIN | POLLHUP))
			shown = show(t);
		if (p[SLOT_ANSWER].revents)
			return 0;
	}
	return -1;
}

static int run(struct app *a, struct seat *s, int fd, int *status, struct error *err)
{
	if (wait_for_answer(a, s, fd, err) < 0)
		return -1;
	while (show(&s->terminal))
		;
	return exec_socket_answer(fd, status, err);
}

static json_t *make_request(const struct app *a, const struct local_exec *e)
{
	const char *term = environment_get(&a->env, "TERM");
	json_t *request = json_pack("{s:s, s:s, s:o, s:[], s:b}", "task", e->task, "container",
				    e->container, "command", json_from_strlist(e->command),
				    "environment", "tty", e->tty);

	if (e->tty)
		json_array_append_new(json_object_get(request, "environment"),
				      json_sprintf("TERM=%s", term && *term ? term : "xterm"));
	return request;
}

int local_exec_run(struct app *a, const struct local_exec *e, int *status, struct error *err)
{
	AUTO_FREE char *folder = local_target_folder(a);
	AUTO_JSON *request = make_request(a, e);
	AUTO_FD int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO_FD int theirs = -1;
	AUTO_FD int answer_fd = -1;
	struct seat s = {TERMINAL_INIT, -1, e->interactive ? STDIN_FILENO : -1};
	int fds[] = {e->interactive ? STDIN_FILENO : nothing, STDOUT_FILENO, STDERR_FILENO};
	int pair[2], r;

	if (e->tty) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return error_errno(err, "make a pair of sockets");
		s.socket = pair[0];
		theirs = fds[0] = fds[1] = fds[2] = pair[1];
	}
	r = exec_socket_ask(folder, request, fds, &answer_fd, err);
	/* The target has the only other end now. */
	if (theirs >= 0)
		close(take_fd(theirs));
	if (r == 0)
		r = run(a, &s, answer_fd, status, err);
	terminal_end(&s.terminal);
	if (s.socket >= 0)
		close(s.socket);
	if (r == 0 || err->kind != ERROR_STEP)
		return r;
	*status = err->status;
	app_print_error(a, err);
	return 0;
}
