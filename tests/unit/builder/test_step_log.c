#include "builder/step_log.h"

#include "build_fixture.h"

static const struct step_log_place place = {
	.context = "/c", .dockerfile = "Dockerfile", .stage = "build ", .platform = "linux/amd64"};

/* A key of one letter, 64 times. */
static const char *key(char c)
{
	static char keys[4][SHA256_HEX_SIZE];
	static unsigned n;
	char *k = keys[n++ % 4];

	memset(k, c, SHA256_HEX_SIZE - 1);
	k[SHA256_HEX_SIZE - 1] = '\0';
	return k;
}

/* A stage with a step a letter of texts, whose keys are the letters of keys. */
static void record(struct build_fixture *f, const char *texts, const char *keys, bool done)
{
	struct step_log log;

	step_log_open(&log, f->store, &place);
	for (size_t i = 0; texts[i]; i++)
		step_log_add(&log, (char[]){texts[i], '\0'}, key(keys[i]));
	step_log_close(&log, done);
}

/* What each step of texts finds: a letter of its former key and how, "-" for no key. */
static void check(struct build_fixture *f, const struct step_log_place *at, const char *texts,
		  const char *wanted)
{
	AUTO(step_log) log;
	AUTO(strbuf) got = STRBUF_INIT;

	step_log_open(&log, f->store, at);
	for (size_t i = 0; texts[i]; i++) {
		char text[] = {texts[i], '\0'};
		enum step_log_match how;
		const char *former = step_log_former(&log, text, &how);

		strbuf_printf(&got, "%c%c ", former ? former[0] : '-', "fnes"[how]);
		step_log_add(&log, text, key('f'));
	}
	strbuf_trim(&got);
	assert_string_equal(got.buf, wanted);
}

static void finds_steps_again(void **state)
{
	check(*state, &place, "AB", "-f -f");
	record(*state, "ABAC", "1234", true);
	check(*state, &place, "ABAC", "1s 2s 3s 4s");
	/* edited in place, one more, one in front, one less */
	check(*state, &place, "AXAC", "1s 2e 3s 4s");
	check(*state, &place, "ABACD", "1s 2s 3s 4s -n");
	check(*state, &place, "XABAC", "1e 1s 2s 3s 4s");
	check(*state, &place, "BAC", "2s 1s 4s");
}

static void a_stage_that_failed_keeps_the_rest(void **state)
{
	record(*state, "ABCD", "1234", true);
	record(*state, "AB", "56", false);
	check(*state, &place, "ABCD", "5s 6s 3s 4s");
	record(*state, "AB", "56", true);
	check(*state, &place, "ABCD", "5s 6s -n -n");
}

static void places_are_apart(void **state)
{
	struct step_log_place other = place;

	record(*state, "A", "1", true);
	other.stage = "other ";
	check(*state, &other, "A", "-f");
	other = place;
	other.dockerfile = "b";
	check(*state, &other, "A", "-f");
	other = place;
	other.context = "/d";
	check(*state, &other, "A", "-f");
	/* Not the platforms: the first build for another one is compared with that of the last. */
	other = place;
	other.platform = "linux/arm64";
	check(*state, &other, "A", "1s");
}

static ino_t inode(struct build_fixture *f)
{
	AUTO_FREE char *dir = path_join(f->folder, "root/cache/last");
	struct step_log log;
	struct stat st;

	step_log_open(&log, f->store, &place);
	AUTO_FREE char *path = path_join(dir, log.place);

	step_log_release(&log);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void nothing_is_written_when_nothing_changed(void **state)
{
	ino_t first;

	record(*state, "AB", "12", true);
	first = inode(*state);
	record(*state, "AB", "12", true);
	assert_true(inode(*state) == first);
	record(*state, "AB", "13", true);
	assert_true(inode(*state) != first);
}

static void damage_is_as_good_as_nothing(void **state)
{
	static const char *const texts[] = {"", "x", "0123456789abcdef \n",
					    "0123456789abcdef 0123456789abcdef\n"};
	struct build_fixture *f = *state;
	struct step_log log;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		step_log_open(&log, f->store, &place);
		cache_write_file(f->store, "last", log.place, texts[i], strlen(texts[i]));
		step_log_release(&log);
		check(f, &place, "A", "-f");
	}
	/* A key that is no hexadecimal number could be a path. */
	step_log_open(&log, f->store, &place);
	AUTO_FREE char *bad = xstrfmt("0123456789abcdef ../%s\n", key('a') + 3);

	cache_write_file(f->store, "last", log.place, bad, strlen(bad));
	step_log_release(&log);
	check(f, &place, "A", "-f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_steps_again, build_fixture_setup,
						build_fixture_teardown),
		cmocka_unit_test_setup_teardown(a_stage_that_failed_keeps_the_rest,
						build_fixture_setup, build_fixture_teardown),
		cmocka_unit_test_setup_teardown(places_are_apart, build_fixture_setup,
						build_fixture_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_written_when_nothing_changed,
						build_fixture_setup, build_fixture_teardown),
		cmocka_unit_test_setup_teardown(damage_is_as_good_as_nothing, build_fixture_setup,
						build_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
