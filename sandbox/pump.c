#include "sandbox/pump.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

/* A side that waits for nothing is not watched at all: its end would be reported over and over. */
static int watch(struct pump *p, struct pump_side *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = &s->watched};
	int op = EPOLL_CTL_MOD;

	if (s->events == events)
		return 0;
	if (events == 0)
		op = EPOLL_CTL_DEL;
	else if (s->events == 0)
		op = EPOLL_CTL_ADD;
	s->events = events;
	return epoll_ctl(p->epoll_fd, op, s->fd, &e);
}

static void set_side(struct pump *p, struct pump_side *s, int fd)
{
	*s = (struct pump_side){.watched = {WATCHED_PUMP, p}, .fd = fd};
}

void pump_init(struct pump *p, int epoll_fd, int client)
{
	*p = (struct pump){.epoll_fd = epoll_fd};
	set_side(p, &p->client, client);
	set_side(p, &p->inner, -1);
}

int pump_connect(struct pump *p, int inner)
{
	p->connecting = true;
	p->refused = false;
	set_side(p, &p->inner, inner);
	return watch(p, &p->inner, EPOLLOUT);
}

static void close_side(struct pump *p, struct pump_side *s)
{
	/* Closing alone does not end the watch: the other process may still hold the same socket for a moment. */
	watch(p, s, 0);
	if (s->fd >= 0)
		close(s->fd);
	free(s->data);
	set_side(p, s, -1);
}

void pump_drop_inner(struct pump *p)
{
	close_side(p, &p->inner);
	p->connecting = false;
}

void pump_release(struct pump *p, bool reset)
{
	const struct linger at_once = {.l_onoff = 1};

	if (reset && p->client.fd >= 0)
		(void)setsockopt(p->client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_side(p, &p->client);
	close_side(p, &p->inner);
}

static bool is_passing(int number)
{
	return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

/* What the other side does not take waits in memory of its own; most connections need none. */
static void keep(struct pump_side *from, const char *data, size_t len)
{
	from->data = xmemdup(data, len);
	from->at = 0;
	from->len = len;
}

/* Returns how much of it went; all of it, when nobody hears it any more. */
static size_t pass(struct pump_side *from, struct pump_side *to, const char *data, size_t len)
{
	ssize_t n = send(to->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return (size_t)n;
	if (is_passing(errno))
		return 0;
	/* It may have said something before: a server that answers early and closes. */
	from->ended = from->shut = true;
	return len;
}

/* false: the connection is broken. */
static bool pass_new(struct pump_side *from, struct pump_side *to, char *buffer)
{
	ssize_t n = recv(from->fd, buffer, PUMP_BUFFER, MSG_DONTWAIT);
	size_t gone;

	if (n < 0)
		return is_passing(errno);
	from->ended = n == 0;
	if (n == 0)
		return true;
	gone = pass(from, to, buffer, (size_t)n);
	if (gone < (size_t)n)
		keep(from, buffer + gone, (size_t)n - gone);
	return true;
}

static void pass_kept(struct pump_side *from, struct pump_side *to)
{
	size_t gone = pass(from, to, from->data + from->at, from->len);

	from->at += gone;
	from->len -= gone;
	if (from->len == 0) {
		free(from->data);
		from->data = NULL;
	}
}

/* From one side to the other: what is there, at most one buffer. false: the connection is broken. */
static bool move(struct pump_side *from, struct pump_side *to, char *buffer)
{
	if (from->len > 0)
		pass_kept(from, to);
	else if (!from->ended && !pass_new(from, to, buffer))
		return false;
	if (from->ended && from->len == 0 && !from->shut) {
		(void)shutdown(to->fd, SHUT_WR);
		from->shut = true;
	}
	return true;
}

static uint32_t wanted(const struct pump_side *s, const struct pump_side *other)
{
	uint32_t events = 0;

	if (s->len == 0 && !s->ended)
		events |= EPOLLIN;
	if (other->len > 0)
		events |= EPOLLOUT;
	return events;
}

/* Connected, refused or neither yet. */
static void finish_connect(struct pump *p)
{
	struct pollfd ready = {.fd = p->inner.fd, .events = POLLOUT};
	int number = 0;
	socklen_t len = sizeof(number);

	if (poll(&ready, 1, 0) <= 0)
		return;
	p->connecting = false;
	p->refused = getsockopt(p->inner.fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0 ||
		     number != 0;
}

void pump_serve(struct pump *p, char *buffer)
{
	if (p->done || p->refused || p->inner.fd < 0)
		return;
	if (p->connecting)
		finish_connect(p);
	if (p->connecting || p->refused)
		return;
	if (!move(&p->client, &p->inner, buffer) || !move(&p->inner, &p->client, buffer) ||
	    (p->client.shut && p->inner.shut) ||
	    watch(p, &p->client, wanted(&p->client, &p->inner)) < 0 ||
	    watch(p, &p->inner, wanted(&p->inner, &p->client)) < 0)
		p->done = true;
}
