#include "sandbox/init_owner.h"
#include "sandbox/init_record.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter_cgroups(const struct orders *o)
{
	for (size_t i = 0; i < o->n_cgroup_fds; i++) {
		if (write(o->cgroup_fds[i], "0", 1) != 1)
			warn("the step could not enter its control group: %s", strerror(errno));
		close(o->cgroup_fds[i]);
	}
}

/*
 * When memory runs out the kernel is to choose among the step's processes, not slipway or what else runs here. The least
 * that a service manager set stays.
 */
static void offer_to_oom_killer(void)
{
	static const char wanted[] = "500";
	char text[16] = "";
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 &&
	    strtol(text, NULL, 10) < strtol(wanted, NULL, 10))
		(void)!pwrite(fd, wanted, sizeof(wanted) - 1, 0);
	close(fd);
}

/* Without this process slipway's step would live on after slipway was killed. */
static void die_with_parent(int control_fd)
{
	struct pollfd p = {.fd = control_fd};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (control_fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		_exit(125);
}

static void join_userns(const struct orders *o)
{
	if (o->userns_fd < 0)
		return;
	if (setns(o->userns_fd, CLONE_NEWUSER) < 0)
		fail(STAGE_USERNS, errno, "join the user namespace");
	close(o->userns_fd);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail(STAGE_USERNS, errno, "become root of the user namespace");
	/* Refused where the namespace has one group only. */
	(void)setgroups(0, NULL);
}

static void to_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < 3; i++)
		(void)dup2(fd, i);
	if (fd >= 0)
		close(fd);
}

/* The outer process tells slipway this one's pid: before that, nothing may be said of the command. */
static void await_announcement(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(125);
	close(fd);
}

static _Noreturn void first_process(struct orders *o, int parent_fd, int announced_fd)
{
	struct pollfd p = {.fd = parent_fd, .events = POLLIN};
	struct user user;
	sigset_t all;
	int tty, root;
	pid_t command;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (poll(&p, 1, 0) > 0)
		_exit(125);
	/* Nobody in the step may trace this process or open what it has open. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "slipway-init", 0, 0, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	umask(0);
	if (o->hostname && sethostname(o->hostname, strlen(o->hostname)) < 0)
		fail(STAGE_NAMESPACES, errno, "set the host name \"%s\"", o->hostname);
	records_open(o);
	tty = root_build(o);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail(STAGE_PIVOT, errno, "open the new root");
	user_find(&user, root, o->user);
	close(root);
	enter_cwd(o->cwd ? o->cwd : "/");
	limits_raise(o);
	drop_privileges(o);
	records_begin();
	notify_greet(identity_greet);
	if ((o->flags & FLAG_SINGLE) && o->plain_filter_len > 0)
		notify_begin(owner_handle, open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	await_announcement(announced_fd);
	if (o->flags & FLAG_PROBE) {
		report_value(REPORT_STARTED, 0);
		report_value(REPORT_EXITED, 0);
		_exit(0);
	}
	command = command_start(o, &user, tty);
	report_value(REPORT_STARTED, 0);
	reap(command, o);
}

/* Those that it joins, and those of its own. */
static void enter_namespaces(const struct orders *o)
{
	const bool joins = o->n_namespace_fds > 0;
	const bool own_net = !joins && (o->flags & FLAG_NETNS);

	for (size_t i = 0; i < o->n_namespace_fds; i++) {
		if (setns(o->namespace_fds[i], 0) < 0)
			fail(STAGE_NAMESPACES, errno, "join namespaces");
		close(o->namespace_fds[i]);
	}
	if (unshare(CLONE_NEWPID | (joins ? 0 : CLONE_NEWIPC | CLONE_NEWUTS) |
		    (own_net ? CLONE_NEWNET : 0)) < 0)
		fail(STAGE_NAMESPACES, errno, "make namespaces");
	(void)unshare(CLONE_NEWCGROUP);
	if (own_net) {
		loopback_up();
		low_ports_open();
	}
}

static int run(struct orders *o)
{
	int wstatus;
	pid_t pid;

	enter_cgroups(o);
	offer_to_oom_killer();
	if (o->flags & FLAG_CHROOT)
		return chroot_run(o);
	join_userns(o);
	die_with_parent(o->control_fd);
	enter_namespaces(o);
	pid = first_start(o, STAGE_NAMESPACES, "namespace", first_process);
	close(o->control_fd);
	to_null();
	wstatus = agent_serve(o->agent_fd, pid);
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

/* Keeps a new user namespace alive until slipway has written its maps and opened it. */
static int hold(struct orders *o)
{
	char byte;

	if (unshare(CLONE_NEWUSER) < 0)
		fail(STAGE_USERNS, errno, "make a user namespace");
	die_with_parent(o->control_fd);
	report_value(REPORT_READY, 0);
	(void)!read(o->control_fd, &byte, 1);
	return 0;
}

/* Becomes the program whose descriptor is given, as root of the user namespace. */
static int enter(struct orders *o)
{
	char *none[] = {NULL};

	join_userns(o);
	die_with_parent(o->control_fd);
	umask(022);
	syscall(SYS_execveat, o->exec_fd, "", o->args.items, o->env.items ? o->env.items : none,
		AT_EMPTY_PATH);
	fail(STAGE_EXEC, errno, "start slipway inside the user namespace");
}

/* Keeps namespaces that containers join, and lives as long as slipway asks it for sockets. */
static int share(struct orders *o)
{
	join_userns(o);
	to_null();
	space_serve(o);
	return 0;
}

/* slipway handed these over open across its exec; nothing that is started from here may have them. */
static void keep_private(const struct orders *o)
{
	const int fds[] = {o->userns_fd, o->control_fd, o->agent_fd, o->exec_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct orders o;
	sigset_t none;

	if (argc != 2)
		return 125;
	/* slipway may ignore SIGPIPE and others; the step starts with what every program expects. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	orders_read(&o, (int)strtol(argv[1], NULL, 10));
	keep_private(&o);
	switch ((enum order_task)o.task) {
	case TASK_HOLD:
		return hold(&o);
	case TASK_ENTER:
		return enter(&o);
	case TASK_RUN:
		return run(&o);
	case TASK_SPACE:
		return share(&o);
	default:
		return 125;
	}
}
