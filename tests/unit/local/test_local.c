/* The local target on a port of its own: who may come, and how what is refused is said. */
#include "tests/unit/local/target_fixture.h"

#include "local/token.h"
#include "aws/sigv4.h"
#include "base/base64.h"
#include "base/time.h"

/* One signed call of a form. */
static int call(struct ground *g, const char *service, const char *body)
{
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO_FREE char *host = xstrfmt("127.0.0.1:%d", g->local->port);
	const struct sigv4_header signed_headers[] = {
		{"host", host}, {"content-type", "application/x-www-form-urlencoded"}};
	const struct sigv4_scope scope = {"us-east-1", service, time_now()};
	const struct sigv4_keys keys = {g->local->access_key, g->local->secret_key, NULL};
	uint8_t raw[SHA256_SIZE];
	char hash[SHA256_HEX_SIZE];
	const struct sigv4_request r = {.method = "POST",
					.path = "/",
					.headers = signed_headers,
					.n_headers = 2,
					.payload_hash = hash};

	sha256_buf(body, strlen(body), raw);
	sha256_hex(raw, hash);
	sigv4_sign(&headers, &r, &scope, &keys);
	strlist_add(&headers, "Content-Type: application/x-www-form-urlencoded");
	return ground_ask(g, "POST", "/", &headers, body);
}

#define assert_says(g, text)                                                             \
	do {                                                                             \
		if (!strstr((g)->answer.body.buf, text))                                 \
			fail_msg("\"%s\" is not in \"%s\"", text, (g)->answer.body.buf); \
	} while (0)

static void test_identity(void **state)
{
	struct ground *g = *state;

	assert_int_equal(call(g, "sts", "Action=GetCallerIdentity&Version=2011-06-15"), 200);
	assert_says(g, "<GetCallerIdentityResult>");
	assert_says(g, "<Account>000000000000</Account>");
	assert_says(g, "<Arn>arn:aws:iam::000000000000:user/local</Arn>");
	assert_int_equal(call(g, "iam", "Action=GetCallerIdentity&Version=2011-06-15"), 403);
	assert_says(g, "<Code>SignatureDoesNotMatch</Code>");
	assert_says(g, "correct service: 'sts'");
}

static void test_unknown(void **state)
{
	struct ground *g = *state;
	AUTO(strlist) target = STRLIST_INIT;

	assert_int_equal(call(g, "sts", "Action=Dance&Version=2011-06-15"), 400);
	assert_says(g, "<Code>InvalidAction</Code>");
	assert_says(g, "AssumeRoleWithWebIdentity, GetSessionToken");
	assert_int_equal(call(g, "sqs", "Action=Dance&Version=2012-11-05"), 400);
	assert_says(g, "for version 2012-11-05: the local target has sts");
	assert_int_equal(
		call(g, "elasticloadbalancing", "Action=CreateLoadBalancer&Version=2015-12-01"),
		400);
	assert_says(g, "needs none: each service has an address of its own");
	assert_int_equal(call(g, "sts", "Action=%"), 400);
	assert_says(g, "MalformedQueryString");
	strlist_add(&target, "X-Amz-Target: DynamoDB_20120810.ListTables");
	assert_int_equal(ground_ask(g, "POST", "/", &target, "{}"), 400);
	assert_says(g, "{\"__type\":\"UnknownOperationException\",\"message\":");
	assert_string_equal(http_header_get(&g->answer, "x-amzn-errortype", 0),
			    "UnknownOperationException");
}

