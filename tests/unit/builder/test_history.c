#include "builder/history.h"

#include "build_fixture.h"

/* The texts are BuildKit's (dockerfile.md 12, and its convert.go). */

static void check_copy(const char *line, const char *wanted)
{
	AUTO_PTR(dockerfile) file = parse_stage(line);
	AUTO(instruction) ins = INSTRUCTION_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	expand_first(&ins, file);
	history_copy(&text, &ins);
	assert_string_equal(text.buf, wanted);
}

static void copies(void **state)
{
	(void)state;
	check_copy("COPY a b", "COPY a b # buildkit");
	check_copy("COPY --link a b c/", "COPY a b c/ # buildkit");
	check_copy("COPY --chmod=755 --chown=1:2 --parents a /b",
		   "COPY --parents --chown=1:2 --chmod=755 a /b # buildkit");
	check_copy("COPY [\"a b\", \"/c d/\"]", "COPY a b /c d/ # buildkit");
	check_copy("COPY a <<EOF /x/\nhello\nEOF", "COPY a <<EOF /x/ # buildkit");
	check_copy("ADD a.tar /", "ADD a.tar / # buildkit");
}

static void runs(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(scope) scope = SCOPE_INIT;
	AUTO(strlist) argv = STRLIST_INIT;

	(void)state;
	strlist_add(&argv, "/bin/sh");
	strlist_add(&argv, "-c");
	strlist_add(&argv, "make  all");
	history_run(&text, &scope, &argv);
	assert_string_equal(text.buf, "RUN /bin/sh -c make  all # buildkit");

	/* Declared ARGs in order; one without a value is "A="; the environment's value wins. */
	strmap_set(&scope.args, "B", "old");
	strmap_set(&scope.args, "A", NULL);
	strmap_set(&scope.env, "B", "new");
	strmap_set(&scope.env, "PATH", "/bin");
	history_run(&text, &scope, &argv);
	assert_string_equal(text.buf, "RUN |2 B=new A= /bin/sh -c make  all # buildkit");
}

static void check_argv(const char *const *items, size_t n, const char *wanted)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) argv = STRLIST_INIT;
	const struct instruction ins = {.kind = INSTRUCTION_CMD};

	for (size_t i = 0; i < n; i++)
		strlist_add(&argv, items[i]);
	history_argv(&text, &ins, &argv);
	assert_string_equal(text.buf, wanted);
}

/* Go's %q of a list of strings. */
static void argvs(void **state)
{
	(void)state;
	check_argv(NULL, 0, "CMD []");
	check_argv((const char *const[]){"x"}, 1, "CMD [\"x\"]");
	check_argv((const char *const[]){"/bin/sh", "-c", "echo \"a\"\t\\n"}, 3,
		   "CMD [\"/bin/sh\" \"-c\" \"echo \\\"a\\\"\\t\\\\n\"]");
	check_argv((const char *const[]){"gr\xc3\xbc\xc3\x9f", "\x01\x7f", "\xff", "\xc2\xa0"}, 4,
		   "CMD [\"gr\xc3\xbc\xc3\x9f\" \"\\x01\\x7f\" \"\\xff\" \"\\u00a0\"]");
	check_argv((const char *const[]){"\xf0\x9f\x98\x80", "\xf3\xa0\x80\x81", "\a\b\f\n\r\v"}, 3,
		   "CMD [\"\xf0\x9f\x98\x80\" \"\\U000e0001\" \"\\a\\b\\f\\n\\r\\v\"]");
}

static void lists(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) items = STRLIST_INIT;
	const struct instruction volume = {.kind = INSTRUCTION_VOLUME};
	const struct instruction shell = {.kind = INSTRUCTION_SHELL};

	(void)state;
	strlist_add(&items, "/v");
	history_list(&text, &volume, &items);
	assert_string_equal(text.buf, "VOLUME [/v]");
	strlist_add(&items, "-c");
	history_list(&text, &shell, &items);
	assert_string_equal(text.buf, "SHELL [/v -c]");
}

static void pairs(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(dockerfile) file = parse_stage("ENV A=1 B=\"x y\"");
	AUTO_PTR(dockerfile) label = parse_stage("LABEL a=b");
	AUTO(instruction) ins = INSTRUCTION_INIT;
	AUTO(instruction) second = INSTRUCTION_INIT;

	(void)state;
	expand_first(&ins, file);
	history_pairs(&text, &ins);
	assert_string_equal(text.buf, "ENV A=1 B=x y");
	expand_first(&second, label);
	history_pairs(&text, &second);
	assert_string_equal(text.buf, "LABEL a=b");
}

static void values_and_args(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	const struct instruction workdir = {.kind = INSTRUCTION_WORKDIR};
	const struct instruction stop = {.kind = INSTRUCTION_STOPSIGNAL};

	(void)state;
	history_value(&text, &workdir, "/w");
	assert_string_equal(text.buf, "WORKDIR /w");
	history_value(&text, &stop, "9");
	assert_string_equal(text.buf, "STOPSIGNAL 9");
	strbuf_reset(&text);
	history_arg_add(&text, "A", "1");
	history_arg_add(&text, "B", NULL);
	history_arg_add(&text, "C", "");
	assert_string_equal(text.buf, "ARG A=1 B C=");
}

static void healthchecks(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct healthcheck h = {.retries = 0};

	(void)state;
	strlist_add(&h.test, "NONE");
	history_healthcheck(&text, &h);
	assert_string_equal(text.buf, "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s "
				      "StartPeriod:0s StartInterval:0s Retries:0}");
	strlist_clear(&h.test);
	strlist_add(&h.test, "CMD-SHELL");
	strlist_add(&h.test, "curl -f http://localhost/");
	h.interval = 90000000000;
	h.timeout = 3500000000;
	h.start_period = 1000000;
	h.retries = 3;
	history_healthcheck(&text, &h);
	assert_string_equal(
		text.buf, "HEALTHCHECK {Test:[CMD-SHELL curl -f http://localhost/] Interval:1m30s "
			  "Timeout:3.5s StartPeriod:1ms StartInterval:0s Retries:3}");
	strlist_release(&h.test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),       cmocka_unit_test(runs),
		cmocka_unit_test(argvs),        cmocka_unit_test(lists),
		cmocka_unit_test(pairs),        cmocka_unit_test(values_and_args),
		cmocka_unit_test(healthchecks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
