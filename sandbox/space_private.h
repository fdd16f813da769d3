/* How a container is told to join a space. */
#pragma once

#include "sandbox/order_block.h"
#include "sandbox/space.h"

#define SPACE_FDS 3

/* Adds the orders; fds, of SPACE_FDS, gets the descriptors they name, which stay the space's. Returns how many. */
size_t space_orders(const struct space *s, struct order_block *orders, int *fds);
const char *space_hostname(const struct space *s);
/* What answers DNS in there; NULL: nothing does. */
const char *space_nameserver(const struct space *s);
