/*
 * Stops a child process at its n-th system call stop (entry or return). finishes_before() ends it there, as kill -9 or a power
 * cut of the process would; finishes_around() lets the caller act there, as another process might, and lets it go on.
 * Running a piece of work with n = 1, 2, 3 ... until it is done before the n-th stop visits every boundary.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's wait status: stopped at the n-th stop, or ended before it. The child's result is 0 when its work returned 0. */
static inline int run_until_stop(int n, int (*work)(void *arg), void *arg, pid_t *pid)
{
	int status;

	*pid = fork();
	if (*pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(99);
		_exit(work(arg) == 0 ? 0 : 98);
	}
	waitpid(*pid, &status, 0);
	while (WIFSTOPPED(status) && n-- > 0) {
		ptrace(PTRACE_SYSCALL, *pid, NULL, NULL);
		waitpid(*pid, &status, 0);
	}
	return status;
}

static inline void assert_done(int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with status %#x", (unsigned)status);
}

/* true: the work was done before the n-th stop. It runs in a child and reports failure by its result. */
static inline bool finishes_before(int n, int (*work)(void *arg), void *arg)
{
	pid_t pid;
	int status = run_until_stop(n, work, arg, &pid);

	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return false;
	}
	assert_done(status);
	return true;
}

/* The same, but at the n-th stop act(arg) is called here, and the work goes on and must succeed. */
static inline bool finishes_around(int n, int (*work)(void *arg), void (*act)(void *arg), void *arg)
{
	pid_t pid;
	int status = run_until_stop(n, work, arg, &pid);
	bool stopped = WIFSTOPPED(status);

	if (stopped) {
		act(arg);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	assert_done(status);
	return !stopped;
}
