#include "local/metadata_server.h"

#include "tests/unit/base/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "sandbox/host_socket.h"

struct fixture {
	struct metadata_server *m;
	uint16_t port;
	pthread_t thread;
	int stop[2];
};

static void answer(void *arg, const char *task_id, const char *path, int *status, char **json)
{
	struct fixture *f = arg;

	/* What an answer may need: the server's own lock is free. */
	if (strcmp(path, "/gone") == 0)
		metadata_server_remove(f->m, task_id);
	*status = strcmp(path, "/missing") == 0 ? 404 : 200;
	*json = strcmp(path, "/big") == 0
			? memset(xcalloc(1, 4000001), 'x', 4000000)
			: xstrfmt("{\"task\": \"%s\", \"path\": \"%s\"}", task_id, path);
}

static void *serve(void *arg)
{
	struct fixture *f = arg;
	struct pollfd p[2] = {{.fd = metadata_server_fd(f->m), .events = POLLIN},
			      {.fd = f->stop[0], .events = POLLIN}};
	int timeout = -1;

	while (poll(p, 2, timeout) >= 0 && !p[1].revents)
		timeout = metadata_server_serve(f->m);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	int fd;

	assert_ok(metadata_server_open(&f->m, answer, f, err));
	assert_ok(host_socket_listen("127.0.0.1", &f->port, &fd, err));
	metadata_server_add(f->m, "t1", fd);
	assert_int_equal(pipe2(f->stop, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->stop[1], "x", 1), 1);
	pthread_join(f->thread, NULL);
	metadata_server_free(f->m);
	close(f->stop[0]);
	close(f->stop[1]);
	free(f);
	return 0;
}

static int dial(const struct fixture *f)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(f->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static char *read_to_end(int fd)
{
	AUTO(strbuf) out = STRBUF_INIT;
	char block[65536];
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		strbuf_add(&out, block, (size_t)n);
	close(fd);
	return strbuf_detach(&out, NULL);
}

static void expect_answer(const struct fixture *f, const char *request, const char *start,
			  const char *end)
{
	int fd = dial(f);
	AUTO_FREE char *got = NULL;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	got = read_to_end(fd);
	if (strncmp(got, start, strlen(start)) != 0 || strlen(got) < strlen(end) ||
	    strcmp(got + strlen(got) - strlen(end), end) != 0)
		fail_msg("%s: answered %s", request, got);
}

static void test_answers(void **state)
{
	static const struct {
		const char *request, *start, *end;
	} rows[] = {
		{"GET /v4/abc/task HTTP/1.1\r\nHost: 169.254.170.2\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 38\r\n"
		 "Connection: close\r\n\r\n",
		 "{\"task\": \"t1\", \"path\": \"/v4/abc/task\"}"},
		{"GET /v2/credentials/x?a=b HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n",
		 "\"/v2/credentials/x\"}"},
		{"HEAD /v4/abc HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		 "Content-Length: 33\r\nConnection: close\r\n\r\n"},
		{"GET /missing HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "}"},
		{"POST /v4 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 405 ", "\r\n\r\n"},
		{"GET /v4\r\n\r\n", "HTTP/1.1 400 ", "\r\n\r\n"},
		{"GET v4 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "\r\n\r\n"},
		{"GET http://evil/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "\r\n\r\n"},
		{" \r\n\r\n", "HTTP/1.1 405 ", "\r\n\r\n"},
		{"\r\n\r\n", "HTTP/1.1 405 ", "\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_answer(*state, rows[i].request, rows[i].start, rows[i].end);
}

/* A request that comes in pieces, while another client says nothing at all. */
static void test_pieces(void **state)
{
	const struct fixture *f = *state;
	int silent = dial(f), fd = dial(f);
	AUTO_FREE char *got = NULL;

	for (const char *at = "GET /v4/abc HTTP/1.1\r\n\r\n"; *at; at++) {
		assert_int_equal(write(fd, at, 1), 1);
		usleep(1000);
	}
	got = read_to_end(fd);
	assert_non_null(strstr(got, "\"/v4/abc\"}"));
	close(silent);
}

static void test_limits(void **state)
{
	const struct fixture *f = *state;
	AUTO_FREE char *line = xcalloc(1, 8193);
	static const char nul[] = "GET /v4\0x HTTP/1.1\r\n\r\n";
	AUTO_FREE char *got = NULL;
	int fds[40], fd, closed = 0;

	memset(line, 'x', 8192);
	expect_answer(f, line, "HTTP/1.1 431 ", "\r\n\r\n");
	fd = dial(f);
	assert_int_equal(write(fd, nul, sizeof(nul) - 1), sizeof(nul) - 1);
	got = read_to_end(fd);
	assert_memory_equal(got, "HTTP/1.1 400 ", 13);
	/* More clients of one task than it may have: the last ones are sent away. */
	for (int i = 0; i < 40; i++)
		fds[i] = dial(f);
	for (int i = 32; i < 40; i++) {
		char byte;

		errno = 0;
		closed += recv(fds[i], &byte, 1, 0) == 0 || errno == ECONNRESET;
	}
	assert_int_equal(closed, 8);
	for (int i = 0; i < 40; i++)
		close(fds[i]);
}

/* More than the socket takes at once. */
static void test_big_answer(void **state)
{
	int fd = dial(*state);
	AUTO_FREE char *got = NULL;

	assert_int_equal(write(fd, "GET /big HTTP/1.1\r\n\r\n", 21), 21);
	usleep(100000);
	got = read_to_end(fd);
	assert_int_equal(strlen(strstr(got, "\r\n\r\n") + 4), 4000000);
}

/* A task that goes while it asks. */
static void test_removal(void **state)
{
	const struct fixture *f = *state;
	int fd = dial(f), other = dial(f), again = 0;
	AUTO_FREE char *got = NULL;

	assert_int_equal(write(fd, "GET /gone HTTP/1.1\r\n\r\n", 22), 22);
	got = read_to_end(fd);
	assert_string_equal(got, "");
	free(read_to_end(other));
	/* The listener is closed after the connections, a moment later perhaps. */
	for (int i = 0; i < 1000 && (again = dial(f)) >= 0; i++) {
		close(again);
		usleep(1000);
	}
	assert_int_equal(again, -1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_answers),    T(test_pieces),  T(test_limits),
		T(test_big_answer), T(test_removal),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
