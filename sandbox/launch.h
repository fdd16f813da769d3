/*
 * Starts slipway-init from the bytes embedded in slipway: a sealed file in memory, so that no step can reach the
 * program on disk, and none is needed there. The parent and the program talk over a socket of packets.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/order_block.h"
#include "sandbox/sandbox.h"

struct launch_options {
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
	bool agent;                         /* also a socket for connections into the namespace */
	const int *keep_fds;                /* further descriptors named in the orders */
	size_t n_keep_fds;
	bool outlives_thread; /* it sees by itself, at its sockets, that slipway ended */
};

struct launch {
	pid_t pid;
	int control_fd, agent_fd; /* -1 when there is none */
	int first_fd; /* pidfd of the namespace's first process, once launch_first() was called */
};
#define LAUNCH_INIT                                                         \
	{                                                                   \
		.pid = -1, .control_fd = -1, .agent_fd = -1, .first_fd = -1 \
	}

/* Adds the sockets to the orders, hands the orders over and starts the program. */
int launch_init(struct launch *l, struct sandbox *sb, struct order_block *orders,
		const struct launch_options *o, struct error *err);
/* Waits for the process and closes the sockets; *status as process_wait(). NULL: does not matter. */
void launch_end(struct launch *l, int *status);
/* Notes the namespace's first process: with it, everything in there dies. */
void launch_first(struct launch *l, pid_t pid);
/* SIGKILL to everything that was started; a process that ends others by itself is left to it. */
void launch_kill(const struct launch *l);
/* Kills what still runs, waits for it and closes the sockets. False when the process itself was killed, by whomever. */
bool launch_release(struct launch *l);

/* 1: *r is filled (*fd: the descriptor it carried, or -1), 0: the other side is gone, -1: nothing there yet. */
int launch_receive(int control_fd, bool wait, struct report *r, int *fd);
/* Best effort: a program that is gone needs no requests. */
void launch_request(int control_fd, enum request_kind kind, uint32_t value);
/* What a failed start means: always returns -1. */
int launch_failed(const struct report *r, struct error *err);

CLEANUP_RELEASE(launch)
