#include "net/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/time.h"
#include "tests/unit/base/testing.h"

/*
 * A handler for all paths: /echo gives the body back, /file eight bytes of this program, /early answers before the body, /slow takes 300 ms,
 * /headers says what it was given, /drop closes.
 */
struct ground {
	struct server *server;
	atomic_int begun, released;
};

struct call {
	struct ground *ground;
	struct strbuf body;
};

static void *on_begin(void *arg, struct server_request *r)
{
	struct ground *g = arg;
	struct call *c = xcalloc(1, sizeof(*c));

	c->ground = g;
	strbuf_init(&c->body);
	atomic_fetch_add(&g->begun, 1);
	if (strcmp(server_request_target(r), "/early") == 0)
		server_answer(r, 403, "no", 2);
	if (strcmp(server_request_target(r), "/drop") == 0)
		server_drop(r);
	return c;
}

static void on_body(void *call, struct server_request *r, const void *data, size_t len)
{
	struct call *c = call;

	(void)r;
	strbuf_add(&c->body, data, len);
}

static void answer_file(struct server_request *r)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	server_answer_file(r, 206, fd, 1, 3);
}

static void on_end(void *call, struct server_request *r)
{
	struct call *c = call;

	if (strcmp(server_request_target(r), "/file?a=%2f") == 0) {
		answer_file(r);
		return;
	}
	if (strcmp(server_request_target(r), "/slow") == 0)
		cancel_sleep(NULL, 300000000, NULL);
	server_add_headerf(r, "X-Length", "%lld", (long long)server_request_length(r));
	server_add_headerf(r, "X-Count", "%zu", server_request_count_header(r, "x-twice"));
	server_add_header(r, "X-Method", server_request_method(r));
	server_answer(r, 200, c->body.buf, c->body.len);
	server_answer(r, 500, "the first one counts", 20);
}

static void on_release(void *call)
{
	struct call *c = call;

	atomic_fetch_add(&c->ground->released, 1);
	strbuf_release(&c->body);
	free(c);
}

static struct ground *start_limited(size_t places, size_t per_peer, int idle_ms)
{
	struct ground *g = xcalloc(1, sizeof(*g));
	struct server_options o = {
		.address = "127.0.0.1",
		.max_connections = places,
		.max_per_peer = per_peer,
		.idle_ms = idle_ms,
		.handler = {on_begin, on_body, on_end, on_release, NULL, g},
	};

	assert_ok(server_listen(&g->server, &o, err));
	return g;
}

static struct ground *start(size_t places, int idle_ms)
{
	return start_limited(places, 0, idle_ms);
}

static void stop(struct ground *g)
{
	server_free(g->server);
	assert_int_equal(g->begun, g->released);
	free(g);
}

