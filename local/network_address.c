#include "local/network_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS      256
#define CLAIM_PORT 4599 /* UDP, on 127.64.SLOT.0 */

static bool claim(struct network_slot *s, unsigned int number)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(CLAIM_PORT),
		.sin_addr.s_addr = htonl(127u << 24 | (uint32_t)NETWORK_TASKS << 16 | number << 8),
	};
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return false;
	s->fd = take_fd(fd);
	s->number = number;
	return true;
}

int network_slot_claim(struct network_slot *s, int preferred, struct error *err)
{
	if (preferred >= 0 && preferred < SLOTS && claim(s, (unsigned int)preferred))
		return 0;
	for (unsigned int i = 0; i < SLOTS; i++)
		if (claim(s, i))
			return 0;
	return error_errno(err, "claim addresses of 127.%d.0.0/16 for tasks", NETWORK_TASKS);
}

void network_slot_release(struct network_slot *s)
{
	if (s->fd >= 0)
		close(take_fd(s->fd));
}

void network_address(char out[NETWORK_ADDRESS_SIZE], unsigned int net, const struct network_slot *s,
		     unsigned int number)
{
	snprintf(out, NETWORK_ADDRESS_SIZE, "127.%u.%u.%u", net & 255u, s->number & 255u,
		 number & 255u);
}

bool network_address_is_ours(const char *address, unsigned int net, const struct network_slot *s)
{
	char first[NETWORK_ADDRESS_SIZE];

	network_address(first, net, s, 0);
	/* up to the last dot */
	return strncmp(address, first, strlen(first) - 1) == 0;
}

bool network_address_is_task(uint32_t address)
{
	return address >> 16 == (127u << 8 | NETWORK_TASKS);
}
