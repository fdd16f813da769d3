#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/time.h"
#include "net/server_private.h"

#define MAX_CONNECTIONS 256
#define IDLE_MS         60000
#define LOOK_MS         250
/* Headers, and the pieces in which bodies come. */
#define CONNECTION_MEMORY (128u << 10)
#define THREAD_STACK      (1u << 20)
/*
 * What is left of a body when its answer is known is read, or the client would see a broken connection instead. Unless all of it is left,
 * and that is much.
 */
#define EARLY_LIMIT (16 << 20)
#define DRAIN_LIMIT (1 << 30)
#define BACKLOG     128

static void request_free(struct server_request *r)
{
	if (!r)
		return;
	if (r->handled)
		r->server->options.handler.release(r->call);
	if (r->response)
		MHD_destroy_response(r->response);
	strlist_release(&r->headers);
	free(r->target);
	free(r);
}

bool server_is_answered(const struct server_request *r)
{
	return r->status != 0 || r->dropped;
}

void server_add_header(struct server_request *r, const char *name, const char *value)
{
	strlist_add(&r->headers, name);
	strlist_add(&r->headers, value);
}

void server_add_headerf(struct server_request *r, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *value = xstrvfmt(fmt, ap);
	va_end(ap);
	server_add_header(r, name, value);
}

static void answer_with(struct server_request *r, int status, struct MHD_Response *response)
{
	if (!response) {
		r->dropped = true;
		return;
	}
	for (size_t i = 0; i + 1 < r->headers.n; i += 2)
		MHD_add_response_header(response, r->headers.items[i], r->headers.items[i + 1]);
	r->response = response;
	r->status = status;
}

void server_answer(struct server_request *r, int status, const void *body, size_t len)
{
	union {
		const void *from;
		void *to;
	} data = {.from = body ? body : ""};

	if (!server_is_answered(r))
		answer_with(r, status,
			    MHD_create_response_from_buffer(len, data.to, MHD_RESPMEM_MUST_COPY));
}

void server_answer_file(struct server_request *r, int status, int fd, int64_t offset, int64_t len)
{
	if (len == 0 || server_is_answered(r)) {
		close(fd);
		server_answer(r, status, NULL, 0);
		return;
	}
	answer_with(r, status,
		    MHD_create_response_from_fd_at_offset64((uint64_t)len, fd, (uint64_t)offset));
	if (!r->response)
		close(fd);
}

void server_drop(struct server_request *r)
{
	r->dropped = true;
}

static enum MHD_Result queue_answer(struct server_request *r)
{
	if (r->dropped || r->queued)
		return MHD_NO;
	r->queued = true;
	return MHD_queue_response(r->connection, (unsigned)r->status, r->response);
}

/* A client that waits for "100 Continue", or has more to send than is worth reading, gets its answer at once. */
static bool answers_early(struct server_request *r)
{
	const char *expect = server_request_header(r, "Expect");

	return server_is_answered(r) && server_request_length(r) != 0 &&
	       (expect || server_request_length(r) > EARLY_LIMIT);
}

/*
 * The query is read by whoever serves. libmicrohttpd would take it apart as well, from the same bytes, and close the connection without
 * an answer when it has more parameters than there is memory for.
 */
static void cut_query(const char *target)
{
	union {
		const char *from;
		char *to;
	} mark = {strchr(target, '?')};

	if (mark.to)
		mark.to[1] = '\0';
}

static void *note_target(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct server_request *r = xcalloc(1, sizeof(*r));
	struct watched *w = watch_find(connection);

	if (w)
		w->request = r;
	r->server = arg;
	r->connection = connection;
	r->target = xstrdup(target);
	cut_query(target);
	return r;
}

static enum MHD_Result begin(struct server_request *r, const char *method)
{
	struct server *s = r->server;

	r->method = method;
	r->begun = true;
	/* Two lengths are how one request is smuggled in another. */
	if (server_request_count_header(r, "Content-Length") +
		    server_request_count_header(r, "Transfer-Encoding") >
	    1) {
		server_answer(r, 400, NULL, 0);
	} else {
		r->handled = true;
		r->call = s->options.handler.begin(s->options.handler.arg, r);
	}
	return answers_early(r) ? queue_answer(r) : r->dropped ? MHD_NO : MHD_YES;
}

static enum MHD_Result take_body(struct server_request *r, const char *data, size_t *len)
{
	size_t n = *len;

	*len = 0;
	if (!server_is_answered(r)) {
		r->server->options.handler.body(r->call, r, data, n);
		return r->dropped ? MHD_NO : MHD_YES;
	}
	watch_dropping(r->server, r->connection, true);
	r->drained += (int64_t)n;
	return r->dropped || r->drained > DRAIN_LIMIT ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **context)
{
	struct server_request *r = *context;
	struct server *s = arg;
	enum MHD_Result result;

	(void)url;
	(void)version;
	watch_working(s, connection, true);
	if (!r->begun) {
		result = begin(r, method);
	} else if (*len > 0) {
		result = take_body(r, data, len);
	} else {
		watch_dropping(s, connection, false);
		if (!server_is_answered(r))
			s->options.handler.end(r->call, r);
		result = queue_answer(r);
	}
	watch_working(s, connection, false);
	return result;
}

