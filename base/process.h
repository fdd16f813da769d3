/*
 * Child processes: argv arrays, never a shell; nothing but exec follows the
 * fork; every descriptor but those named is close-on-exec.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct process_options {
	const char *path;  /* executable: absolute, or found in PATH of the current environment */
	char *const *argv; /* NULL-terminated, argv[0] included */
	char *const *envp; /* NULL: inherited */
	const char *cwd;   /* NULL: inherited */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
	const int *keep_fds; /* further descriptors that stay open, at the same numbers */
	size_t n_keep_fds;
	int death_signal; /* 0: none; else PR_SET_PDEATHSIG in the child */
	/* Of a program with setuid or setgid: without those, since they would take the death signal away. */
	bool no_new_privileges;
	/* A session of its own: no terminal to ask on, and process_capture() ends its children with it. */
	bool new_session;
	/*
	 * Where this process may have one, a mount namespace of its own that tells no other what changes in it: for a program that unmounts in the one it
	 * makes. Where it may not, neither may the program, but for one owned by a user namespace; and that tells none.
	 */
	bool private_mounts;
};

/*
 * Starts the program with all signals at their defaults and none blocked; returns once exec has
 * succeeded. ERROR_NOT_FOUND when path does not exist. The caller waits for the child.
 */
int process_spawn(pid_t *pid, const struct process_options *opt, struct error *err);
/* Waits; *status is 0..255, or 128 + signal. */
int process_wait(pid_t pid, int *status, struct error *err);
/*
 * Runs with input on stdin (opt's three descriptors are not used; no input is /dev/null) and collects
 * stdout and stderr (each may be NULL: dropped). Returns when the child has ended, whoever else still
 * holds its output open. The exit status is not an error. Killed, with an error: beyond a buffer's
 * limit (ERROR_CORRUPT), after timeout_ms (< 0: never; ERROR_SYSTEM with ETIMEDOUT), on cancel.
 */
int process_capture(const struct process_options *opt, const void *input, size_t input_len,
		    struct strbuf *out, struct strbuf *errout, int timeout_ms,
		    const struct cancel *cancel, int *status, struct error *err);
/*
 * Start time of a process (field 22 of /proc/PID/stat), 0 when it is gone
 * or a zombie: tells a reused pid.
 */
uint64_t process_start_time(pid_t pid);
