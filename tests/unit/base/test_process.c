#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/process.h"
#include "base/time.h"

/* sh -c SCRIPT, its output and exit status. */
static int shell(const char *script, struct strbuf *out, struct strbuf *errout)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct process_options opt = {.path = "sh", .argv = (char *const *)(uintptr_t)argv};
	int status = -1;

	assert_ok(process_capture(&opt, NULL, 0, out, errout, 20000, NULL, &status, err));
	return status;
}

static void collects_output_and_status(void **state)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) errout = STRBUF_INIT;

	(void)state;
	assert_int_equal(shell("echo out; echo err >&2; exit 3", &out, &errout), 3);
	assert_string_equal(out.buf, "out\n");
	assert_string_equal(errout.buf, "err\n");
	assert_int_equal(shell("kill -TERM $$", NULL, NULL), 128 + SIGTERM);
	assert_int_equal(shell("exit 255", NULL, NULL), 255);
	/* More than a pipe holds, on both at once. */
	strbuf_reset(&out);
	strbuf_reset(&errout);
	assert_int_equal(
		shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", &out, &errout), 0);
	assert_int_equal(out.len, 300000);
	assert_int_equal(errout.len, 300000);
}

static void input_is_read_or_not(void **state)
{
	char *argv[] = {(char[]){"sha256sum"}, NULL};
	char *ignorant[] = {(char[]){"true"}, NULL};
	struct process_options opt = {.path = "sha256sum", .argv = argv};
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *million = xmalloc(1000000);
	int status = -1;

	(void)state;
	memset(million, 'a', 1000000);
	assert_ok(process_capture(&opt, million, 1000000, &out, NULL, -1, NULL, &status, err));
	assert_int_equal(status, 0);
	assert_string_equal(out.buf,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
			    "  -\n");
	opt = (struct process_options){.path = "true", .argv = ignorant};
	assert_ok(process_capture(&opt, million, 1000000, NULL, NULL, -1, NULL, &status, err));
	assert_int_equal(status, 0);
}

static void the_limit_ends_it(void **state)
{
	char *argv[] = {(char[]){"yes"}, NULL};
	struct process_options opt = {.path = "yes", .argv = argv};
	AUTO(strbuf) out = STRBUF_LIMIT(100000);
	int status = -1;

	(void)state;
	assert_error(process_capture(&opt, NULL, 0, &out, NULL, -1, NULL, &status, err),
		     ERROR_CORRUPT, "yes printed more than the 100000 bytes allowed");
	assert_true(out.len <= 100000);
}

static void the_timeout_ends_it(void **state)
{
	char *argv[] = {(char[]){"sleep"}, (char[]){"100"}, NULL};
	struct process_options opt = {.path = "sleep", .argv = argv};
	int64_t start = time_monotonic_ns();
	int status = -1;

	(void)state;
	assert_error(process_capture(&opt, NULL, 0, NULL, NULL, 50, NULL, &status, err),
		     ERROR_SYSTEM, "sleep did not end within 50 ms");
	assert_true(time_monotonic_ns() - start < 20ll * 1000000000);
}

struct canceller {
	struct cancel *cancel;
	int wake;
};

static void *cancel_later(void *arg)
{
	struct canceller *c = arg;

	usleep(20000);
	cancel_note(c->cancel, SIGINT);
	if (c->wake >= 0)
		assert_int_equal(write(c->wake, "x", 1), 1);
	return NULL;
}

/* Once told by the descriptor, once by the flag alone. */
static void cancel_ends_it(void **state)
{
	char *argv[] = {(char[]){"sleep"}, (char[]){"100"}, NULL};
	struct process_options opt = {.path = "sleep", .argv = argv};
	int ends[2], status = -1;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (int with_fd = 0; with_fd < 2; with_fd++) {
		struct cancel cancel = {.wake_fd = with_fd ? ends[0] : -1};
		struct canceller c = {&cancel, with_fd ? ends[1] : -1};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, cancel_later, &c), 0);
		assert_error(process_capture(&opt, NULL, 0, NULL, NULL, -1, &cancel, &status, err),
			     ERROR_CANCELLED, "cancelled");
		pthread_join(thread, NULL);
		assert_error(process_capture(&opt, NULL, 0, NULL, NULL, -1, &cancel, &status, err),
			     ERROR_CANCELLED, "cancelled");
	}
	close(ends[0]);
	close(ends[1]);
}

