#include "local/metadata_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/time.h"

#define EVENTS           32
#define MAX_REQUEST      8192
#define MAX_CLIENTS      512
#define MAX_TASK_CLIENTS 32
#define PATIENCE_MS      10000 /* for a whole connection */

enum peer_kind { PEER_LISTENER, PEER_CLIENT };

struct peer {
	enum peer_kind kind;
	struct peer *next;
	char *task_id;
	int fd;
	/* clients: */
	struct strbuf in, out;
	size_t sent;
	bool answered;
	int64_t until; /* monotonic, ns */
	uint64_t id;
};

struct metadata_server {
	metadata_answer *answer;
	void *arg;
	pthread_mutex_t lock;
	int epoll_fd;
	int spare_fd;       /* given up to turn a client away when there is no other descriptor */
	struct peer *peers; /* a list */
	size_t n_clients;
	uint64_t last_id;
};

int metadata_server_open(struct metadata_server **out, metadata_answer *answer, void *arg,
			 struct error *err)
{
	AUTO_PTR(metadata_server) m = xcalloc(1, sizeof(*m));

	pthread_mutex_init(&m->lock, NULL);
	m->answer = answer;
	m->arg = arg;
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	m->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (m->epoll_fd < 0 || m->spare_fd < 0)
		return error_errno(err, "watch sockets");
	*out = take_ptr(m);
	return 0;
}

static struct peer *add_peer(struct metadata_server *m, enum peer_kind kind, const char *task_id,
			     int fd)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};

	p->kind = kind;
	p->fd = fd;
	p->task_id = xstrdup(task_id);
	p->id = ++m->last_id;
	strbuf_init(&p->in);
	strbuf_init(&p->out);
	p->next = m->peers;
	m->peers = p;
	m->n_clients += kind == PEER_CLIENT;
	(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &e);
	return p;
}

static void drop_peer(struct metadata_server *m, struct peer *p)
{
	struct peer **at = &m->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	m->n_clients -= p->kind == PEER_CLIENT;
	/* The process that made the listener may still hold it for a moment: closing alone does not end the watch. */
	(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
	close(p->fd);
	strbuf_release(&p->in);
	strbuf_release(&p->out);
	free(p->task_id);
	free(p);
}

void metadata_server_add(struct metadata_server *m, const char *task_id, int listener)
{
	pthread_mutex_lock(&m->lock);
	add_peer(m, PEER_LISTENER, task_id, listener);
	pthread_mutex_unlock(&m->lock);
}

void metadata_server_remove(struct metadata_server *m, const char *task_id)
{
	struct peer *next;

	pthread_mutex_lock(&m->lock);
	for (struct peer *p = m->peers; p; p = next) {
		next = p->next;
		if (strcmp(p->task_id, task_id) == 0)
			drop_peer(m, p);
	}
	pthread_mutex_unlock(&m->lock);
}

int metadata_server_fd(const struct metadata_server *m)
{
	return m->epoll_fd;
}

static size_t clients_of(const struct metadata_server *m, const char *task_id)
{
	size_t n = 0;

	for (const struct peer *p = m->peers; p; p = p->next)
		n += p->kind == PEER_CLIENT && strcmp(p->task_id, task_id) == 0;
	return n;
}

/* Left in the backlog it would wake us over and over. */
static void turn_away(struct metadata_server *m, const struct peer *listener)
{
	int fd;

	close(m->spare_fd);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	m->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void take_client(struct metadata_server *m, const struct peer *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(m, listener);
		return;
	}
	if (m->n_clients >= MAX_CLIENTS || clients_of(m, listener->task_id) >= MAX_TASK_CLIENTS) {
		close(fd);
		return;
	}
	add_peer(m, PEER_CLIENT, listener->task_id, fd)->until = time_monotonic_ns() +
								 PATIENCE_MS * 1000000ll;
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return status < 500 ? "Refused" : "Internal Server Error";
	}
}

static void set_answer(struct peer *p, int status, const char *json, bool head_only)
{
	size_t len = json ? strlen(json) : 0;

	p->answered = true;
	strbuf_printf(&p->out,
		      "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		      "Connection: close\r\n\r\n",
		      status, reason_of(status), len);
	if (!head_only && json)
		strbuf_add(&p->out, json, len);
}

struct question {
	int status; /* 0: to be asked */
	bool head_only;
	char *path; /* free() */
};

/* The first line: "GET /v4/id/task HTTP/1.1" (RFC 9112, 3). */
static struct question read_question(const struct strbuf *in)
{
	struct question q = {.status = 400};
	const char *at = in->buf, *end = at + strcspn(at, "\r\n");
	size_t method = strcspn(at, " \r\n"), len;

