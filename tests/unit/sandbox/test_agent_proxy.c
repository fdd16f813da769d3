/* An SSH agent behind a filter: which messages reach it, in what pieces, and what becomes of bad ones. */
#include "sandbox/agent_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"

struct world {
	char *folder;
	int agent; /* where the agent listens */
	struct agent_proxy *proxy;
};

static struct sockaddr_un address_of(const struct world *w, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", w->folder, name);
	return a;
}

static int listen_at(const struct world *w, const char *name)
{
	const struct sockaddr_un a = address_of(w, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void world_init(struct world *w)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *path = NULL;

	*w = (struct world){.agent = -1};
	assert_int_equal(fs_make_temp_dir("/tmp", "agent-", &w->folder, &err), 0);
	w->agent = listen_at(w, "agent");
	assert_int_equal(agent_proxy_open(&w->proxy, &err), 0);
	path = xstrfmt("%s/agent", w->folder);
	assert_int_equal(agent_proxy_listen(w->proxy, listen_at(w, "step"), path, &err), 0);
}

static void world_release(struct world *w)
{
	agent_proxy_free(w->proxy);
	close(w->agent);
	fs_remove_tree(AT_FDCWD, w->folder, NULL);
	free(w->folder);
}

static void serve(struct world *w)
{
	struct pollfd p = {.fd = agent_proxy_fd(w->proxy), .events = POLLIN};

	for (int i = 0; i < 1000 && poll(&p, 1, 0) > 0; i++)
		agent_proxy_serve(w->proxy);
}

static int connect_step(struct world *w)
{
	const struct sockaddr_un a = address_of(w, "step");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	serve(w);
	return fd;
}

static int accept_agent(struct world *w)
{
	int fd = accept(w->agent, NULL, NULL);

	assert_true(fd >= 0);
	return fd;
}

/* The agent hears of nothing before a request that may be passed on. */
static void no_agent(const struct world *w)
{
	assert_int_equal(accept(w->agent, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect(int fd, const void *bytes, size_t len)
{
	char got[64];

	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), (ssize_t)len);
	assert_memory_equal(got, bytes, len);
}

static void expect_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void expect_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	/* With bytes that nobody read the end comes as a reset. */
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

static const char list_keys[] = {0, 0, 0, 1, 11};
static const char no_keys[] = {0, 0, 0, 5, 12, 0, 0, 0, 0};
static const char sign[] = {0, 0, 0, 3, 13, 'x', 'y'};

static void requests_go_there_and_back(void **state)
{
	struct world w;
	int step, agent;

	(void)state;
	world_init(&w);
	step = connect_step(&w);
	/* A byte at a time, both ways. */
	for (size_t i = 0; i < sizeof(list_keys); i++) {
		no_agent(&w);
		assert_int_equal(send(step, list_keys + i, 1, 0), 1);
		serve(&w);
	}
	agent = accept_agent(&w);
	expect(agent, list_keys, sizeof(list_keys));
	for (size_t i = 0; i < sizeof(no_keys); i++) {
		expect_nothing(step);
		assert_int_equal(send(agent, no_keys + i, 1, 0), 1);
		serve(&w);
	}
	expect(step, no_keys, sizeof(no_keys));
	/* The second of two at once waits for the answer to the first. */
	assert_int_equal(send(step, sign, sizeof(sign), 0), sizeof(sign));
	assert_int_equal(send(step, list_keys, sizeof(list_keys), 0), sizeof(list_keys));
	serve(&w);
	expect(agent, sign, sizeof(sign));
	assert_int_equal(send(agent, no_keys, sizeof(no_keys), 0), sizeof(no_keys));
	serve(&w);
	expect(agent, list_keys, sizeof(list_keys));
	expect(step, no_keys, sizeof(no_keys));
	close(step);
	close(agent);
	world_release(&w);
}

static void what_changes_the_agent_is_refused(void **state)
{
	static const char failure[] = {0, 0, 0, 1, 5}, extension[] = {0, 0, 0, 1, 28};
	struct world w;
	int step;

	(void)state;
	world_init(&w);
	step = connect_step(&w);
	for (int kind = 0; kind < 256; kind++) {
		const char request[] = {0, 0, 0, 2, (char)kind, 'x'};

		if (kind == 11 || kind == 13)
			continue;
		assert_int_equal(send(step, request, sizeof(request), 0), sizeof(request));
		serve(&w);
		expect(step, kind == 27 ? extension : failure, sizeof(failure));
		no_agent(&w);
	}
	close(step);
	world_release(&w);
}

static void bad_lengths_end_the_connection(void **state)
{
	const uint32_t over = LIMIT_AGENT_MESSAGE + 1;
	const char too_long[] = {(char)(over >> 24), (char)(over >> 16), (char)(over >> 8),
				 (char)over, 11};
	static const char empty[] = {0, 0, 0, 0};
	const struct {
		bool from_agent;
		const char *bytes;
		size_t len;
	} rows[] = {
		{false, too_long, sizeof(too_long)},
		{false, empty, sizeof(empty)},
		{true, too_long, sizeof(too_long)},
		{true, empty, sizeof(empty)},
		{true, no_keys, 6}, /* and then it ends */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		int step, agent = -1;

		world_init(&w);
		step = connect_step(&w);
		if (rows[i].from_agent) {
			assert_int_equal(send(step, list_keys, sizeof(list_keys), 0),
					 sizeof(list_keys));
			serve(&w);
			agent = accept_agent(&w);
			expect(agent, list_keys, sizeof(list_keys));
		}
		assert_int_equal(
			send(rows[i].from_agent ? agent : step, rows[i].bytes, rows[i].len, 0),
			(ssize_t)rows[i].len);
		if (agent >= 0)
			shutdown(agent, SHUT_WR);
		serve(&w);
		expect_end(step);
		close(step);
		if (agent >= 0)
			close(agent);
		world_release(&w);
	}
}

/* More than are served at once: the others wait, and get their turn. */
static void many_connections(void **state)
{
	enum { N = 300 };
	static int steps[N], agents[N];
	struct world w;
	size_t n = 0;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < N; i++) {
		steps[i] = connect_step(&w);
		assert_int_equal(send(steps[i], list_keys, sizeof(list_keys), 0),
				 sizeof(list_keys));
		serve(&w);
		agents[n] = accept(w.agent, NULL, NULL);
		n += agents[n] >= 0;
	}
	assert_true(n > 100 && n < N);
	for (size_t i = 0; i < n; i++) {
		close(steps[i]);
		close(agents[i]);
	}
	/* An end is noticed when something is read. */
	serve(&w);
	for (size_t i = n; i < N; i++) {
		int agent = accept_agent(&w);

		expect(agent, list_keys, sizeof(list_keys));
		close(steps[i]);
		close(agent);
		serve(&w);
	}
	world_release(&w);
}

/* An agent whose backlog is full gets the rest when it has taken some. */
static void an_agent_that_is_slow(void **state)
{
	enum { N = 150 }; /* listen_at() asks for a backlog of 64 */
	static int steps[N];
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < N; i++) {
		steps[i] = connect_step(&w);
		assert_int_equal(send(steps[i], list_keys, sizeof(list_keys), 0),
				 sizeof(list_keys));
		serve(&w);
	}
	for (size_t i = 0; i < N; i++) {
		struct pollfd p = {.fd = w.agent, .events = POLLIN};
		int agent;

		for (int tries = 0; poll(&p, 1, 0) == 0 && tries < 5000; tries++) {
			struct pollfd proxy = {.fd = agent_proxy_fd(w.proxy), .events = POLLIN};

			(void)poll(&proxy, 1, 1);
			serve(&w);
		}
		agent = accept_agent(&w);
		serve(&w);
		expect(agent, list_keys, sizeof(list_keys));
		close(agent);
	}
	for (size_t i = 0; i < N; i++)
		close(steps[i]);
	world_release(&w);
}

/* Nobody listens any more: the step is told by the end of its connection. */
static void an_agent_that_is_gone(void **state)
{
	struct world w;
	int step;

	(void)state;
	world_init(&w);
	close(w.agent);
	step = connect_step(&w);
	assert_int_equal(send(step, list_keys, sizeof(list_keys), 0), sizeof(list_keys));
	serve(&w);
	expect_end(step);
	close(step);
	w.agent = -1;
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_go_there_and_back),
		cmocka_unit_test(what_changes_the_agent_is_refused),
		cmocka_unit_test(bad_lengths_end_the_connection),
		cmocka_unit_test(many_connections),
		cmocka_unit_test(an_agent_that_is_slow),
		cmocka_unit_test(an_agent_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
