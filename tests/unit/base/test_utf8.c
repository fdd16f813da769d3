#include "testing.h"

#include "base/utf8.h"

static void decodes_as_rfc_3629(void **state)
{
	static const struct {
		const char *in;
		size_t len, n;
		uint32_t code;
	} rows[] = {
		{"", 0, 0, 0},
		{"A", 1, 1, 0x41},
		{"\0", 1, 1, 0},
		{"\x7f", 1, 1, 0x7f},
		{"\x80", 1, 0, 0},
		{"\xc1\xbf", 2, 0, 0},
		{"\xc2\x80", 2, 2, 0x80},
		{"\xdf\xbf", 2, 2, 0x7ff},
		{"\xe0\x9f\xbf", 3, 0, 0},
		{"\xe0\xa0\x80", 3, 3, 0x800},
		{"\xed\x9f\xbf", 3, 3, 0xd7ff},
		{"\xed\xa0\x80", 3, 0, 0},
		{"\xed\xbf\xbf", 3, 0, 0},
		{"\xee\x80\x80", 3, 3, 0xe000},
		{"\xef\xbf\xbf", 3, 3, 0xffff},
		{"\xf0\x8f\xbf\xbf", 4, 0, 0},
		{"\xf0\x90\x80\x80", 4, 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
		{"\xf4\x90\x80\x80", 4, 0, 0},
		{"\xf5\x80\x80\x80", 4, 0, 0},
		{"\xe2\x82\xac", 2, 0, 0},
		{"\xe2\x82g", 3, 0, 0},
		{"\xc3\xa9x", 3, 2, 0xe9},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t code = 0;

		assert_int_equal(utf8_decode(rows[i].in, rows[i].len, &code), rows[i].n);
		if (rows[i].n) {
			AUTO(strbuf) back = STRBUF_INIT;

			assert_int_equal(code, rows[i].code);
			utf8_put(&back, code);
			assert_int_equal(back.len, rows[i].n);
			assert_memory_equal(back.buf, rows[i].in, rows[i].n);
		}
	}
}

/* Expected values: Python's unicodedata.east_asian_width() and category(). */
static void widths(void **state)
{
	static const struct {
		uint32_t code;
		int width;
	} rows[] = {
		{'a', 1},    {0xe9, 1},    {0x301, 0},  {0x200d, 0},   {0x4e2d, 2},
		{0xac00, 2}, {0xff21, 2},  {0xff71, 1}, {0x1f600, 2},  {0x2500, 1},
		{0x3042, 2}, {0x20000, 2}, {0xfe0f, 0}, {0x10ffff, 1}, {0x1100, 2},
		{0x303f, 1}, {0x2b50, 2},  {0x2614, 2}, {0x2600, 1},   {0xe0100, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (utf8_width(rows[i].code) != rows[i].width)
			fail_msg("U+%04X: %d", rows[i].code, utf8_width(rows[i].code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_as_rfc_3629),
		cmocka_unit_test(widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
