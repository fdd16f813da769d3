#include "sandbox/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void loopback_up(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, "lo", 3);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		fail(STAGE_NETWORK, errno, "bring up the loopback interface");
	close(fd);
}

/* Never waits: the other side sees whether the connection comes about. */
static int start_connection(uint16_t port, int *fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno;
	if (connect(*fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS)
		return 0;
	return errno;
}

static void answer_request(int agent_fd, const struct request *q)
{
	struct answer a = {.id = q->id};
	int fd = -1;

	a.number = start_connection((uint16_t)q->value, &fd);
	send_with_fd(agent_fd, &a, sizeof(a), a.number == 0 ? fd : -1);
	if (fd >= 0)
		close(fd);
}

int agent_serve(int agent_fd, pid_t child)
{
	struct pollfd p[2];
	int wstatus = 0;

	p[0].fd = (int)syscall(SYS_pidfd_open, child, 0);
	p[0].events = POLLIN;
	p[1] = (struct pollfd){.fd = agent_fd, .events = POLLIN};
	while (agent_fd >= 0 && p[0].fd >= 0) {
		struct request q;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			break;
		if (!p[1].revents)
			continue;
		if (recv(agent_fd, &q, sizeof(q), 0) != (ssize_t)sizeof(q))
			break; /* nobody asks any more */
		if (q.kind == REQUEST_CONNECT)
			answer_request(agent_fd, &q);
	}
	while (waitpid(child, &wstatus, 0) < 0 && errno == EINTR)
		;
	return wstatus;
}
