#include "builder/stop.h"

#include <signal.h>

#include "base/process.h"
#include "build_fixture.h"

static void init(struct build *b)
{
	*b = (struct build){.epoch = -1};
	pthread_mutex_init(&b->lock, NULL);
}

static void release(struct build *b)
{
	error_release(&b->failure);
	free(b->processes);
	pthread_mutex_destroy(&b->lock);
}

static pid_t start_sleeper(void)
{
	char name[] = "sleep", time[] = "60";
	char *const argv[] = {name, time, NULL};
	const struct process_options o = {
		.path = "sleep", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	pid_t pid = -1;

	assert_ok(process_spawn(&pid, &o, err));
	return pid;
}

static int end_of(pid_t pid)
{
	int status = -1;

	assert_ok(process_wait(pid, &status, err));
	return status;
}

static void the_first_failure_counts_and_ends_the_rest(void **state)
{
	AUTO(error) first = ERROR_INIT;
	AUTO(error) second = ERROR_INIT;
	struct build b;
	pid_t before, after, gone;
	int one, two, removed;

	(void)state;
	init(&b);
	before = start_sleeper();
	gone = start_sleeper();
	one = build_process_add(&b, before);
	removed = build_process_add(&b, gone);
	build_process_remove(&b, removed);
	assert_false(build_is_stopping(&b));

	error_set(&first, ERROR_STEP, "first");
	error_set(&second, ERROR_STEP, "second");
	build_stop(&b, &first);
	build_stop(&b, &second);
	assert_true(build_is_stopping(&b));
	assert_string_equal(b.failure.message, "first");
	assert_int_equal(end_of(before), 128 + SIGKILL);
	build_process_remove(&b, one);

	/* One that starts only now ends at once; one that was given back is nobody's business. */
	after = start_sleeper();
	two = build_process_add(&b, after);
	assert_int_equal(end_of(after), 128 + SIGKILL);
	build_process_remove(&b, two);
	assert_int_equal(kill(gone, 0), 0);
	kill(gone, SIGTERM);
	assert_int_equal(end_of(gone), 128 + SIGTERM);
	assert_int_equal(b.n_processes, 0);
	release(&b);
}

static void a_signal_leaves_steps_their_time(void **state)
{
	AUTO(error) cancelled = ERROR_INIT;
	struct build b;
	pid_t pid;
	int handle;

	(void)state;
	init(&b);
	pid = start_sleeper();
	handle = build_process_add(&b, pid);
	error_set(&cancelled, ERROR_CANCELLED, "cancelled");
	build_stop(&b, &cancelled);
	assert_true(build_is_stopping(&b));
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid), 128 + SIGTERM);
	build_process_remove(&b, handle);
	release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_failure_counts_and_ends_the_rest),
		cmocka_unit_test(a_signal_leaves_steps_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
