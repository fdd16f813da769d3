#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sandbox/subid.h"

/* subuid(5): "login name or UID : start : count"; the map as newuidmap(1) takes it. */
static const struct {
	const char *text, *map;
} rows[] = {
	{"", ""},
	{"ann:100000:65536\n", "0 1000 1 1 100000 65536"},
	{"ann:100000:65536", "0 1000 1 1 100000 65536"},
	{"bob:1:2\nann:100000:10\nann:200000:20\n", "0 1000 1 1 100000 10 11 200000 20"},
	{"1000:5000:7\n", "0 1000 1 1 5000 7"},
	{"ann:100000:10\n1000:200000:20\n", "0 1000 1 1 100000 10 11 200000 20"},
	{"ann:100000:10\nann:100005:10\nann:100000:10\n",
	 "0 1000 1 1 100000 10"}, /* overlaps are no second ids */
	{"annie:1:1\nan:1:1\n", ""},
	{"# ann:1:1\nann\nann:\nann:1\nann:1:\nann:x:1\nann:1:x\nann:-1:5\nann:1:2:3\n", ""},
	{"ann:0:5\nann:5:0\n", ""}, /* root's id is not given away */
	{"ann:4294967290:100\nann:99999999999:1\n", ""},
	{"10000:1:1\n0x3e8:1:1\n", ""},
};

static void reads_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(subid_ranges) r = {0};
		AUTO(strlist) map = STRLIST_INIT;
		AUTO_FREE char *joined = NULL;

		subid_parse(&r, rows[i].text, "ann", 1000);
		if (r.n > 0)
			subid_map(&r, 1000, &map);
		joined = strlist_join(&map, " ");
		assert_string_equal(joined, rows[i].map);
	}
}

static void reads_ranges_of_a_user_without_a_name(void **state)
{
	AUTO(subid_ranges) r = {0};

	(void)state;
	subid_parse(&r, "ann:1:2\n1000:100:5\n", NULL, 1000);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.total, 5);
}

static void bounds_the_number_of_ranges(void **state)
{
	AUTO(subid_ranges) r = {0};
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO_FREE char *text = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++)
		strlist_addf(&lines, "ann:%d:1", 100000 + 2 * i);
	text = strlist_join(&lines, "\n");
	subid_parse(&r, text, "ann", 1000);
	assert_int_equal(r.n, 339); /* the kernel takes 340 lines (user_namespaces(7)) */
}

static void finds_names(void **state)
{
	static const char passwd[] =
		"root:x:0:0:root:/root:/bin/sh\nbroken\nx:y\nann:x:1000:5:Ann:/home/ann:/bin/sh\ndup:x:1000:5::/:\nlast:x:7:7";
	AUTO_FREE char *ann = passwd_name_of(passwd, 1000);
	AUTO_FREE char *root = passwd_name_of(passwd, 0);

	(void)state;
	assert_string_equal(ann, "ann");
	assert_string_equal(root, "root");
	assert_null(passwd_name_of(passwd, 5));
	assert_null(passwd_name_of("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ranges),
		cmocka_unit_test(reads_ranges_of_a_user_without_a_name),
		cmocka_unit_test(bounds_the_number_of_ranges),
		cmocka_unit_test(finds_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
