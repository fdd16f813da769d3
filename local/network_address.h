/*
 * Addresses of the loopback network that are this local target's own: 127.64.SLOT.1 to .254 for tasks, 127.65.SLOT.1 to .254 for services. Several
 * targets on one machine, of whatever user, have slots of their own; the first one has 0, and each comes back to its own when that is free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define NETWORK_ADDRESS_SIZE 16 /* "127.64.255.254" and its NUL */
#define NETWORK_NUMBERS      254
#define NETWORK_TASKS        64
#define NETWORK_SERVICES     65

struct network_slot {
	int fd; /* a socket that nobody hears: who could bind it has the slot */
	unsigned int number;
};
#define NETWORK_SLOT_INIT \
	{                 \
		.fd = -1  \
	}

/* preferred: the slot it had before; taken when it is free. Another number, or -1: the lowest that is free. */
int network_slot_claim(struct network_slot *s, int preferred, struct error *err);
void network_slot_release(struct network_slot *s);
/* number: 1 to NETWORK_NUMBERS. */
void network_address(char out[NETWORK_ADDRESS_SIZE], unsigned int net, const struct network_slot *s,
		     unsigned int number);
/* Is it one of the slot's in that net? */
bool network_address_is_ours(const char *address, unsigned int net, const struct network_slot *s);
/* Is it a task's, of whichever slot? An IPv4 address as a number. */
bool network_address_is_task(uint32_t address);
