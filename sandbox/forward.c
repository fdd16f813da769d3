#include "sandbox/forward_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/time.h"
#include "sandbox/fd_message.h"
#include "sandbox/host_socket.h"
#include "sandbox/orders.h"

#define EVENTS          64
#define AGAIN_MS        50
#define MAX_WAITING     256
#define STALL_MS        1000
#define FINISH_MS       10000
#define MAX_ASKED       64   /* connections that one agent is asked for at once */
#define MAX_CONNECTIONS 6144 /* at once; more wait in the backlog */
#define MAX_OF_LISTENER 2048 /* one must not take the place of all others */

int forward_open(struct forward **out, struct error *err)
{
	AUTO_PTR(forward) f = xcalloc(1, sizeof(*f));

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0)
		return error_errno(err, "watch sockets");
	*out = take_ptr(f);
	return 0;
}

static void link_connection(struct forward *f, struct connection *c)
{
	c->next = f->connections;
	if (c->next)
		c->next->prev = c;
	f->connections = c;
	f->n_connections++;
}

static void set_agent(struct connection *c, struct forward_agent *a)
{
	if (c->agent)
		c->agent->n_connections--;
	if (a)
		a->n_connections++;
	c->agent = a;
}

void forward_connection_free(struct forward *f, struct connection *c, bool reset)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		f->connections = c->next;
	f->n_connections--;
	f->starved_until = 0;
	if (c->listener)
		c->listener->n_connections--;
	set_agent(c, NULL);
	pump_release(&c->pump, reset);
	free(c);
}

/* Is there somebody to ask now? Where nobody ever will be, it is said so at once. */
static bool has_target(const struct forward_listener *l)
{
	size_t n_gone = 0;

	for (size_t i = 0; i < l->n_targets; i++) {
		const struct forward_agent *a = l->targets[i].agent;

		if (!a || (a->fd >= 0 && a->n_asked < MAX_ASKED))
			return true;
		n_gone += a->gone;
	}
	return l->n_targets > 0 && n_gone == l->n_targets;
}

/* Listeners are watched while there is room for another connection and somebody to ask. */
void forward_update_accepting(struct forward *f)
{
	const bool room = !f->finishing && !f->starved_until && f->n_connections < MAX_CONNECTIONS;

	for (struct forward_listener *l = f->listeners; l; l = l->next) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &l->watched};
		bool accept = room && l->listening && l->n_connections < MAX_OF_LISTENER &&
			      has_target(l);

		if (l->accepting == accept)
			continue;
		(void)epoll_ctl(f->epoll_fd, accept ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->fd, &e);
		l->accepting = accept;
	}
}

static bool connect_here(struct connection *c, const struct forward_target *t)
{
	int fd = host_socket_connect(t->source, t->address, t->port);

	if (fd >= 0 && pump_connect(&c->pump, fd) == 0)
		return true;
	pump_drop_inner(&c->pump);
	return false;
}

