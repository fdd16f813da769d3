#include "sandbox/agent_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"

#define EVENTS    16
#define MAX_LINKS 256 /* connections at once; more wait in the backlog */
#define HEAD      4   /* the length of a message, big-endian, before it */
#define AGAIN_MS  10  /* between attempts at an agent that has too many connections waiting */

enum message {
	FAILURE = 5,
	REQUEST_IDENTITIES = 11,
	SIGN_REQUEST = 13,
	EXTENSION = 27,
	EXTENSION_FAILURE = 28,
};

enum state { READ_REQUEST, CONNECT, WRITE_REQUEST, READ_ANSWER, WRITE_ANSWER, ENDED };

struct link;
/* What epoll hands back: a listener or the timer when link is NULL. */
struct watched {
	struct link *link;
	int fd;
};

struct listener {
	struct listener *next;
	struct watched watched;
	char *path;
};

/* One connection: a message at a time, in buf, on its way to one side or from it. */
struct link {
	struct link *next;
	const char *path;             /* of the agent: a view */
	struct watched client, agent; /* the agent's is -1 before the first request */
	enum state state;
	unsigned char *buf;
	size_t at, len, cap; /* len: whole message with its head, or HEAD while that is read */
};

struct agent_proxy {
	int epoll_fd;
	struct watched
		timer; /* runs while a link waits for an agent, or a client for a descriptor */
	struct listener *listeners;
	struct link *links;
	size_t n_links;
	bool accepting;
};

static int watch(struct agent_proxy *p, struct watched *w, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(p->epoll_fd, op, w->fd, &e);
}

int agent_proxy_open(struct agent_proxy **out, struct error *err)
{
	AUTO_PTR(agent_proxy) p = xcalloc(1, sizeof(*p));

	p->accepting = true;
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->epoll_fd < 0 || p->timer.fd < 0 || watch(p, &p->timer, EPOLL_CTL_ADD, EPOLLIN) < 0)
		return error_errno(err, "watch sockets");
	*out = take_ptr(p);
	return 0;
}

static void set_accepting(struct agent_proxy *p, bool accept)
{
	if (p->accepting == accept)
		return;
	for (struct listener *l = p->listeners; l; l = l->next)
		(void)watch(p, &l->watched, accept ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, EPOLLIN);
	p->accepting = accept;
}

int agent_proxy_listen(struct agent_proxy *p, int listener, const char *path, struct error *err)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->watched.fd = listener;
	l->path = xstrdup(path);
	l->next = p->listeners;
	p->listeners = l;
	if (p->accepting && watch(p, &l->watched, EPOLL_CTL_ADD, EPOLLIN) < 0)
		return error_errno(err, "watch the socket for the agent %s", path);
	return 0;
}

int agent_proxy_fd(const struct agent_proxy *p)
{
	return p->epoll_fd;
}

/* By a descriptor of it, so that its name may be of any length. Fails with -errno. */
static int connect_agent(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	AUTO_FD int place = open(path, O_PATH | O_CLOEXEC);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (place < 0 || fd < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", place);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(fd);
}

static void link_free(struct link *l)
{
	if (l->client.fd >= 0)
		close(l->client.fd);
	if (l->agent.fd >= 0)
		close(l->agent.fd);
	free(l->buf);
	free(l);
}

/* Waits for the side that the state needs, and for nothing else. */
static void enter(struct agent_proxy *p, struct link *l, enum state state)
{
	static const struct {
		bool agent;
		uint32_t events;
	} needs[] = {
		[READ_REQUEST] = {false, EPOLLIN},  [CONNECT] = {false, 0},
		[WRITE_REQUEST] = {true, EPOLLOUT}, [READ_ANSWER] = {true, EPOLLIN},
		[WRITE_ANSWER] = {false, EPOLLOUT}, [ENDED] = {false, 0},
	};
	struct watched *to = needs[state].agent ? &l->agent : &l->client;

	l->state = state;
	l->at = 0;
	if (state == READ_REQUEST || state == READ_ANSWER)
		l->len = HEAD;
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, l->client.fd, NULL);
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, l->agent.fd, NULL);
	if (needs[state].events && watch(p, to, EPOLL_CTL_ADD, needs[state].events) < 0)
		l->state = ENDED;
}

static void set_timer(const struct agent_proxy *p)
{
	const struct itimerspec t = {.it_value.tv_nsec = AGAIN_MS * 1000000L};

	(void)timerfd_settime(p->timer.fd, 0, &t, NULL);
}

/* An agent that is busy has a full backlog for a moment: that is no reason to hang up. */
static void link_connect(struct agent_proxy *p, struct link *l)
{
	int fd = connect_agent(l->path);

	if (fd == -EAGAIN || fd == -EINTR) {
		set_timer(p);
		return;
	}
	l->agent.fd = fd < 0 ? -1 : fd;
	enter(p, l, fd < 0 ? ENDED : WRITE_REQUEST);
}

