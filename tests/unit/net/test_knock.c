#include "net/knock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/base/testing.h"

/* A port of this machine with, and then without, a listener. */
static void test_open_and_refused(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	port = ntohs(a.sin_port);
	assert_int_equal(net_knock("127.0.0.1", port, 1000), KNOCK_OPEN);
	close(fd);
	assert_int_equal(net_knock("127.0.0.1", port, 1000), KNOCK_REFUSED);
}

static void test_what_is_no_address(void **state)
{
	(void)state;
	assert_int_equal(net_knock("", 80, 1000), KNOCK_SILENT);
	assert_int_equal(net_knock("localhost", 80, 1000), KNOCK_SILENT);
	assert_int_equal(net_knock("256.0.0.1", 80, 1000), KNOCK_SILENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_and_refused),
		cmocka_unit_test(test_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
