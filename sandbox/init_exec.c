#include "sandbox/init.h"

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
	if (limits_set(o) < 0) {
		t.stage = STAGE_FORK;
		t.number = errno;
		(void)!write(tellfd, &t, sizeof(t));
		_exit(125);
	}
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

	if (t->stage == STAGE_FORK)
		fail(STAGE_PRIVILEGES, t->number, "set the resource limits of the command");
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
