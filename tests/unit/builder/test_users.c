#include "builder/users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "broken line\n"
			     "nogid:x:5\n"
			     "app:x:1000:2000::/home/app:/bin/sh\n"
			     "app:x:1:1:second:/:/bin/sh\n"
			     "big:x:4294967296:0::/:/bin/sh\n"
			     "last:x:7:8::/:/bin/sh";
static const char group[] = "root:x:0:\nstaff:x:50:app\n1234:x:99:\n";

struct row {
	const char *text;
	bool works;
	uint32_t uid, gid;
};

static void check(const struct row *rows, size_t n, bool chown)
{
	for (size_t i = 0; i < n; i++) {
		AUTO(error) err = ERROR_INIT;
		struct user_ids ids = {9, 9};
		int result = chown ? users_resolve_chown(&ids, rows[i].text, passwd, group, &err)
				   : users_resolve(&ids, rows[i].text, passwd, group, &err);

		if ((result == 0) != rows[i].works)
			fail_msg("%s: %s", rows[i].text, err.message ? err.message : "accepted");
		if (!rows[i].works) {
			assert_int_equal(err.kind, ERROR_NOT_FOUND);
			continue;
		}
		if (ids.uid != rows[i].uid || ids.gid != rows[i].gid)
			fail_msg("%s: %u:%u", rows[i].text, ids.uid, ids.gid);
	}
}

static void user_rules(void **state)
{
	static const struct row rows[] = {
		{"app", true, 1000, 2000},
		{"last", true, 7, 8},
		{"1000", true, 1000, 2000},
		{"4242", true, 4242, 0},
		{"app:staff", true, 1000, 50},
		{"app:7", true, 1000, 7},
		{"5:6", true, 5, 6},
		{"2147483647", true, 2147483647, 0},
		{"", true, 0, 0},
		{"app:", true, 1000, 2000},
		{"nobody", false, 0, 0},
		{"app:nogroup", false, 0, 0},
		{"2147483648", false, 0, 0},
		{"4294967296", false, 0, 0},
		{"-1", false, 0, 0},
		{"0x0", false, 0, 0},
		{"1e3", false, 0, 0},
		{"+1", false, 0, 0},
		{"1:2:3", false, 0, 0},
		{"5:-1", false, 0, 0},
		{"nogid", false, 0, 0},
		{"big", false, 0, 0},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows), false);
}

static void chown_rules(void **state)
{
	static const struct row rows[] = {
		{"1000", true, 1000, 1000},
		{"app", true, 1000, 2000},
		{"app:staff", true, 1000, 50},
		{":staff", true, 0, 50},
		{":7", true, 0, 7},
		{"55:66", true, 55, 66},
		{"ghost", false, 0, 0},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows), true);
}

static void missing_files(void **state)
{
	AUTO(error) err = ERROR_INIT;
	struct user_ids ids;

	(void)state;
	assert_int_equal(users_resolve(&ids, "app", NULL, NULL, &err), -1);
	assert_non_null(strstr(err.message, "no /etc/passwd"));
	assert_int_equal(users_resolve(&ids, "12", NULL, NULL, NULL), 0);
	assert_int_equal(ids.uid, 12);
}

static void near_names_are_suggested(void **state)
{
	static const struct {
		const char *text, *hint;
	} rows[] = {
		{"appp", "Did you mean app?"},
		{"app:stff", "Did you mean staff?"},
		{"rooot:root", "Did you mean root?"},
		{"nobody", NULL},
		{"ap", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		struct user_ids ids;
		const char *hint;

		assert_int_equal(users_resolve_chown(&ids, rows[i].text, passwd, group, &err), -1);
		hint = strchr(err.message, '\n');
		if (rows[i].hint ? !hint || strcmp(hint + 1, rows[i].hint) != 0 : hint != NULL)
			fail_msg("%s: %s", rows[i].text, err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_names_are_suggested),
		cmocka_unit_test(user_rules),
		cmocka_unit_test(chown_rules),
		cmocka_unit_test(missing_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
