/* Sockets of this machine: listening ones, and connections to others here. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/*
 * Listens on an IPv4 or IPv6 address, without blocking; *port 0 takes any free one, and is set to it. ERROR_USAGE: not an IP address; else err->number
 * is errno: EADDRINUSE when another program has the port, EACCES below 1024 without the right to it.
 */
int host_socket_listen(const char *ip, uint16_t *port, int *fd, struct error *err);
/* A socket that is being connected to an IPv4 address (s_addr), from another one unless that is 0; not blocking. -1: refused at once. */
int host_socket_connect(uint32_t source, uint32_t address, uint16_t port);