static void take_connection(struct agent_proxy *p, const struct listener *from)
{
	int client = accept4(from->watched.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct link *l;

	if (client < 0) {
		/* Out of descriptors: who waits in the backlog would wake us at once again. */
		if (errno == EMFILE || errno == ENFILE) {
			set_accepting(p, false);
			set_timer(p);
		}
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->client = (struct watched){.link = l, .fd = client};
	l->agent = (struct watched){.link = l, .fd = -1};
	l->path = from->path;
	l->cap = 4096;
	l->buf = xmalloc(l->cap);
	l->next = p->links;
	p->links = l;
	p->n_links++;
	enter(p, l, READ_REQUEST);
	if (p->n_links >= MAX_LINKS)
		set_accepting(p, false);
}

/* 1: the message is there, 0: not yet, -1: the connection is over. */
static int read_message(struct link *l, int fd)
{
	for (;;) {
		ssize_t n = recv(fd, l->buf + l->at, l->len - l->at, MSG_DONTWAIT);
		uint32_t size;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		l->at += (size_t)n;
		if (l->at < l->len)
			continue;
		if (l->len > HEAD)
			return 1;
		size = (uint32_t)l->buf[0] << 24 | (uint32_t)l->buf[1] << 16 |
		       (uint32_t)l->buf[2] << 8 | l->buf[3];
		if (size == 0 || size > LIMIT_AGENT_MESSAGE)
			return -1;
		l->len = HEAD + size;
		if (l->len > l->cap) {
			l->cap = l->len;
			l->buf = xrealloc(l->buf, l->cap);
		}
	}
}

static int write_message(struct link *l, int fd)
{
	while (l->at < l->len) {
		ssize_t n = send(fd, l->buf + l->at, l->len - l->at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		l->at += (size_t)n;
	}
	return 1;
}

static void answer_failure(struct link *l)
{
	const unsigned char failure[] = {0, 0, 0, 1,
					 l->buf[HEAD] == EXTENSION ? EXTENSION_FAILURE : FAILURE};

	memcpy(l->buf, failure, sizeof(failure));
	l->len = sizeof(failure);
}

static void link_serve(struct agent_proxy *p, struct link *l)
{
	int got = -1;
	enum state next = ENDED;

	switch (l->state) {
	case READ_REQUEST:
		got = read_message(l, l->client.fd);
		next = l->agent.fd < 0 ? CONNECT : WRITE_REQUEST;
		if (got > 0 && l->buf[HEAD] != REQUEST_IDENTITIES && l->buf[HEAD] != SIGN_REQUEST) {
			answer_failure(l);
			next = WRITE_ANSWER;
		}
		break;
	case WRITE_REQUEST:
		got = write_message(l, l->agent.fd);
		next = READ_ANSWER;
		break;
	case READ_ANSWER:
		got = read_message(l, l->agent.fd);
		next = WRITE_ANSWER;
		break;
	case WRITE_ANSWER:
		got = write_message(l, l->client.fd);
		next = READ_REQUEST;
		break;
	case CONNECT:
	case ENDED:
		return;
	}
	if (got != 0)
		enter(p, l, got < 0 ? ENDED : next);
	if (l->state == CONNECT)
		link_connect(p, l);
}

static void serve_timer(struct agent_proxy *p)
{
	uint64_t ticks;

	if (read(p->timer.fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (struct link *l = p->links; l; l = l->next)
		if (l->state == CONNECT)
			link_connect(p, l);
	if (p->n_links < MAX_LINKS)
		set_accepting(p, true);
}

static void drop_ended(struct agent_proxy *p)
{
	struct link **at = &p->links;
	bool dropped = false;

	while (*at) {
		struct link *l = *at;

		if (l->state != ENDED) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		link_free(l);
		p->n_links--;
		dropped = true;
	}
	if (dropped)
		set_accepting(p, true);
}

void agent_proxy_serve(struct agent_proxy *p)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(p->epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct watched *w = events[i].data.ptr;

		if (w->link) {
			link_serve(p, w->link);
			continue;
		}
		if (w == &p->timer)
			serve_timer(p);
		for (struct listener *l = p->listeners; l; l = l->next)
			if (&l->watched == w)
				take_connection(p, l);
	}
	drop_ended(p);
}

void agent_proxy_free(struct agent_proxy *p)
{
	if (!p)
		return;
	for (struct link *l = p->links, *next; l; l = next) {
		next = l->next;
		link_free(l);
	}
	for (struct listener *l = p->listeners, *next; l; l = next) {
		next = l->next;
		close(l->watched.fd);
		free(l->path);
		free(l);
	}
	if (p->timer.fd >= 0)
		close(p->timer.fd);
	if (p->epoll_fd >= 0)
		close(p->epoll_fd);
	free(p);
}
