#include "sandbox/init_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A step in a container that allows neither namespaces nor mounts. The outer process stays outside of the root and outlives slipway for as
 * long as it takes to end what descends from the inner one, which enters the root and serves the command.
 */

static const struct {
	unsigned int cap;
	const char *name;
} needed[] = {
	{CAP_CHOWN, "CHOWN"},           {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
	{CAP_FOWNER, "FOWNER"},         {CAP_KILL, "KILL"},
	{CAP_SETGID, "SETGID"},         {CAP_SETUID, "SETUID"},
	{CAP_SYS_CHROOT, "SYS_CHROOT"},
};

static void check_caps(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	char missing[256] = "";

	if (syscall(SYS_capget, &head, data) < 0)
		fail(STAGE_PRIVILEGES, errno, "read capabilities");
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		size_t len = strlen(missing);

		if (!(data[0].effective & (1u << needed[i].cap)))
			snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? ", " : "",
				 needed[i].name);
	}
	if (missing[0])
		fail(STAGE_CHROOT, 0, "root lacks the capabilities %s", missing);
}

static int open_proc(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !is_on_proc(fd))
		fail(STAGE_PROC, fd < 0 ? errno : 0, "open /proc, to find the processes of a step");
	return fd;
}

/* A command that is not root may open what it has as output again, by /dev/stdout. */
static void give_output(const struct user *u)
{
	struct stat st;

	for (int fd = 1; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
			(void)!fchown(fd, u->uid, (gid_t)-1);
}

static void enter_root(const struct orders *o)
{
	if (chdir(o->root) < 0)
		fail(STAGE_CHROOT, errno, "enter %s", o->root);
	if (chroot(".") < 0 || chdir("/") < 0)
		fail(STAGE_CHROOT, errno, "make %s the root of the step", o->root);
}

/* What is made below these is not there for the next step. */
static void check_cwd(const char *cwd)
{
	char path[INIT_PATH];

	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		fail(STAGE_CWD, errno, "enter the working directory %s", cwd);
	if ((path_below(path, "/proc") || path_below(path, "/sys")) && strlen(path) > 5)
		fail(STAGE_CWD, 0,
		     "the working directory %s is not there in the sandbox mode chroot", cwd);
}

/* All that a command would go through, in a child of its own. */
static _Noreturn void probe(const struct orders *o)
{
	int wstatus;
	pid_t pid = fork();

	if (pid < 0)
		fail(STAGE_FORK, errno, "start a process");
	if (pid == 0) {
		drop_privileges(o);
		_exit(0);
	}
	if (waitpid(pid, &wstatus, 0) != pid || wstatus != 0)
		_exit(125);
	report_value(REPORT_STARTED, 0);
	report_value(REPORT_EXITED, 0);
	_exit(0);
}

static _Noreturn void inner(struct orders *o, int parent_fd, int announced_fd)
{
	struct pollfd p = {.fd = parent_fd, .events = POLLIN};
	int procfd = open_proc(), root;
	struct user user;
	sigset_t all;
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (poll(&p, 1, 0) > 0)
		_exit(125);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		fail(STAGE_CHROOT, errno, "become the reaper of the step's processes");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "slipway-init", 0, 0, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	umask(0);
	reap_descendants(procfd);
	o->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	enter_root(o);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail(STAGE_CHROOT, errno, "open the new root");
	user_find(&user, root, o->user);
	close(root);
	enter_cwd(o->cwd ? o->cwd : "/");
	check_cwd(o->cwd);
	limits_raise(o);
	if (read(announced_fd, &byte, 1) != 1)
		_exit(125);
	close(announced_fd);
	if (o->plain_filter_len > 0)
		notify_begin(proc_handle, procfd);
	if (o->flags & FLAG_PROBE)
		probe(o);
	give_output(&user);
	pid_t command = command_start(o, &user, -1);

	report_value(REPORT_STARTED, 0);
	reap(command, o);
}

static bool slipway_is_gone(int control_fd)
{
	struct pollfd p = {.fd = control_fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* Folders on the way may be the step's links by now, which would lead out of the root. */
static void remove_secret(int root, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[INIT_PATH];
	int fd;

	if ((size_t)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path) >=
	    sizeof(dir))
		return;
	fd = open_beneath(root, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)unlinkat(fd, slash ? slash + 1 : path, 0);
	close(fd);
}

int chroot_run(struct orders *o)
{
	int procfd = open_proc(), root = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int wstatus = 0;
	sigset_t all;
	pid_t pid;

	check_caps();
	/* What ends slipway's whole group, Ctrl-C among it, must leave the one that ends the step. */
	(void)setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Whoever started this process may end: what it has started is still to be ended then. */
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		fail(STAGE_CHROOT, errno, "become the reaper of the step's processes");
	pid = first_start(o, STAGE_CHROOT, "step", inner);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	while (waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
		;
	descendants_end(procfd);
	if (slipway_is_gone(o->control_fd))
		for (size_t i = 0; i < o->secrets.n; i++)
			remove_secret(root, o->secrets.items[i]);
	/* That this process itself ends by a signal tells slipway that nobody has ended the step's processes. */
	return WIFSIGNALED(wstatus) ? 125 : WEXITSTATUS(wstatus);
}
