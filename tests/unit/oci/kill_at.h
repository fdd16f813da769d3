/*
 * Ends a child process at its n-th system call stop (entry or return), as kill -9 or a power cut of the process
 * would at that moment. Running a piece of work with n = 1, 2, 3 ... until it survives visits every boundary.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* true: the work was done before the n-th stop. It runs in a child and reports failure by its result. */
static inline bool finishes_before(int n, int (*work)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(99);
		_exit(work(arg) == 0 ? 0 : 98);
	}
	waitpid(pid, &status, 0);
	while (WIFSTOPPED(status)) {
		if (n-- == 0)
			kill(pid, SIGKILL);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with status %#x", (unsigned)status);
	return true;
}
