#include "net/http.h"

#include "tests/unit/base/testing.h"

static void test_headers(void **state)
{
	static const char *const LINES[] = {
		"Content-Type: text/plain; charset=utf-8\r\n",
		"WWW-Authenticate:Basic realm=\"a\"\r\n",
		"www-authenticate:   Bearer realm=\"b\"  \r\n",
		"Empty:\r\n",
		"no colon\r\n",
		": no name\r\n",
	};
	AUTO(http_response) res = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(LINES); i++)
		http_response_add(&res, LINES[i], strlen(LINES[i]));
	assert_int_equal(res.n_headers, 4);
	assert_string_equal(http_header_get(&res, "content-type", 0), "text/plain; charset=utf-8");
	assert_string_equal(http_header_get(&res, "WWW-AUTHENTICATE", 0), "Basic realm=\"a\"");
	assert_string_equal(http_header_get(&res, "WWW-Authenticate", 1), "Bearer realm=\"b\"");
	assert_null(http_header_get(&res, "WWW-Authenticate", 2));
	assert_string_equal(http_header_get(&res, "Empty", 0), "");
	assert_null(http_header_get(&res, "Location", 0));
}

static void test_dates(void **state)
{
	/* Seconds by "date -u -d". */
	static const struct {
		const char *text;
		int64_t seconds;
	} ROWS[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* the example of RFC 9110 */
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"Tue, 29 Feb 2028 23:59:59 GMT", 1835481599},
		{"Sunday, 06-Nov-94 08:49:37 GMT", -1},
		{"Sun, 06 Nov 1994 08:49:37 PST", -1},
		{"Sun, 06 Foo 1994 08:49:37 GMT", -1},
		{"Sun, 06 anF 1994 08:49:37 GMT", -1},
		{"Sun, 06 Nov 1994 25:49:37 GMT", -1},
		{"Sun, 06 Nov 1994 08:49:37 GMTx", -1},
		{"120", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		if (http_parse_date(ROWS[i].text) != ROWS[i].seconds)
			fail_msg("%s", ROWS[i].text);
}

static void test_failures(void **state)
{
	/* Words of OpenSSL 3 and GnuTLS-free curl, as seen against real servers. */
	static const struct {
		const char *reason;
		enum http_failure failure;
	} ROWS[] = {
		{"error:0A00010B:SSL routines::wrong version number", HTTP_FAILURE_NOT_TLS},
		{"error:0A0000C6:SSL routines::packet length too long", HTTP_FAILURE_NOT_TLS},
		{"error:0A000410:SSL routines::sslv3 alert handshake failure", HTTP_FAILURE_FINAL},
		{"OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to 127.0.0.1:1 ",
		 HTTP_FAILURE_HANDSHAKE},
	};
	struct error err = {.kind = ERROR_NETWORK};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		assert_int_equal(http_handshake_failure(ROWS[i].reason), ROWS[i].failure);
	assert_false(http_failure_is_final(&err));
	err.number = HTTP_FAILURE_CERTIFICATE;
	assert_true(http_failure_is_final(&err));
	err.number = HTTP_FAILURE_REFUSED;
	assert_false(http_failure_is_final(&err));
	err.kind = ERROR_CORRUPT;
	assert_true(http_failure_is_final(&err));
}

static void test_parse_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} ROWS[] = {
		{"0", 0},
		{"007", 7},
		{"999999999999999", 999999999999999},
		{"1000000000000000", -1},
		{"", -1},
		{NULL, -1},
		{"-1", -1},
		{"+1", -1},
		{" 1", -1},
		{"1 ", -1},
		{"0x10", -1},
		{"1, 1", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		assert_int_equal(http_parse_bytes(ROWS[i].text), ROWS[i].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_bytes),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
