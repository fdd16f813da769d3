#include "dockerfile/dockerfile.h"

#include "base/limits.h"
#include "testing.h"

static int parse(struct dockerfile **out, const char *text, struct error *err)
{
	return dockerfile_parse(out, "Dockerfile", text, strlen(text), err);
}

static void stages_and_globals(void **state)
{
	static const char text[] = "# syntax=docker/dockerfile:1\n"
				   "# check=skip=A\n"
				   "ARG V=1\nARG W\n"
				   "FROM a AS one\nRUN x\n"
				   "FROM b\nFROM one AS Three\nCOPY --from=one a b\nCMD c\n";
	AUTO_PTR(dockerfile) file = NULL;

	(void)state;
	assert_int_equal(parse(&file, text, NULL), 0);
	assert_string_equal(file->syntax, "docker/dockerfile:1");
	assert_true(strlist_has(&file->warnings.config.skip, "A"));
	assert_int_equal(file->escape, '\\');
	assert_int_equal(file->n_globals, 2);
	assert_int_equal(file->n_stages, 3);
	assert_string_equal(file->stages[0].name, "one");
	assert_null(file->stages[1].name);
	assert_string_equal(file->stages[2].name, "three");
	assert_int_equal(file->stages[2].index, 2);
	assert_int_equal(file->stages[0].n_instructions, 1);
	assert_int_equal(file->stages[1].n_instructions, 0);
	assert_int_equal(file->stages[2].n_instructions, 2);
	assert_int_equal(file->stages[2].instructions[1].line_first, 10);
	assert_string_equal(file->stages[2].instructions[1].text, "CMD c");
}

static void refuses(void **state)
{
	static const struct row rows[] = {
		{"", "Dockerfile: file with no instructions"},
		{"# x\n", "file with no instructions"},
		{"ARG a\nARG b\n", "Dockerfile:2: dockerfile contains no stages to build"},
		{"RUN a\nFROM b", "Dockerfile:1:1: no build stage in current context"},
		{"ARG a\nENV b=c\nFROM d", "Dockerfile:2:1: no build stage in current context"},
		/* Unused stages are checked too. */
		{"FROM a AS unused\nRUN --x y\nFROM b", "Dockerfile:2:5: unknown flag: --x"},
		{"FROM a AS unused\nFOO\nFROM b", "Dockerfile:2:1: unknown instruction: FOO"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(dockerfile) file = NULL;
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(parse(&file, rows[i].text, &err), -1);
		assert_null(file);
		assert_int_equal(err.kind, ERROR_SYNTAX);
		if (!strstr(err.message, rows[i].expected))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
}

static void other_frontends_are_not_fetched(void **state)
{
	static const struct {
		const char *syntax;
		size_t warnings;
	} rows[] = {
		{"docker/dockerfile:1", 0},         {"docker/dockerfile:1-labs", 0},
		{"docker.io/docker/dockerfile", 0}, {"docker/dockerfile-upstream:master", 0},
		{"evil.example/frontend", 1},       {"docker/other", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = xstrfmt("# syntax=%s\nFROM a\n", rows[i].syntax);
		AUTO_PTR(dockerfile) file = NULL;

		assert_int_equal(parse(&file, text, NULL), 0);
		dockerfile_check_syntax(file, NULL);
		assert_int_equal(file->warnings.n, rows[i].warnings);
		/* The build argument stands for the directive. */
		dockerfile_check_syntax(file, "docker/dockerfile:1");
		assert_int_equal(file->warnings.n, rows[i].warnings);
		dockerfile_check_syntax(file, "docker.io/other");
		assert_int_equal(file->warnings.n, rows[i].warnings + 1);
		assert_int_equal(file->warnings.items[rows[i].warnings].line_first, 1);
		if (rows[i].warnings) {
			assert_int_equal(file->warnings.items[0].rule, CHECK_SYNTAX_IGNORED);
			assert_int_equal(file->warnings.items[0].line_first, 1);
			assert_non_null(strstr(file->warnings.items[0].message, rows[i].syntax));
		}
	}
}

static void triggers_go_to_the_front(void **state)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strlist) texts = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;
	static const char *const expected[] = {"COPY [a] -> [b]", "RUN shell [c]", "RUN shell [x]",
					       "CMD shell [y]"};

	(void)state;
	assert_int_equal(parse(&file, "FROM a\nRUN x\nCMD y\n", NULL), 0);
	strlist_add(&texts, "COPY a b");
	strlist_add(&texts, "RUN c");
	assert_int_equal(dockerfile_add_triggers(file, 0, &texts, "busybox", NULL), 0);
	assert_int_equal(file->stages[0].n_instructions, 4);
	for (size_t i = 0; i < 4; i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		describe(&out, &file->stages[0].instructions[i]);
		assert_string_equal(out.buf, expected[i]);
		assert_int_equal(file->stages[0].instructions[i].trigger, i < 2);
	}
	instruction_error(&err, ERROR_NOT_FOUND, &file->stages[0].instructions[1], "no %s", "c");
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.message, "ONBUILD of busybox:1:1: no c\n  1 | RUN c\n    | ^");
}

static void wrong_triggers_change_nothing(void **state)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strlist) texts = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(parse(&file, "FROM a\nRUN x\n", NULL), 0);
	assert_int_equal(dockerfile_add_triggers(file, 0, &texts, "b", NULL), 0);
	strlist_add(&texts, "RUN c");
	strlist_add(&texts, "FROM c");
	assert_int_equal(dockerfile_add_triggers(file, 0, &texts, "b", &err), -1);
	assert_non_null(strstr(err.message, "ONBUILD of b:1:1: FROM isn't allowed"));
	assert_int_equal(file->stages[0].n_instructions, 1);
}

static void hostile_files_stay_cheap(void **state)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	strbuf_puts(&text, "FROM a\n");
	for (unsigned i = 0; i < LIMIT_INSTRUCTIONS; i++)
		strbuf_puts(&text, "CMD\n");
	assert_int_equal(parse(&file, text.buf, &err), -1);
	assert_non_null(strstr(err.message, "more than 100000 instructions"));
	error_clear(&err);
	strbuf_truncate(&text, text.len - 4);
	assert_int_equal(parse(&file, text.buf, NULL), 0);
	assert_true(file->warnings.n <= 1000);
	dockerfile_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_and_globals),
		cmocka_unit_test(refuses),
		cmocka_unit_test(other_frontends_are_not_fetched),
		cmocka_unit_test(triggers_go_to_the_front),
		cmocka_unit_test(wrong_triggers_change_nothing),
		cmocka_unit_test(hostile_files_stay_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
