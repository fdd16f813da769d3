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
	s->watched.kind = WATCHED_PUMP;
	s->watched.pump = p;
	s->fd = fd;
}

struct pump *pump_new(int epoll_fd, int client, uint64_t id)
{
	struct pump *p = xcalloc(1, sizeof(*p));

	p->epoll_fd = epoll_fd;
	p->id = id;
	p->asked = true;
	set_side(p, &p->client, client);
	p->inner.fd = -1;
	return p;
}

int pump_connect(struct pump *p, int inner)
{
	p->connecting = true;
	p->client.data = xmalloc(PUMP_BUFFER);
	p->inner.data = xmalloc(PUMP_BUFFER);
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
}

void pump_free(struct pump *p)
{
	close_side(p, &p->client);
	close_side(p, &p->inner);
	free(p);
}

static bool is_passing(int number)
{
	return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

/* From one side to the other: what is there, at most one buffer. false: the connection is broken. */
static bool move(struct pump_side *from, struct pump_side *to)
{
	ssize_t n;

	if (from->len == 0 && !from->ended) {
		n = recv(from->fd, from->data, PUMP_BUFFER, MSG_DONTWAIT);
		if (n < 0 && !is_passing(errno))
			return false;
		from->at = 0;
		from->len = n > 0 ? (size_t)n : 0;
		from->ended = n == 0;
	}
	if (from->len > 0) {
		n = send(to->fd, from->data + from->at, from->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* Nobody hears it any more, but may have said something before: a server that answers early and closes. */
		if (n < 0 && !is_passing(errno)) {
			from->len = 0;
			from->ended = from->shut = true;
		}
		if (n > 0) {
			from->at += (size_t)n;
			from->len -= (size_t)n;
		}
	}
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

static bool finish_connect(struct pump *p)
{
	struct pollfd ready = {.fd = p->inner.fd, .events = POLLOUT};
	int number = 0;
	socklen_t len = sizeof(number);

	if (poll(&ready, 1, 0) <= 0)
		return true;
	if (getsockopt(p->inner.fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0 || number != 0)
		return false;
	p->connecting = false;
	return true;
}

void pump_serve(struct pump *p)
{
	bool good = true;

	if (p->done)
		return;
	if (p->connecting)
		good = finish_connect(p);
	if (good && !p->connecting)
		good = move(&p->client, &p->inner) && move(&p->inner, &p->client);
	if (!good || (p->client.shut && p->inner.shut)) {
		p->done = true;
		return;
	}
	if (p->connecting)
		return;
	if (watch(p, &p->client, wanted(&p->client, &p->inner)) < 0 ||
	    watch(p, &p->inner, wanted(&p->inner, &p->client)) < 0)
		p->done = true;
}