static void note_request(const struct server *s, const struct server_request *r)
{
	AUTO(strbuf) target = STRBUF_INIT;

	if (!r || !r->begun)
		return;
	strbuf_add_printable(&target, r->target, strlen(r->target), false);
	report_log(s->options.reporter, LOG_DEBUG, "%.16s %.500s: %d", r->method, target.buf,
		   r->status);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode why)
{
	struct watched *w = watch_find(connection);

	(void)why;
	if (w)
		w->request = NULL;
	note_request(arg, *context);
	request_free(*context);
	*context = NULL;
	watch_idle(arg, connection);
}

/* libmicrohttpd closes some connections without a word of their request, as one whose query has more parameters than it has memory for. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct watched *w = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED && w)
		request_free(take_ptr(w->request));
	watch_connection(arg, connection, context, code);
}

static void __attribute__((format(printf, 2, 0))) on_log(void *arg, const char *fmt, va_list ap)
{
	const struct server *s = arg;

	AUTO_FREE char *text = xstrvfmt(fmt, ap);

	text[strcspn(text, "\n")] = '\0';
	report_log(s->options.reporter, LOG_DEBUG, "http server: %s", text);
}

static int parse_address(const struct server_options *o, struct sockaddr_storage *out,
			 struct error *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, o->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)o->port);
	} else if (inet_pton(AF_INET6, o->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)o->port);
	} else {
		return error_set(err, ERROR_USAGE, "\"%s\" is no IP address to listen on",
				 o->address);
	}
	return 0;
}

static int open_socket(struct server *s, struct error *err)
{
	const struct server_options *o = &s->options;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int on = 1, wait = o->idle_ms / 1000 > 0 ? o->idle_ms / 1000 : 1;

	if (parse_address(o, &address, err) < 0)
		return -1;
	AUTO_FD int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "open a socket to listen on");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Who says nothing takes no place; see refuse_tls(). */
	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &wait, sizeof(wait));
	if (bind(fd, (struct sockaddr *)&address,
		 address.ss_family == AF_INET ? sizeof(struct sockaddr_in)
					      : sizeof(struct sockaddr_in6)) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return error_errno(err, "listen on %s port %d", o->address, o->port);
	s->port = ntohs(address.ss_family == AF_INET
				? ((struct sockaddr_in *)&address)->sin_port
				: ((struct sockaddr_in6 *)&address)->sin6_port);
	s->listen_fd = take_fd(fd);
	return 0;
}

static int start(struct server *s, struct error *err)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			 MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	union {
		const char *from;
		void *to;
	} certificate = {s->options.certificate}, key = {s->options.key},
	  priorities = {"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};

	if (s->options.certificate) {
		flags |= MHD_USE_TLS;
		tls[0].ptr_value = certificate.to;
		tls[1].ptr_value = key.to;
		tls[2].ptr_value = priorities.to;
	} else {
		tls[0].option = MHD_OPTION_END;
	}
	s->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
		MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)s->options.max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)((s->options.idle_ms + 999) / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK,
		MHD_OPTION_URI_LOG_CALLBACK, note_target, s, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (!s->daemon)
		return error_set(err, ERROR_SYSTEM, "start the HTTP server%s",
				 s->options.certificate
					 ? ": the certificate and the key are not a pair, or no PEM"
					 : "");
	return 0;
}

int server_listen(struct server **out, const struct server_options *o, struct error *err)
{
	AUTO_PTR(server) s = xcalloc(1, sizeof(*s));

	s->options = *o;
	s->listen_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	if (!s->options.max_connections)
		s->options.max_connections = MAX_CONNECTIONS;
	if (!s->options.idle_ms)
		s->options.idle_ms = IDLE_MS;
	if (o->certificate && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
		error_set(err, ERROR_UNSUPPORTED,
			  "TLS: the libmicrohttpd that slipway was built with has none");
		return error_hint(err, "let a proxy in front of it speak TLS, or use a slipway "
				       "that is not static (./dev build)");
	}
	if (open_socket(s, err) < 0 || start(s, err) < 0)
		return -1;
	*out = take_ptr(s);
	return 0;
}

int server_port(const struct server *s)
{
	return s->port;
}

static void nap(const struct cancel *cancel, int ms)
{
	struct pollfd wake = {.fd = cancel ? cancel->wake_fd : -1, .events = POLLIN};

	poll(&wake, 1, ms);
}

void server_wait(struct server *s, const struct cancel *cancel)
{
	const struct server_handler *handler = &s->options.handler;

	while (!cancel_requested(cancel)) {
		nap(cancel, LOOK_MS);
		watch_look(s);
		if (handler->look)
			handler->look(handler->arg);
	}
}

void server_stop(struct server *s, int grace_ms, const struct cancel *cancel)
{
	int64_t until = time_monotonic_ns() + grace_ms * 1000000ll;

	if (!s->daemon)
		return;
	if (MHD_quiesce_daemon(s->daemon) != MHD_INVALID_SOCKET) {
		close(s->listen_fd);
		s->listen_fd = -1;
	}
	/* The signal that ended the wait keeps wake_fd readable: we look instead of waiting for it. */
	while (watch_is_busy(s) && time_monotonic_ns() < until &&
	       (!cancel || __atomic_load_n(&cancel->count, __ATOMIC_RELAXED) < 2))
		nap(NULL, 10);
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	/* libmicrohttpd closes the socket that it still had. */
	s->listen_fd = -1;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	server_stop(s, 0, NULL);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
