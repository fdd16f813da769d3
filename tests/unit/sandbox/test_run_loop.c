/* How a step ends, and what of it is left: nothing. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <dirent.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/time.h"

static char mark[16]; /* a number of seconds that only scripts of this test sleep */

/* The script with the mark for each "@". free() */
static char *marked(const char *script)
{
	AUTO(strlist) parts = STRLIST_INIT;

	strlist_split(&parts, script, '@');
	return strlist_join(&parts, mark);
}

static struct fixture *current; /* for the callbacks of a run */

/* Processes of our scripts that are alive. */
static int count_left(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(dir))) {
		AUTO_FREE char *path = xstrfmt("/proc/%s/cmdline", e->d_name);
		AUTO(strbuf) line = STRBUF_INIT;

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
		    fs_read_file(path, &line, 4096, NULL) < 0)
			continue;
		n += memmem(line.buf, line.len, mark, strlen(mark)) != NULL;
	}
	closedir(dir);
	return n;
}

static void kills_what_a_step_leaves_running(void **state)
{
	static const char *const scripts[] = {
		"sleep @ & echo done",
		"setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep @; done' & echo done",
		/* Holds stdout open, is no child of the shell any more, and ignores signals. */
		"(trap '' TERM; (sleep @ &) ) ; echo done",
		"i=0; while [ $i -lt 50 ]; do sleep @ & i=$((i+1)); done; echo done",
	};
	struct rootfs *fs = open_rootfs(*state);

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		int64_t before = time_monotonic_ns();
		AUTO_FREE char *script = marked(scripts[i]);
		AUTO(outcome) o;

		run_script(fs, script, &o);
		assert_int_equal(o.r, 0);
		assert_int_equal(o.result.status, 0);
		assert_string_equal(o.out.buf, "done\n");
		assert_int_equal(count_left(), 0);
		assert_true(time_monotonic_ns() - before < 60000000000ll);
	}
	rootfs_free(fs);
}

static void reports_signals_as_exit_codes(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) term, kill9;

	run_script(fs, "kill -TERM $$", &term);
	assert_int_equal(term.result.status, 128 + SIGTERM);
	run_script(fs, "kill -KILL $$", &kill9);
	assert_int_equal(kill9.result.status, 128 + SIGKILL);
	assert_int_equal(kill9.result.oom, OOM_NONE);
	rootfs_free(fs);
}

/* The first process of the namespace cannot be killed or traced from inside. */
static void protects_its_first_process(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;

	run_script(
		fs,
		"kill -KILL 1; kill -STOP 1; sleep 0.1; "
		"cat /proc/1/environ 2>/dev/null | head -c 1; readlink /proc/1/fd/3 /proc/1/cwd; "
		"readlink /proc/1/exe; echo x 2>/dev/null > /proc/1/exe || echo sealed; "
		"grep -c 'Cap.*0000000000000000' /proc/self/status",
		&o);
	assert_int_equal(o.r, 0);
	assert_string_equal(o.out.buf, "sealed\n2\n"); /* inheritable and ambient are empty */
	rootfs_free(fs);
}

/* The step says when it is ready for what comes. */
static void cancel_when_ready(void *arg, int fd, const void *data, size_t len)
{
	struct outcome *o = arg;

	collect(arg, fd, data, len);
	if (cancel_requested(&current->cancel) || !strstr(o->out.buf, "ready"))
		return;
	cancel_note(&current->cancel, SIGTERM);
	assert_int_equal(write(current->wake[1], "x", 1), 1);
}

static int64_t cancelled_twice; /* when */

static void cancel_twice_when_ready(void *arg, int fd, const void *data, size_t len)
{
	cancel_when_ready(arg, fd, data, len);
	if (current->cancel.count == 1) {
		cancel_note(&current->cancel, SIGTERM);
		cancelled_twice = time_monotonic_ns();
	}
}

static void ends_a_step_on_a_signal(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO_FREE char *script = marked(
		"trap 'echo asked; exit 7' TERM; sleep @ & echo ready; wait");
	int64_t before = time_monotonic_ns();
	AUTO(outcome) o, again;

	current = *state;
	run_spec(fs, script, (struct run_spec){.output = cancel_when_ready}, &o);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.error.kind, ERROR_CANCELLED);
	assert_string_equal(o.out.buf, "ready\nasked\n");
	assert_true(time_monotonic_ns() - before < 60000000000ll);
	assert_int_equal(count_left(), 0);
	/* Nothing new begins. */
	run_script(fs, "echo ran", &again);
	assert_int_equal(again.error.kind, ERROR_CANCELLED);
	assert_int_equal(again.out.len, 0);
	rootfs_free(fs);
}

static void signal_twice_when_asked(void *arg, int fd, const void *data, size_t len)
{
	struct outcome *o = arg;

	cancel_when_ready(arg, fd, data, len);
	if (current->cancel.count == 1 && strstr(o->out.buf, "once"))
		cancel_note(&current->cancel, SIGTERM);
}

/* slipway run: the container's own way to end is what counts. */
static void passes_signals_to_a_container(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;

	current = *state;
	run_spec(fs,
		 "trap 'trap \"echo twice; exit 9\" TERM; echo once' TERM; echo ready; "
		 "while :; do sleep 0.1; done",
		 (struct run_spec){.output = signal_twice_when_asked, .pass_signals = true}, &o);
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.status, 9);
	assert_string_equal(o.out.buf, "ready\nonce\ntwice\n");
	rootfs_free(fs);
}

