#include "sandbox/run_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"
#include "sandbox/agent_proxy.h"
#include "sandbox/forward.h"
#include "sandbox/run_control.h"
#include "sandbox/terminal.h"

#define CHUNK       65536
#define KILL_AFTER  5000000000ll /* nanoseconds from the first signal to SIGKILL */
#define GIVE_UP     2000000000ll /* ... and from that to the end of slipway-init itself */
#define CANCEL_TICK 50           /* milliseconds between looks for a second signal */
#define WINDOW_TICK 250          /* ... for a changed window of the terminal */

enum slot {
	SLOT_CONTROL,
	SLOT_STDOUT,
	SLOT_STDERR,
	SLOT_CANCEL,
	SLOT_TERMINAL,
	SLOT_STDIN,
	SLOT_FORWARD,
	SLOT_AGENTS,
	SLOT_CONTROLLED,
	N_SLOTS
};

struct state {
	struct run_loop *l;
	struct run_result *result;
	struct terminal terminal;
	bool started, exited, failed;
	int64_t cancelled_at, killed_at; /* 0: not */
	int n_passed;                    /* signals passed on */
	pid_t first_pid;
	char *chunk;
};

static void emit(struct state *s, int fd, const void *data, size_t len)
{
	const struct run_spec *spec = s->l->spec;

	if (spec->output)
		spec->output(spec->arg, fd, data, len);
	else if (spec->pass_fds)
		fs_write_all(fd, data, len, "output", NULL);
}

