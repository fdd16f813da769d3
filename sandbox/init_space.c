#include "sandbox/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Two networks with a pair of virtual interfaces between them. Containers join one. In the other one there are only the sockets that answer
 * at the metadata address: in the same network, port 80 would be taken from every program that listens at all its addresses.
 */
#define METADATA_LINK "meta"
#define TASK_LINK     "eth0"
#define TASK_SIDE     "169.254.170.3" /* its pair is the metadata address: a network of two, RFC 3021 */
#define MASK_OF_TWO   "255.255.255.254"
#define BACKLOG       128

struct message {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char room[256];
};

static void *message_end(struct message *m)
{
	return (char *)m + NLMSG_ALIGN(m->head.nlmsg_len);
}

/* Space for len more bytes, zeroed. */
static void *add_bytes(struct message *m, size_t len)
{
	void *at = message_end(m);

	if (NLMSG_ALIGN(m->head.nlmsg_len) + NLMSG_ALIGN(len) > sizeof(*m))
		fail(STAGE_NETWORK, 0, "a message about an interface is too long");
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + (uint32_t)len;
	return at;
}

static struct rtattr *add_attr(struct message *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = add_bytes(m, RTA_LENGTH(len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(a), data, len);
	return a;
}

/* What was added since belongs to it. */
static void close_attr(struct message *m, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)message_end(m) - (char *)a);
}

/* 0, or an errno. */
static int exchange(struct message *m)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char room[sizeof(struct message)];
	} answer;
	int number = EIO;

	if (fd < 0)
		return errno;
	if (send(fd, m, m->head.nlmsg_len, 0) < 0)
		number = errno;
	else if (recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)NLMSG_LENGTH(sizeof(int)) &&
		 answer.head.nlmsg_type == NLMSG_ERROR)
		number = -answer.error.error;
	close(fd);
	return number;
}

/* An interface here whose other end is in the network of the descriptor. */
static int make_pair(int other_net)
{
	struct message m;
	struct rtattr *info, *data, *peer;

	memset(&m, 0, sizeof(m));
	m.head.nlmsg_len = NLMSG_LENGTH(sizeof(m.link));
	m.head.nlmsg_type = RTM_NEWLINK;
	m.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	add_attr(&m, IFLA_IFNAME, TASK_LINK, sizeof(TASK_LINK));
	info = add_attr(&m, IFLA_LINKINFO, NULL, 0);
	add_attr(&m, IFLA_INFO_KIND, "veth", 4);
	data = add_attr(&m, IFLA_INFO_DATA, NULL, 0);
	peer = add_attr(&m, VETH_INFO_PEER, NULL, 0);
	(void)add_bytes(&m, sizeof(struct ifinfomsg));
	add_attr(&m, IFLA_IFNAME, METADATA_LINK, sizeof(METADATA_LINK));
	add_attr(&m, IFLA_NET_NS_FD, &other_net, sizeof(other_net));
	close_attr(&m, peer);
	close_attr(&m, data);
	close_attr(&m, info);
	return exchange(&m);
}

/* By a socket of the network the interface is in. */
static void set_address(int fd, const char *name, const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, mask = {.sin_family = AF_INET};
	struct ifreq r;
	bool good;

	(void)inet_pton(AF_INET, address, &a.sin_addr);
	(void)inet_pton(AF_INET, MASK_OF_TWO, &mask.sin_addr);
	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, name, strlen(name));
	memcpy(&r.ifr_addr, &a, sizeof(a));
	good = ioctl(fd, SIOCSIFADDR, &r) == 0;
	memcpy(&r.ifr_netmask, &mask, sizeof(mask));
	good = good && ioctl(fd, SIOCSIFNETMASK, &r) == 0;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!good || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		fail(STAGE_NETWORK, errno, "give the interface %s the address %s", name, address);
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail(STAGE_NETWORK, errno, "make a socket");
	return fd;
}