static void kills_a_step_on_the_second_signal(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO_FREE char *script = marked("trap '' TERM; echo ready; while :; do sleep @; done");
	AUTO(outcome) o;

	current = *state;
	run_spec(fs, script, (struct run_spec){.output = cancel_twice_when_ready}, &o);
	assert_int_equal(o.error.kind, ERROR_CANCELLED);
	assert_int_equal(o.result.status, 128 + SIGKILL);
	/* After the first one it would have 5 seconds. */
	assert_true(time_monotonic_ns() - cancelled_twice < 5000000000ll);
	assert_int_equal(count_left(), 0);
	rootfs_free(fs);
}

/* kill -9 of slipway: the step dies with it. */
static void does_not_outlive_its_parent(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *script = marked("echo; exec sleep @");
	struct rootfs *fs = open_rootfs(f);
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct run_spec spec = {.pass_fds = true};
		AUTO(outcome) o;

		dup2(ready[1], 1);
		close(ready[0]);
		run_spec(fs, script, spec, &o);
		fprintf(stderr, "the run ended: %s\n", o.error.message ? o.error.message : "well");
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(count_left() > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 200 && count_left() > 0; i++)
		usleep(10000);
	assert_int_equal(count_left(), 0);
	close(ready[0]);
	rootfs_free(fs);
}

static void count(void *arg, int fd, const void *data, size_t len)
{
	struct outcome *o = arg;

	(void)fd;
	(void)data;
	assert_true(len <= 65536);
	o->out.limit += len; /* only its number is kept */
}

static void takes_output_without_end_of_line(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;

	run_spec(fs, "head -c 50000000 /dev/zero", (struct run_spec){.output = count}, &o);
	assert_int_equal(o.result.status, 0);
	assert_int_equal(o.out.limit, 50000000);
	rootfs_free(fs);
}

static void reads_what_it_is_given(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"cat; echo end"}, NULL};
	char *env[] = {(char[]){DEFAULT_PATH_ENV}, NULL};
	int in[2];
	AUTO(outcome) o;

	outcome_init(&o);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "typed\n", 6), 6);
	close(in[1]);

	const struct run_spec spec = {
		.argv = argv, .env = env, .stdin_fd = in[0], .output = collect, .arg = &o};

	must(rootfs_run(fs, &spec, &o.result, &must_err));
	assert_string_equal(o.out.buf, "typed\nend\n");
	close(in[0]);
	rootfs_free(fs);
}

static void has_a_terminal(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	const struct winsize size = {.ws_row = 33, .ws_col = 77};
	struct termios before, after;
	int master, slave;
	AUTO(outcome) o;

	/* The user's terminal. */
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_int_equal(write(master, "word\r", 5), 5);
	run_spec(
		fs,
		"tty; stty size; test -t 0 && test -t 2 && echo all; read x; echo got $x; ls -l /dev/console | cut -c1",
		(struct run_spec){.tty = true, .stdin_fd = slave}, &o);
	assert_int_equal(o.r, 0);
	/* The echo of what was typed early may come anywhere. */
	assert_non_null(strstr(o.out.buf, "word\r\n"));
	assert_non_null(strstr(o.out.buf, "/dev/pts/0\r\n"));
	assert_non_null(strstr(o.out.buf, "33 77\r\n"));
	assert_non_null(strstr(o.out.buf, "all\r\n"));
	assert_non_null(strstr(o.out.buf, "got word\r\nc\r\n"));
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	close(master);
	close(slave);
	rootfs_free(fs);
}

static int keyboard = -1;

static void press_when_ready(void *arg, int fd, const void *data, size_t len)
{
	struct outcome *o = arg;

	collect(arg, fd, data, len);
	if (strstr(o->out.buf, "ready") && keyboard >= 0)
		assert_int_equal(write(take_fd(keyboard), "\003", 1), 1);
}

/* Ctrl-C at the terminal is the step's, not slipway's. */
static void passes_keys_to_the_step(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	int master, slave;
	AUTO(outcome) o;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	keyboard = master;
	run_spec(fs, "trap 'echo interrupted; exit 5' INT; echo ready; sleep 9; sleep 9",
		 (struct run_spec){.tty = true, .stdin_fd = slave, .output = press_when_ready}, &o);
	assert_int_equal(o.result.status, 5);
	assert_non_null(strstr(o.out.buf, "interrupted"));
	close(master);
	close(slave);
	rootfs_free(fs);
}

static void limits_processes_where_it_can(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o;

	run_spec(fs,
		 "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done 2>/dev/null; echo done",
		 (struct run_spec){.pids_max = 10}, &o);
	assert_int_equal(o.r, 0);
	if (strstr(f->logged.buf, "limit of 10 processes is not enforced"))
		assert_int_equal(o.result.status, 0);
	else
		assert_int_not_equal(o.result.status,
				     0); /* the shell gives up when it cannot fork */
	rootfs_free(fs);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(kills_what_a_step_leaves_running), T(reports_signals_as_exit_codes),
		T(protects_its_first_process),       T(ends_a_step_on_a_signal),
		T(passes_signals_to_a_container),    T(kills_a_step_on_the_second_signal),
		T(does_not_outlive_its_parent),      T(takes_output_without_end_of_line),
		T(reads_what_it_is_given),           T(has_a_terminal),
		T(passes_keys_to_the_step),          T(limits_processes_where_it_can),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	snprintf(mark, sizeof(mark), "%d", 10000000 + (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