static void test_unsigned(void **state)
{
	struct ground *g = *state;
	AUTO(strbuf) big = STRBUF_INIT;
	AUTO(strlist) zipped = STRLIST_INIT;

	assert_int_equal(
		ground_ask(g, "POST", "/", NULL, "Action=GetCallerIdentity&Version=2011-06-15"),
		403);
	assert_says(g, "<Code>MissingAuthenticationToken</Code>");
	assert_int_equal(ground_ask(g, "POST", "/", NULL, ""), 403);
	for (int i = 0; i < 70000; i++)
		strbuf_putc(&big, 'a');
	assert_int_equal(ground_ask(g, "POST", "/", NULL, big.buf), 413);
	strlist_add(&zipped, "Content-Encoding: gzip");
	assert_int_equal(ground_ask(g, "POST", "/", &zipped, "x"), 415);
	assert_says(g, "gzip");
	/* Any token would do, but no role is there that lets one in. */
	assert_int_equal(
		ground_ask(g, "POST", "/", NULL,
			   "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName="
			   "name&WebIdentityToken=t&RoleArn=arn:aws:iam::000000000000:role/r"),
		403);
	assert_says(g, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
}

static void test_visitors(void **state)
{
	static const struct {
		const char *header, *path;
		int status;
	} ROWS[] = {
		{"Host: evil.example", "/", 403},
		{"Host: 127.0.0.1", "/", 403},
		{"Host: localhost:1", "/", 403},
		{"Host: localhost.evil.example:PORT", "/", 403},
		{"Host: localhost:PORT", "/", 200},
		{"Host: LOCALHOST:PORT", "/", 200},
		{"Host: [::1]:PORT", "/", 200},
		{"Host: 169.254.170.2", "/", 200},
		{"Host: 169.254.170.2:PORT", "/", 200},
		{"Host: 169.254.170.20", "/", 403},
		{"Origin: http://evil.example", "/", 403},
		{"Origin: null", "/", 403},
		{"Origin: http://localhost:1", "/", 403},
		{"Origin: https://localhost:PORT", "/", 403},
		{"Origin: http://localhost:PORT", "/", 200},
		{"Origin: http://evil.example", "/v2/", 403},
		{"Host: evil.example:PORT", "/v2/", 403},
		{"Accept: */*", "/v2/", 401},
		{"Accept: */*", "/v3", 404},
	};
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strlist) headers = STRLIST_INIT;
		const char *port = strstr(ROWS[i].header, "PORT");
		int n = port ? (int)(port - ROWS[i].header) : (int)strlen(ROWS[i].header);

		if (port)
			strlist_addf(&headers, "%.*s%d", n, ROWS[i].header, g->local->port);
		else
			strlist_add(&headers, ROWS[i].header);
		if (ground_ask(g, "GET", ROWS[i].path, &headers, NULL) != ROWS[i].status)
			fail_msg("%s: %d", headers.items[0], g->answer.status);
	}
	assert_int_equal(ground_ask(g, "HEAD", "/", NULL, NULL), 200);
	assert_int_equal(ground_ask(g, "PUT", "/", NULL, "x"), 405);
}

static int log_in(struct ground *g, const char *user, const char *password)
{
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO(strbuf) basic = STRBUF_INIT;
	AUTO_FREE char *pair = xstrfmt("%s:%s", user, password);

	base64_encode(&basic, pair, strlen(pair));
	strlist_addf(&headers, "Authorization: Basic %s", basic.buf);
	return ground_ask(g, "GET", "/v2/", &headers, NULL);
}

static void test_registry(void **state)
{
	struct ground *g = *state;
	AUTO_FREE char *good = token_make(g->local->secret_key, TOKEN_REGISTRY, "AWS",
					  time_now() + 60);
	AUTO_FREE char *old = token_make(g->local->secret_key, TOKEN_REGISTRY, "AWS",
					 time_now() - 1);
	AUTO_FREE char *other = token_make(g->local->secret_key, TOKEN_SESSION, "AWS",
					   time_now() + 60);

	assert_int_equal(log_in(g, "AWS", good), 200);
	assert_int_equal(log_in(g, "me", good), 401);
	assert_int_equal(log_in(g, "AWS", old), 401);
	assert_int_equal(log_in(g, "AWS", other), 401);
	assert_int_equal(log_in(g, "AWS", g->local->secret_key), 401);
}

/* The keys outlive the process, and nobody else may have the folder meanwhile. */
static void test_again(void **state)
{
	struct ground *g = *state;
	AUTO_FREE char *folder = xstrdup(g->local->folder);
	AUTO_FREE char *secret = xstrdup(g->local->secret_key);
	struct local_options o = {.folder = folder, .store = g->store, .region = "eu-west-1"};
	struct local *second = NULL;

	assert_error(local_open(&second, &o, err), ERROR_DENIED, "runs there already");
	local_close(take_ptr(g->local));
	assert_ok(local_open(&g->local, &o, err));
	assert_string_equal(g->local->secret_key, secret);
	assert_string_equal(g->local->region, "us-east-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		G(test_identity), G(test_unknown),  G(test_unsigned),
		G(test_visitors), G(test_registry), G(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
