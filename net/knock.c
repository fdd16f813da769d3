#include "net/knock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static socklen_t read_address(const char *ip, int port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		return sizeof(*six);
	}
	return 0;
}

enum knock_answer net_knock(const char *ip, int port, int timeout_ms)
{
	struct sockaddr_storage address;
	socklen_t len = read_address(ip, port, &address);
	AUTO_FD int fd = len ? socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				      0)
			     : -1;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return KNOCK_SILENT;
	if (connect(fd, (struct sockaddr *)&address, len) == 0)
		return KNOCK_OPEN;
	if (errno != EINPROGRESS)
		return errno == ECONNREFUSED ? KNOCK_REFUSED : KNOCK_SILENT;
	if (poll(&p, 1, timeout_ms) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return KNOCK_SILENT;
	return error == 0 ? KNOCK_OPEN : error == ECONNREFUSED ? KNOCK_REFUSED : KNOCK_SILENT;
}
