#include "registry/retry.h"

#include "tests/unit/base/testing.h"

#include "registry/auth.h"
#include "registry/remote_error.h"

#define S 1000000000ll

static void test_statuses(void **state)
{
	static const int YES[] = {408, 429, 499, 500, 502, 503, 504, 522};
	static const int NO[] = {200, 201, 202, 301, 307, 400, 401,
				 403, 404, 405, 409, 413, 416, 501};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(YES); i++)
		assert_true(retry_status(YES[i]));
	for (size_t i = 0; i < ARRAY_SIZE(NO); i++)
		assert_false(retry_status(NO[i]));
}

static void test_retry_after(void **state)
{
	/* 784111777 is the date of RFC 9110's example. */
	static const struct {
		const char *after, *date;
		int64_t expected;
	} ROWS[] = {
		{NULL, NULL, -1},
		{"2", NULL, 2 * S},
		{"0", NULL, 0},
		{"1000000000", NULL, 300 * S},
		{"99999999999999999999999999", NULL, 300 * S},
		{"Sun, 06 Nov 1994 08:49:47 GMT", NULL, 10 * S},
		/* Our clock is an hour off: theirs counts. */
		{"Sun, 06 Nov 1994 09:49:47 GMT", "Sun, 06 Nov 1994 09:49:37 GMT", 10 * S},
		{"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:00 GMT", 0},
		{"Mon, 07 Nov 1994 08:49:37 GMT", NULL, 300 * S},
		{"soon", NULL, -1},
		{"-5", NULL, -1},
		{"2s", NULL, -1},
		{"", NULL, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(http_response) res = {0};
		char line[128];

		if (ROWS[i].after) {
			snprintf(line, sizeof(line), "Retry-After: %s", ROWS[i].after);
			http_response_add(&res, line, strlen(line));
		}
		if (ROWS[i].date) {
			snprintf(line, sizeof(line), "Date: %s", ROWS[i].date);
			http_response_add(&res, line, strlen(line));
		}
		if (retry_after_ns(&res, 784111777) != ROWS[i].expected)
			fail_msg("row %zu: %lld", i, (long long)retry_after_ns(&res, 784111777));
	}
}

struct heard {
	struct reporter reporter;
	char text[512];
};

static void on_log(struct reporter *r, enum log_level level, const char *text)
{
	struct heard *h = (struct heard *)r;

	if (level != LOG_DEBUG)
		snprintf(h->text, sizeof(h->text), "%s", text);
}

/* How often each failure is tried again, and what is said. */
static void test_budget(void **state)
{
	struct heard heard = {.reporter.log = on_log};
	struct registry_options o = {
		.reporter = &heard.reporter, .max_retries = 3, .retry_base_ms = 1};
	AUTO_PTR(registry_client) c = NULL;
	AUTO_PTR(registry_host) host = NULL;
	AUTO(http_response) busy = {.status = 503};
	AUTO(http_response) absent = {.status = 404};
	struct error lost = {.kind = ERROR_NETWORK,
			     .message = (char *)(uintptr_t) "connection reset"};
	struct error refused = {.kind = ERROR_NETWORK, .number = HTTP_FAILURE_REFUSED};
	struct error name = {.kind = ERROR_NETWORK, .number = HTTP_FAILURE_NAME};
	struct error silent = {.kind = ERROR_NETWORK, .number = HTTP_FAILURE_SILENT};
	struct error untrusted = {.kind = ERROR_NETWORK, .number = HTTP_FAILURE_CERTIFICATE};
	struct error full = {.kind = ERROR_SYSTEM};
	struct retry r;

	(void)state;
	strbuf_init(&busy.body);
	strbuf_init(&absent.body);
	strbuf_puts(
		&busy.body,
		"{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"try \\u001b[31mlater\"}]}");
	assert_ok(registry_client_new(&c, &o, err));
	host = host_new(c, "r.io", "r.io");
	retry_begin(&r, host, 0, "pull x");
	for (int i = 0; i < 3; i++)
		assert_int_equal(retry_again(&r, &busy, NULL, 0, NULL), 1);
	assert_int_equal(retry_again(&r, &busy, NULL, 0, NULL), 0);
	assert_non_null(strstr(heard.text, "pull x: r.io answered 503 Service Unavailable: "
					   "UNAVAILABLE: try \\x1b[31mlater; retry 3 in "));
	/* Progress earns a fresh count, a little does not. */
	assert_int_equal(retry_again(&r, &busy, NULL, 1 << 20, NULL), 1);
	retry_begin(&r, host, 0, "pull x");
	for (int i = 0; i < 3; i++)
		assert_int_equal(retry_again(&r, NULL, &lost, 1000, NULL), 1);
	assert_int_equal(retry_again(&r, NULL, &lost, 1000, NULL), 0);
	retry_begin(&r, host, 0, "pull x");
	assert_int_equal(retry_again(&r, &absent, NULL, 0, NULL), 0);
	assert_int_equal(retry_again(&r, NULL, &untrusted, 0, NULL), 0);
	assert_int_equal(retry_again(&r, NULL, &full, 0, NULL), 0);
	/* A host that never answered: an unknown name and silence are final, two more knocks at a closed port. */
	retry_begin(&r, host, 0, "pull x");
	assert_int_equal(retry_again(&r, NULL, &name, 0, NULL), 0);
	assert_int_equal(retry_again(&r, NULL, &silent, 0, NULL), 0);
	retry_begin(&r, host, 0, "pull x");
	assert_int_equal(retry_again(&r, NULL, &refused, 0, NULL), 1);
	assert_int_equal(retry_again(&r, NULL, &refused, 0, NULL), 1);
	assert_int_equal(retry_again(&r, NULL, &refused, 0, NULL), 0);
	host->answered = true;
	retry_begin(&r, host, 0, "pull x");
	assert_int_equal(retry_again(&r, NULL, &name, 0, NULL), 1);
	assert_int_equal(retry_again(&r, NULL, &silent, 0, NULL), 1);
}

static void test_remote_errors(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum error_kind kind;
		const char *text;
	} ROWS[] = {
		{401, "", ERROR_DENIED, "slipway login r.io"},
		{403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}", ERROR_DENIED,
		 "push x: r.io answered 403 Forbidden: DENIED: no"},
		{404, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}", ERROR_NOT_FOUND,
		 "the repository does not exist"},
		{404, "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\"}]}", ERROR_NOT_FOUND,
		 "404 Not Found: BLOB_UNKNOWN"},
		{413, "<html>too large</html>", ERROR_REMOTE, "413 Content Too Large\n"},
		{500, "disk full\nat line 3", ERROR_REMOTE, "500 Internal Server Error: disk full"},
		{500, "{\"errors\":\"strange\"}", ERROR_REMOTE, "push x: r.io answered 500"},
		{500, "{\"errors\":[1,null,{\"code\":2}]}", ERROR_REMOTE, "answered 500"},
		{401, "{\"details\":\"bad\\npassword\"}", ERROR_DENIED, ": bad\\x0apassword"},
		{400, "{\"error\":\"invalid_grant\"}", ERROR_REMOTE, ": invalid_grant"},
		{777, "\x1b]0;title\x07", ERROR_REMOTE, "answered 777: \\x1b]0;title\\x07"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(http_response) res = {.status = ROWS[i].status};
		AUTO(error) why = ERROR_INIT;

		strbuf_init(&res.body);
		strbuf_puts(&res.body, ROWS[i].body);
		assert_int_equal(remote_error(&why, "push x", "r.io", &res), -1);
		assert_int_equal(why.kind, ROWS[i].kind);
		assert_int_equal(why.status, ROWS[i].status);
		if (!strstr(why.message, ROWS[i].text))
			fail_msg("row %zu: %s", i, why.message);
		assert_null(strchr(why.message, 0x1b));
	}
}

static void test_scopes(void **state)
{
	static const struct {
		const char *have, *want;
		bool covers;
	} ROWS[] = {
		{"repository:a:pull,push", "repository:a:pull", true},
		{"repository:a:pull,push", "repository:a:push,pull", true},
		{"repository:a:pull", "repository:a:pull,push", false},
		{"repository:a:pull", "repository:b:pull", false},
		{"repository:h:5000/a:pull", "repository:h:5000/a:pull", true},
		{"repository:a:*", "repository:a:pull", false},
		{"registry:catalog:*", "registry:catalog:*", true},
		{"odd", "odd", true},
		{"odd", "even", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		if (auth_scope_covers(ROWS[i].have, ROWS[i].want) != ROWS[i].covers)
			fail_msg("%s / %s", ROWS[i].have, ROWS[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses), cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_budget),   cmocka_unit_test(test_remote_errors),
		cmocka_unit_test(test_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