static int dial_from(struct ground *g, const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)server_port(g->server))};
	struct timeval limit = {.tv_sec = 5};
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static int dial(struct ground *g)
{
	return dial_from(g, "127.0.0.1");
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything until the server closes, or nothing comes for 5 s. */
static void hear(int fd, struct strbuf *out)
{
	char buf[4096];
	ssize_t n;

	strbuf_reset(out);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		strbuf_add(out, buf, (size_t)n);
	close(fd);
}

static void ask(struct ground *g, const char *text, struct strbuf *out)
{
	int fd = dial(g);

	say(fd, text);
	hear(fd, out);
}

static void assert_holds(const struct strbuf *got, const char *part)
{
	if (!strstr(got->buf, part))
		fail_msg("\"%s\" does not hold \"%s\"", got->buf, part);
}

static void test_answers(void **state)
{
	struct ground *g = start(0, 0);
	AUTO(strbuf) got = STRBUF_INIT;

	(void)state;
	ask(g,
	    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-Twice: 1\r\nX-Twice: 2\r\n"
	    "Connection: close\r\n\r\nabc",
	    &got);
	assert_holds(&got, "HTTP/1.1 200");
	assert_holds(&got, "X-Length: 3\r\n");
	assert_holds(&got, "X-Count: 2\r\n");
	assert_holds(&got, "\r\n\r\nabc");
	ask(g,
	    "PATCH /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	    &got);
	assert_holds(&got, "X-Length: -1\r\n");
	assert_holds(&got, "X-Method: PATCH\r\n");
	assert_holds(&got, "\r\n\r\nabcde");
	ask(g, "GET /file?a=%2f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &got);
	assert_holds(&got, "HTTP/1.1 206");
	assert_holds(&got, "\r\n\r\nELF");
	ask(g, "HEAD /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &got);
	assert_holds(&got, "HTTP/1.1 200");
	assert_true(str_ends(got.buf, "\r\n\r\n"));
	ask(g,
	    "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde",
	    &got);
	assert_holds(&got, "HTTP/1.1 403");
	ask(g,
	    "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
	    &got);
	assert_holds(&got, "HTTP/1.1 403");
	ask(g, "GET /drop HTTP/1.1\r\nHost: h\r\n\r\n", &got);
	assert_int_equal(got.len, 0);
	stop(g);
}

static void test_two_requests_on_a_connection(void **state)
{
	struct ground *g = start(0, 0);
	AUTO(strbuf) got = STRBUF_INIT;

	(void)state;
	ask(g,
	    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\noneGET /echo HTTP/1.1\r\nHost: h\r\n"
	    "Connection: close\r\n\r\n",
	    &got);
	assert_holds(&got, "one");
	assert_holds(&got, "X-Method: GET");
	assert_int_equal(g->begun, 2);
	stop(g);
}

struct waiting {
	struct server *server;
	struct cancel cancel;
};

static void *wait_thread(void *arg)
{
	struct waiting *w = arg;

	server_wait(w->server, &w->cancel);
	return NULL;
}

/* Who says nothing, who sends half a request, and who drips a body are ended; who waits for us is not. */
static void test_slow_clients(void **state)
{
	struct ground *g = start(0, 600);
	struct waiting w = {g->server, {.wake_fd = -1}};
	AUTO(strbuf) got = STRBUF_INIT;
	int silent = dial(g), half = dial(g), drip = dial(g);
	int64_t begin = time_monotonic_ns();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_thread, &w), 0);
	say(half, "GET /echo HTTP/1.1\r\nHo");
	say(drip, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 400; i++)
		if (send(drip, "x", 1, MSG_NOSIGNAL) < 0)
			break;
		else
			cancel_sleep(NULL, 50000000, NULL);
	assert_true(time_monotonic_ns() - begin < 15000000000ll);
	hear(silent, &got);
	assert_int_equal(got.len, 0);
	hear(half, &got);
	hear(drip, &got);
	ask(g, "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &got);
	assert_holds(&got, "HTTP/1.1 200");
	cancel_note(&w.cancel, 15);
	pthread_join(thread, NULL);
	stop(g);
}

static void test_places(void **state)
{
	struct ground *g = start(8, 0);
	AUTO(strbuf) got = STRBUF_INIT;
	int silent[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		silent[i] = dial(g);
	/* A burst fills every place for a moment. */
	for (int tries = 0; tries < 100 && !str_starts(got.buf, "HTTP/1.1 200"); tries++) {
		cancel_sleep(NULL, 50000000, NULL);
		ask(g, "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &got);
	}
	assert_holds(&got, "HTTP/1.1 200");
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
	stop(g);
}

/* Nothing more comes: the server has closed it. Else it waits for us. */
static bool is_closed(int fd)
{
	struct timeval soon = {.tv_usec = 300000};
	char c;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	return recv(fd, &c, 1, 0) == 0;
}

/* One address has four places; another is not in its way. */
static void test_places_of_one_peer(void **state)
{
	static const char request[] = "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char half[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx";
	struct ground *g = start_limited(64, 4, 0);
	int idle[4], busy[4], late, other;
	char answer[1024];

	(void)state;
	other = dial_from(g, "127.0.0.2");
	say(other, half);
	for (size_t i = 0; i < 4; i++) {
		idle[i] = dial(g);
		say(idle[i], request);
		assert_true(recv(idle[i], answer, sizeof(answer), 0) > 0);
		/* The server notes the end of a request after its answer. */
		cancel_sleep(NULL, 50000000, NULL);
	}
	/* Each that comes takes the place of the one that waits longest. */
	for (size_t i = 0; i < 4; i++) {
		busy[i] = dial(g);
		say(busy[i], half);
		assert_true(is_closed(idle[i]));
		for (int tries = 0; tries < 5000 && g->begun < 6 + (int)i; tries++)
			cancel_sleep(NULL, 1000000, NULL);
	}
	/* And when all are at work it has to go itself. */
	late = dial(g);
	say(late, request);
	assert_true(is_closed(late));
	assert_false(is_closed(busy[0]));
	say(busy[0], "12345678");
	assert_true(recv(busy[0], answer, sizeof(answer), 0) > 0);
	say(other, "12345678");
	assert_true(recv(other, answer, sizeof(answer), 0) > 0);
	for (size_t i = 0; i < 4; i++) {
		close(idle[i]);
		close(busy[i]);
	}
	close(late);
	close(other);
	stop(g);
}

static void *ask_slowly(void *arg)
{
	AUTO(strbuf) got = STRBUF_INIT;

	ask(arg, "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &got);
	assert_holds(&got, "HTTP/1.1 200");
	return NULL;
}

static void test_stopping_waits_for_requests(void **state)
{
	struct ground *g = start(0, 0);
	int64_t begin = time_monotonic_ns();
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_slowly, g), 0);
	while (g->begun < (int)ARRAY_SIZE(threads))
		cancel_sleep(NULL, 1000000, NULL);
	server_stop(g->server, 100000, NULL);
	assert_true(time_monotonic_ns() - begin < 60000000000ll);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	stop(g);
}

static void test_stopping_gives_up(void **state)
{
	struct ground *g = start(0, 0);
	int64_t begin = time_monotonic_ns();
	int fd = dial(g);

	(void)state;
	say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx");
	while (!g->begun)
		cancel_sleep(NULL, 1000000, NULL);
	server_stop(g->server, 200, NULL);
	assert_true(time_monotonic_ns() - begin < 20000000000ll);
	close(fd);
	stop(g);
}

static void test_refused_addresses(void **state)
{
	struct ground *g = start(0, 0);
	struct server_options o = {.address = "127.0.0.1", .port = server_port(g->server)};
	struct server *s = NULL;

	(void)state;
	assert_error(server_listen(&s, &o, err), ERROR_SYSTEM, "in use");
	o.address = "example.com";
	assert_error(server_listen(&s, &o, err), ERROR_USAGE, "IP address");
	o = (struct server_options){.address = "127.0.0.1", .certificate = "x", .key = "y"};
	assert_error(server_listen(&s, &o, err), ERROR_SYSTEM, "certificate");
	stop(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_two_requests_on_a_connection),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_places_of_one_peer),
		cmocka_unit_test(test_stopping_waits_for_requests),
		cmocka_unit_test(test_stopping_gives_up),
		cmocka_unit_test(test_refused_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