static void enter_new(int flags)
{
	if (unshare(flags) < 0)
		fail(STAGE_NAMESPACES, errno, "make the namespaces that containers share");
}

static int open_namespace(const char *name)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(STAGE_NAMESPACES, errno, "open %s", path);
	return fd;
}

static void hand_out(enum report_kind kind, int value, int fd)
{
	report_fd(kind, value, fd);
	close(fd);
}

static void start_listeners(const struct orders *o, const int *sockets)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	(void)inet_pton(AF_INET, SPACE_METADATA_ADDRESS, &a.sin_addr);
	for (size_t i = 0; i < o->n_ports; i++) {
		a.sin_port = htons((uint16_t)o->ports[i]);
		if (bind(sockets[i], (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		    listen(sockets[i], BACKLOG) < 0)
			fail(STAGE_NETWORK, errno, "listen on %s, port %d", SPACE_METADATA_ADDRESS,
			     o->ports[i]);
		hand_out(REPORT_LISTENER, (int)i, sockets[i]);
	}
}

/* A cloud's own metadata, with this machine's credentials, is no task's business, should there be a way out. */
static void refuse_link_local(int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, mask = {.sin_family = AF_INET};
	struct rtentry route;

	(void)inet_pton(AF_INET, "169.254.0.0", &a.sin_addr);
	(void)inet_pton(AF_INET, "255.255.0.0", &mask.sin_addr);
	memset(&route, 0, sizeof(route));
	memcpy(&route.rt_dst, &a, sizeof(a));
	memcpy(&route.rt_genmask, &mask, sizeof(mask));
	route.rt_flags = RTF_UP | RTF_REJECT;
	if (ioctl(fd, SIOCADDRT, &route) < 0)
		fail(STAGE_NETWORK, errno, "refuse link-local addresses");
}

/* In the network of the metadata at first, then in that of the containers. */
static void make_networks(const struct orders *o)
{
	int *sockets = init_alloc(o->n_ports, sizeof(*sockets));
	int outer, outer_net, inner, number;

	enter_new(CLONE_NEWNET);
	/* A socket stays in the network it was made in. */
	outer = open_socket(SOCK_DGRAM);
	outer_net = open_namespace("net");
	for (size_t i = 0; i < o->n_ports; i++)
		sockets[i] = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
	enter_new(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
	loopback_up();
	low_ports_open();
	inner = open_socket(SOCK_DGRAM);
	refuse_link_local(inner);
	number = make_pair(outer_net);
	if (number == 0) {
		set_address(outer, METADATA_LINK, SPACE_METADATA_ADDRESS);
		set_address(inner, TASK_LINK, TASK_SIDE);
		start_listeners(o, sockets);
	} else {
		warn("containers have no metadata address: no pair of interfaces (veth) can be made here: %s",
		     strerror(number));
	}
	close(inner);
	close(outer);
	close(outer_net);
}

void space_serve(struct orders *o)
{
	struct request q;
	ssize_t n;

	make_networks(o);
	/* Nothing of what runs in there can reach this process. All it is still good for is to make sockets. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "slipway-space", 0, 0, 0);
	if (o->hostname && sethostname(o->hostname, strlen(o->hostname)) < 0)
		fail(STAGE_NAMESPACES, errno, "set the host name \"%s\"", o->hostname);
	hand_out(REPORT_NAMESPACE, CLONE_NEWNET, open_namespace("net"));
	hand_out(REPORT_NAMESPACE, CLONE_NEWIPC, open_namespace("ipc"));
	hand_out(REPORT_NAMESPACE, CLONE_NEWUTS, open_namespace("uts"));
	keep_capabilities(0);
	report_value(REPORT_READY, 0);
	/* The socket closes when slipway ends, however it does. */
	while ((n = recv(o->agent_fd, &q, sizeof(q), 0)) == (ssize_t)sizeof(q) ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			connect_answer(o->agent_fd, &q);
}
