#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "cli/cmd.h"

struct values {
	struct strlist tags;
	const char *file;
	bool quiet, tty;
	int64_t number;
	struct strlist args;
};

static void values_release(struct values *v)
{
	strlist_release(&v->tags);
	strlist_release(&v->args);
}
CLEANUP_RELEASE(values)

static int parse(struct values *v, const char *line, bool stop, struct error *err)
{
	AUTO(strlist) words = STRLIST_INIT;
	const struct option options[] = {
		{'t', "tag", OPTION_LIST, "NAME", "", &v->tags},
		{'f', "file", OPTION_STRING, "PATH", "", &v->file},
		{'q', "quiet", OPTION_FLAG, NULL, "", &v->quiet},
		{'T', "tty", OPTION_FLAG, NULL, "", &v->tty},
		{0, "number", OPTION_INT, "N", "", &v->number},
	};
	const struct command_usage usage = {.name = "x",
					    .args = "[OPTIONS] A",
					    .min_args = 1,
					    .max_args = 2,
					    .stop_at_first = stop};

	strlist_split(&words, line, ' ');
	return options_parse(&usage, options, ARRAY_SIZE(options), (int)words.n, words.items,
			     &v->args, err);
}

static void forms(void **state)
{
	static const char *const lines[] = {
		"x -t a -t b -f F -qT --number 5 .",
		"x . --tag=a --tag b --file F -q -T --number=5",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		AUTO(values) v = {0};
		AUTO(error) err = ERROR_INIT;

		if (parse(&v, lines[i], false, &err) != 0)
			fail_msg("%s: %s", lines[i], err.message);
		assert_int_equal(v.tags.n, 2);
		assert_string_equal(v.tags.items[0], "a");
		assert_string_equal(v.tags.items[1], "b");
		assert_true(v.quiet && v.tty);
		assert_int_equal(v.number, 5);
		assert_int_equal(v.args.n, 1);
		assert_string_equal(v.args.items[0], ".");
	}
}

static void wrong_usage(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{"x --tga a .", "unknown flag: --tga (did you mean --tag?)"},
		{"x -z .", "unknown shorthand flag: 'z'"},
		{"x . --file", "flag needs an argument: --file"},
		{"x . -f", "flag needs an argument: 'f'"},
		{"x --number x .", "not a number"},
		{"x --quiet=maybe .", "true or false"},
		{"x", "requires at least 1 argument, got 0"},
		{"x a b c", "requires at most 2 arguments, got 3"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(values) v = {0};
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(parse(&v, rows[i].line, false, &err), -1);
		assert_int_equal(err.kind, ERROR_USAGE);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s: %s", rows[i].line, err.message);
		assert_non_null(strstr(err.message, "slipway x --help"));
	}
}

static void arguments_of_the_command_are_left_alone(void **state)
{
	AUTO(values) v = {0};

	(void)state;
	assert_int_equal(parse(&v, "x -q image -q", true, NULL), 0);
	assert_int_equal(v.args.n, 2);
	assert_string_equal(v.args.items[1], "-q");
	v.quiet = false;
	strlist_clear(&v.args);
	assert_int_equal(parse(&v, "x -- -q", false, NULL), 0);
	assert_string_equal(v.args.items[0], "-q");
	assert_false(v.quiet);
	strlist_clear(&v.args);
	assert_int_equal(parse(&v, "x -q=false -", false, NULL), -1);
	assert_int_equal(parse(&v, "x --quiet=false -", false, NULL), 0);
	assert_string_equal(v.args.items[0], "-");
}

static void commands_are_sorted(void **state)
{
	(void)state;
	for (const struct command *c = commands; c[0].name && c[1].name; c++)
		assert_true(strcmp(c[0].name, c[1].name) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(wrong_usage),
		cmocka_unit_test(arguments_of_the_command_are_left_alone),
		cmocka_unit_test(commands_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
