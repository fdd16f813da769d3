#include "local/page_logs.h"

#include "tests/unit/base/scratch.h"

#define STREAM "ecs/app/1"

static struct log_store *logs;

static int open_logs(void **unused)
{
	(void)unused;
	assert_ok(fs_remove_tree(AT_FDCWD, in_scratch("logs"), err));
	assert_ok(log_store_open(&logs, in_scratch("logs"), err));
	return 0;
}

static int close_logs(void **unused)
{
	(void)unused;
	log_store_free(logs);
	return 0;
}

static void say(int64_t at, const char *text, size_t len)
{
	struct log_event e = {.time_ms = at, .came_ms = at, .text = text, .len = len};

	assert_ok(log_store_append(logs, "g", STREAM, &e, 1, err));
}

static json_t *piece(int64_t position)
{
	AUTO(error) err = ERROR_INIT;
	json_t *out = page_log_piece(logs, "g", STREAM, position, &err);

	if (!out)
		fail_msg("%s", err.message);
	return out;
}

static int64_t next_of(const json_t *p)
{
	return json_integer_value(json_object_get(p, "next"));
}

static const json_t *event(const json_t *p, size_t i)
{
	return json_array_get(json_object_get(p, "events"), i);
}

static size_t count(const json_t *p)
{
	return json_array_size(json_object_get(p, "events"));
}

static void test_grows(void **unused)
{
	AUTO_JSON *none = piece(PAGE_LOG_TAIL);

	(void)unused;
	assert_int_equal(count(none), 0);
	assert_int_equal(next_of(none), 0);
	say(1000, "one", 3);
	say(2000, "t\xff\x1b", 3);
	AUTO_JSON *tail = piece(PAGE_LOG_TAIL), *first = piece(next_of(none));

	assert_int_equal(count(tail), 2);
	assert_true(json_equal(tail, first));
	assert_int_equal(json_integer_value(json_object_get(event(tail, 0), "time")), 1000);
	assert_string_equal(json_string_value(json_object_get(event(tail, 0), "text")), "one");
	assert_string_equal(json_string_value(json_object_get(event(tail, 1), "text")),
			    "t\xef\xbf\xbd\x1b");
	assert_true(json_is_false(json_object_get(tail, "more")));
	AUTO_JSON *after = piece(next_of(tail));

	assert_int_equal(count(after), 0);
	assert_int_equal(next_of(after), next_of(tail));
	say(3000, "three", 5);
	AUTO_JSON *three = piece(next_of(after));

	assert_int_equal(count(three), 1);
}

/* Of a long log the last lines; from its beginning piece by piece, each line once. */
static void test_pieces(void **unused)
{
	size_t n = 0, all = 2 * PAGE_LOG_LINES + 7;
	int64_t position = 0;
	bool more = true;

	(void)unused;
	for (size_t i = 0; i < all; i++)
		say((int64_t)i, "x", 1);
	AUTO_JSON *tail = piece(PAGE_LOG_TAIL);

	assert_int_equal(count(tail), PAGE_LOG_LINES);
	assert_int_equal(json_integer_value(json_object_get(event(tail, 0), "time")),
			 all - PAGE_LOG_LINES);
	while (more) {
		AUTO_JSON *p = piece(position);

		for (size_t i = 0; i < count(p); i++)
			assert_int_equal(json_integer_value(json_object_get(event(p, i), "time")),
					 n++);
		position = next_of(p);
		more = json_is_true(json_object_get(p, "more"));
	}
	assert_int_equal(n, all);
	assert_int_equal(position, next_of(tail));
}

static void test_long_lines(void **unused)
{
	size_t len = PAGE_LOG_BYTES / 3;
	AUTO_FREE char *line = xmalloc(len);

	(void)unused;
	memset(line, 'a', len);
	for (int i = 0; i < 10; i++)
		say(i, line, len);
	AUTO_JSON *first = piece(0), *tail = piece(PAGE_LOG_TAIL);

	assert_int_equal(count(first), 4);
	assert_true(json_is_true(json_object_get(first, "more")));
	assert_int_equal(count(tail), 4);
	assert_int_equal(json_integer_value(json_object_get(event(tail, 3), "time")), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_grows, open_logs, close_logs),
		cmocka_unit_test_setup_teardown(test_pieces, open_logs, close_logs),
		cmocka_unit_test_setup_teardown(test_long_lines, open_logs, close_logs),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