/* A container may have no init that asks for the dead. */
static void a_zombie_has_no_start_time(void **state)
{
	pid_t child = fork();
	siginfo_t info;

	(void)state;
	if (child == 0)
		_exit(0);
	assert_true(child > 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_start_time(child), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Of a session of its own the children end, too. */
static void a_session_ends_whole(void **state)
{
	const char *argv[] = {"sh", "-c", "sleep 100 & echo $!; wait", NULL};
	struct process_options opt = {
		.path = "sh", .argv = (char *const *)(uintptr_t)argv, .new_session = true};
	AUTO(strbuf) out = STRBUF_INIT;
	int status = -1;
	pid_t child;

	(void)state;
	assert_error(process_capture(&opt, NULL, 0, &out, NULL, 500, NULL, &status, err),
		     ERROR_SYSTEM, "sh did not end within 500 ms");
	child = (pid_t)strtol(out.buf, NULL, 10);
	assert_true(child > 1);
	/* also when nobody waits for it: a zombie does not count */
	for (int i = 0; i < 500 && process_start_time(child); i++)
		usleep(10000);
	assert_int_equal(process_start_time(child), 0);
}

/* What the child left behind holds the pipe open: it is not waited for. */
static void a_grandchild_is_not_waited_for(void **state)
{
	AUTO(strbuf) out = STRBUF_INIT;
	int64_t start = time_monotonic_ns();

	(void)state;
	assert_int_equal(shell("sleep 30 & echo $!", &out, NULL), 0);
	assert_true(time_monotonic_ns() - start < 15ll * 1000000000);
	kill((pid_t)strtol(out.buf, NULL, 10), SIGKILL);
}

static void failures_to_start_are_named(void **state)
{
	char *argv[] = {(char[]){"x"}, NULL};
	char script[] = "/tmp/process-test-XXXXXX";
	AUTO_FD int fd = mkstemp(script);
	struct process_options opt = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	pid_t pid = 0;

	(void)state;
	opt.path = "no-such-program-anywhere";
	assert_error(process_spawn(&pid, &opt, err), ERROR_NOT_FOUND, "no such program in PATH");
	opt.path = "/no/such/program";
	assert_error(process_spawn(&pid, &opt, err), ERROR_NOT_FOUND, "/no/such/program");
	opt.path = script;
	assert_error(process_spawn(&pid, &opt, err), ERROR_DENIED, "Permission denied");
	assert_int_equal(write(fd, "#!/no/interpreter\n", 18), 18);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(take_fd(fd));
	assert_error(process_spawn(&pid, &opt, err), ERROR_NOT_FOUND, "its interpreter");
	unlink(script);
	opt.path = "true";
	opt.cwd = "/no/such/folder";
	assert_error(process_spawn(&pid, &opt, err), ERROR_NOT_FOUND,
		     "change to folder /no/such/folder");
	opt.cwd = NULL;
	opt.keep_fds = (int[]){999};
	opt.n_keep_fds = 1;
	assert_error(process_spawn(&pid, &opt, err), ERROR_SYSTEM, "hand a descriptor over");
	assert_int_equal(pid, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* The child has its three descriptors and those named, at their numbers, and nothing else. */
static void descriptors_are_closed(void **state)
{
	const char *argv[] = {"sh", "-c", "ls /proc/$$/fd; true", NULL};
	AUTO(strbuf) out = STRBUF_INIT;
	struct process_options opt = {.path = "/bin/sh", .argv = (char *const *)(uintptr_t)argv};
	int leaked = open("/dev/null", O_RDONLY); /* without the flag, as if inherited */
	int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int status = -1;

	(void)state;
	assert_int_equal(fcntl(kept, F_DUPFD_CLOEXEC, 50), 50);
	close(kept);
	opt.keep_fds = (int[]){50};
	opt.n_keep_fds = 1;
	assert_ok(process_capture(&opt, NULL, 0, &out, NULL, -1, NULL, &status, err));
	assert_string_equal(out.buf, "0\n1\n2\n50\n");
	assert_true(fcntl(50, F_GETFD) & FD_CLOEXEC);
	close(50);
	close(leaked);
}

/* Standard descriptors in each other's places: no dup2 may overwrite a source. */
static void descriptors_may_be_swapped(void **state)
{
	const char *argv[] = {"sh", "-c", "echo to-out; echo to-err >&2", NULL};
	struct process_options opt = {.path = "sh", .argv = (char *const *)(uintptr_t)argv};
	int saved[3], out[2], errout[2], status = -1;
	char text[16] = "";
	pid_t pid = 0;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(errout, O_CLOEXEC), 0);
	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	dup2(errout[1], 1);
	dup2(out[1], 2);
	close(0);
	opt.stdin_fd = -1;
	opt.stdout_fd = 2;
	opt.stderr_fd = 1;
	status = process_spawn(&pid, &opt, NULL);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	assert_int_equal(status, 0);
	assert_ok(process_wait(pid, &status, err));
	assert_int_equal(status, 0);
	assert_int_equal(read(out[0], text, sizeof(text)), 7);
	assert_memory_equal(text, "to-out\n", 7);
	assert_int_equal(read(errout[0], text, sizeof(text)), 7);
	assert_memory_equal(text, "to-err\n", 7);
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(errout[i]);
	}
}

static void environment_and_folder(void **state)
{
	const char *argv[] = {"sh", "-c", "pwd; echo \"$A-$HOME-\"", NULL};
	const char *envp[] = {"A=b c", NULL};
	struct process_options opt = {
		.path = "sh",
		.argv = (char *const *)(uintptr_t)argv,
		.envp = (char *const *)(uintptr_t)envp,
		.cwd = "/usr",
	};
	AUTO(strbuf) out = STRBUF_INIT;
	int status = -1;

	(void)state;
	assert_ok(process_capture(&opt, NULL, 0, &out, NULL, -1, NULL, &status, err));
	assert_string_equal(out.buf, "/usr\nb c--\n");
}

/* Ignored and blocked signals of ours are not the child's. */
static void signals_are_reset(void **state)
{
	AUTO(strbuf) out = STRBUF_INIT;
	sigset_t set, old;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	assert_int_equal(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status", &out, NULL), 0);
	assert_string_equal(out.buf, "SigBlk:\t0000000000000000\n"
				     "SigIgn:\t0000000000000000\n");
	/* Ours are as they were. */
	pthread_sigmask(SIG_SETMASK, &old, &set);
	assert_true(sigismember(&set, SIGUSR1));
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_IGN);
}

/* The child dies with the thread that started it. */
static void *spawn_and_end(void *arg)
{
	char *argv[] = {(char[]){"sleep"}, (char[]){"100"}, NULL};
	struct process_options opt = {
		.path = "sleep",
		.argv = argv,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.death_signal = SIGKILL,
	};

	if (process_spawn(arg, &opt, NULL) < 0)
		*(pid_t *)arg = -1;
	return NULL;
}

static void death_follows_the_parent(void **state)
{
	pthread_t thread;
	pid_t pid = 0;
	int status = -1;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, spawn_and_end, &pid), 0);
	pthread_join(thread, NULL);
	assert_true(pid > 0);
	assert_ok(process_wait(pid, &status, err));
	assert_int_equal(status, 128 + SIGKILL);
	assert_error(process_wait(pid, &status, err), ERROR_SYSTEM, "wait for process");
}