	q.head_only = method == 4 && memcmp(at, "HEAD", 4) == 0;
	if (!q.head_only && !(method == 3 && memcmp(at, "GET", 3) == 0)) {
		q.status = 405;
		return q;
	}
	at += method + (at[method] == ' ');
	len = strcspn(at, " ?\r\n");
	if (at[0] != '/' || end - at < 9 || memcmp(end - 9, " HTTP/1.", 8) != 0)
		return q;
	q.status = 0;
	q.path = xstrndup(at, len);
	return q;
}

/* The whole head is there, or is too long. */
static bool head_is_whole(const struct peer *p)
{
	return p->in.len >= MAX_REQUEST || strstr(p->in.buf, "\r\n\r\n") ||
	       strstr(p->in.buf, "\n\n") || strlen(p->in.buf) < p->in.len;
}

static struct peer *find_client(struct metadata_server *m, uint64_t id)
{
	struct peer *p = m->peers;

	while (p && p->id != id)
		p = p->next;
	return p;
}

/* Asks without the lock: who answers may have one of its own. The client may be gone after that. */
static struct peer *ask(struct metadata_server *m, struct peer *p, const struct question *q)
{
	AUTO_FREE char *task_id = xstrdup(p->task_id);
	AUTO_FREE char *json = NULL;
	uint64_t id = p->id;
	int status = 500;

	pthread_mutex_unlock(&m->lock);
	m->answer(m->arg, task_id, q->path, &status, &json);
	pthread_mutex_lock(&m->lock);
	p = find_client(m, id);
	if (p)
		set_answer(p, status, json, q->head_only);
	return p;
}

static struct peer *answer(struct metadata_server *m, struct peer *p)
{
	struct question q = {.status = 431};

	if (p->in.len < MAX_REQUEST)
		q = strlen(p->in.buf) < p->in.len ? (struct question){.status = 400}
						  : read_question(&p->in);
	if (q.status == 0)
		p = ask(m, p, &q);
	else
		set_answer(p, q.status, NULL, q.head_only);
	free(q.path);
	return p;
}

/* False: the client is through. */
static bool write_answer(struct metadata_server *m, struct peer *p)
{
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = p};
	ssize_t n = send(p->fd, p->out.buf + p->sent, p->out.len - p->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	p->sent += n > 0 ? (size_t)n : 0;
	if (p->sent == p->out.len) {
		/* What it still says is read away: closed over unread bytes, the answer might be lost. */
		(void)shutdown(p->fd, SHUT_WR);
		e.events = EPOLLIN;
	}
	return epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, p->fd, &e) == 0;
}

/* False: it has ended. */
static bool read_some(struct peer *p)
{
	char block[2048];
	size_t room = p->answered ? sizeof(block) : MAX_REQUEST - p->in.len;
	ssize_t n = recv(p->fd, block, room < sizeof(block) ? room : sizeof(block), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0 && !p->answered)
		strbuf_add(&p->in, block, (size_t)n);
	return n > 0;
}

/* True when the lock was let go. */
static bool serve_client(struct metadata_server *m, struct peer *p)
{
	bool asked = false, good = true;

	if (!p->answered || p->sent == p->out.len)
		good = read_some(p);
	if (good && !p->answered && head_is_whole(p)) {
		asked = true;
		p = answer(m, p);
	}
	if (p && good && p->answered && p->sent < p->out.len)
		good = write_answer(m, p);
	if (p && !good)
		drop_peer(m, p);
	return asked;
}

/* Those that take too long go. */
static int sweep(struct metadata_server *m)
{
	int64_t now = time_monotonic_ns(), next = INT64_MAX;
	struct peer *after;

	for (struct peer *p = m->peers; p; p = after) {
		after = p->next;
		if (p->kind != PEER_CLIENT)
			continue;
		if (p->until <= now)
			drop_peer(m, p);
		else if (p->until < next)
			next = p->until;
	}
	return next == INT64_MAX ? -1 : (int)((next - now) / 1000000) + 1;
}

int metadata_server_serve(struct metadata_server *m)
{
	struct epoll_event events[EVENTS];
	int n, timeout;

	pthread_mutex_lock(&m->lock);
	n = epoll_wait(m->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;

		if (p->kind == PEER_LISTENER)
			take_client(m, p);
		else if (serve_client(m, p))
			break; /* others may be gone meanwhile: what they have is told again */
	}
	timeout = sweep(m);
	pthread_mutex_unlock(&m->lock);
	return timeout;
}

void metadata_server_free(struct metadata_server *m)
{
	if (!m)
		return;
	while (m->peers)
		drop_peer(m, m->peers);
	if (m->epoll_fd >= 0)
		close(m->epoll_fd);
	if (m->spare_fd >= 0)
		close(m->spare_fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
