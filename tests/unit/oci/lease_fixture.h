/* Other processes at work in the store of a fixture. */
#pragma once

#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "oci/lease.h"

/* A child with a lease, that keeps the digest when one is given, until it is killed. */
static inline pid_t start_holder(struct fixture *f, const struct digest *kept)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		AUTO_PTR(store) s = NULL;
		struct lease *l;

		if (store_open(&s, f->root, NULL) < 0 || lease_take(&l, s, NULL) < 0 ||
		    (kept && lease_keep(l, kept, NULL) < 0) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static inline void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
