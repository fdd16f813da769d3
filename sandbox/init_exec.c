#include "sandbox/init_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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

/* With one id: who the command is is told to the first process, which answers its calls. After limits and capabilities were set. */
static void pretend(const struct orders *o, const struct user *u, char **env)
{
	struct greeting g = {.uid = u->uid, .gid = u->gid, .n_groups = (uint32_t)u->n_groups};

	memcpy(g.groups, u->groups, u->n_groups * sizeof(*g.groups));
	if (o->plain_filter_len > 0 && notify_load(o, &g, sizeof(g)))
		return;
	/* Nobody answers: all users are one, and apt may not try to be another, since it looks whether it is. */
	if (u->uid != 0)
		warn("USER %s: there is one user id only in this sandbox, the command runs as root",
		     o->user);
	while (*env)
		env++;
	if (!env_get(&o->env, "APT_CONFIG"))
		*env = init_strdup("APT_CONFIG=/dev/slipway-apt.conf");
}

/* Returns only when it could not. */
static void try_command(const struct orders *o, const struct user *u, char **env, struct trouble *t)
{
	const char *path = env_get(&o->env, "PATH");

	default_signals();
	umask(022);
	/* The first process of a namespace has left its privileges already. */
	if (o->flags & FLAG_CHROOT)
		drop_privileges(o);
	errno = 0;
	t->stage = STAGE_FORK;
	if (limits_set(o) < 0 || capabilities_drop(o) < 0) {
		t->number = errno;
		return;
	}
	if (o->flags & FLAG_SINGLE)
		pretend(o, u, env);
	become(o, u);
	t->stage = STAGE_PRIVILEGES;
	t->number = errno;
	if (t->number)
		return;
	t->stage = STAGE_EXEC;
	(void)syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
	t->number = search_exec(o->args.items, env, path ? path : DEFAULT_PATH);
}

static _Noreturn void command_run(const struct orders *o, const struct user *u, int tty_slave,
				  char **env, int tellfd)
{
	struct trouble t;

	if (tty_slave >= 0)
		take_terminal(tty_slave);
	else
		(void)setsid();
	try_command(o, u, env, &t);
	(void)!write(tellfd, &t, sizeof(t));
	_exit(125);
}

static char **command_env(const struct orders *o, const struct user *u)
{
	char **env = init_alloc(o->env.n + 3, sizeof(*env)); /* and APT_CONFIG */
	size_t n = o->env.n;

	if (n > 0)
		memcpy(env, o->env.items, n * sizeof(*env));
	if (!env_get(&o->env, "HOME")) {
		env[n] = init_alloc(strlen(u->home) + 6, 1);
		memcpy(env[n], "HOME=", 5);
		memcpy(env[n++] + 5, u->home, strlen(u->home) + 1);
	}
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

	if (t->stage == STAGE_FORK)
		fail(STAGE_PRIVILEGES, t->number,
		     "set the resource limits and capabilities of the command");
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
	int null = o->flags & FLAG_CHROOT ? o->null_fd : open("/dev/null", O_RDWR | O_CLOEXEC);
	int tell[2];
	char **env = command_env(o, u);
	struct trouble t;
	pid_t pid;

	if (null < 0 || pipe2(tell, O_CLOEXEC) < 0)
		fail(STAGE_FORK, errno, "prepare to start the command");
	if (tty_slave >= 0)
		(void)!fchown(tty_slave, u->uid, (gid_t)-1);
	notify_prepare();
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
	notify_take(pid);
	notify_await(tell[0]);
	if (read(tell[0], &t, sizeof(t)) == (ssize_t)sizeof(t))
		explain(o, &t, u);
	close(tell[0]);
	return pid;
}

/* A terminal of the container's own, whose master side goes to whoever is at the socket; they say when it has its size. */
static void lend_terminal(int socket_fd, const struct user *u)
{
	int pts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC), slave, master;
	char byte = 't';

	if (pts < 0)
		fail(STAGE_DEV, errno, "open /dev/pts");
	master = terminal_open(pts, &slave);
	(void)!fchown(slave, u->uid, (gid_t)-1);
	if (send_with_fd(socket_fd, &byte, 1, master) < 0)
		fail(STAGE_DEV, errno, "hand over the terminal");
	close(master);
	(void)!read(socket_fd, &byte, 1);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			fail(STAGE_FORK, errno, "hand the program its terminal");
	(void)ioctl(0, TIOCSCTTY, 0);
}

void program_run(const struct orders *step, uint32_t id, const int fds[EXEC_FDS])
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct trouble t;
	struct orders o;
	struct user u;
	bool tty;

	report_of_program(id);
	orders_read(&o, fds[0]);
	tty = o.flags & FLAG_TTY;
	o.flags = step->flags;
	o.filter = step->filter;
	o.filter_len = step->filter_len;
	o.plain_filter = step->plain_filter;
	o.plain_filter_len = step->plain_filter_len;
	o.limits = step->limits;
	o.n_limits = step->n_limits;
	o.drop_caps = step->drop_caps;
	(void)setsid();
	for (int fd = 0; fd < 3; fd++)
		if (dup2(fds[fd + 1], fd) < 0)
			fail(STAGE_FORK, errno, "hand the program its descriptors");
	if (root < 0 || o.args.n == 0)
		fail(STAGE_ORDERS, 0, "there is no program to run");
	user_find(&u, root, o.user);
	if (tty)
		lend_terminal(fds[1], &u);
	enter_cwd(o.cwd);
	try_command(&o, &u, command_env(&o, &u), &t);
	explain(&o, &t, &u);
}
