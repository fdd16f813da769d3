/* Tokens and the temporary credentials that stand on them. */
#include "local/session.h"

#include "base/base64.h"
#include "tests/unit/base/testing.h"

#define KEY "0123456789abcdefghijklmnopqrstuvwxyz+/AB"

static void test_token(void **state)
{
	AUTO_FREE char *token = token_make(KEY, TOKEN_REGISTRY, "AWS", 1000);
	AUTO_FREE char *subject = NULL;

	(void)state;
	assert_int_equal(token_check(KEY, TOKEN_REGISTRY, token, 999, &subject), TOKEN_GOOD);
	assert_string_equal(subject, "AWS");
	assert_int_equal(token_check(KEY, TOKEN_REGISTRY, token, 1000, NULL), TOKEN_EXPIRED);
	assert_int_equal(token_check(KEY, TOKEN_SESSION, token, 999, NULL), TOKEN_FOREIGN);
	assert_int_equal(token_check("other", TOKEN_REGISTRY, token, 999, NULL), TOKEN_FOREIGN);
	assert_int_equal(token_check(KEY, TOKEN_REGISTRY, "", 999, NULL), TOKEN_FOREIGN);
	assert_int_equal(token_check(KEY, TOKEN_REGISTRY, "!", 999, NULL), TOKEN_FOREIGN);
}

/* Whatever byte is changed, it is another token. */
static void test_changed(void **state)
{
	AUTO_FREE char *token = token_make(KEY, TOKEN_REGISTRY, "AWS", 1000);
	AUTO(strbuf) plain = STRBUF_INIT;

	(void)state;
	assert_true(base64_decode(&plain, token, strlen(token)));
	for (size_t i = 0; i < plain.len; i++) {
		AUTO(strbuf) text = STRBUF_INIT;

		plain.buf[i] ^= 1;
		base64_encode(&text, plain.buf, plain.len);
		assert_int_equal(token_check(KEY, TOKEN_REGISTRY, text.buf, 999, NULL),
				 TOKEN_FOREIGN);
		plain.buf[i] ^= 1;
	}
}

static void test_session(void **state)
{
	static const char *const arn = "arn:aws:sts::000000000000:assumed-role/r/s";
	AUTO(session) made = SESSION_INIT;
	AUTO(session) other = SESSION_INIT;
	AUTO(session) read = SESSION_INIT;

	(void)state;
	session_make(&made, KEY, arn, 1000);
	session_make(&other, KEY, arn, 1000);
	assert_int_equal(strlen(made.access_key), 20);
	assert_int_equal(strlen(made.secret_key), 40);
	assert_string_not_equal(made.secret_key, other.secret_key);
	assert_int_equal(session_read(&read, KEY, made.access_key, made.token, 999), TOKEN_GOOD);
	assert_string_equal(read.secret_key, made.secret_key);
	assert_string_equal(read.arn, arn);
	session_release(&read);
	assert_int_equal(session_read(&read, KEY, other.access_key, made.token, 999),
			 TOKEN_FOREIGN);
	assert_int_equal(session_read(&read, "k", made.access_key, made.token, 999), TOKEN_FOREIGN);
	session_release(&read);
	assert_int_equal(session_read(&read, KEY, made.access_key, made.token, 1001),
			 TOKEN_EXPIRED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
