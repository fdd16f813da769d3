#include "builder/explain.h"

#include "build_fixture.h"

#define FORMER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void set(struct strbuf *parts, const char *text)
{
	strbuf_reset(parts);
	strbuf_puts(parts, text);
}

static void check_how(struct build_fixture *f, enum step_log_match how, const char *old,
		      const char *now, const char *wanted)
{
	AUTO(strbuf) parts = STRBUF_INIT;
	AUTO(strbuf) reason = STRBUF_INIT;
	const struct explain_step step = {
		.key = "another",
		.parts = &parts,
		.former = FORMER,
		.how = how,
		.below = "step 3 was made anew",
	};

	set(&parts, old);
	explain_keep(f->store, FORMER, &parts);
	set(&parts, now);
	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, wanted);
}

static void check(struct build_fixture *f, const char *old, const char *now, const char *wanted)
{
	check_how(f, STEP_LOG_SAME, old, now, wanted);
}

static void without_a_former_key(void **state)
{
	struct build_fixture *f = *state;
	AUTO(strbuf) parts = STRBUF_INIT;
	AUTO(strbuf) reason = STRBUF_INIT;
	struct explain_step step = {.key = "k", .parts = &parts, .how = STEP_LOG_FIRST};

	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, "first build of this step");
	step.how = STEP_LOG_NEW;
	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, "new instruction");
	/* Its inputs were not kept. */
	step.former = "unknown";
	step.how = STEP_LOG_SAME;
	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, "what it was made of before is not known");
}

static void without_a_change(void **state)
{
	struct build_fixture *f = *state;
	AUTO(strbuf) parts = STRBUF_INIT;
	AUTO(strbuf) reason = STRBUF_INIT;
	struct explain_step step = {
		.key = "k", .former = "k", .parts = &parts, .how = STEP_LOG_SAME};

	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, "nothing changed, but it is no longer in the cache");
	cache_write_file(f->store, "steps", "k.json", "{}", 2);
	explain_miss(&reason, f->store, &step);
	assert_string_equal(reason.buf, "nothing changed, but its layer is no longer in the store");
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
	check(f, "--mount bind /m\t1\n--mount bind /m\t2\n",
	      "--mount bind /m\t2\n--mount bind /m\t1\n", "--mount bind /m changed");
	/* Nothing that has a name. */
	check(f, "a\t1\n", "a\t1\n", "its inputs changed");
}

static void files(void **state)
{
	struct build_fixture *f = *state;

	check(f, PLAN_FILES "\t1\nsrc/app.ts f644 1\nb c f644 5\n",
	      PLAN_FILES "\t2\nsrc/app.ts f644 2\nb c f644 5\n", "src/app.ts changed");
	check(f, PLAN_FILES "\t1\nb c f644 1\n", PLAN_FILES "\t2\nb c f755 1\n",
	      "mode of b c changed 644 -> 755");
	check(f, PLAN_FILES "\t1\na f644 1\n", PLAN_FILES "\t2\na f755 2\n", "a changed");
	check(f, PLAN_FILES "\t1\na f644 1\n", PLAN_FILES "\t2\na l777 1\n", "a changed");
	check(f, PLAN_FILES "\t1\na f- 1\n", PLAN_FILES "\t2\na f- 2\n", "a changed");
	check(f, PLAN_FILES "\t1\n", PLAN_FILES "\t2\nnew f644 2\n", "new added");
	check(f, PLAN_FILES "\t1\nold f644 2\n", PLAN_FILES "\t2\n", "old removed");
	/* A file may have the name of a field. */
	check(f, "USER\t1\nUSER f644 1\n", "USER\t1\nUSER f644 2\n", "USER changed");
	/* Too many to be listed, in either build. */
	check(f, PLAN_FILES "\t1\ntoo many files\t-\n", PLAN_FILES "\t2\na f644 2\n",
	      "a source file changed");
	check(f, PLAN_FILES "\t1\na f644 2\n", PLAN_FILES "\t2\ntoo many files\t-\n",
	      "a source file changed");
}

static void lines_of_files(void **state)
{
	AUTO(strbuf) parts = STRBUF_INIT;

	(void)state;
	explain_add_file(&parts, "a b", 'f', 0644, true, "0123456789abcdef0123");
	explain_add_file(&parts, "c\n\033[2J", 'l', 0777, false, "fedcba9876543210");
	assert_string_equal(parts.buf, "a b f644 0123456789abcdef\n"
				       "c\\x0a\\x1b[2J l- fedcba9876543210\n");
}

