/*
 * The signatures are AWS's own: the example of "Create a signed AWS API request" and cases of the suite that AWS
 * publishes for signers, all with its example key. test_sigv4_random.c compares random requests with botocore.
 */
#include "aws/sigv4.h"

#include "tests/unit/base/testing.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define AT     1440938160 /* 2015-08-30T12:36:00Z */

static const struct sigv4_keys keys = {.access_key = "AKIDEXAMPLE", .secret_key = SECRET};

static void test_published_signatures(void **state)
{
	static const struct {
		const char *method, *path, *query, *service, *signature;
	} ROWS[] = {
		/* get-vanilla */
		{"GET", "/", NULL, "service",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		/* post-vanilla */
		{"POST", "/", NULL, "service",
		 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		/* get-vanilla-query-order-key-case */
		{"GET", "/", "Param2=value2&Param1=value1", "service",
		 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		/* get-relative, get-slash, get-slash-dot-slash: all as get-vanilla */
		{"GET", "/example/..", NULL, "service",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "//", NULL, "service",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "/./", NULL, "service",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "", NULL, "service",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	};
	const struct sigv4_header headers[] = {{"Host", "example.amazonaws.com"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		const struct sigv4_scope scope = {"us-east-1", ROWS[i].service, AT};
		const struct sigv4_request r = {.method = ROWS[i].method,
						.path = ROWS[i].path,
						.query = ROWS[i].query,
						.headers = headers,
						.n_headers = 1,
						.payload_hash = EMPTY};
		AUTO(strlist) out = STRLIST_INIT;
		AUTO_FREE char *wanted = xstrfmt(
			"Authorization: AWS4-HMAC-SHA256 "
			"Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			"SignedHeaders=host;x-amz-date, Signature=%s",
			ROWS[i].signature);

		sigv4_sign(&out, &r, &scope, &keys);
		assert_int_equal(out.n, 2);
		assert_string_equal(out.items[0], "X-Amz-Date: 20150830T123600Z");
		assert_string_equal(out.items[1], wanted);
	}
}

/* "Create a signed AWS API request": every step is printed there. */
static void test_documented_steps(void **state)
{
	const struct sigv4_header headers[] = {
		{"X-Amz-Date", "20150830T123600Z"},
		{"Host", "iam.amazonaws.com"},
		{"Content-Type", "application/x-www-form-urlencoded;  charset=utf-8 "},
	};
	const struct sigv4_request r = {.method = "GET",
					.path = "/",
					.query = "Version=2010-05-08&Action=ListUsers",
					.headers = headers,
					.n_headers = ARRAY_SIZE(headers),
					.payload_hash = EMPTY};
	const struct sigv4_scope scope = {"us-east-1", "iam", AT};
	AUTO(strbuf) canonical = STRBUF_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
	char signature[SHA256_HEX_SIZE];

	(void)state;
	sigv4_canonical_request(&canonical, &r);
	assert_string_equal(canonical.buf,
			    "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
			    "content-type:application/x-www-form-urlencoded; charset=utf-8\n"
			    "host:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
			    "content-type;host;x-amz-date\n" EMPTY);
	sigv4_string_to_sign(&text, &scope, canonical.buf);
	assert_string_equal(
		text.buf,
		"AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"
		"f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
	sigv4_signature(signature, SECRET, &scope, text.buf);
	assert_string_equal(signature,
			    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void test_token_is_sent_and_signed(void **state)
{
	const struct sigv4_header headers[] = {{"host", "h"}};
	const struct sigv4_request r = {.method = "POST",
					.path = "/",
					.headers = headers,
					.n_headers = 1,
					.payload_hash = EMPTY};
	const struct sigv4_scope scope = {"eu-west-1", "ecr", AT};
	struct sigv4_keys with = keys;
	AUTO(strlist) out = STRLIST_INIT;

	(void)state;
	with.token = "temporary";
	sigv4_sign(&out, &r, &scope, &with);
	assert_int_equal(out.n, 3);
	assert_string_equal(out.items[1], "X-Amz-Security-Token: temporary");
	assert_non_null(
		strstr(out.items[2], "SignedHeaders=host;x-amz-date;x-amz-security-token,"));
	assert_null(strstr(out.items[2], SECRET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_signatures),
		cmocka_unit_test(test_documented_steps),
		cmocka_unit_test(test_token_is_sent_and_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
