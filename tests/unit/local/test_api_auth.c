/* The verifier against AWS's own published signatures, and against requests that were changed on their way. */
#include "local/api_auth.h"

#include <strings.h>

#include "aws/sigv4.h"
#include "tests/unit/base/testing.h"

#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define AT      1440938160 /* 2015-08-30T12:36:00Z */
#define EMPTY   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ACCOUNT "000000000000"

struct message {
	const char *method, *target;
	struct strlist headers; /* "Name: value" */
};

static void message_release(struct message *m)
{
	strlist_release(&m->headers);
}
CLEANUP_RELEASE(message)

static char *header_of(void *arg, const char *name)
{
	const struct message *m = arg;
	size_t n = strlen(name);

	for (size_t i = 0; i < m->headers.n; i++)
		if (strncasecmp(m->headers.items[i], name, n) == 0 && m->headers.items[i][n] == ':')
			return xstrdup(m->headers.items[i] + n + 2);
	return NULL;
}

static void set_header(struct message *m, const char *name, const char *value)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < m->headers.n; i++)
		if (strncasecmp(m->headers.items[i], name, n) == 0 &&
		    m->headers.items[i][n] == ':') {
			strlist_remove(&m->headers, i);
			break;
		}
	if (value)
		strlist_addf(&m->headers, "%s: %s", name, value);
}

/* AUTH_FINE, or the problem; *message (free()) is what it says. */
static enum auth_problem judge(struct message *m, const char *service, int64_t now,
			       const char *body_hash, char **message)
{
	const struct auth_request r = {m->method, m->target, header_of, m};
	const struct auth_keys keys = {.access_key = "AKIDEXAMPLE",
				       .secret_key = SECRET,
				       .account = ACCOUNT,
				       .region = "us-east-1",
				       .service = service,
				       .now = now};
	struct auth_refusal refusal = {0};
	AUTO(auth) a = AUTH_INIT;
	int code = auth_read(&a, &r, &keys, &refusal);

	if (code == 0)
		code = auth_verify(&a, &r, body_hash, &refusal);
	assert_int_equal(code, refusal.problem == AUTH_FINE ? 0 : -1);
	if (message)
		*message = refusal.message;
	else
		free(refusal.message);
	return refusal.problem;
}

