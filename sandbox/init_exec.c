#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What Docker gives a container: enough for package managers, nothing that reaches the host. */
static const unsigned int kept_caps[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,      CAP_FOWNER,           CAP_MKNOD,
	CAP_NET_RAW, CAP_SETGID,       CAP_SETUID,      CAP_SETFCAP,          CAP_SETPCAP,
	CAP_KILL,    CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE,
};

void enter_cwd(const char *cwd)
{
	char path[INIT_PATH], *real;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	size_t missing;

	if (root < 0)
		fail(STAGE_CWD, errno, "open the root");
	fd = open_in_root(root, cwd, O_PATH | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT && resolve_in_root(root, cwd, &real, &missing) == 0)
		fd = make_beneath(root, real, false, 0755);
	if (fd < 0 || fchdir(fd) < 0)
		fail(STAGE_CWD, errno, "enter the working directory %s", cwd);
	/* A folder outside of the root would show here, whatever way led to it. */
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0 || path[0] != '/')
		fail(STAGE_CWD, 0, "the working directory %s is outside of the root: refused", cwd);
	close(fd);
	close(root);
}

static void limit_bounding_set(uint64_t keep)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (keep & (1ull << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
			fail(STAGE_PRIVILEGES, errno, "drop capability %u", cap);
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		fail(STAGE_PRIVILEGES, errno, "clear ambient capabilities");
}

static void limit_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		fail(STAGE_PRIVILEGES, errno, "read capabilities");
	for (unsigned int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		fail(STAGE_PRIVILEGES, errno, "drop capabilities");
}

static void load_filter(const struct orders *o)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(o->filter_len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)o->filter};

	if (o->filter_len == 0)
		return;
	/* The filter keeps programs from the kernel, not from each other: no speculation barriers for it. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) <
		    0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		fail(STAGE_FILTER, errno, "load the system call filter");
}

void drop_privileges(const struct orders *o)
{
	uint64_t keep = 0;

	for (size_t i = 0; i < sizeof(kept_caps) / sizeof(kept_caps[0]); i++)
		keep |= 1ull << kept_caps[i];
	/* A session keyring of its own: keys of the user who builds are not the step's. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	limit_bounding_set(keep);
	if (o->flags & FLAG_SINGLE) {
		/* The filter answers capset itself there; without other ids, "no new privileges" takes nothing away. */
		limit_caps(keep);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			fail(STAGE_PRIVILEGES, errno, "set no_new_privs");
		load_filter(o);
		return;
	}
	/* Loaded while CAP_SYS_ADMIN is held: no_new_privs would break sudo and other setuid programs. */
	load_filter(o);
	limit_caps(keep);
}

struct trouble {
	enum stage stage;
	int number;
};

