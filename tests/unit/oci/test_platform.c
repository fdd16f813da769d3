#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "oci/platform.h"

/* The rows of containerd's platforms tests that concern what docker accepts. */
static void test_parse(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"Linux/x86_64", "linux/amd64"},
		{"linux/arm64", "linux/arm64"},
		{"linux/aarch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"},
		{"linux/amd64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/v6", "linux/arm/v6"},
		{"linux/arm/7", "linux/arm/v7"},
		{"linux/armhf", "linux/arm/v7"},
		{"linux/armel", "linux/arm/v6"},
		{"linux/i386", "linux/386"},
		{"linux/s390x", "linux/s390x"},
		{"linux/riscv64", "linux/riscv64"},
		{"windows/amd64", "windows/amd64"},
		{"macos/arm64", "darwin/arm64"},
		{"arm64", "linux/arm64"},
		{"armhf", "linux/arm/v7"},
		{"386", "linux/386"},
		{"ppc64le", "linux/ppc64le"},
		{"", NULL},
		{"linux/", NULL},
		{"/amd64", NULL},
		{"linux/arm64/v8/x", NULL},
		{"linux/am d64", NULL},
		{"nonsense", NULL},
		{"linux/*", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		AUTO(platform) p = {0};
		int result = platform_parse(&p, rows[i].text, &err);

		if ((result == 0) != (rows[i].want != NULL))
			fail_msg("\"%s\": %d", rows[i].text, result);
		if (!rows[i].want) {
			assert_int_equal(err.kind, ERROR_USAGE);
			continue;
		}
		AUTO_FREE char *text = platform_format(&p);

		assert_string_equal(text, rows[i].want);
	}
}

static void test_host(void **state)
{
	AUTO(platform) host = {0};
	AUTO(platform) linux_alone = {0};
	struct utsname u;

	(void)state;
	uname(&u);
	platform_host(&host);
	assert_string_equal(host.os, "linux");
	if (strcmp(u.machine, "x86_64") == 0)
		assert_string_equal(host.arch, "amd64");
	if (strcmp(u.machine, "aarch64") == 0)
		assert_string_equal(host.arch, "arm64");
	assert_int_equal(platform_parse(&linux_alone, "linux", NULL), 0);
	assert_string_equal(linux_alone.arch, host.arch);
	assert_true(platform_match(&host, &linux_alone) > 0);
}

/* A row: what is asked for, and what is on offer from the best to the worst; "|" parts what does not run at all. */
static void test_match(void **state)
{
	static const struct {
		const char *want, *offers[8];
	} rows[] = {
		{"linux/amd64",
		 {"linux/amd64", "|", "linux/amd64/v2", "linux/386", "windows/amd64"}},
		{"linux/amd64/v3",
		 {"linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "|", "linux/amd64/v4"}},
		{"linux/arm64", {"linux/arm64/v8", "|", "linux/arm64/v9", "linux/arm/v7"}},
		{"linux/arm/v7",
		 {"linux/arm", "linux/arm/v6", "linux/arm/v5", "|", "linux/arm/v8"}},
		{"linux/arm/v6", {"linux/arm/v6", "linux/arm/v5", "|", "linux/arm/v7"}},
		{"linux/s390x", {"linux/s390x", "|", "linux/ppc64le"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(platform) want = {0};
		int last = INT32_MAX;
		bool runs = true;

		assert_int_equal(platform_parse(&want, rows[i].want, NULL), 0);
		for (size_t k = 0; rows[i].offers[k]; k++) {
			AUTO(platform) have = {0};

			if (strcmp(rows[i].offers[k], "|") == 0) {
				runs = false;
				continue;
			}
			assert_int_equal(platform_parse(&have, rows[i].offers[k], NULL), 0);
			int rank = platform_match(&want, &have);

			if (runs ? rank <= 0 || rank >= last : rank != 0)
				fail_msg("%s where %s is asked: rank %d", rows[i].offers[k],
					 rows[i].want, rank);
			last = runs ? rank : last;
		}
	}
}

static void test_match_incomplete(void **state)
{
	AUTO(platform) want = {0};
	struct platform nothing = {0};
	char os[] = "linux", arch[] = "amd64", v8[] = "v8", a64[] = "arm64", up[] = "AMD64";
	struct platform only_arch = {.arch = arch};
	struct platform upper = {.os = os, .arch = up};
	struct platform arm = {.os = os, .arch = a64},
			arm_v8 = {.os = os, .arch = a64, .variant = v8};

	(void)state;
	assert_int_equal(platform_parse(&want, "linux/amd64", NULL), 0);
	assert_int_equal(platform_match(&want, &nothing), 0);
	assert_int_equal(platform_match(&want, &only_arch), 0);
	assert_true(platform_match(&want, &upper) > 0);
	assert_true(platform_match(&arm, &arm_v8) > 0);
	assert_true(platform_match(&arm_v8, &arm) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_match_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
