/* Connections passed on: in turn, past targets that refuse, refused when there is none; ends, slow readers, a thousand at once. */
#include "tests/unit/sandbox/forwarding_fixture.h"

/* Each direction ends by itself. */
static void test_half_close(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int server = server_at(&t), client, inner;

	set_targets(e, l, &t, 1);
	client = dial(port);
	inner = take(server);
	assert_int_equal(write(client, "question", 8), 8);
	shutdown(client, SHUT_WR);
	expect_bytes(inner, "question");
	expect_end(inner);
	assert_int_equal(write(inner, "answer", 6), 6);
	expect_bytes(client, "answer");
	shutdown(inner, SHUT_WR);
	expect_end(client);
	close(client);
	close(inner);
	close(server);
}

static void test_in_turn(void **state)
{
	struct engine *e = *state;
	struct forward_target t[3];
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int servers[3], clients[6];

	for (int i = 0; i < 3; i++)
		servers[i] = server_at(&t[i]);
	set_targets(e, l, t, 3);
	for (int i = 0; i < 6; i++)
		clients[i] = dial(port);
	for (int i = 0; i < 3; i++) {
		close(take(servers[i]));
		close(take(servers[i]));
	}
	for (int i = 0; i < 6; i++)
		close(clients[i]);
	for (int i = 0; i < 3; i++)
		close(servers[i]);
}

/* Two of three refuse: every connection arrives at the third. */
static void test_past_refusals(void **state)
{
	struct engine *e = *state;
	struct forward_target t[3];
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int deaf[2] = {deaf_at(&t[0]), deaf_at(&t[1])}, server = server_at(&t[2]);

	set_targets(e, l, t, 3);
	for (int i = 0; i < 9; i++) {
		int client = dial(port), inner = take(server);

		assert_int_equal(write(client, "x", 1), 1);
		expect_bytes(inner, "x");
		close(inner);
		expect_end(client);
		close(client);
	}
	close(server);
	close(deaf[0]);
	close(deaf[1]);
}

static void test_nobody(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int deaf = deaf_at(&t), client, server, inner;
	char byte;

	/* All refuse: a reset. */
	set_targets(e, l, &t, 1);
	client = dial(port);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	/* None at all: refused, and the port is kept. */
	set_targets(e, l, NULL, 0);
	assert_int_equal(dial(port), -1);
	assert_int_equal(errno, ECONNREFUSED);
	server = server_at(&t);
	set_targets(e, l, &t, 1);
	client = dial(port);
	assert_true(client >= 0);
	inner = take(server);
	/* What stands is not touched when its target goes, nor when the listener does. */
	set_targets(e, l, NULL, 0);
	pthread_mutex_lock(&e->lock);
	forward_remove_listener(e->f, l);
	pthread_mutex_unlock(&e->lock);
	assert_int_equal(write(client, "still", 5), 5);
	expect_bytes(inner, "still");
	assert_int_equal(dial(port), -1);
	close(client);
	expect_end(inner);
	close(inner);
	close(server);
	close(deaf);
}

/* Before the first targets are known connections wait. */
static void test_waits_for_targets(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int server = server_at(&t), client = dial(port), inner;

	assert_true(client >= 0);
	set_targets(e, l, &t, 1);
	inner = take(server);
	close(inner);
	expect_end(client);
	close(client);
	close(server);
}

/* An app that does not listen yet: the connection waits for it, up to a time; where nobody is to come, none waits. */
static void test_patience(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int deaf = deaf_at(&t), client, inner;
	int64_t start;
	char byte;

	pthread_mutex_lock(&e->lock);
	forward_set_patience(l, 600);
	pthread_mutex_unlock(&e->lock);
	set_targets(e, l, &t, 1);
	start = time_monotonic_ns();
	client = dial(port);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_in_range(time_monotonic_ns() - start, 500000000, PATIENCE * 1000000ll);
	close(client);
	pthread_mutex_lock(&e->lock);
	forward_set_patience(l, PATIENCE);
	pthread_mutex_unlock(&e->lock);
	client = dial(port);
	assert_int_equal(write(client, "early", 5), 5);
	usleep(200000);
	assert_int_equal(listen(deaf, 5), 0);
	inner = take(deaf);
	expect_bytes(inner, "early");
	close(inner);
	expect_end(client);
	close(client);
	shutdown(deaf, SHUT_RD);
	/* What waits is told when the last target goes. */
	client = dial(port);
	usleep(100000);
	set_targets(e, l, NULL, 0);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	close(client);
	close(deaf);
}