static const char *env_get(const struct list *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* As execvp() searches, without its fallback to a shell. Returns errno. */
static int search_exec(char *const *argv, char *const *env, const char *path)
{
	char full[INIT_PATH];
	int seen = ENOENT;

	if (!argv[0][0])
		return ENOENT;
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return errno;
	}
	while (*path) {
		size_t len = strcspn(path, ":");

		if (snprintf(full, sizeof(full), "%.*s/%s", len ? (int)len : 1, len ? path : ".",
			     argv[0]) < (int)sizeof(full)) {
			execve(full, argv, env);
			if (errno == EACCES)
				seen = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		path += len + (path[len] == ':');
	}
	return seen;
}

static void take_terminal(int slave)
{
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(125);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			_exit(125);
}

static void become(const struct orders *o, const struct user *u)
{
	if (o->flags & FLAG_SINGLE)
		return;
	if (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0) {
		/* reported by the caller through errno */
		return;
	}
	errno = 0;
}

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void command_run(const struct orders *o, const struct user *u, int tty_slave,
				  char *const *env, int tellfd)
{
	struct trouble t = {.stage = STAGE_EXEC};
	const char *path = env_get(&o->env, "PATH");

	if (tty_slave >= 0)
		take_terminal(tty_slave);
	else
		(void)setsid();
	default_signals();
	umask(022);
	errno = 0;
	become(o, u);
	if (errno) {
		t.stage = STAGE_PRIVILEGES;
		t.number = errno;
	} else {
		(void)syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
		t.number = search_exec(o->args.items, env, path ? path : DEFAULT_PATH);
	}
	(void)!write(tellfd, &t, sizeof(t));
	_exit(125);
}

static char **command_env(const struct orders *o, const struct user *u)
{
	char **env = init_alloc(o->env.n + 3, sizeof(*env));
	size_t n = o->env.n;

	if (n > 0)
		memcpy(env, o->env.items, n * sizeof(*env));
	if (!env_get(&o->env, "HOME")) {
		env[n] = init_alloc(strlen(u->home) + 6, 1);
		memcpy(env[n], "HOME=", 5);
		memcpy(env[n++] + 5, u->home, strlen(u->home) + 1);
	}
	if ((o->flags & FLAG_SINGLE) && !env_get(&o->env, "APT_CONFIG"))
		env[n++] = init_strdup("APT_CONFIG=/dev/slipway-apt.conf");
	return env;
}

/* A script written on Windows names an interpreter that ends with a carriage return. */
static bool ends_with_crlf(const char *path)
{
	char line[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line));
	const char *end = n > 2 && line[0] == '#' && line[1] == '!' ? memchr(line, '\n', (size_t)n)
								    : NULL;

	if (fd >= 0)
		close(fd);
	return end && end[-1] == '\r';
}

static _Noreturn void explain(const struct orders *o, const struct trouble *t, const struct user *u)
{
	const char *name = o->args.items[0];

	if (t->stage == STAGE_PRIVILEGES)
		fail(STAGE_USER, t->number, "become user %u, group %u", u->uid, u->gid);
	if (t->number == ENOENT && strchr(name, '/') && ends_with_crlf(name))
		fail(STAGE_EXEC, ENOENT,
		     "run \"%s\": its first line ends with CR LF: save it with the line ends of Unix",
		     name);
	if (t->number == ENOENT && strchr(name, '/') && access(name, F_OK) == 0)
		fail(STAGE_EXEC, ENOENT,
		     "run \"%s\": its interpreter or loader is not in the image", name);
	if (t->number == ENOENT && !strchr(name, '/'))
		fail(STAGE_EXEC, ENOENT, "run \"%s\": not found in PATH of the image", name);
	if (t->number == EACCES && strchr(name, '/') && access(name, X_OK) < 0)
		fail(STAGE_EXEC, EACCES,
		     "run \"%s\": Permission denied: is it executable (COPY --chmod=755, or RUN chmod +x)?",
		     name);
	fail(STAGE_EXEC, t->number, "run \"%s\": %s", name, strerror(t->number));
}

pid_t command_start(struct orders *o, const struct user *u, int tty_slave)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), tell[2];
	char **env = command_env(o, u);
	struct trouble t;
	pid_t pid;

	if (null < 0 || pipe2(tell, O_CLOEXEC) < 0)
		fail(STAGE_FORK, errno, "prepare to start the command");
	if (tty_slave >= 0)
		(void)!fchown(tty_slave, u->uid, (gid_t)-1);
	pid = fork();
	if (pid < 0)
		fail(STAGE_FORK, errno, "start a process");
	if (pid == 0)
		command_run(o, u, tty_slave, env, tell[1]);
	close(tell[1]);
	/* The step's output ends when its processes do: process 1 must not hold it open. */
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	close(null);
	if (tty_slave >= 0)
		close(tty_slave);
	if (read(tell[0], &t, sizeof(t)) == (ssize_t)sizeof(t))
		explain(o, &t, u);
	close(tell[0]);
	return pid;
}
