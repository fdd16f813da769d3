/*
 * The way out of a network namespace, for who has no right to make one: slirp4netns(1), where it is installed, speaks TCP/IP in a process of its own, with the
 * rights of whoever runs slipway. What listens at this machine's loopback is not reached through it.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* What it answers DNS at. */
#define OUTBOUND_NAMESERVER "10.0.2.3"

struct outbound {
	pid_t pid;
	int end_fd; /* it ends when this closes, with slipway at the latest */
};
#define OUTBOUND_INIT                   \
	{                               \
		.pid = -1, .end_fd = -1 \
	}

/* userns -1: the network belongs to no user namespace of ours. ERROR_NOT_FOUND: it is not installed; else why it does not work here. */
int outbound_start(struct outbound *o, int userns, int netns, struct error *err);
void outbound_release(struct outbound *o);

CLEANUP_RELEASE(outbound)