#define BIG (32u << 20)

struct writer {
	int fd;
	size_t sent;
	pthread_t thread;
};

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	AUTO_FREE char *block = xcalloc(1, 65536);

	while (w->sent < BIG) {
		ssize_t n = send(w->fd, block, 65536, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		__atomic_add_fetch(&w->sent, (size_t)n, __ATOMIC_SEQ_CST);
	}
	shutdown(w->fd, SHUT_WR);
	return NULL;
}

/* Who does not read stops who writes, not others; nothing is buffered without bound, nothing lost. */
static void test_slow_reader(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int server = server_at(&t), client, other, inner;
	AUTO_FREE char *block = xmalloc(65536);
	struct writer w = {0};
	size_t total = 0, before = 1;
	ssize_t n;

	set_targets(e, l, &t, 1);
	client = dial(port);
	w.fd = take(server);
	assert_int_equal(pthread_create(&w.thread, NULL, writer_main, &w), 0);
	/* Until it goes no further. */
	while (before != __atomic_load_n(&w.sent, __ATOMIC_SEQ_CST)) {
		before = __atomic_load_n(&w.sent, __ATOMIC_SEQ_CST);
		usleep(200000);
	}
	assert_true(before < BIG);
	other = dial(port);
	inner = take(server);
	assert_int_equal(write(other, "quick", 5), 5);
	expect_bytes(inner, "quick");
	close(other);
	close(inner);
	while ((n = recv(client, block, 65536, 0)) > 0)
		total += (size_t)n;
	assert_int_equal(total, BIG);
	pthread_join(w.thread, NULL);
	close(client);
	close(w.fd);
	close(server);
}

#define MANY 1000

static void test_a_thousand(void **state)
{
	struct engine *e = *state;
	struct forward_target t;
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int server = server_at(&t), *clients = xcalloc(MANY, sizeof(int)),
	    *inners = xcalloc(MANY, sizeof(int));

	set_targets(e, l, &t, 1);
	for (int i = 0; i < MANY; i++) {
		uint32_t number = (uint32_t)i;

		clients[i] = dial(port);
		assert_true(clients[i] >= 0);
		assert_int_equal(write(clients[i], &number, sizeof(number)), sizeof(number));
	}
	/* All stand at once; each is led by itself. */
	for (int i = 0; i < MANY; i++) {
		uint32_t number;
		int fd = take(server);

		assert_int_equal(recv(fd, &number, sizeof(number), MSG_WAITALL), sizeof(number));
		assert_true(number < MANY && inners[number] == 0);
		inners[number] = fd;
	}
	/* Every third is cut by its client, every other third by the server: the rest does not mind. */
	for (int i = 0; i < MANY; i++)
		if (i % 3 != 2)
			close(i % 3 == 0 ? clients[i] : inners[i]);
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			expect_end(inners[i]);
		if (i % 3 == 1)
			expect_end(clients[i]);
		if (i % 3 == 2) {
			assert_int_equal(write(inners[i], "back", 4), 4);
			expect_bytes(clients[i], "back");
			close(clients[i]);
		}
		close(i % 3 == 1 ? clients[i] : inners[i]);
	}
	free(clients);
	free(inners);
	close(server);
}

/* Waits until the engine has led n connections to the agent. */
static void await_connections(struct engine *e, const struct forward_agent *a, size_t n)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000ll;
	size_t now = n + 1;

	while (now != n && time_monotonic_ns() < until) {
		pthread_mutex_lock(&e->lock);
		now = forward_agent_connections(a);
		pthread_mutex_unlock(&e->lock);
		usleep(1000);
	}
	assert_int_equal(now, n);
}

