/*
 * Slow clients. libmicrohttpd's own timeout begins anew with every byte, so one byte a minute would hold a place for ever: the
 * kernel is asked instead how much moved on each socket.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/time.h"
#include "net/server_private.h"

/* The first byte of a TLS record that begins a connection (RFC 8446, 5.1). */
#define TLS_HANDSHAKE 22
/* A request follows its connection sooner, also with a TLS handshake before it. */
#define YOUNG_NS 500000000ll

/* Received and acknowledged; with what TLS adds, which is little. */
static int64_t moved(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return (int64_t)(info.tcpi_bytes_acked + info.tcpi_bytes_received);
}

struct watched *watch_find(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void unlink_watched(struct server *s, struct watched *w)
{
	*(w->prev ? &w->prev->next : &s->first) = w->next;
	if (w->next)
		w->next->prev = w->prev;
}

static void link_watched(struct server *s, struct watched *w)
{
	w->next = s->first;
	if (w->next)
		w->next->prev = w;
	s->first = w;
}

/* Its thread wakes up, sees the end, and cleans up. */
static void end(struct watched *w)
{
	shutdown(w->fd, SHUT_RDWR);
	w->busy = true;
	w->working = true;
	w->spare_ns = 0;
	w->ended = true;
}

/* IPv4 as mapped into IPv6 (RFC 4291, 2.5.5.2); of IPv6 the 64 bits that a provider gives to one customer. */
static void set_peer(uint8_t peer[PEER_SIZE], const struct sockaddr *from)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(peer, 0, PEER_SIZE);
	if (from && from->sa_family == AF_INET) {
		memcpy(peer, mapped, sizeof(mapped));
		memcpy(peer + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;

		memcpy(peer, a, IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_LOOPBACK(a) ? 16 : 8);
	}
}

static bool is_loopback(const uint8_t peer[PEER_SIZE])
{
	struct in6_addr a;

	memcpy(&a, peer, sizeof(a));
	return IN6_IS_ADDR_LOOPBACK(&a) || (IN6_IS_ADDR_V4MAPPED(&a) && peer[12] == 127);
}

/* Before w is in the list: one peer does not take every place. Whoever is ended here has nothing under way. */
static void limit_peer(struct server *s, struct watched *w)
{
	size_t most = s->options.max_per_peer, n = 0;
	struct watched *longest = NULL;

	if (!most && is_loopback(w->peer))
		return;
	if (!most)
		most = s->options.max_connections / 2;
	for (struct watched *o = s->first; o; o = o->next) {
		if (o->ended || memcmp(o->peer, w->peer, PEER_SIZE) != 0)
			continue;
		n++;
		if (o->spare_ns && (!longest || o->spare_ns < longest->spare_ns))
			longest = o;
	}
	if (n >= most)
		end(longest ? longest : w);
}

/*
 * The place of the one that is spare longest, when half are taken: to end one takes a moment. Its request may be on its way; the young go only
 * when there is little room left.
 */
static void make_room(struct server *s, int64_t now)
{
	size_t most = s->options.max_connections;
	int64_t before = s->n_connections < most - most / 4 ? now - YOUNG_NS : now;
	struct watched *longest = NULL;

	if (s->n_connections < most / 2)
		return;
	for (struct watched *w = s->first; w; w = w->next)
		if (w->spare_ns && w->spare_ns <= before &&
		    (!longest || w->spare_ns < longest->spare_ns))
			longest = w;
	if (longest)
		end(longest);
}

/*
 * Clients that try TLS first, as docker does, go on without when the answer is HTTP (RFC 9110 says nothing of it, all servers do
 * it). libmicrohttpd hangs up on many a ClientHello instead. The listener is told to hand out connections with their first bytes.
 */
static void refuse_tls(const struct server *s, int fd)
{
	static const char answer[] = "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n"
				     "Content-Type: text/plain\r\n\r\n"
				     "This is HTTP; the client speaks TLS.\n";
	unsigned char first = 0;
	char rest[4096];

	if (s->options.certificate || recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1 ||
	    first != TLS_HANDSHAKE)
		return;
	/* Bytes that nobody has read would turn the end into a reset, and take the answer along. */
	while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
	(void)!send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
}

void watch_connection(void *arg, struct MHD_Connection *connection, void **context,
		      enum MHD_ConnectionNotificationCode code)
{
	struct server *s = arg;
	struct watched *w = *context;
	const union MHD_ConnectionInfo *info;

	pthread_mutex_lock(&s->lock);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		w = xcalloc(1, sizeof(*w));
		w->fd = info->connect_fd;
		w->since_ns = w->spare_ns = time_monotonic_ns();
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
		set_peer(w->peer, info ? info->client_addr : NULL);
		limit_peer(s, w);
		make_room(s, w->since_ns);
		link_watched(s, w);
		s->n_connections++;
		*context = w;
		refuse_tls(s, w->fd);
	} else if (w) {
		unlink_watched(s, w);
		s->n_connections--;
		free(w);
		*context = NULL;
	}
	pthread_mutex_unlock(&s->lock);
}

void watch_working(struct server *s, struct MHD_Connection *connection, bool working)
{
	struct watched *w = watch_find(connection);
	int64_t now = time_monotonic_ns();

	if (!w)
		return;
	pthread_mutex_lock(&s->lock);
	if (!w->busy) {
		w->busy = true;
		w->spare_ns = 0;
		stall_begin(&w->stall, now);
		w->stall.mark_bytes = moved(w->fd);
	}
	/* What we take ourselves is not the client's time. */
	if (w->working && !working)
		w->stall.mark_ns += now - w->since_ns;
	w->since_ns = now;
	w->working = working;
	pthread_mutex_unlock(&s->lock);
}

void watch_dropping(struct server *s, struct MHD_Connection *connection, bool dropping)
{
	struct watched *w = watch_find(connection);

	if (!w)
		return;
	pthread_mutex_lock(&s->lock);
	if (!dropping || !w->spare_ns)
		w->spare_ns = dropping ? time_monotonic_ns() : 0;
	pthread_mutex_unlock(&s->lock);
}

void watch_idle(struct server *s, struct MHD_Connection *connection)
{
	struct watched *w = watch_find(connection);

	if (!w)
		return;
	pthread_mutex_lock(&s->lock);
	w->busy = w->working = false;
	w->since_ns = w->spare_ns = time_monotonic_ns();
	pthread_mutex_unlock(&s->lock);
}

static bool is_too_slow(const struct server *s, struct watched *w, int64_t now)
{
	int64_t limit = s->options.idle_ms * 1000000ll;

	if (w->working)
		return false;
	return w->busy ? stall_check(&w->stall, now, moved(w->fd), false, limit)
		       : now - w->since_ns > limit;
}

void watch_look(struct server *s)
{
	int64_t now = time_monotonic_ns();

	pthread_mutex_lock(&s->lock);
	for (struct watched *w = s->first; w; w = w->next)
		if (is_too_slow(s, w, now))
			end(w);
	pthread_mutex_unlock(&s->lock);
}

bool watch_is_busy(struct server *s)
{
	bool busy = false;

	pthread_mutex_lock(&s->lock);
	for (const struct watched *w = s->first; w; w = w->next)
		busy |= w->busy;
	pthread_mutex_unlock(&s->lock);
	return busy;
}
