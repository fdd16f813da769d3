#include "sandbox/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/time.h"
#include "sandbox/fd_message.h"
#include "sandbox/orders.h"
#include "sandbox/pump.h"

#define EVENTS    64
#define BACKLOG   128
#define STALL_MS  1000
#define FINISH_MS 10000
#define MAX_ASKED 64   /* connections waited for at once */
#define MAX_PUMPS 4096 /* connections at once; more wait in the backlog */

struct listener {
	struct watched watched; /* first: epoll's pointer is to it */
	int fd;
	uint16_t container_port;
};

struct forward {
	int epoll_fd;
	struct watched agent;
	int agent_fd;
	struct listener *listeners;
	size_t n_listeners;
	struct pump *pumps; /* a list */
	size_t n_pumps, n_asked;
	uint64_t last_id;
	bool accepting, finishing;
};

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *out,
			 socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
		return 0;
	}
	return -1;
}

static uint16_t bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port);
}

static int listen_failed(const char *ip, uint16_t port, struct error *err)
{
	int number = errno;

	error_errno(err, "listen on %s, port %u", ip, port);
	if (number == EADDRINUSE)
		return error_hint(err,
				  "another program has it: take another port, as in -p %u:PORT",
				  port < 65535 ? port + 1u : 8080u);
	if (number == EACCES)
		return error_hint(
			err, "ports below 1024 need root: take a higher one, as in -p 8080:PORT");
	return -1;
}

static int open_listener(struct sandbox_port *p, int *out, struct error *err)
{
	const char *ip = p->host_ip && *p->host_ip ? p->host_ip : "127.0.0.1";
	struct sockaddr_storage a;
	socklen_t len;
	int on = 1;

	if (parse_address(ip, p->host_port, &a, &len) < 0)
		return error_set(err, ERROR_USAGE, "publish a port: \"%s\" is not an IP address",
				 ip);
	AUTO_FD int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, BACKLOG) < 0)
		return listen_failed(ip, p->host_port, err);
	p->host_port = bound_port(fd);
	*out = take_fd(fd);
	return 0;
}

int forward_open(struct forward **out, struct sandbox_port *ports, size_t n, struct error *err)
{
	AUTO_PTR(forward) f = xcalloc(1, sizeof(*f));

	f->agent_fd = -1;
	f->listeners = xcalloc(n ? n : 1, sizeof(*f->listeners));
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0)
		return error_errno(err, "watch sockets");
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &f->listeners[i];

		l->watched.kind = WATCHED_LISTENER;
		l->container_port = ports[i].container_port;
		if (open_listener(&ports[i], &l->fd, err) < 0)
			return -1;
		f->n_listeners++;
	}
	*out = take_ptr(f);
	return 0;
}

/* Listeners are watched while there is room for another connection. */
static void set_accepting(struct forward *f, bool accept)
{
	if (f->accepting == accept)
		return;
	for (size_t i = 0; i < f->n_listeners; i++) {
		struct listener *l = &f->listeners[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &l->watched};

		(void)epoll_ctl(f->epoll_fd, accept ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->fd, &e);
	}
	f->accepting = accept;
}

static void update_accepting(struct forward *f)
{
	set_accepting(f, !f->finishing && f->agent_fd >= 0 && f->n_asked < MAX_ASKED &&
				 f->n_pumps < MAX_PUMPS);
}

void forward_start(struct forward *f, int agent_fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &f->agent};

	f->agent.kind = WATCHED_AGENT;
	f->agent_fd = agent_fd;
	(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, agent_fd, &e);
	update_accepting(f);
}

int forward_fd(const struct forward *f)
{
	return f->epoll_fd;
}

static void unlink_pump(struct forward *f, struct pump *p)
{
	struct pump **at = &f->pumps;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	f->n_pumps--;
	if (p->asked)
		f->n_asked--;
	pump_free(p);
}

static void take_connection(struct forward *f, const struct listener *l)
{
	struct request q = {.kind = REQUEST_CONNECT, .value = l->container_port};
	int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pump *p;

	if (client < 0) {
		/* Out of descriptors: the next connection that ends makes room, others wait in the backlog. */
		if ((errno == EMFILE || errno == ENFILE) && f->n_pumps > 0)
			set_accepting(f, false);
		return;
	}
	q.id = ++f->last_id;
	if (send(f->agent_fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(q)) {
		close(client);
		return;
	}
	p = pump_new(f->epoll_fd, client, q.id);
	p->next = f->pumps;
	f->pumps = p;
	f->n_pumps++;
	f->n_asked++;
}

static int receive_answer(int agent_fd, struct answer *a, int *fd)
{
	ssize_t n = fd_message_receive(agent_fd, a, sizeof(*a), MSG_DONTWAIT, fd);

	if (n == (ssize_t)sizeof(*a))
		return 1;
	return n < 0 && errno == EAGAIN ? -1 : 0;
}

static void serve_agent(struct forward *f)
{
	struct answer a;
	struct pump *p;
	int fd, got = receive_answer(f->agent_fd, &a, &fd);

	if (got < 0)
		return;
	if (got == 0) {
		/* The namespace is gone, and with it everything that could be connected to. */
		(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, f->agent_fd, NULL);
		f->agent_fd = -1;
		return;
	}
	for (p = f->pumps; p && !(p->asked && p->id == a.id); p = p->next)
		;
	if (!p) {
		if (fd >= 0)
			close(fd);
		return;
	}
	p->asked = false;
	f->n_asked--;
	if (fd < 0 || pump_connect(p, fd) < 0)
		unlink_pump(f, p);
}

void forward_serve(struct forward *f)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(f->epoll_fd, events, EVENTS, 0);
	struct pump *next;

	for (int i = 0; i < n; i++) {
		struct watched *w = events[i].data.ptr;

		if (w->kind == WATCHED_LISTENER)
			take_connection(f, (struct listener *)w);
		else if (w->kind == WATCHED_AGENT)
			serve_agent(f);
		else
			pump_serve(w->pump);
	}
	/* Only now, since one round may have events for both ends of a connection. */
	for (struct pump *p = n > 0 ? f->pumps : NULL; p; p = next) {
		next = p->next;
		if (p->done)
			unlink_pump(f, p);
	}
	update_accepting(f);
}

/*
 * Those that nobody connects any more, or whose clients have been told of the other side's end: what they still say nobody hears.
 * The others may be further than we know: on a busy machine a server has answered and ended before we see its connection stand.
 */
static void drop_finished(struct forward *f)
{
	struct pump *next;

	for (struct pump *p = f->pumps; p; p = next) {
		next = p->next;
		if ((p->asked && f->agent_fd < 0) || p->inner.shut)
			unlink_pump(f, p);
	}
}

void forward_finish(struct forward *f)
{
	int64_t until = time_monotonic_ns() + FINISH_MS * 1000000ll;
	struct pollfd ready = {.fd = f->epoll_fd, .events = POLLIN};

	f->finishing = true;
	update_accepting(f);
	for (drop_finished(f); f->pumps && time_monotonic_ns() < until; drop_finished(f)) {
		if (poll(&ready, 1, STALL_MS) <= 0)
			break;
		forward_serve(f);
	}
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	while (f->pumps)
		unlink_pump(f, f->pumps);
	for (size_t i = 0; i < f->n_listeners; i++)
		close(f->listeners[i].fd);
	free(f->listeners);
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	free(f);
}
