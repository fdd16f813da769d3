#include "cli/step_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/alloc.h"

static void hosts(void **state)
{
	/* As docker reads them; expected NULL: refused. */
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a:1.2.3.4", "a:1.2.3.4"},
		{"a=1.2.3.4", "a:1.2.3.4"},
		{"a.b-c:::1", "a.b-c:::1"},
		{"a:[::1]", "a:::1"},
		{"a=fe80::1", "a:fe80::1"},
		{"a=[fe80::1]", "a:fe80::1"},
		{"a:host-gateway", "a:127.0.0.1"},
		{"a", NULL},
		{"a:", NULL},
		{":1.2.3.4", NULL},
		{"a:1.2.3", NULL},
		{"a:1.2.3.4 b", NULL},
		{"a:host", NULL},
		{"a b:1.2.3.4", NULL},
		{"a:[1.2.3.4", NULL},
		{"a:[]", NULL},
		{"a:[", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strlist) out = STRLIST_INIT;
		AUTO(error) err = ERROR_INIT;
		int r = add_host_parse(&out, rows[i].text, &err);

		assert_int_equal(r, rows[i].expected ? 0 : -1);
		assert_int_equal(out.n, rows[i].expected ? 1 : 0);
		if (rows[i].expected)
			assert_string_equal(out.items[0], rows[i].expected);
		else
			assert_int_equal(err.kind, ERROR_USAGE);
	}
}

static void limits(void **state)
{
	static const struct {
		const char *text;
		int resource;
		uint64_t soft, hard;
	} rows[] = {
		{"nofile=1024", RLIMIT_NOFILE, 1024, 1024},
		{"nofile=1024:2048", RLIMIT_NOFILE, 1024, 2048},
		{"core=0", RLIMIT_CORE, 0, 0},
		{"core=-1", RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY},
		{"stack=5:-1", RLIMIT_STACK, 5, RLIM_INFINITY},
		{"nproc=9223372036854775807", RLIMIT_NPROC, INT64_MAX, INT64_MAX},
	};
	static const char *const bad[] = {
		"nofile",    "nofile=",      "nofile=x",
		"nofile=1:", "nofile=2:1",   "nofile=-1:5",
		"nofile=-2", "nofiles=1",    "=1",
		"",          "nofile=1:2:3", "nofile=99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		struct sandbox_limit l;

		assert_int_equal(limit_parse(&l, rows[i].text, &err), 0);
		assert_int_equal(l.resource, rows[i].resource);
		assert_true(l.soft == rows[i].soft && l.hard == rows[i].hard);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(error) err = ERROR_INIT;
		struct sandbox_limit l;

		assert_int_equal(limit_parse(&l, bad[i], &err), -1);
		assert_int_equal(err.kind, ERROR_USAGE);
	}
	AUTO(error) err = ERROR_INIT;
	struct sandbox_limit l;

	assert_int_equal(limit_parse(&l, "nofiles=1", &err), -1);
	assert_non_null(strstr(err.message, "did you mean nofile?"));
}

static void shm_sizes(void **state)
{
	AUTO(error) err = ERROR_INIT;
	int64_t size;

	(void)state;
	assert_int_equal(shm_size_parse(&size, "10m", &err), 0);
	assert_int_equal(size, 10 << 20);
	assert_int_equal(shm_size_parse(&size, "1G", &err), 0);
	assert_int_equal(size, 1 << 30);
	assert_int_equal(shm_size_parse(&size, "0", &err), -1);
	assert_int_equal(err.kind, ERROR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(limits),
		cmocka_unit_test(shm_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