static void mounts(void **state)
{
	struct build_fixture *f = *state;

	check(f, "command\t1\n" PLAN_MOUNT_SOURCE "/m\t1\n",
	      "command\t1\n" PLAN_MOUNT_SOURCE "/m\t2\n", "source of the mount /m changed");
	check(f, PLAN_MOUNT_SOURCE "/m\t1\nsrc/a f644 1\n",
	      PLAN_MOUNT_SOURCE "/m\t2\nsrc/a f644 2\n", "src/a changed");
}

static void what_is_below_comes_last(void **state)
{
	struct build_fixture *f = *state;

	check(f, PLAN_BELOW "\t1\ncommand\t1\n", PLAN_BELOW "\t2\ncommand\t1\n",
	      "step 3 was made anew");
	check(f, PLAN_BELOW "\t1\ncommand\t1\n", PLAN_BELOW "\t2\ncommand\t2\n", "command changed");
}

static void bases_and_platforms(void **state)
{
	struct build_fixture *f = *state;

	check(f, PLAN_BELOW "\t1\nbase\tdebian:12@sha256:aa\n",
	      PLAN_BELOW "\t2\nbase\tdebian:12@sha256:bb\n",
	      "base moved sha256:aa -> sha256:bb (debian:12)");
	check(f, PLAN_BELOW "\t1\nbase\tdebian:12@sha256:aa\n",
	      PLAN_BELOW "\t2\nbase\tdebian:13@sha256:bb\n", "base changed debian:12 -> debian:13");
	check(f, PLAN_BELOW "\t1\nbase\tscratch\n", PLAN_BELOW "\t2\nbase\tdebian:13@sha256:bb\n",
	      "base changed scratch -> debian:13");
	check(f, PLAN_BELOW "\t1\nplatform\tlinux/amd64\nbase\tdebian:12@sha256:aa\n",
	      PLAN_BELOW "\t2\nplatform\tlinux/arm64\nbase\tdebian:12@sha256:bb\n",
	      "platform changed linux/amd64 -> linux/arm64");
	/* RUN depends on it, COPY on the same base does not. */
	check(f, "command\t1\nplatform\tlinux/amd64\n", "command\t1\nplatform\tlinux/arm64\n",
	      "platform changed linux/amd64 -> linux/arm64");
	check(f, "platform\tlinux/amd64\na f644 1\n", "platform\tlinux/arm64\na f644 2\n",
	      "a changed");
}

/* Where the instruction reads otherwise, that is said instead of what it is made of. */
static void edited_instructions(void **state)
{
	struct build_fixture *f = *state;

	check_how(*state, STEP_LOG_EDITED, "command\t1\n--mount bind /m\t1\n", "command\t2\n",
		  "instruction changed");
	check_how(f, STEP_LOG_EDITED, "command\t1\nARG A\t1\n", "command\t2\nARG A\t2\n",
		  "instruction changed, ARG A changed");
}

/* Whatever stands in a file of the cache, there is an answer. */
static void damaged_files(void **state)
{
	static const char *const texts[] = {"",     "\n\n", "x",      " ",        "\t",
					    "a \n", " a b", "a  b\n", "base\t\n", "base\t@\n"};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(strbuf) parts = STRBUF_INIT;
		AUTO(strbuf) reason = STRBUF_INIT;
		const struct explain_step step = {
			.key = "k", .former = FORMER, .parts = &parts, .how = STEP_LOG_SAME};

		set(&parts, texts[i]);
		explain_keep(f->store, FORMER, &parts);
		set(&parts, "base\tx@y\nfile f644 1\n");
		explain_miss(&reason, f->store, &step);
		assert_true(reason.len > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_former_key),     cmocka_unit_test(without_a_change),
		cmocka_unit_test(names_what_changed),       cmocka_unit_test(files),
		cmocka_unit_test(lines_of_files),           cmocka_unit_test(mounts),
		cmocka_unit_test(what_is_below_comes_last), cmocka_unit_test(bases_and_platforms),
		cmocka_unit_test(edited_instructions),      cmocka_unit_test(damaged_files),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
