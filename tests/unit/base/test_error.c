#include "testing.h"

#include <errno.h>

static void set_returns_minus_one(void **state)
{
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(&err, ERROR_SYNTAX, "line %d", 3), -1);
	assert_int_equal(err.kind, ERROR_SYNTAX);
	assert_string_equal(err.message, "line 3");
	assert_int_equal(err.number, 0);
	assert_int_equal(error_set(NULL, ERROR_SYNTAX, "dropped"), -1);
}

static void set_may_quote_the_old_message(void **state)
{
	AUTO(error) err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_SYNTAX, "first");
	error_set(&err, ERROR_CORRUPT, "%s, second", err.message);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.message, "first, second");
}

static void errno_chooses_the_kind(void **state)
{
	static const struct {
		int number;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{ENOENT, ERROR_NOT_FOUND, "open x: No such file or directory"},
		{EACCES, ERROR_DENIED, "open x: Permission denied"},
		{EPERM, ERROR_DENIED, "open x: Operation not permitted"},
		{ENOSPC, ERROR_SYSTEM, "open x: No space left on device"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;

		errno = rows[i].number;
		assert_int_equal(error_errno(&err, "open %s", "x"), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.number, rows[i].number);
		assert_string_equal(err.message, rows[i].message);
		assert_int_equal(errno, rows[i].number);
	}
}

static void wrap_and_hint_keep_the_rest(void **state)
{
	AUTO(error) err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_STEP, "make failed");
	err.status = 2;
	assert_int_equal(error_wrap(&err, "stage %s", "build"), -1);
	assert_int_equal(error_hint(&err, "try %s", "again"), -1);
	assert_string_equal(err.message, "stage build: make failed\ntry again");
	assert_int_equal(err.kind, ERROR_STEP);
	assert_int_equal(err.status, 2);
}

static void move_empties_the_source(void **state)
{
	AUTO(error) dst = ERROR_INIT;
	AUTO(error) src = ERROR_INIT;

	(void)state;
	error_set(&dst, ERROR_SYNTAX, "old");
	error_set(&src, ERROR_NETWORK, "new");
	assert_int_equal(error_move(&dst, &src), -1);
	assert_string_equal(dst.message, "new");
	assert_int_equal(dst.kind, ERROR_NETWORK);
	assert_int_equal(src.kind, ERROR_NONE);
	assert_null(src.message);
	assert_int_equal(error_move(NULL, &dst), -1);
	assert_null(dst.message);
	error_clear(NULL);
	error_release(NULL);
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(error_kind_name(ERROR_NOT_FOUND), "not found");
	assert_string_equal(error_kind_name(ERROR_DENIED), "denied");
	for (int kind = ERROR_NONE; kind <= ERROR_CANCELLED; kind++)
		assert_string_not_equal(error_kind_name((enum error_kind)kind), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_minus_one),
		cmocka_unit_test(set_may_quote_the_old_message),
		cmocka_unit_test(errno_chooses_the_kind),
		cmocka_unit_test(wrap_and_hint_keep_the_rest),
		cmocka_unit_test(move_empties_the_source),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