/* Reads what is there, at most one chunk; false at the end. */
static bool drain_once(struct state *s, int *fd, int as)
{
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, s->chunk, CHUNK);
	if (n > 0) {
		emit(s, as, s->chunk, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	close(take_fd(*fd));
	return false;
}

static void start_terminal(struct state *s, int master)
{
	terminal_start(&s->terminal, master, s->l->spec->stdin_fd);
}

static int take_listener(struct state *s, int number, int fd, struct error *err)
{
	const struct run_spec *spec = s->l->spec;

	if (s->l->agents && number >= 0 && (size_t)number < spec->n_mounts &&
	    spec->mounts[number].kind == SANDBOX_MOUNT_AGENT)
		return agent_proxy_listen(s->l->agents, fd, spec->mounts[number].source_dir, err);
	close(fd);
	return error_set(err, ERROR_SYSTEM, "the step's first process sent a socket nobody wants");
}

/* Before the command runs nobody listens to requests. */
static void enforce_kill(struct state *s, int64_t now)
{
	if (s->killed_at != 0 && (!s->started || now - s->killed_at >= GIVE_UP))
		launch_kill(s->l->launch);
}

static void serve_control_requests(struct state *s)
{
	struct run_control *c = s->l->spec->control;
	int64_t now;

	if (!c)
		return;
	now = time_monotonic_ns();
	if (run_control_serve(c, s->l->launch, s->started) && s->killed_at == 0) {
		s->killed_at = now;
		launch_request(s->l->launch->control_fd, REQUEST_KILL, 0);
	}
	enforce_kill(s, now);
}

static int handle_report(struct state *s, const struct report *r, int fd, struct error *err)
{
	const struct run_spec *spec = s->l->spec;

	if (fd >= 0 && r->kind != REPORT_MASTER && r->kind != REPORT_LISTENER)
		close(fd);
	switch ((enum report_kind)r->kind) {
	case REPORT_FAILED:
		s->failed = true;
		return launch_failed(r, err);
	case REPORT_WARNING:
		report_log(s->l->reporter, LOG_WARNING, "%s", r->text);
		return 0;
	case REPORT_PID:
		s->first_pid = r->value;
		launch_first(s->l->launch, r->value);
		return 0;
	case REPORT_MASTER:
		if (fd >= 0)
			start_terminal(s, fd);
		return 0;
	case REPORT_STUB:
		strlist_add(s->l->stubs, r->text);
		return 0;
	case REPORT_LISTENER:
		return fd >= 0 ? take_listener(s, r->value, fd, err) : 0;
	case REPORT_STARTED:
		s->started = true;
		/* What was asked before waits for it. */
		serve_control_requests(s);
		if (spec->started)
			spec->started(spec->arg, s->first_pid);
		return 0;
	case REPORT_EXITED:
		s->result->status = r->value;
		s->exited = true;
		return 0;
	case REPORT_EXECUTED:
	case REPORT_NOT_EXECUTED:
		if (spec->control)
			run_control_report(spec->control, r);
		return 0;
	case REPORT_READY:
	case REPORT_NAMESPACE:
	default:
		return 0;
	}
}

/* 0 to go on, -1 with an error. */
static int serve_control(struct state *s, struct error *err)
{
	struct report r;
	int fd, got = launch_receive(s->l->launch->control_fd, false, &r, &fd);

	if (got < 0)
		return 0;
	if (got > 0)
		return handle_report(s, &r, fd, err);
	s->failed = true;
	if (s->killed_at != 0)
		return 0;
	error_set(err, ERROR_SYSTEM,
		  "the step's first process ended without a word: it was killed from outside");
	return error_hint(err,
			  "the kernel does so when memory runs out: look into its log (dmesg)");
}

/* A container may take its time to end well, a step may not. */
static bool patience_is_over(const struct state *s, int64_t now)
{
	int count = s->l->cancel->count;

	if (s->l->spec->pass_signals)
		return count > 2;
	return count > 1 || now - s->cancelled_at >= KILL_AFTER;
}

/* A signal asks the step to end; time or a further one kills it. */
static void serve_cancel(struct state *s)
{
	const struct cancel *c = s->l->cancel;
	int64_t now;

	if (!cancel_requested(c))
		return;
	now = time_monotonic_ns();
	if (s->cancelled_at == 0)
		s->cancelled_at = now;
	for (; s->n_passed < c->count; s->n_passed++)
		launch_request(s->l->launch->control_fd, REQUEST_SIGNAL, (uint32_t)c->signal);
	if (s->killed_at == 0 && patience_is_over(s, now)) {
		s->killed_at = now;
		launch_request(s->l->launch->control_fd, REQUEST_KILL, 0);
	}
	enforce_kill(s, now);
}

static void watch(struct state *s, struct pollfd *p)
{
	const struct run_loop *l = s->l;

	for (int i = 0; i < N_SLOTS; i++)
		p[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	p[SLOT_CONTROL].fd = l->launch->control_fd;
	p[SLOT_STDOUT].fd = l->output[0];
	p[SLOT_STDERR].fd = l->output[1];
	if (l->cancel && s->cancelled_at == 0)
		p[SLOT_CANCEL].fd = l->cancel->wake_fd;
	p[SLOT_TERMINAL].fd = s->terminal.master;
	p[SLOT_TERMINAL].events = terminal_events(&s->terminal);
	p[SLOT_STDIN].fd = terminal_input(&s->terminal);
	if (l->forward)
		p[SLOT_FORWARD].fd = forward_fd(l->forward);
	if (l->agents)
		p[SLOT_AGENTS].fd = agent_proxy_fd(l->agents);
	if (l->spec->control)
		p[SLOT_CONTROLLED].fd = run_control_fd(l->spec->control);
}

static int own_tick(const struct state *s)
{
	if (s->cancelled_at != 0 || s->killed_at != 0)
		return CANCEL_TICK;
	if (s->l->cancel && s->l->cancel->wake_fd < 0)
		return WINDOW_TICK;
	return s->terminal.master >= 0 ? WINDOW_TICK : -1;
}

static int tick(const struct state *s)
{
	int own = own_tick(s), forward = s->l->forward ? forward_timeout(s->l->forward) : -1;

	return forward < 0 || (own >= 0 && own < forward) ? own : forward;
}

static void serve_output(struct state *s, const struct pollfd *p)
{
	if (p[SLOT_STDOUT].revents)
		drain_once(s, &s->l->output[0], 1);
	if (p[SLOT_STDERR].revents)
		drain_once(s, &s->l->output[1], 2);
	if (s->terminal.master < 0)
		return;
	terminal_resize(&s->terminal);
	if (p[SLOT_TERMINAL].revents & POLLOUT)
		terminal_write(&s->terminal);
	if (p[SLOT_STDIN].revents)
		terminal_read(&s->terminal);
	/* The slave side closed for good reads as an error: nothing more comes. */
	if (p[SLOT_TERMINAL].revents & (POLLIN | POLLHUP | POLLERR))
		drain_once(s, &s->terminal.master, 1);
}

static int serve(struct state *s, struct error *err)
{
	struct pollfd p[N_SLOTS];

	watch(s, p);
	if (poll(p, N_SLOTS, tick(s)) < 0 && errno != EINTR)
		return error_errno(err, "wait for the step");
	serve_output(s, p);
	if (s->l->forward)
		forward_serve(s->l->forward);
	if (p[SLOT_AGENTS].revents)
		agent_proxy_serve(s->l->agents);
	serve_cancel(s);
	serve_control_requests(s);
	if (p[SLOT_CONTROL].revents)
		return serve_control(s, err);
	return 0;
}

/* Nobody writes any more: what is in the pipes now is all. */
static void drain_rest(struct state *s)
{
	while (drain_once(s, &s->l->output[0], 1))
		;
	while (drain_once(s, &s->l->output[1], 2))
		;
	while (drain_once(s, &s->terminal.master, 1))
		;
}

static void close_outputs(struct run_loop *l)
{
	for (int i = 0; i < 2; i++)
		if (l->output[i] >= 0)
			close(take_fd(l->output[i]));
}

int run_loop(struct run_loop *l, struct run_result *result, struct error *err)
{
	AUTO_FREE char *chunk = xmalloc(CHUNK);
	struct state s = {.l = l, .result = result, .terminal = TERMINAL_INIT, .chunk = chunk};
	int r = 0;

	while (r == 0 && !s.exited && !s.failed)
		r = serve(&s, err);
	drain_rest(&s);
	if (l->forward)
		forward_finish(l->forward);
	terminal_end(&s.terminal);
	close_outputs(l);
	if (r < 0 && s.cancelled_at == 0)
		return -1;
	if (s.cancelled_at != 0 && s.exited && l->spec->pass_signals)
		return 0;
	if (s.cancelled_at != 0) {
		if (!s.exited)
			result->status = 128 + SIGKILL;
		/* The reason that the step gives for its end is the signal's doing. */
		if (r < 0 && err)
			error_clear(err);
		return cancel_check(l->cancel, err);
	}
	if (!s.exited)
		result->status = 128 + SIGKILL;
	return 0;
}
