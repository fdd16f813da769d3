/*
 * A way into a step that runs, for other threads than the one that is in rootfs_run(): signals to its command, and further programs in
 * it. These get what the command has: root, namespaces, capabilities, filter, limits and control group.
 *
 *	run_control_open(&c, err);
 *	spec.control = c; rootfs_run(fs, &spec, ...)       on one thread, once
 *	run_control_exec(c, &program, &status, err);       on others, meanwhile
 *	run_control_signal(c, SIGTERM);
 *	run_control_free(c);                               after both
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "sandbox/orders.h"

struct run_control;
struct launch;

int run_control_open(struct run_control **out, struct error *err);
void run_control_free(struct run_control *c);

/* To the command alone, as container engines do; as soon as it runs when it does not yet. */
void run_control_signal(struct run_control *c, int sig);
/* Ends everything in the step at once; its status is 128 + SIGKILL. */
void run_control_kill(struct run_control *c);

struct run_program {
	char *const *argv;
	char *const *env; /* the whole environment; HOME is added from passwd when missing */
	const char *cwd;  /* NULL: "/" */
	const char *user; /* as in struct run_spec */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
	/*
	 * A terminal of the step's own /dev/pts, for /dev/tty has a name there: stdin_fd is then a socket of packets, which gets one byte with
	 * the master side along, and is answered by a byte once the terminal is set up. The other descriptors are not looked at.
	 */
	bool tty;
	int timeout_ms; /* < 0: none; then it is killed */
};
/*
 * Waits for the command to run, starts the program and waits for its end: *status is its exit code or 128 + signal. ERROR_STEP when it
 * cannot start (err->status 127 or 126), ERROR_SYSTEM with number ETIMEDOUT, ERROR_CANCELLED when the step has ended.
 */
int run_control_exec(struct run_control *c, const struct run_program *p, int *status,
		     struct error *err);

/* For run_loop alone. */
/* Readable when something is asked. */
int run_control_fd(const struct run_control *c);
/* Passes on what is asked; true when the step is to be killed. */
bool run_control_serve(struct run_control *c, const struct launch *l, bool started);
/* REPORT_EXECUTED or REPORT_NOT_EXECUTED. */
void run_control_report(struct run_control *c, const struct report *r);
/* Nothing can be asked any more: whoever waits gets an error. */
void run_control_end(struct run_control *c);

CLEANUP_FREE(run_control)