static bool ask(struct forward *f, struct connection *c, const struct forward_target *t)
{
	struct forward_agent *a = t->agent;
	struct request q = {.kind = REQUEST_CONNECT, .value = t->port, .address = t->address};

	if (a->fd < 0)
		return false;
	q.id = c->id = ++f->last_id;
	if (send(a->fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(q))
		return false;
	set_agent(c, a);
	c->next_asked = NULL;
	*a->asked_end = c;
	a->asked_end = &c->next_asked;
	a->n_asked++;
	return true;
}

static void wait_a_while(struct forward *f, struct connection *c)
{
	c->again = time_monotonic_ns() + AGAIN_MS * 1000000ll;
	c->next_waiting = f->waiting;
	f->waiting = c;
	f->n_waiting++;
}

static void try_again(struct forward *f)
{
	struct connection *c = f->waiting, *next;
	int64_t now = c ? time_monotonic_ns() : 0;

	f->waiting = NULL;
	f->n_waiting = 0;
	for (; c; c = next) {
		next = c->next_waiting;
		if (c->again > now) {
			c->next_waiting = f->waiting;
			f->waiting = c;
			f->n_waiting++;
			continue;
		}
		c->tried = 0;
		forward_lead_on(f, c);
	}
}

void forward_lead_on(struct forward *f, struct connection *c)
{
	const struct forward_listener *l = c->listener;

	set_agent(c, NULL);
	pump_drop_inner(&c->pump);
	c->pump.refused = false;
	while (l && c->tried < l->n_targets) {
		const struct forward_target *t = &l->targets[c->at++ % l->n_targets];

		c->tried++;
		if (t->agent ? ask(f, c, t) : connect_here(c, t))
			return;
	}
	if (l && l->n_targets > 0 && time_monotonic_ns() - c->came < l->patience &&
	    f->n_waiting < MAX_WAITING)
		wait_a_while(f, c);
	else
		forward_connection_free(f, c, true);
}

static void take_connection(struct forward *f, struct forward_listener *l)
{
	int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *c;

	if (client < 0) {
		/* The client stays in the backlog, and would wake us at once again. */
		if (errno == EMFILE || errno == ENFILE)
			f->starved_until = time_monotonic_ns() + AGAIN_MS * 1000000ll;
		return;
	}
	c = xcalloc(1, sizeof(*c));
	pump_init(&c->pump, f->epoll_fd, client);
	c->listener = l;
	l->n_connections++;
	c->came = time_monotonic_ns();
	c->at = l->turn++;
	link_connection(f, c);
	forward_lead_on(f, c);
}

/* Those that were asked for go elsewhere, or end. */
void forward_agent_is_gone(struct forward *f, struct forward_agent *a)
{
	struct connection *next;

	if (a->fd >= 0)
		(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, a->fd, NULL);
	a->fd = -1;
	a->gone = true;
	for (struct connection *c = a->asked; c; c = next) {
		next = c->next_asked;
		forward_lead_on(f, c);
	}
	a->asked = NULL;
	a->asked_end = &a->asked;
	a->n_asked = 0;
}

static struct connection *pop_asked(struct forward_agent *a, uint64_t id)
{
	struct connection *c = a->asked;

	if (!c || c->id != id)
		return NULL;
	a->asked = c->next_asked;
	if (!a->asked)
		a->asked_end = &a->asked;
	a->n_asked--;
	return c;
}

static void serve_agent(struct forward *f, struct forward_agent *a)
{
	struct answer answer;
	struct connection *c;
	int fd;
	ssize_t n = fd_message_receive(a->fd, &answer, sizeof(answer), MSG_DONTWAIT, &fd);

	if (n < 0 && errno == EAGAIN)
		return;
	c = n == (ssize_t)sizeof(answer) ? pop_asked(a, answer.id) : NULL;
	if (!c) {
		/* It is gone, with everything that could be connected to, or answers what nobody asked. */
		if (fd >= 0)
			close(fd);
		forward_agent_is_gone(f, a);
		return;
	}
	if (fd < 0 || pump_connect(&c->pump, fd) < 0)
		forward_lead_on(f, c);
}

static void serve_connection(struct forward *f, struct connection *c)
{
	pump_serve(&c->pump, f->buffer);
	if (c->ended || (!c->pump.done && !c->pump.refused))
		return;
	c->ended = true;
	c->next_ended = f->ended;
	f->ended = c;
}

static void look_at_ended(struct forward *f)
{
	struct connection *next;

	for (struct connection *c = f->ended; c; c = next) {
		next = c->next_ended;
		c->ended = false;
		if (c->pump.done)
			forward_connection_free(f, c, false);
		else
			forward_lead_on(f, c);
	}
	f->ended = NULL;
}

void forward_serve(struct forward *f)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(f->epoll_fd, events, EVENTS, 0);

	if (f->starved_until && time_monotonic_ns() >= f->starved_until)
		f->starved_until = 0;
	for (int i = 0; i < n; i++) {
		struct watched *w = events[i].data.ptr;

		if (w->kind != WATCHED_PUMP)
			continue;
		serve_connection(f, w->of);
		events[i].data.ptr = NULL;
	}
	/* Connections are freed only now: one round may have events for both ends of one. */
	look_at_ended(f);
	for (int i = 0; i < n; i++) {
		struct watched *w = events[i].data.ptr;

		if (w && w->kind == WATCHED_LISTENER)
			take_connection(f, w->of);
		else if (w && w->kind == WATCHED_AGENT)
			serve_agent(f, w->of);
	}
	try_again(f);
	forward_update_accepting(f);
}

int forward_timeout(const struct forward *f)
{
	return f->waiting || f->starved_until ? AGAIN_MS : -1;
}

int forward_fd(const struct forward *f)
{
	return f->epoll_fd;
}

/*
 * Those whose clients have been told of the other side's end: what they still say nobody hears.
 * The others may be further than we know: on a busy machine a server has answered and ended before we see its connection stand.
 */
static void drop_finished(struct forward *f)
{
	struct connection *next;

	for (struct connection *c = f->connections; c; c = next) {
		next = c->next;
		if (c->pump.inner.shut)
			forward_connection_free(f, c, false);
	}
}

void forward_finish(struct forward *f)
{
	int64_t until = time_monotonic_ns() + FINISH_MS * 1000000ll;
	struct pollfd ready = {.fd = f->epoll_fd, .events = POLLIN};

	f->finishing = true;
	forward_update_accepting(f);
	for (drop_finished(f); f->connections && time_monotonic_ns() < until; drop_finished(f)) {
		if (poll(&ready, 1, STALL_MS) <= 0)
			break;
		forward_serve(f);
	}
}

void forward_listener_free(struct forward_listener *l)
{
	close(l->fd);
	free(l->targets);
	free(l);
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	for (struct connection *c = f->connections, *next; c; c = next) {
		next = c->next;
		forward_connection_free(f, c, false);
	}
	while (f->listeners) {
		struct forward_listener *l = f->listeners;

		f->listeners = l->next;
		forward_listener_free(l);
	}
	while (f->agents) {
		struct forward_agent *a = f->agents;

		f->agents = a->next;
		free(a);
	}
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	free(f);
}
