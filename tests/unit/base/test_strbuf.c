#include "testing.h"

#include "base/strbuf.h"

static void appends_and_cuts(void **state)
{
	AUTO(strbuf) sb = STRBUF_INIT;

	(void)state;
	assert_string_equal(sb.buf, "");
	strbuf_puts(&sb, "ab");
	strbuf_putc(&sb, 'c');
	strbuf_add(&sb, "d\0e", 3);
	strbuf_printf(&sb, "%d", 42);
	assert_int_equal(sb.len, 8);
	assert_memory_equal(sb.buf, "abcd\0e42", 9);
	strbuf_truncate(&sb, 3);
	assert_string_equal(sb.buf, "abc");
	strbuf_truncate(&sb, 10);
	assert_int_equal(sb.len, 3);
	strbuf_reset(&sb);
	assert_string_equal(sb.buf, "");
}

static void a_zeroed_struct_works(void **state)
{
	AUTO(strbuf) sb = {0};

	(void)state;
	strbuf_puts(&sb, "x");
	assert_string_equal(sb.buf, "x");
	strbuf_release(NULL);
}

static void long_formats_are_whole(void **state)
{
	AUTO(strbuf) sb = STRBUF_INIT;
	char longer[1001];

	(void)state;
	memset(longer, 'x', 1000);
	longer[1000] = '\0';
	strbuf_printf(&sb, "<%s>", longer);
	assert_int_equal(sb.len, 1002);
	assert_memory_equal(sb.buf + 1, longer, 1000);
	assert_int_equal(sb.buf[1001], '>');
}

static void inserts_and_removes(void **state)
{
	AUTO(strbuf) sb = STRBUF_INIT;

	(void)state;
	strbuf_insert(&sb, 0, "ad", 2);
	strbuf_insert(&sb, 1, "bc", 2);
	strbuf_insert(&sb, 4, "e", 1);
	strbuf_insert(&sb, 6, "beyond", 6);
	assert_string_equal(sb.buf, "abcde");
	strbuf_remove(&sb, 1, 2);
	assert_string_equal(sb.buf, "ade");
	strbuf_remove(&sb, 1, 100);
	assert_string_equal(sb.buf, "a");
	strbuf_remove(&sb, 1, 1);
	assert_string_equal(sb.buf, "a");
}

static void the_limit_holds(void **state)
{
	AUTO(strbuf) sb = STRBUF_LIMIT(4);

	(void)state;
	strbuf_puts(&sb, "abcd");
	assert_false(sb.overflow);
	strbuf_puts(&sb, "");
	assert_false(sb.overflow);
	strbuf_putc(&sb, 'e');
	assert_true(sb.overflow);
	assert_string_equal(sb.buf, "abcd");
	strbuf_insert(&sb, 0, "x", 1);
	assert_string_equal(sb.buf, "abcd");
	strbuf_reset(&sb);
	assert_false(sb.overflow);
	strbuf_puts(&sb, "abcde");
	assert_true(sb.overflow);
	assert_int_equal(sb.len, 0);
}

static void detach_gives_the_string(void **state)
{
	AUTO(strbuf) sb = STRBUF_INIT;
	size_t len;
	char *s = strbuf_detach(&sb, &len);

	(void)state;
	assert_string_equal(s, "");
	assert_int_equal(len, 0);
	free(s);
	strbuf_puts(&sb, "abc");
	s = strbuf_detach(&sb, &len);
	assert_string_equal(s, "abc");
	assert_int_equal(len, 3);
	assert_string_equal(sb.buf, "");
	free(s);
}

static void trims_both_ends(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""},          {" \t\r\n", ""}, {"a", "a"},
		{" a b\n", "a b"}, {"\v\fa", "a"},  {"a\xc2\xa0", "a\xc2\xa0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) sb = STRBUF_INIT;

		strbuf_puts(&sb, rows[i].in);
		strbuf_trim(&sb);
		assert_string_equal(sb.buf, rows[i].out);
		assert_int_equal(sb.len, strlen(rows[i].out));
	}
}

static void compares_ends(void **state)
{
	(void)state;
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("c", "bc"));
}

static void controls_are_escaped(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		bool keep_lines;
		const char *out;
	} rows[] = {
		{"plain", 5, false, "plain"},
		{"a\nb\tc\r", 6, false, "a\\x0ab\\x09c\\x0d"},
		{"a\nb\tc\r", 6, true, "a\nb\tc\\x0d"},
		{"\x1b[31mred", 8, true, "\\x1b[31mred"},
		{"a\0b", 3, true, "a\\x00b"},
		{"\x7f", 1, true, "\\x7f"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14, true,
		 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xc2\x9b"
		 "31m",
		 5, true, "\\xc2\\x9b31m"}, /* U+009B: CSI */
		{"\xc2\xa0", 2, true, "\xc2\xa0"},
		{"\xc0\x80", 2, true, "\\xc0\\x80"},                   /* overlong NUL */
		{"\xed\xa0\x80", 3, true, "\\xed\\xa0\\x80"},          /* surrogate */
		{"\xf4\x90\x80\x80", 4, true, "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
		{"\xe2\x82", 2, true, "\\xe2\\x82"},                   /* cut */
		{"\xff", 1, true, "\\xff"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) sb = STRBUF_INIT;

		strbuf_add_printable(&sb, rows[i].in, rows[i].len, rows[i].keep_lines);
		assert_string_equal(sb.buf, rows[i].out);
	}
}

/* docker's go-units, HumanSize. */
static void sizes_read_as_docker_writes_them(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {{0, "0B"},           {999, "999B"},         {1000, "1kB"},
		    {1500, "1.5kB"},     {1234567, "1.235MB"},  {12500000, "12.5MB"},
		    {1000000000, "1GB"}, {INT64_MAX, "9.223EB"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) sb = STRBUF_INIT;

		strbuf_add_size(&sb, rows[i].bytes);
		assert_string_equal(sb.buf, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_and_cuts),
		cmocka_unit_test(a_zeroed_struct_works),
		cmocka_unit_test(long_formats_are_whole),
		cmocka_unit_test(inserts_and_removes),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(detach_gives_the_string),
		cmocka_unit_test(trims_both_ends),
		cmocka_unit_test(compares_ends),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(sizes_read_as_docker_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