static void start_times_tell_processes_apart(void **state)
{
	uint64_t mine = process_start_time(getpid());

	(void)state;
	assert_true(mine > 0);
	assert_true(mine == process_start_time(getpid()));
	assert_true(process_start_time(1) <= mine);
	assert_int_equal(process_start_time(-1), 0);
	assert_int_equal(process_start_time(0x7ffffff0), 0);
}

/* By other means than ours. */
static void start_time_is_field_22(void **state)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *script = xstrfmt("sed 's/.*) //' /proc/%d/stat | cut -d' ' -f20",
					 (int)getpid());

	(void)state;
	assert_int_equal(shell(script, &out, NULL), 0);
	assert_true(strtoull(out.buf, NULL, 10) == process_start_time(getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collects_output_and_status),
		cmocka_unit_test(input_is_read_or_not),
		cmocka_unit_test(the_limit_ends_it),
		cmocka_unit_test(the_timeout_ends_it),
		cmocka_unit_test(cancel_ends_it),
		cmocka_unit_test(a_zombie_has_no_start_time),
		cmocka_unit_test(a_session_ends_whole),
		cmocka_unit_test(a_grandchild_is_not_waited_for),
		cmocka_unit_test(failures_to_start_are_named),
		cmocka_unit_test(descriptors_are_closed),
		cmocka_unit_test(descriptors_may_be_swapped),
		cmocka_unit_test(environment_and_folder),
		cmocka_unit_test(signals_are_reset),
		cmocka_unit_test(death_follows_the_parent),
		cmocka_unit_test(start_times_tell_processes_apart),
		cmocka_unit_test(start_time_is_field_22),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
