#include "server/route.h"

#include "base/strbuf.h"
#include "tests/unit/base/testing.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D     "sha256:" HEX64
#define ID    "0123456789abcdef0123456789abcdef"

static void test_rows(void **state)
{
	static const struct {
		const char *target;
		enum route_kind kind;
		enum route_problem problem;
		const char *repository, *reference;
	} ROWS[] = {
		{"/v2/", ROUTE_BASE, ROUTE_FINE, NULL, NULL},
		{"/v2", ROUTE_BASE, ROUTE_FINE, NULL, NULL},
		{"/v2/?a=b", ROUTE_BASE, ROUTE_FINE, NULL, NULL},
		{"http://h:1/v2/", ROUTE_BASE, ROUTE_FINE, NULL, NULL},
		{"HTTPS://h", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"/v2/_catalog", ROUTE_CATALOG, ROUTE_FINE, NULL, NULL},
		{"/", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v3/", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2x/a", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2/a", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2/manifests/x", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2/a/manifests/", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2/a/manifests/x", ROUTE_MANIFEST, ROUTE_FINE, "a", "x"},
		{"/v2/a/b/manifests/" D, ROUTE_MANIFEST, ROUTE_FINE, "a/b", D},
		{"/v2/a/manifests/sha256%3a" HEX64, ROUTE_MANIFEST, ROUTE_FINE, "a", D},
		{"/v2/a/manifests/sha256:x", ROUTE_MANIFEST, ROUTE_BAD_DIGEST, "a", "sha256:x"},
		{"/v2/a/manifests/-x", ROUTE_MANIFEST, ROUTE_BAD_REFERENCE, "a", "-x"},
		{"/v2/A/manifests/x", ROUTE_MANIFEST, ROUTE_BAD_NAME, "A", "x"},
		{"/v2/a/manifests/manifests/x", ROUTE_MANIFEST, ROUTE_FINE, "a/manifests", "x"},
		{"/v2/a/blobs/" D, ROUTE_BLOB, ROUTE_FINE, "a", D},
		{"/v2/a/blobs/x", ROUTE_BLOB, ROUTE_BAD_DIGEST, "a", "x"},
		{"/v2/a/blobs/uploads/", ROUTE_UPLOADS, ROUTE_FINE, "a", NULL},
		{"/v2/a/blobs/uploads", ROUTE_UPLOADS, ROUTE_FINE, "a", NULL},
		{"/v2/a/blobs/uploads/" ID, ROUTE_UPLOAD, ROUTE_FINE, "a", ID},
		{"/v2/a/blobs/uploads/x", ROUTE_UPLOAD, ROUTE_BAD_REFERENCE, "a", "x"},
		{"/v2/blobs/uploads/", ROUTE_NONE, ROUTE_FINE, NULL, NULL},
		{"/v2/a/tags/list", ROUTE_TAGS, ROUTE_FINE, "a", NULL},
		{"/v2/a/referrers/" D, ROUTE_REFERRERS, ROUTE_FINE, "a", D},
		{"/v2/a%2fb/tags/list", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"/v2/a%00/tags/list", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"/v2/a%/tags/list", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"/v2/a%4/tags/list", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"/v2/a/tags/list?n=%g0", ROUTE_TAGS, ROUTE_BAD_TARGET, "a", NULL},
		{"/v2/a+b/tags/list", ROUTE_TAGS, ROUTE_BAD_NAME, "a+b", NULL},
		{"/v2/../tags/list", ROUTE_TAGS, ROUTE_BAD_NAME, "..", NULL},
		{"v2/", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"*", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
		{"", ROUTE_NONE, ROUTE_BAD_TARGET, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(route) r = {0};

		route_parse(&r, ROWS[i].target);
		if (r.kind != ROWS[i].kind || r.problem != ROWS[i].problem)
			fail_msg("%s: kind %d, problem %d", ROWS[i].target, (int)r.kind,
				 (int)r.problem);
		if (ROWS[i].repository)
			assert_string_equal(r.repository, ROWS[i].repository);
		if (ROWS[i].reference)
			assert_string_equal(r.reference, ROWS[i].reference);
		else
			assert_null(r.reference);
	}
}

static void test_query(void **state)
{
	AUTO(route) r = {0};

	(void)state;
	route_parse(&r, "/v2/a/tags/list?n=1&last=%C3%A4+b&&=x&flag&n=2&tag=a&tag=b&e=#f=1");
	assert_string_equal(strmap_get(&r.query, "n"), "1");
	assert_string_equal(strmap_get(&r.query, "last"), "\xc3\xa4 b");
	assert_string_equal(strmap_get(&r.query, "flag"), "");
	assert_string_equal(strmap_get(&r.query, "e"), "");
	assert_null(strmap_get(&r.query, "f"));
	assert_int_equal(r.tags.n, 2);
	assert_string_equal(r.tags.items[1], "b");
}

static void test_too_many_parameters(void **state)
{
	(void)state;
	for (int n = ROUTE_PARAMETERS; n <= ROUTE_PARAMETERS + 1; n++) {
		AUTO(route) r = {0};
		AUTO(strbuf) target = STRBUF_INIT;

		strbuf_puts(&target, "/v2/a/manifests/x?");
		for (int i = 0; i < n; i++)
			strbuf_puts(&target, "tag=t&");
		route_parse(&r, target.buf);
		assert_int_equal(r.problem, n > ROUTE_PARAMETERS ? ROUTE_TOO_LONG : ROUTE_FINE);
		assert_int_equal(r.tags.n, ROUTE_PARAMETERS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_too_many_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
