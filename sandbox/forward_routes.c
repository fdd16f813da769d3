#include "sandbox/forward_private.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "sandbox/host_socket.h"

struct forward_agent *forward_add_agent(struct forward *f, int fd)
{
	struct forward_agent *a = xcalloc(1, sizeof(*a));

	a->watched = (struct watched){WATCHED_AGENT, a};
	a->fd = -1;
	a->asked_end = &a->asked;
	a->next = f->agents;
	f->agents = a;
	if (fd >= 0)
		forward_start_agent(f, a, fd);
	return a;
}

void forward_start_agent(struct forward *f, struct forward_agent *a, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &a->watched};

	a->fd = fd;
	(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &e);
	forward_update_accepting(f);
}

size_t forward_agent_connections(const struct forward_agent *a)
{
	return a->n_connections;
}

/* The targets of the listener but those of the agent. */
static void drop_targets(struct forward *f, struct forward_listener *l,
			 const struct forward_agent *a)
{
	AUTO_FREE struct forward_target *kept = xcalloc(l->n_targets + 1, sizeof(*kept));
	size_t n = 0;

	for (size_t i = 0; i < l->n_targets; i++)
		if (l->targets[i].agent != a)
			kept[n++] = l->targets[i];
	if (n < l->n_targets)
		(void)forward_set_targets(f, l, kept, n, NULL);
}

void forward_remove_agent(struct forward *f, struct forward_agent *a)
{
	struct forward_agent **at = &f->agents;
	struct connection *next;

	for (struct forward_listener *l = f->listeners; l; l = l->next)
		drop_targets(f, l, a);
	forward_agent_is_gone(f, a);
	for (struct connection *c = f->connections; c; c = next) {
		next = c->next;
		if (c->agent == a)
			forward_connection_free(f, c, false);
	}
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
	forward_update_accepting(f);
}

struct forward_listener *forward_add_listener(struct forward *f, int fd)
{
	struct forward_listener *l = xcalloc(1, sizeof(*l));

	l->watched = (struct watched){WATCHED_LISTENER, l};
	l->fd = fd;
	l->listening = true;
	l->next = f->listeners;
	f->listeners = l;
	return l;
}

int forward_listen(struct forward *f, const char *ip, uint16_t *port, struct forward_listener **out,
		   struct error *err)
{
	int fd;

	if (host_socket_listen(ip, port, &fd, err) < 0)
		return -1;
	*out = forward_add_listener(f, fd);
	return 0;
}

static void stop_watching(struct forward *f, struct forward_listener *l)
{
	if (l->accepting)
		(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
	l->accepting = false;
}

int forward_set_targets(struct forward *f, struct forward_listener *l,
			const struct forward_target *targets, size_t n, struct error *err)
{
	free(l->targets);
	l->targets = xmemdup(targets, n * sizeof(*targets));
	l->n_targets = n;
	if (n == 0 && l->listening) {
		/* It keeps the port, and the kernel refuses who comes. */
		stop_watching(f, l);
		(void)shutdown(l->fd, SHUT_RD);
		l->listening = false;
	} else if (n > 0 && !l->listening) {
		if (listen(l->fd, FORWARD_BACKLOG) < 0)
			return error_errno(err, "listen again");
		l->listening = true;
	}
	forward_update_accepting(f);
	return 0;
}

void forward_set_patience(struct forward_listener *l, int ms)
{
	l->patience = ms * 1000000ll;
}

void forward_remove_listener(struct forward *f, struct forward_listener *l)
{
	struct forward_listener **at = &f->listeners;

	for (struct connection *c = f->connections; c; c = c->next)
		if (c->listener == l)
			c->listener = NULL;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	stop_watching(f, l);
	forward_listener_free(l);
}