/* An agent that says no, one that never answers and then goes, and this machine: connections end up here. */
static void test_agents(void **state)
{
	struct engine *e = *state;
	struct forward_target t[2];
	uint16_t port;
	struct forward_listener *l = listen_at(e, &port);
	int server = server_at(&t[1]), pair[2], client, inner;
	struct forward_agent *a;
	struct request q;
	struct answer no = {.number = ECONNREFUSED};
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pthread_mutex_lock(&e->lock);
	a = forward_add_agent(e->f, pair[0]);
	pthread_mutex_unlock(&e->lock);
	t[0] = (struct forward_target){.agent = a, .address = htonl(0x7f400002), .port = 3000};
	set_targets(e, l, t, 2);
	client = dial(port);
	assert_int_equal(recv(pair[1], &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(q.kind, REQUEST_CONNECT);
	assert_int_equal(q.value, 3000);
	assert_int_equal(q.address, htonl(0x7f400002));
	await_connections(e, a, 1);
	no.id = q.id;
	assert_int_equal(send(pair[1], &no, sizeof(no), 0), sizeof(no));
	inner = take(server);
	await_connections(e, a, 0);
	close(inner);
	close(client);
	/* The turn of this machine, and of the agent again. */
	close(dial(port));
	close(take(server));
	client = dial(port);
	assert_int_equal(recv(pair[1], &q, sizeof(q), 0), sizeof(q));
	close(pair[1]);
	inner = take(server);
	close(inner);
	expect_end(client);
	close(client);
	/* With it alone there is nobody: said at once. */
	set_targets(e, l, t, 1);
	client = dial(port);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	close(client);
	pthread_mutex_lock(&e->lock);
	forward_remove_agent(e->f, a);
	pthread_mutex_unlock(&e->lock);
	assert_int_equal(dial(port), -1);
	close(pair[0]);
	close(server);
}

/* An agent that nobody hears from keeps its own listener waiting, no other. */
static void test_silent_agent(void **state)
{
	struct engine *e = *state;
	struct forward_target t[2];
	uint16_t ports[2];
	struct forward_listener *l = listen_at(e, &ports[0]), *other = listen_at(e, &ports[1]);
	int server = server_at(&t[1]), pair[2], clients[100], client;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pthread_mutex_lock(&e->lock);
	t[0] = (struct forward_target){
		.agent = forward_add_agent(e->f, pair[0]), .address = LOOPBACK, .port = 1};
	pthread_mutex_unlock(&e->lock);
	set_targets(e, l, &t[0], 1);
	set_targets(e, other, &t[1], 1);
	for (int i = 0; i < 100; i++)
		clients[i] = dial(ports[0]);
	client = dial(ports[1]);
	close(take(server));
	expect_end(client);
	close(client);
	for (int i = 0; i < 100; i++)
		close(clients[i]);
	pthread_mutex_lock(&e->lock);
	forward_remove_agent(e->f, t[0].agent);
	pthread_mutex_unlock(&e->lock);
	close(pair[0]);
	close(pair[1]);
	close(server);
}

/* Without a descriptor nothing turns in a circle, and who waits is served as soon as there is one. */
static void test_without_descriptors(void **state)
{
	struct forward *f;
	struct forward_listener *l;
	struct forward_target t;
	int server = server_at(&t), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int taken[64], n_taken = 0;
	uint16_t port = free_port();
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = LOOPBACK};
	struct pollfd waits = {.events = POLLIN}, there = {.fd = server, .events = POLLIN};
	struct rlimit files, few;

	(void)state;
	assert_ok(forward_open(&f, err));
	assert_ok(forward_listen(f, "127.0.0.1", &port, &l, err));
	assert_ok(forward_set_targets(f, l, &t, 1, err));
	waits.fd = forward_fd(f);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = (struct rlimit){.rlim_cur = 64, .rlim_max = files.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n_taken < 64 && (taken[n_taken] = dup(client)) >= 0)
		n_taken++;
	assert_int_equal(connect(client, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(poll(&waits, 1, PATIENCE), 1);
	forward_serve(f);
	assert_int_equal(poll(&waits, 1, 0), 0);
	assert_true(forward_timeout(f) > 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	while (n_taken > 0)
		close(taken[--n_taken]);
	for (int i = 0; i < 1000 && poll(&there, 1, 0) == 0; i++) {
		poll(&waits, 1, forward_timeout(f));
		forward_serve(f);
	}
	assert_int_equal(there.revents, POLLIN);
	forward_free(f);
	close(client);
	close(server);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		T(test_half_close),
		T(test_in_turn),
		T(test_past_refusals),
		T(test_nobody),
		T(test_slow_reader),
		T(test_a_thousand),
		T(test_waits_for_targets),
		T(test_patience),
		T(test_agents),
		T(test_silent_agent),
		cmocka_unit_test(test_without_descriptors),
	};
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
