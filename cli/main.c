/* Entry: signals, the helper of the sandbox, and the choice of the command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "sandbox/sandbox.h"

extern char **environ;

static struct cancel cancel = {.wake_fd = -1};
static int wake_write_fd = -1;
static mode_t user_umask;

static void on_signal(int number)
{
	cancel_note(&cancel, number);
	if (wake_write_fd >= 0 && write(wake_write_fd, "", 1) < 0)
		return; /* full: it is readable already */
}

/*
 * Left alone, glibc learns from each large buffer that is freed to keep the next ones: 4 MB more after a layer of many files.
 * These fixed bounds give them back to the system.
 */
static void bound_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

static void watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction before;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0) {
		cancel.wake_fd = pipe_fds[0];
		wake_write_fd = pipe_fds[1];
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		/* what nohup or a shell's background job ignores stays ignored */
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

/*
 * A program started without 0, 1 or 2 must not open a blob as its standard output. What is written to a missing
 * standard output fails, so that a lost archive is not taken for a saved one.
 */
static void open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) < 0)
			_exit(1);
}

static void print_usage(FILE *out)
{
	fprintf(out, "Usage:  slipway [--root DIR] COMMAND\n\n"
		     "From a Dockerfile to a running task on ECS, with no daemon.\n\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-16s%s\n", c->name, c->summary);
	fprintf(out,
		"\nGlobal options:\n"
		"  --root DIR  State folder (default: SLIPWAY_ROOT, else /var/lib/slipway for root,\n"
		"              $XDG_DATA_HOME/slipway for others)\n"
		"  -v          Say more\n\n"
		"Run 'slipway COMMAND --help' for more information on a command.\n");
}

static const struct command *find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

#define NO_CONTAINERS "slipway keeps no containers: 'slipway run' lasts as long as its command."
#define IMAGE_COMMANDS \
	"Use 'slipway images', build, pull, push, tag, rmi, save, load, inspect, history or prune."

/* What docker's users type, and what does it here. */
static const struct {
	const char *name, *answer;
} docker_commands[] = {
	{"attach", NO_CONTAINERS},
	{"builder", "Use 'slipway prune -a' for the build cache and 'slipway df' for its size."},
	{"buildx", "Use 'slipway build'."},
	{"container", NO_CONTAINERS},
	{"create", NO_CONTAINERS},
	{"image", IMAGE_COMMANDS},
	{"info", "Use 'slipway doctor', df and version."},
	{"kill", NO_CONTAINERS},
	{"restart", NO_CONTAINERS},
	{"rm", "slipway keeps no containers; 'slipway rmi' removes images."},
	{"start", NO_CONTAINERS},
	{"system", "Use 'slipway df' and 'slipway prune -a'."},
};

static int unknown_command(const char *name)
{
	const char *names[64] = {0};
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(docker_commands); i++)
		if (strcmp(docker_commands[i].name, name) == 0)
			return fprintf(stderr, "slipway: '%s' is not a slipway command\n%s\n", name,
				       docker_commands[i].answer),
			       2;
	for (const struct command *c = commands; c->name && n + 1 < ARRAY_SIZE(names); c++)
		names[n++] = c->name;
	near = options_nearest(name, names);
	fprintf(stderr, "slipway: '%s' is not a slipway command", name);
	if (near)
		fprintf(stderr, " (did you mean '%s'?)", near);
	fprintf(stderr, "\nRun 'slipway --help' for the list.\n");
	return 2;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	AUTO(error) err = ERROR_INIT;
	struct app app;
	int code;

	app_init(&app, environ, &cancel);
	app.env.umask = user_umask;
	code = command->run(&app, argc, argv, &err);
	if (code < 0) {
		app_print_error(&app, &err);
		code = error_exit_code(&err, &cancel);
	}
	app_release(&app);
	if (fflush(stdout) != 0 && code == 0) {
		fprintf(stderr, "slipway: write to standard output failed\n");
		code = 1;
	}
	return code;
}

int main(int argc, char **argv)
{
	const struct command *command;
	int i = 1;

	open_standard_fds();
	bound_memory();
	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	user_umask = umask(022);
	watch_signals();
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
			setenv("SLIPWAY_ROOT", argv[++i], 1);
		else if (strncmp(argv[i], "--root=", 7) == 0)
			setenv("SLIPWAY_ROOT", argv[i] + 7, 1);
		else if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0)
			setenv("SLIPWAY_VERBOSE", "1", 1);
		else if (strcmp(argv[i], "--version") == 0)
			return run_command(find_command("version"), 1, argv);
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return print_usage(stdout), 0;
		else
			return fprintf(stderr, "slipway: unknown flag: %s\n", argv[i]),
			       print_usage(stderr), 2;
	}
	if (i >= argc)
		return print_usage(stderr), 2;
	if (strcmp(argv[i], "help") == 0) {
		if (i + 1 >= argc)
			return print_usage(stdout), 0;
		char *help[] = {argv[i + 1], (char[]){"--help"}, NULL};

		command = find_command(help[0]);
		return command ? run_command(command, 2, help) : unknown_command(help[0]);
	}
	command = find_command(argv[i]);
	if (!command)
		return unknown_command(argv[i]);
	return run_command(command, argc - i, argv + i);
}