static void test_published(void **state)
{
	static const struct {
		const char *method, *target, *signature;
	} ROWS[] = {
		/* get-vanilla, post-vanilla, get-vanilla-query-order-key-case, get-relative */
		{"GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"GET", "/?Param2=value2&Param1=value1",
		 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"GET", "/example/..",
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(message)
		m = {.method = ROWS[i].method, .target = ROWS[i].target};

		strlist_add(&m.headers, "Host: example.amazonaws.com");
		strlist_add(&m.headers, "X-Amz-Date: 20150830T123600Z");
		strlist_addf(&m.headers,
			     "Authorization: AWS4-HMAC-SHA256 "
			     "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			     "SignedHeaders=host;x-amz-date, Signature=%s",
			     ROWS[i].signature);
		assert_int_equal(judge(&m, "service", AT, EMPTY, NULL), AUTH_FINE);
	}
}

/* A request of ECS, signed as the client signs. */
static void make_signed(struct message *m, const struct sigv4_keys *keys, const char *region,
			const char *service, const char *target_header)
{
	const struct sigv4_header headers[] = {{"host", "127.0.0.1:4599"},
					       {"content-type", "application/x-amz-json-1.1"},
					       {"x-amz-target", target_header}};
	const struct sigv4_request r = {.method = "POST",
					.path = "/",
					.headers = headers,
					.n_headers = 3,
					.payload_hash = EMPTY};
	const struct sigv4_scope scope = {region, service, AT};

	m->method = "POST";
	m->target = "/";
	for (size_t i = 0; i < 3; i++)
		strlist_addf(&m->headers, "%s: %s", headers[i].name, headers[i].value);
	sigv4_sign(&m->headers, &r, &scope, keys);
}

static const struct sigv4_keys own = {.access_key = "AKIDEXAMPLE", .secret_key = SECRET};

static void test_changed(void **state)
{
	static const struct {
		const char *header, *value; /* NULL: taken away */
		enum auth_problem problem;
		const char *message;
	} ROWS[] = {
		{"user-agent", "anything", AUTH_FINE, NULL},
		{"host", "127.0.0.1:4600", AUTH_MISMATCH, "does not match the signature"},
		{"content-type", NULL, AUTH_MISMATCH, "does not match the signature"},
		{"x-amz-target", "B.DeleteCluster", AUTH_MISMATCH, "does not match the signature"},
		{"x-amz-date", "20150830T123601Z", AUTH_MISMATCH, "does not match the signature"},
		{"x-amz-date", "20150831T123600Z", AUTH_CLOCK,
		 "Signature not yet current: 20150831T123600Z is still later than "
		 "20150830T124100Z (20150830T123600Z + 5 min.)"},
		{"x-amz-date", "20150829T123600Z", AUTH_CLOCK,
		 "Signature expired: 20150829T123600Z is now earlier than 20150830T123100Z "
		 "(20150830T123600Z - 5 min.)"},
		{"x-amz-date", NULL, AUTH_INCOMPLETE, "requires existence of a 'X-Amz-Date'"},
		{"x-amz-date", "yesterday", AUTH_INCOMPLETE, "Got 'yesterday'"},
		{"x-amz-date", "20150830T126600Z", AUTH_INCOMPLETE, "basic format"},
		{"x-amz-content-sha256", EMPTY, AUTH_MISMATCH,
		 "'x-amz-content-sha256' must be a 'SignedHeader'"},
		{"x-amz-security-token", "dG9rZW4=", AUTH_UNKNOWN, "token included in the request"},
		{"authorization", NULL, AUTH_MISSING, "missing Authentication Token"},
		{"authorization", "Basic QVdTOng=", AUTH_INCOMPLETE, "AWS4-HMAC-SHA256"},
		{"authorization", "AWS4-HMAC-SHA256 ", AUTH_INCOMPLETE,
		 "requires 'Credential' parameter. Authorization header requires 'Signature' "
		 "parameter. Authorization header requires 'SignedHeaders'"},
		{"authorization",
		 "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
		 AUTH_INCOMPLETE, "exactly 5 slash-delimited elements"},
		{"authorization",
		 "AWS4-HMAC-SHA256 Credential=AKIDOTHER/20150830/us-east-1/ecs/aws4_request, "
		 "SignedHeaders=host;x-amz-date;x-amz-target, Signature=00",
		 AUTH_UNKNOWN, "token included in the request is invalid"},
		{"authorization",
		 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecs/aws4_request, "
		 "SignedHeaders=x-amz-date;x-amz-target, Signature=00",
		 AUTH_MISMATCH, "'Host' or ':authority' must be a 'SignedHeader'"},
		{"authorization",
		 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecs/aws4_request, "
		 "SignedHeaders=host;x-amz-date, Signature=00",
		 AUTH_MISMATCH, "'x-amz-target' must be a 'SignedHeader'"},
		{"authorization",
		 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150829/us-east-1/ecs/aws4_request, "
		 "SignedHeaders=host;x-amz-date;x-amz-target, Signature=00",
		 AUTH_MISMATCH, "Date in Credential scope does not match"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(message) m = {.method = "POST"};
		AUTO_FREE char *message = NULL;

		make_signed(&m, &own, "us-east-1", "ecs", "A.CreateCluster");
		set_header(&m, ROWS[i].header, ROWS[i].value);
		assert_int_equal(judge(&m, "ecs", AT, EMPTY, &message), ROWS[i].problem);
		if (ROWS[i].message && !strstr(message, ROWS[i].message))
			fail_msg("row %zu: \"%s\"", i, message);
	}
}

static void test_scope_and_body(void **state)
{
	AUTO_FREE char *message = NULL;
	AUTO(message) m = {.method = "POST"};
	AUTO(message) other = {.method = "POST"};
	AUTO(message) global = {.method = "POST"};

	(void)state;
	make_signed(&m, &own, "us-east-1", "ecs", "A.B");
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_FINE);
	assert_int_equal(judge(&m, NULL, AT, EMPTY, NULL), AUTH_FINE);
	assert_int_equal(judge(&m, "ecs", AT + 300, EMPTY, NULL), AUTH_FINE);
	assert_int_equal(judge(&m, "ecs", AT + 301, EMPTY, NULL), AUTH_CLOCK);
	assert_int_equal(judge(&m, "ecs", AT - 301, EMPTY, NULL), AUTH_CLOCK);
	assert_int_equal(judge(&m, "ecr", AT, EMPTY, &message), AUTH_MISMATCH);
	assert_non_null(strstr(message, "correct service: 'ecr'"));
	/* another body, another method, another target */
	assert_int_equal(judge(&m, "ecs", AT,
			       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
			       NULL),
			 AUTH_MISMATCH);
	m.target = "/?x=1";
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_MISMATCH);
	m.target = "/";
	m.method = "GET";
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_MISMATCH);
	make_signed(&other, &own, "eu-west-1", "ecs", "A.B");
	assert_int_equal(judge(&other, "ecs", AT, EMPTY, NULL), AUTH_MISMATCH);
	make_signed(&global, &own, "us-east-1", "iam", "A.B");
	assert_int_equal(judge(&global, "iam", AT, EMPTY, NULL), AUTH_FINE);
}

static void test_session(void **state)
{
	AUTO(session) s = SESSION_INIT;
	AUTO(message) m = {.method = "POST"};

	(void)state;
	session_make(&s, SECRET, "arn:aws:sts::000000000000:assumed-role/r/s", AT + 60);
	const struct sigv4_keys keys = {s.access_key, s.secret_key, s.token};
	const struct sigv4_keys wrong = {s.access_key, SECRET, s.token};

	make_signed(&m, &keys, "us-east-1", "ecs", "A.B");
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_FINE);
	assert_int_equal(judge(&m, "ecs", AT + 60, EMPTY, NULL), AUTH_TOKEN_IS_OLD);
	set_header(&m, "x-amz-security-token", NULL);
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_UNKNOWN);
	strlist_clear(&m.headers);
	make_signed(&m, &wrong, "us-east-1", "ecs", "A.B");
	assert_int_equal(judge(&m, "ecs", AT, EMPTY, NULL), AUTH_MISMATCH);
}

static void test_presigned(void **state)
{
	AUTO_FREE char *message = NULL;
	AUTO(message)
	m = {.method = "GET", .target = "/?Action=GetCallerIdentity&X-Amz-Signature=00"};

	(void)state;
	assert_int_equal(judge(&m, "sts", AT, EMPTY, &message), AUTH_INCOMPLETE);
	assert_non_null(strstr(message, "presigned"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),      cmocka_unit_test(test_changed),
		cmocka_unit_test(test_scope_and_body), cmocka_unit_test(test_session),
		cmocka_unit_test(test_presigned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
