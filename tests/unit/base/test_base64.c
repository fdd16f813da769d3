#include "base/base64.h"

#include "tests/unit/base/testing.h"

/* RFC 4648 section 10, and bytes above 0x7f by coreutils' base64. */
static const char *const VECTORS[][2] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xff\xfe\xfd", "//79"},
	{"\xfb\xef\xbe", "++++"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(VECTORS); i++) {
		const char *plain = VECTORS[i][0], *coded = VECTORS[i][1];
		AUTO(strbuf) out = STRBUF_INIT;

		base64_encode(&out, plain, strlen(plain));
		assert_string_equal(out.buf, coded);
		strbuf_reset(&out);
		assert_true(base64_decode(&out, coded, strlen(coded)));
		assert_int_equal(out.len, strlen(plain));
		assert_memory_equal(out.buf, plain, out.len);
		/* Without its padding. */
		strbuf_reset(&out);
		assert_true(base64_decode(&out, coded, strcspn(coded, "=")));
		assert_memory_equal(out.buf, plain, out.len);
	}
}

static void test_refused(void **state)
{
	static const char *const ROWS[] = {"Z",    "Zg=",   "Zm9v=", "Zm9vY", "Z g=", "Zg==\n",
					   "Zg-_", "Zg===", "====",  "=",     "Zm=v"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		strbuf_puts(&out, "before");
		if (base64_decode(&out, ROWS[i], strlen(ROWS[i])))
			fail_msg("%s", ROWS[i]);
		assert_string_equal(out.buf, "before");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
