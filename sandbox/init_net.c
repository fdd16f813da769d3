#include "sandbox/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

void low_ports_open(void)
{
	int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);

	/* Where /proc is read-only, root alone may. */
	if (fd < 0)
		return;
	(void)!write(fd, "0", 1);
	close(fd);
}

/* Never waits: the other side sees whether the connection comes about. */
static int start_connection(const struct request *q, int *fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)q->value),
				 .sin_addr.s_addr = q->address};

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno;
	if (connect(*fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS)
		return 0;
	return errno;
}

void connect_answer(int agent_fd, const struct request *q)
{
	struct answer a = {.id = q->id};
	int fd = -1;

	a.number = start_connection(q, &fd);
	/* The kernel limits how many sockets are under way at once. Somebody waits for the answer all the same. */
	if (send_with_fd(agent_fd, &a, sizeof(a), a.number == 0 ? fd : -1) < 0) {
		a.number = errno;
		(void)send_with_fd(agent_fd, &a, sizeof(a), -1);
	}
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
			connect_answer(agent_fd, &q);
	}
	while (waitpid(child, &wstatus, 0) < 0 && errno == EINTR)
		;
	return wstatus;
}
