#include "sandbox/pump.h"

#include "tests/unit/base/testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What fits into the window: of the rest a reset leaves nothing. */
#define ANSWER 50000

/* Two ends of a connection over TCP, which a pair of local sockets is not like when one end closes. */
static void connect_pair(int out[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
	out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(out[0], (struct sockaddr *)&at, sizeof(at)), 0);
	out[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(out[1] >= 0);
	close(listening);
}

static size_t receive_all(int fd)
{
	char block[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	return total;
}

/* A server that answers and closes before it has read everything resets the connection: its answer counts, not its deafness. */
static void test_early_answer(void **state)
{
	AUTO_FREE char *answer = xcalloc(1, ANSWER);
	int client[2], server[2], epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	size_t got = 0;
	char buffer[PUMP_BUFFER];
	struct pump p;

	(void)state;
	connect_pair(client);
	connect_pair(server);
	pump_init(&p, epoll_fd, client[1]);
	assert_int_equal(pump_connect(&p, server[0]), 0);
	/* The request reaches the server, more of it waits at the client's end. */
	assert_int_equal(send(client[0], "head", 4, 0), 4);
	pump_serve(&p, buffer);
	assert_int_equal(send(client[0], "body", 4, 0), 4);
	assert_int_equal(send(server[1], answer, ANSWER, 0), ANSWER);
	close(server[1]);
	for (int i = 0; i < 1000 && !p.done; i++) {
		pump_serve(&p, buffer);
		got += receive_all(client[0]);
	}
	got += receive_all(client[0]);
	assert_int_equal(got, ANSWER);
	pump_release(&p, false);
	close(client[0]);
	close(epoll_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_early_answer)};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
