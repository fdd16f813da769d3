#include "testing.h"

#include <unistd.h>

#include "base/log.h"
#include "base/time.h"

struct recorder {
	struct reporter reporter;
	char last[200];
};

static void record_log(struct reporter *r, enum log_level level, const char *text)
{
	snprintf(((struct recorder *)r)->last, 200, "log %d %s", (int)level, text);
}

static int record_begin(struct reporter *r, const char *name)
{
	snprintf(((struct recorder *)r)->last, 200, "begin %s", name);
	return 5;
}

static void record_output(struct reporter *r, int id, int fd, const void *data, size_t len)
{
	snprintf(((struct recorder *)r)->last, 200, "output %d %d %.*s", id, fd, (int)len,
		 (const char *)data);
}

static void record_progress(struct reporter *r, int id, int64_t done, int64_t total)
{
	snprintf(((struct recorder *)r)->last, 200, "progress %d %d %d", id, (int)done, (int)total);
}

static void record_note(struct reporter *r, int id, const char *text)
{
	snprintf(((struct recorder *)r)->last, 200, "note %d %s", id, text);
}

static void record_end(struct reporter *r, int id, enum step_status status, const struct error *err)
{
	snprintf(((struct recorder *)r)->last, 200, "end %d %d %s", id, (int)status, err->message);
}

static void calls_reach_the_reporter(void **state)
{
	struct recorder rec = {
		.reporter = {record_log, record_begin, record_output, record_progress, record_note,
			     record_end},
	};
	struct reporter *r = &rec.reporter;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	report_log(r, LOG_WARNING, "%s %d", "low", 3);
	assert_string_equal(rec.last, "log 2 low 3");
	assert_int_equal(report_step_begin(r, "[%d/%d] RUN %s", 1, 2, "100%"), 5);
	assert_string_equal(rec.last, "begin [1/2] RUN 100%");
	report_step_output(r, 5, 2, "abcd", 3);
	assert_string_equal(rec.last, "output 5 2 abc");
	report_step_progress(r, 5, 10, -1);
	assert_string_equal(rec.last, "progress 5 10 -1");
	report_step_note(r, 5, "retry %d", 2);
	assert_string_equal(rec.last, "note 5 retry 2");
	error_set(&err, ERROR_STEP, "no");
	report_step_end(r, 5, STEP_STATUS_FAILED, &err);
	assert_string_equal(rec.last, "end 5 2 no");
}

static void silence_is_allowed(void **state)
{
	struct reporter empty = {0};
	struct reporter *rows[] = {NULL, &empty};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		report_log(rows[i], LOG_INFO, "x");
		assert_int_equal(report_step_begin(rows[i], "x"), 0);
		report_step_output(rows[i], 1, 1, "x", 1);
		report_step_progress(rows[i], 1, 1, 1);
		report_step_note(rows[i], 1, "x");
		report_step_end(rows[i], 1, STEP_STATUS_DONE, NULL);
	}
}

static void cancel_is_seen(void **state)
{
	struct cancel c = {.wake_fd = -1};

	(void)state;
	assert_false(cancel_requested(NULL));
	assert_ok(cancel_check(NULL, err));
	assert_ok(cancel_check(&c, err));
	cancel_note(&c, 2);
	cancel_note(&c, 15);
	assert_int_equal(c.signal, 2);
	assert_int_equal(c.count, 2);
	assert_true(cancel_requested(&c));
	assert_error(cancel_check(&c, err), ERROR_CANCELLED, "cancelled");
}

static void work_with_a_deadline_ends_with_it_or_with_its_parent(void **state)
{
	struct cancel parent = {.wake_fd = -1};
	struct cancel c = {.wake_fd = -1, .parent = &parent};
	int64_t begin = time_monotonic_ns();

	(void)state;
	assert_ok(cancel_check(&c, err));
	c.deadline_ns = begin + 3600 * 1000000000ll;
	assert_ok(cancel_check(&c, err));
	c.deadline_ns = begin + 200 * 1000000ll;
	assert_error(cancel_sleep(&c, 60 * 1000000000ll, err), ERROR_CANCELLED, "out of time");
	assert_true(time_monotonic_ns() - begin < 30 * 1000000000ll);
	/* Nobody asked for it. */
	assert_false(cancel_requested(&c));
	cancel_note(&parent, 2);
	assert_true(cancel_requested(&c));
	assert_error(cancel_check(&c, err), ERROR_CANCELLED, "cancelled");
}

static void a_descriptor_a_signal_or_the_time_ends_a_wait(void **state)
{
	struct cancel c = {.wake_fd = -1};
	int data[2], wake[2];

	(void)state;
	assert_int_equal(pipe(data), 0);
	assert_int_equal(pipe(wake), 0);
	assert_int_equal(cancel_poll(NULL, data[0], 0, NULL), 0);
	assert_int_equal(cancel_poll(NULL, data[0], 2000000, NULL), 0);
	assert_int_equal(write(data[1], "x", 1), 1);
	assert_int_equal(cancel_poll(NULL, data[0], -1, NULL), 1);
	assert_int_equal(cancel_poll(&c, data[0], 60 * 1000000000ll, NULL), 1);
	/* A signal comes first; the descriptor that wakes was written before. */
	c.wake_fd = wake[0];
	assert_int_equal(write(wake[1], "", 1), 1);
	cancel_note(&c, 2);
	assert_error(cancel_poll(&c, data[0], -1, err), ERROR_CANCELLED, "cancelled");
	/* Whoever ends closes what he wrote to. */
	close(data[1]);
	assert_int_equal(read(data[0], (char[1]){0}, 1), 1);
	assert_int_equal(cancel_poll(NULL, data[0], -1, NULL), 1);
	close(data[0]);
	close(wake[0]);
	close(wake[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_reach_the_reporter),
		cmocka_unit_test(silence_is_allowed),
		cmocka_unit_test(cancel_is_seen),
		cmocka_unit_test(a_descriptor_a_signal_or_the_time_ends_a_wait),
		cmocka_unit_test(work_with_a_deadline_ends_with_it_or_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
