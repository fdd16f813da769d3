#include "registry/mirrors.h"

#include <string.h>

#include "base/strbuf.h"

#include "tests/unit/base/testing.h"

static const char CONF[] = "[[registry]]\n"
			   "prefix = \"*.example.com\"\n"
			   "[[registry.mirror]]\n"
			   "location = \"all.test/x\"\n"
			   "insecure = true\n"
			   "[[registry]]\n"
			   "prefix = \"a.example.com/team\"\n"
			   "location = \"b.test:5000/other\"\n"
			   "insecure = true\n"
			   "[[registry.mirror]]\n"
			   "location = \"tags.test\"\n"
			   "pull-from-mirror = \"tag-only\"\n"
			   "[[registry.mirror]]\n"
			   "location = \"digests.test\"\n"
			   "pull-from-mirror = \"digest-only\"\n"
			   "[[registry]]\n"
			   "location = \"blocked.test\"\n"
			   "blocked = true\n"
			   "[[registry]]\n"
			   "prefix = \"docker.io/library\"\n"
			   "[[registry.mirror]]\n"
			   "location = \"hub.test/official\"\n";

static struct mirrors *read_conf(void)
{
	struct mirrors *m = mirrors_new();

	assert_ok(mirrors_parse(m, CONF, strlen(CONF), "registries.conf", err));
	return m;
}

/* Places in order, blanks between. */
static void find(const struct mirrors *m, const char *name, bool by_digest, struct strbuf *out)
{
	AUTO(endpoints) list = {0};
	AUTO(image_ref) ref = {0};

	assert_ok(image_ref_parse(&ref, name, err));
	assert_ok(mirrors_find(m, &ref, by_digest, &list, err));
	for (size_t i = 0; i < list.n; i++) {
		const struct image_ref *r = &list.items[i].ref;

		assert_int_equal(list.items[i].is_mirror, i + 1 < list.n);
		assert_string_equal(r->tag ? r->tag : "", ref.tag ? ref.tag : "");
		strbuf_printf(out, "%s%s/%s", i ? " " : "", r->host, r->path);
	}
}

/* containers-registries.conf(5), "Remapping and mirroring registries". */
static void test_places(void **state)
{
	static const struct {
		const char *name;
		bool by_digest;
		const char *places;
	} ROWS[] = {
		{"other.test/a/b:1", false, "other.test/a/b"},
		{"x.example.com/a/b:1", false, "all.test/x/a/b x.example.com/a/b"},
		{"y.x.example.com/a:1", false, "all.test/x/a y.x.example.com/a"},
		{"example.com/a:1", false, "example.com/a"},
		{"notexample.com/a:1", false, "notexample.com/a"},
		{"a.example.com/other:1", true, "all.test/x/other a.example.com/other"},
		/* the longest prefix alone counts */
		{"a.example.com/team/app:1", false, "tags.test/app b.test:5000/other/app"},
		{"a.example.com/team/app:1", true, "digests.test/app b.test:5000/other/app"},
		{"a.example.com/teams/app:1", false,
		 "all.test/x/teams/app a.example.com/teams/app"},
		{"debian", false, "hub.test/official/debian docker.io/library/debian"},
		{"docker.io/me/app", false, "docker.io/me/app"},
	};
	AUTO_PTR(mirrors) m = read_conf();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strbuf) found = STRBUF_INIT;

		find(m, ROWS[i].name, ROWS[i].by_digest, &found);
		assert_string_equal(found.buf, ROWS[i].places);
	}
}

static void test_options_go_first(void **state)
{
	AUTO_PTR(mirrors) m = read_conf();
	AUTO(strbuf) found = STRBUF_INIT;

	(void)state;
	assert_ok(mirrors_add(m, "docker.io=one.test/hub", err));
	assert_ok(mirrors_add(m, "docker.io=two.test", err));
	find(m, "debian:12", false, &found);
	assert_string_equal(found.buf, "one.test/hub/library/debian two.test/library/debian "
				       "hub.test/official/debian docker.io/library/debian");
	assert_error(mirrors_add(m, "docker.io", err), ERROR_USAGE, "NAME=HOST");
	assert_error(mirrors_add(m, "docker.io=", err), ERROR_USAGE, "NAME=HOST");
	assert_error(mirrors_add(m, "docker.io=https://x", err), ERROR_USAGE, "NAME=HOST");
}

static void test_blocked_and_insecure(void **state)
{
	AUTO_PTR(mirrors) m = read_conf();
	AUTO(endpoints) list = {0};
	AUTO(image_ref) ref = {0};

	(void)state;
	assert_ok(image_ref_parse(&ref, "blocked.test/a:1", err));
	assert_error(mirrors_find(m, &ref, false, &list, err), ERROR_DENIED, "registries.conf:16");
	assert_true(mirrors_insecure(m, "all.test"));
	assert_true(mirrors_insecure(m, "b.test:5000"));
	assert_false(mirrors_insecure(m, "a.example.com"));
	assert_false(mirrors_insecure(m, "hub.test"));
	assert_false(mirrors_insecure(NULL, "all.test"));
}

/* A later file's rule of the same prefix counts whole. */
static void test_later_files(void **state)
{
	static const char LATER[] = "[[registry]]\nlocation = \"blocked.test\"\n";
	AUTO_PTR(mirrors) m = read_conf();
	AUTO(strbuf) found = STRBUF_INIT;

	(void)state;
	assert_ok(mirrors_parse(m, LATER, strlen(LATER), "later.conf", err));
	find(m, "blocked.test/a:1", false, &found);
	assert_string_equal(found.buf, "blocked.test/a");
}

static void test_a_mirror_without_a_repository(void **state)
{
	static const char TEXT[] = "[[registry]]\nprefix = \"a.test/b\"\n"
				   "[[registry.mirror]]\nlocation = \"m.test\"\n";
	AUTO_PTR(mirrors) m = mirrors_new();
	AUTO(endpoints) list = {0};
	AUTO(image_ref) ref = {0};

	(void)state;
	assert_ok(mirrors_parse(m, TEXT, strlen(TEXT), "x.conf", err));
	assert_ok(image_ref_parse(&ref, "a.test/b:1", err));
	assert_error(mirrors_find(m, &ref, false, &list, err), ERROR_USAGE, "no repository");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_options_go_first),
		cmocka_unit_test(test_blocked_and_insecure),
		cmocka_unit_test(test_later_files),
		cmocka_unit_test(test_a_mirror_without_a_repository),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
