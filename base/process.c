#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

enum stage { STAGE_STDIO, STAGE_KEEP, STAGE_CWD, STAGE_MOUNTS, STAGE_EXEC };

/* What the child says when it cannot become the program. */
struct failure {
	enum stage stage;
	int number;
};

/* All that the child needs, made before the fork. */
struct launch {
	const struct process_options *opt;
	const char *path;
	char *const *envp;
	int stdio[3]; /* all above 2, so that no dup2 overwrites another's source */
	int report;
	pid_t parent;
};

static void __attribute__((noreturn)) child_fail(const struct launch *l, enum stage stage)
{
	struct failure failure = {.stage = stage, .number = errno};
	ssize_t n = write(l->report, &failure, sizeof(failure));

	(void)n;
	_exit(127);
}

static bool leave_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return errno == EPERM;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Runs between vfork and exec, in the parent's memory: async-signal-safe calls only, nothing kept. */
static void __attribute__((noreturn, noinline)) child_run(const struct launch *l)
{
	const struct process_options *opt = l->opt;
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	/* Before the mask opens: a handler of ours must not run here. */
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &action, NULL);
	if (opt->death_signal) {
		prctl(PR_SET_PDEATHSIG, opt->death_signal);
		/* The parent may have died before it took effect. */
		if (getppid() != l->parent)
			_exit(127);
	}
	if (opt->no_new_privileges)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (opt->new_session)
		setsid(); /* a child of vfork leads no group: it cannot fail */
	for (int i = 0; i < 3; i++)
		if (dup2(l->stdio[i], i) < 0)
			child_fail(l, STAGE_STDIO);
	/* What we inherited without the flag is nobody's business; older kernels keep it. */
	syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < opt->n_keep_fds; i++) {
		int flags = fcntl(opt->keep_fds[i], F_GETFD);

		if (flags < 0 || fcntl(opt->keep_fds[i], F_SETFD, flags & ~FD_CLOEXEC) < 0)
			child_fail(l, STAGE_KEEP);
	}
	if (opt->cwd && chdir(opt->cwd) < 0)
		child_fail(l, STAGE_CWD);
	if (opt->private_mounts && !leave_mounts())
		child_fail(l, STAGE_MOUNTS);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(l->path, opt->argv, l->envp);
	child_fail(l, STAGE_EXEC);
}

/* All signals are blocked meanwhile: with vfork the child would run our handlers on our memory. */
static pid_t fork_and_exec(const struct launch *l)
{
	sigset_t all, old;
	int number;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	/* posix_spawn has neither death signals nor kept descriptors; the parent waits for exec only. */
	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork) */
	pid = vfork();
	if (pid == 0)
		child_run(l); /* NOLINT(clang-analyzer-unix.Vfork): it does not return */
	number = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = number;
	return pid;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The executable for opt->path; NULL when PATH has none. free() */
static char *find_program(const char *path)
{
	const char *dirs = getenv("PATH");

	if (strchr(path, '/'))
		return xstrdup(path);
	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		int len = (int)strcspn(dirs, ":");
		AUTO_FREE char *file = xstrfmt("%.*s%s%s", len, dirs, len ? "/" : "./", path);

		if (is_program(file))
			return take_ptr(file);
		if (!dirs[len])
			return NULL;
		dirs += len + 1;
	}
}

static int reap(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

static int report_failure(const struct launch *l, const struct failure *failure, struct error *err)
{
	errno = failure->number;
	switch (failure->stage) {
	case STAGE_STDIO:
		return error_errno(err, "start %s: connect its input and output", l->path);
	case STAGE_KEEP:
		return error_errno(err, "start %s: hand a descriptor over", l->path);
	case STAGE_CWD:
		return error_errno(err, "start %s: change to folder %s", l->path, l->opt->cwd);
	case STAGE_MOUNTS:
		return error_errno(err, "start %s: make a mount namespace", l->path);
	case STAGE_EXEC:
	default:
		break;
	}
	error_errno(err, "start %s", l->path);
	if (failure->number == ENOENT && is_program(l->path))
		error_hint(err, "it is there, but its interpreter (the first line of a script, "
				"the loader of a program) is not");
	return -1;
}

/* Reads the child's report: nothing, because exec closed the pipe, is success. */
static int await_exec(const struct launch *l, pid_t pid, int report, struct error *err)
{
	struct failure failure;
	ssize_t n;
	int status;

	do
		n = read(report, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n < 0)
		error_errno(err, "start %s", l->path);
	else
		report_failure(l, &failure, err);
	reap(pid, &status);
	return -1;
}

/* A copy above 2 of fd, or of /dev/null. */
static int high_fd(int fd)
{
	AUTO_FD int null = -1;

	if (fd < 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0)
			return -1;
		fd = null;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int process_spawn(pid_t *pid, const struct process_options *opt, struct error *err)
{
	AUTO_FREE char *path = find_program(opt->path);
	AUTO_FD int in = high_fd(opt->stdin_fd);
	AUTO_FD int out = high_fd(opt->stdout_fd);
	AUTO_FD int errout = high_fd(opt->stderr_fd);
	AUTO_FD int report_read = -1;
	AUTO_FD int report_low = -1;
	AUTO_FD int report_write = -1;
	int ends[2];
	pid_t child;

	if (in < 0 || out < 0 || errout < 0)
		return error_errno(err, "start %s: connect its input and output", opt->path);
	if (!path)
		return error_set(err, ERROR_NOT_FOUND, "start %s: no such program in PATH",
				 opt->path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "start %s: pipe", opt->path);
	report_read = ends[0];
	report_low = ends[1];
	report_write = fcntl(report_low, F_DUPFD_CLOEXEC, 3);
	if (report_write < 0)
		return error_errno(err, "start %s: pipe", opt->path);

	struct launch launch = {
		.opt = opt,
		.path = path,
		.envp = opt->envp ? opt->envp : environ,
		.stdio = {in, out, errout},
		.report = report_write,
		.parent = getpid(),
	};
	child = fork_and_exec(&launch);
	if (child < 0)
		return error_errno(err, "start %s: fork", opt->path);
	/* Ours is closed first, else the end never comes. */
	close(take_fd(report_low));
	close(take_fd(report_write));
	if (await_exec(&launch, child, report_read, err) < 0)
		return -1;
	*pid = child;
	return 0;
}

static int status_of(int raw)
{
	return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}

int process_wait(pid_t pid, int *status, struct error *err)
{
	int raw;

	if (reap(pid, &raw) < 0)
		return error_errno(err, "wait for process %d", (int)pid);
	*status = status_of(raw);
	return 0;
}

uint64_t process_start_time(pid_t pid)
{
	AUTO(strbuf) stat = STRBUF_INIT;
	char path[40];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read_file(path, &stat, 1 << 16, NULL) < 0)
		return 0;
	/* The name, field 2, may hold anything, parentheses and spaces included. */
	p = strrchr(stat.buf, ')');
	/* Dead, and kept by a parent that does not ask: for ever, where a container has no init. */
	if (p && strncmp(p, ") Z ", 4) == 0)
		return 0;
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? strtoull(p, NULL, 10) : 0;
}
