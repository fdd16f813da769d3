#include "builder/explain.h"

#include "build_fixture.h"

#define PLACE "0123"

static void set(struct strbuf *parts, const char *text)
{
	strbuf_reset(parts);
	strbuf_puts(parts, text);
}

static void check(struct build_fixture *f, const char *old, const char *now, const char *wanted)
{
	AUTO(strbuf) parts = STRBUF_INIT;
	AUTO(strbuf) reason = STRBUF_INIT;
	static int n;
	AUTO_FREE char *key = xstrfmt("key %d", n++);

	set(&parts, old);
	explain_remember(f->store, PLACE, key, &parts);
	set(&parts, now);
	explain_miss(&reason, f->store, PLACE, "another", &parts);
	assert_string_equal(reason.buf, wanted);
}

static void the_first_time(void **state)
{
	struct build_fixture *f = *state;
	AUTO(strbuf) parts = STRBUF_INIT;
	AUTO(strbuf) reason = STRBUF_INIT;

	explain_miss(&reason, f->store, "nowhere", "k", &parts);
	assert_string_equal(reason.buf, "first build of this step");
	explain_remember(f->store, PLACE, "k", &parts);
	explain_miss(&reason, f->store, PLACE, "k", &parts);
	assert_string_equal(reason.buf, "nothing changed, and its layer is no longer in the store");
}

static void names_what_changed(void **state)
{
	struct build_fixture *f = *state;

	check(f, "ARG GIT_SHA\t1\ncommand\t2\n", "ARG GIT_SHA\t3\ncommand\t2\n",
	      "ARG GIT_SHA changed");
	check(f, "command\t1\nnumber of variables\t1\n",
	      "command\t1\nENV A\t2\nnumber of variables\t2\n", "ENV A added");
	check(f, "command\t1\nENV A\t2\n", "command\t1\n", "ENV A removed");
	check(f, "a\t1\nb\t1\nc\t1\nd\t1\ne\t1\n", "a\t2\nb\t2\nc\t2\nd\t2\ne\t2\n",
	      "a changed, b changed, c changed, and 2 more");
	/* One of several fields of the same name. */
	check(f, "--mount bind /m\t1\n--mount bind /m\t2\n",
	      "--mount bind /m\t1\n--mount bind /m\t3\n", "--mount bind /m changed");
}

static void files(void **state)
{
	struct build_fixture *f = *state;

	check(f, PLAN_FILES "\t1\nsrc/app.ts 1\nb c 5\n", PLAN_FILES "\t2\nsrc/app.ts 2\nb c 5\n",
	      "src/app.ts changed");
	/* The former build did not list them. */
	check(f, PLAN_FILES "\t1\n", PLAN_FILES "\t2\nsrc/app.ts 2\n", "a source file changed");
}

static void what_is_below_comes_last(void **state)
{
	struct build_fixture *f = *state;

	check(f, PLAN_BELOW "\t1\ncommand\t1\n", PLAN_BELOW "\t2\ncommand\t1\n",
	      "a step before it changed");
	check(f, PLAN_BELOW "\t1\ncommand\t1\n", PLAN_BELOW "\t2\ncommand\t2\n", "command changed");
	check(f, PLAN_BELOW "\t1\nbase debian:12\tsha256:aa\n",
	      PLAN_BELOW "\t2\nbase debian:12\tsha256:bb\n",
	      "base debian:12 moved sha256:aa -> sha256:bb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_time),
		cmocka_unit_test(names_what_changed),
		cmocka_unit_test(files),
		cmocka_unit_test(what_is_below_comes_last),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
