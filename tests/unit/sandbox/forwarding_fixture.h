/* A forwarder that a thread serves, and both ends of what it forwards: for its tests. */
#pragma once

#include "sandbox/forward.h"

#include "tests/unit/base/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "sandbox/host_socket.h"
#include "sandbox/orders.h"

#define PATIENCE 20000 /* ms */
#define LOOPBACK htonl(INADDR_LOOPBACK)

struct engine {
	struct forward *f;
	pthread_mutex_t lock;
	pthread_t thread;
	int stop[2];
};

static inline void *engine_main(void *arg)
{
	struct engine *e = arg;
	struct pollfd p[2] = {{.fd = forward_fd(e->f), .events = POLLIN},
			      {.fd = e->stop[0], .events = POLLIN}};

	int timeout = -1;

	while (poll(p, 2, timeout) >= 0 && !p[1].revents) {
		pthread_mutex_lock(&e->lock);
		forward_serve(e->f);
		timeout = forward_timeout(e->f);
		pthread_mutex_unlock(&e->lock);
	}
	return NULL;
}

static inline int engine_setup(void **state)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	assert_ok(forward_open(&e->f, err));
	assert_int_equal(pipe2(e->stop, O_CLOEXEC), 0);
	pthread_mutex_init(&e->lock, NULL);
	assert_int_equal(pthread_create(&e->thread, NULL, engine_main, e), 0);
	*state = e;
	return 0;
}

static inline int engine_teardown(void **state)
{
	struct engine *e = *state;

	assert_int_equal(write(e->stop[1], "x", 1), 1);
	pthread_join(e->thread, NULL);
	forward_free(e->f);
	close(e->stop[0]);
	close(e->stop[1]);
	free(e);
	return 0;
}

/* A port asked for by number stays with its socket also while that does not listen. */
static inline uint16_t free_port(void)
{
	uint16_t port = 0;
	int fd;

	assert_ok(host_socket_listen("127.0.0.1", &port, &fd, err));
	close(fd);
	return port;
}

static inline struct forward_listener *listen_at(struct engine *e, uint16_t *port)
{
	struct forward_listener *l;

	*port = free_port();
	pthread_mutex_lock(&e->lock);
	assert_ok(forward_listen(e->f, "127.0.0.1", port, &l, err));
	pthread_mutex_unlock(&e->lock);
	return l;
}

static inline void set_targets(struct engine *e, struct forward_listener *l,
			       const struct forward_target *targets, size_t n)
{
	pthread_mutex_lock(&e->lock);
	assert_ok(forward_set_targets(e->f, l, targets, n, err));
	pthread_mutex_unlock(&e->lock);
}

/* A listening socket of the test's own. */
static inline int server_at(struct forward_target *t)
{
	int fd;

	*t = (struct forward_target){.address = LOOPBACK, .port = free_port()};
	assert_ok(host_socket_listen("127.0.0.1", &t->port, &fd, err));
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	return fd;
}

/* A port that nobody listens at: bound, so that nobody else gets it. */
static inline int deaf_at(struct forward_target *t)
{
	int fd = server_at(t);

	shutdown(fd, SHUT_RD);
	return fd;
}

/* -1 with errno. */
static inline int dial(uint16_t port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = LOOPBACK};
	const struct timeval patience = {.tv_sec = PATIENCE / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), number;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	number = errno;
	close(fd);
	errno = number;
	return -1;
}

static inline int take(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	const struct timeval patience = {.tv_sec = PATIENCE / 1000};
	int fd;

	assert_int_equal(poll(&p, 1, PATIENCE), 1);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static inline void expect_bytes(int fd, const char *text)
{
	char got[64] = "";

	assert_int_equal(recv(fd, got, strlen(text), MSG_WAITALL), strlen(text));
	assert_string_equal(got, text);
}

static inline void expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}
