#include "oci/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

/* The order of one layer as oci/entry.h states it; every pair is compared both ways. */
static const struct entry ordered[] = {
	{.type = ENTRY_DIR, .path = ""},           {.type = ENTRY_OPAQUE, .path = ""},
	{.type = ENTRY_WHITEOUT, .path = "b"},     {.type = ENTRY_WHITEOUT, .path = "z"},
	{.type = ENTRY_DIR, .path = "a"},          {.type = ENTRY_OPAQUE, .path = "a"},
	{.type = ENTRY_WHITEOUT, .path = "a/x"},   {.type = ENTRY_FILE, .path = "a/b"},
	{.type = ENTRY_FILE, .path = "a/b-c"},     {.type = ENTRY_DIR, .path = "a/d"},
	{.type = ENTRY_WHITEOUT, .path = "a/d/e"}, {.type = ENTRY_FILE, .path = "a/d/e"},
	{.type = ENTRY_FILE, .path = "a/x"},       {.type = ENTRY_FILE, .path = "a-b"},
	{.type = ENTRY_FILE, .path = "a.b"},       {.type = ENTRY_DIR, .path = "b"},
	{.type = ENTRY_FILE, .path = "b/c"},       {.type = ENTRY_FILE, .path = "caf\xc3\xa9"},
	{.type = ENTRY_FILE, .path = "caf\xff"},
};

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void test_entry_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ordered); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ordered); j++)
			assert_int_equal(sign(entry_compare(&ordered[i], &ordered[j])),
					 sign((int)i - (int)j));
}

static void test_path_order(void **state)
{
	static const char *const paths[] = {"",    "a",   "a/b", "a/b/c", "a/b-",
					    "a/c", "a b", "a-b", "b",     "\xff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (size_t j = 0; j < ARRAY_SIZE(paths); j++)
			assert_int_equal(sign(entry_path_compare(paths[i], paths[j])),
					 sign((int)i - (int)j));
}

static void test_clean_paths(void **state)
{
	static const char *const clean[] = {"", "a", "a/b", "...", ".a/..b/c..", " ", "\n", "\xff"};
	static const char *const unclean[] = {"/",   "/a",   "a/",     "a//b",  ".",    "..",
					      "./a", "a/..", "a/../b", "a/./b", "a/b/."};
	char *longest = xmalloc(4098);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(clean); i++)
		assert_true(entry_path_is_clean(clean[i]));
	for (size_t i = 0; i < ARRAY_SIZE(unclean); i++)
		assert_false(entry_path_is_clean(unclean[i]));
	memset(longest, 'x', 4097);
	longest[4096] = '\0';
	assert_true(entry_path_is_clean(longest));
	longest[4096] = 'x';
	longest[4097] = '\0';
	assert_false(entry_path_is_clean(longest));
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_order),
		cmocka_unit_test(test_path_order),
		cmocka_unit_test(test_clean_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
