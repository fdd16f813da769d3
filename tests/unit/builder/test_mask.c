#include "builder/mask.h"

#include "build_fixture.h"

static void feed(struct mask_stream *s, struct strbuf *out, const char *text)
{
	mask_feed(s, text, strlen(text), false, out);
}

static void check(struct mask *m, const char *text, const char *wanted)
{
	size_t len = strlen(text);

	/* However the stream is cut, the result is the same. */
	for (size_t piece = 1; piece <= len; piece++) {
		struct mask_stream s = {.mask = m, .held = STRBUF_INIT};
		AUTO(strbuf) out = STRBUF_INIT;

		for (size_t at = 0; at < len; at += piece)
			mask_feed(&s, text + at, len - at < piece ? len - at : piece, false, &out);
		mask_feed(&s, "", 0, true, &out);
		assert_string_equal(out.buf, wanted);
		mask_stream_release(&s);
	}
}

static void values_are_hidden(void **state)
{
	struct mask m = {.n = 0};

	(void)state;
	mask_add(&m, "s3cret\n", 7);
	mask_add(&m, "s3cret-and-more", 15);
	check(&m, "no such word", "no such word");
	check(&m, "is s3cret.", "is ***.");
	check(&m, "s3cres3cret s3cre", "s3cre*** s3cre");
	check(&m, "s3crets3cret", "******");
	check(&m, "a s3cret-and-more b s3cret-and-mor", "a *** b ***-and-mor");
	mask_release(&m);
}

static void several_lines(void **state)
{
	struct mask m = {.n = 0};
	const char *pem = "-----BEGIN-----\r\nQUJDREVGR0g=\nab\n-----END-----\n";

	(void)state;
	mask_add(&m, pem, strlen(pem));
	check(&m, "key QUJDREVGR0g= ab", "key *** ab");
	check(&m, pem, "***\n");
	mask_release(&m);
}

static void short_and_empty_values_hide_nothing(void **state)
{
	struct mask m = {.n = 0};

	(void)state;
	mask_add(&m, "", 0);
	mask_add(&m, "\n\n", 2);
	mask_add(&m, "abc", 3);
	assert_int_equal(m.n, 0);
	mask_release(&m);
}

static void only_a_possible_beginning_is_held_back(void **state)
{
	struct mask m = {.n = 0};
	struct mask_stream s = {.mask = &m, .held = STRBUF_INIT};
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	mask_add(&m, "token", 5);
	feed(&s, &out, "progress 50%\rto");
	assert_string_equal(out.buf, "progress 50%\r");
	feed(&s, &out, "day ");
	assert_string_equal(out.buf, "progress 50%\rtoday ");
	mask_stream_release(&s);
	mask_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_hidden),
		cmocka_unit_test(several_lines),
		cmocka_unit_test(short_and_empty_values_hide_nothing),
		cmocka_unit_test(only_a_possible_beginning_is_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
