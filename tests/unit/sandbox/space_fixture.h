/* A space, and containers in it that run a script: for the tests of what they share and reach. */
#pragma once

#include "tests/unit/sandbox/sandbox_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "sandbox/fd_message.h"
#include "sandbox/host_socket.h"
#include "sandbox/space.h"

#define PATIENCE 20 /* seconds */

static const struct space_options options = {.hostname = "web", .ports = {80, 4599}, .n_ports = 2};

struct container {
	struct rootfs *fs;
	const struct space *space;
	const char *script;
	struct outcome o;
	pid_t pid; /* of its first process, once it runs */
	pthread_t thread;
};

static inline void note_pid(void *arg, pid_t pid)
{
	struct outcome *o = arg;

	__atomic_store_n(&((struct container *)((char *)o - offsetof(struct container, o)))->pid,
			 pid, __ATOMIC_SEQ_CST);
}

static inline struct run_spec joining(const struct space *s)
{
	return (struct run_spec){.space = s, .network = SANDBOX_NETWORK_NONE};
}

static inline void *container_main(void *arg)
{
	struct container *c = arg;
	struct run_spec spec = joining(c->space);

	spec.started = note_pid;
	run_spec(c->fs, c->script, spec, &c->o);
	return NULL;
}

static inline void container_start(struct fixture *f, struct container *c, const struct space *s,
				   const char *script)
{
	memset(c, 0, sizeof(*c));
	c->fs = open_rootfs(f);
	c->space = s;
	c->script = script;
	assert_int_equal(pthread_create(&c->thread, NULL, container_main, c), 0);
}

static inline pid_t container_pid(struct container *c)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000000ll;
	const struct timespec pause = {.tv_nsec = 5000000};
	pid_t pid;

	while ((pid = __atomic_load_n(&c->pid, __ATOMIC_SEQ_CST)) == 0 &&
	       time_monotonic_ns() < until)
		nanosleep(&pause, NULL);
	return pid;
}

static inline void container_end(struct container *c)
{
	pthread_join(c->thread, NULL);
	if (c->o.error.message)
		print_message("%s\n", c->o.error.message);
	rootfs_free(c->fs);
}
