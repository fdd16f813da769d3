#include "tests/unit/net/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void test_answer(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/a?b=c", plain.url);
	AUTO_FREE char *agent = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "GET", .url = url, .body_len = -1};

	(void)state;
	fake_rule(
		&plain,
		"{\"path\": \"^/a\", \"status\": 418, \"body\": \"tea\", \"headers\": {\"X-A\": \"1\"}}");
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 418);
	assert_string_equal(res.body.buf, "tea");
	assert_int_equal(res.received, 3);
	assert_string_equal(http_header_get(&res, "x-a", 0), "1");
	agent = fake_seen(&plain, "GET", "^/a.b=c$", 0, "User-Agent");
	assert_string_equal(agent, "slipway");
	/* The same connection, and nothing of the first answer in the second. */
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 404);
	assert_null(http_header_get(&res, "x-a", 0));
}

/* Whatever the connection was used for before: no request has a body, or the announcement of one, that it was not given. */
static void test_methods(void **state)
{
	static const struct http_options NONE;
	static const struct {
		const char *method;
		const char *body;
	} ROWS[] = {{"GET", NULL},  {"HEAD", NULL},  {"GET", NULL},    {"POST", ""},
		    {"HEAD", NULL}, {"PUT", "abc"},  {"DELETE", NULL}, {"POST", "abc"},
		    {"GET", NULL},  {"PATCH", "ab"}, {"DELETE", NULL}};
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/m", plain.url);

	(void)state;
	for (int i = 0; i < (int)ARRAY_SIZE(ROWS); i++) {
		AUTO(http_response) res = {0};
		AUTO_FREE char *method = NULL;
		AUTO_FREE char *length = NULL;
		AUTO_FREE char *encoding = NULL;
		AUTO_FREE char *expect = NULL;
		char wanted[24] = "none";
		struct http_request req = {
			.method = ROWS[i].method,
			.url = url,
			.body = ROWS[i].body,
			.body_len = ROWS[i].body ? (int64_t)strlen(ROWS[i].body) : -1,
		};

		assert_ok(http_send(h, &req, &res, err));
		assert_int_equal(res.status, 404);
		method = fake_seen(&plain, NULL, "^/m", i, "method");
		assert_string_equal(method, ROWS[i].method);
		if (ROWS[i].body)
			snprintf(wanted, sizeof(wanted), "%zu", strlen(ROWS[i].body));
		length = fake_seen(&plain, NULL, "^/m", i, "Content-Length");
		assert_string_equal(length ? length : "none", wanted);
		encoding = fake_seen(&plain, NULL, "^/m", i, "Transfer-Encoding");
		assert_null(encoding);
		expect = fake_seen(&plain, NULL, "^/m", i, "Expect");
		assert_null(expect);
	}
}

static void test_nothing_is_followed(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/a", plain.url);
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "GET", .url = url, .body_len = -1};

	(void)state;
	fake_rule(&plain,
		  "{\"path\": \"^/a\", \"status\": 302, \"headers\": {\"Location\": \"/b\"}}");
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 302);
	assert_string_equal(http_header_get(&res, "Location", 0), "/b");
	assert_int_equal(fake_count(&plain, NULL, "^/b"), 0);
}

static void test_limits(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO_FREE char *large = xmalloc(200001);
	AUTO_FREE char *ok = NULL;
	AUTO_FREE char *bad = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "GET", .url = url, .body_len = -1, .body_limit = 1000};

	(void)state;
	memset(large, 'x', 200000);
	large[200000] = '\0';
	ok = xstrfmt("{\"path\": \"^/x\", \"status\": 200, \"body\": \"%s\"}", large);
	bad = xstrfmt("{\"path\": \"^/x\", \"status\": 500, \"body\": \"%s\"}", large);
	fake_rule(&plain, ok);
	assert_error(http_send(h, &req, &res, err), ERROR_CORRUPT, "more than the 1000 bytes");
	/* The explanation of an error is cut instead. */
	fake_rule(&plain, bad);
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 500);
	assert_int_equal(res.body.len, 64 << 10);
}

static void test_sink(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO(http_response) res = {0};
	AUTO(strbuf) got = STRBUF_LIMIT(4);
	struct strbuf_sink sink;
	struct http_request req = {.method = "GET", .url = url, .body_len = -1, .sink = &sink.sink};

	(void)state;
	strbuf_sink_init(&sink, &got);
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 404, \"body\": \"oops\"}");
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(got.len, 0);
	assert_string_equal(res.body.buf, "oops");
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 206, \"body\": \"part\"}");
	assert_ok(http_send(h, &req, &res, err));
	assert_string_equal(got.buf, "part");
	assert_int_equal(res.body.len, 0);
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 200, \"body\": \"more\"}");
	assert_error(http_send(h, &req, &res, err), ERROR_CORRUPT, "allowed here");
}

/* Each fault, and what it is called. */
static void test_faults(void **state)
{
	static const struct {
		const char *rule;
		enum error_kind kind;
		int failure;
		const char *text;
	} ROWS[] = {
		{"{\"path\": \"^/x\", \"status\": 200, \"body\": \"0123456789\", \"truncate\": 4}",
		 ERROR_NETWORK, HTTP_FAILURE_BROKEN, "6 bytes"},
		{"{\"path\": \"^/x\", \"status\": 200, \"body\": \"0123456789\", \"reset\": 4}",
		 ERROR_NETWORK, HTTP_FAILURE_BROKEN, "reset"},
		{"{\"path\": \"^/x\", \"reset_upload\": 0}", ERROR_NETWORK, HTTP_FAILURE_BROKEN,
		 "reset"},
		{"{\"path\": \"^/x\", \"status\": 200, \"body\": \"0123456789\", \"drip\": 0.2}",
		 ERROR_NETWORK, HTTP_FAILURE_BROKEN, "stalled"},
		{"{\"path\": \"^/x\", \"status\": 200, \"delay\": 2}", ERROR_NETWORK,
		 HTTP_FAILURE_BROKEN, "stalled"},
	};
	static const struct http_options IMPATIENT = {.stall_timeout_ms = 300};
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_PTR(http) h = client(&IMPATIENT);
		AUTO(http_response) res = {0};
		AUTO(error) why = ERROR_INIT;
		struct http_request req = {.method = "GET", .url = url, .body_len = -1};

		fake_rule(&plain, ROWS[i].rule);
		assert_int_equal(http_send(h, &req, &res, &why), -1);
		assert_int_equal(why.kind, ROWS[i].kind);
		assert_int_equal(why.number, ROWS[i].failure);
		if (!strstr(why.message, ROWS[i].text) || !strstr(why.message, plain.host))
			fail_msg("row %zu: %s", i, why.message);
	}
}

/* The answer to a finished upload has a patience of its own. */
static void test_slow_answer(void **state)
{
	static const struct http_options PATIENT = {.stall_timeout_ms = 200,
						    .answer_timeout_ms = 20000};
	static const struct http_options IMPATIENT = {.stall_timeout_ms = 20000,
						      .answer_timeout_ms = 200};
	AUTO_PTR(http) patient = client(&PATIENT);
	AUTO_PTR(http) impatient = client(&IMPATIENT);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "PUT", .url = url, .body = "abc", .body_len = 3};

	(void)state;
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 201, \"delay\": 1.5, \"times\": -1}");
	assert_ok(http_send(patient, &req, &res, err));
	assert_int_equal(res.status, 201);
	assert_error(http_send(impatient, &req, &res, err), ERROR_NETWORK, "stalled");
}

static void test_unreachable(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO(http_response) res = {0};
	AUTO(error) why = ERROR_INIT;
	struct http_request req = {.method = "GET", .url = "http://127.0.0.1:1/", .body_len = -1};

	(void)state;
	assert_int_equal(http_send(h, &req, &res, &why), -1);
	assert_int_equal(why.kind, ERROR_NETWORK);
	assert_int_equal(why.number, HTTP_FAILURE_REFUSED);
	assert_string_equal(why.message, "127.0.0.1:1: Connection refused");
	error_clear(&why);
	/* RFC 6761: never a name. */
	req.url = "https://registry.invalid/";
	assert_int_equal(http_send(h, &req, &res, &why), -1);
	assert_int_equal(why.number, HTTP_FAILURE_NAME);
	error_clear(&why);
	req.url = "file:///etc/passwd";
	assert_error(http_send(h, &req, &res, err), ERROR_UNSUPPORTED, "file");
}

/* A server whose queue is full takes no notice of who knocks. */
static void test_silent(void **state)
{
	static const struct http_options SOON = {.connect_timeout_ms = 300};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	AUTO_FD int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_PTR(http) h = client(&SOON);
	AUTO(http_response) res = {0};
	AUTO(error) why = ERROR_INIT;
	AUTO_FREE char *url = NULL;
	struct http_request req = {.method = "GET", .body_len = -1};
	int waiting[4];

	(void)state;
	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 0), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(waiting[i], (struct sockaddr *)&at, sizeof(at));
	}
	url = xstrfmt("http://127.0.0.1:%u/", ntohs(at.sin_port));
	req.url = url;
	assert_int_equal(http_send(h, &req, &res, &why), -1);
	assert_int_equal(why.number, HTTP_FAILURE_SILENT);
	assert_non_null(strstr(why.message, "no connection in time"));
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
}

static void test_tls(void **state)
{
	AUTO(strlist) extra = STRLIST_INIT;
	struct http_options none = {0};
	struct http_options trusted = {.ca_file = tls.ca};
	struct http_options added = {.extra_ca_files = &extra};
	struct http_options unchecked = {.skip_verify = true};
	struct http_options missing = {.ca_file = "/nonexistent/ca.crt"};
	AUTO_PTR(http) h_none = client(&none);
	AUTO_PTR(http) h_trusted = client(&trusted);
	AUTO_PTR(http) h_added = NULL;
	AUTO_PTR(http) h_unchecked = client(&unchecked);
	AUTO_FREE char *url = xstrfmt("%s/v2/", tls.url);
	AUTO_FREE char *wrong = xstrfmt("https://%s/v2/", plain.host);
	AUTO_FREE char *reverse = xstrfmt("http://%s/v2/", tls.host);
	AUTO(http_response) res = {0};
	AUTO(error) why = ERROR_INIT;
	struct http_request req = {.method = "GET", .url = url, .body_len = -1};
	struct http *unusable = NULL;

	(void)state;
	strlist_add(&extra, tls.ca);
	h_added = client(&added);
	assert_int_equal(http_send(h_none, &req, &res, &why), -1);
	assert_int_equal(why.number, HTTP_FAILURE_CERTIFICATE);
	assert_non_null(strstr(why.message, "certificate"));
	error_clear(&why);
	assert_ok(http_send(h_trusted, &req, &res, err));
	assert_int_equal(res.status, 200);
	assert_ok(http_send(h_added, &req, &res, err));
	assert_ok(http_send(h_unchecked, &req, &res, err));
	assert_error(http_new(&unusable, &missing, err), ERROR_NOT_FOUND, "/nonexistent/ca.crt");
	/* TLS spoken to a plain server, and the reverse. */
	req.url = wrong;
	assert_int_equal(http_send(h_trusted, &req, &res, &why), -1);
	assert_int_equal(why.number, HTTP_FAILURE_NOT_TLS);
	req.url = reverse;
	assert_error(http_send(h_trusted, &req, &res, err), ERROR_NETWORK, tls.host);
}

static void test_cancel(void **state)
{
	struct cancel cancel = {.wake_fd = -1};
	struct http_options o = {.cancel = &cancel};
	AUTO_PTR(http) h = client(&o);
	AUTO_FREE char *url = xstrfmt("%s/v2/", plain.url);
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "GET", .url = url, .body_len = -1};

	(void)state;
	cancel.signal = 2;
	assert_error(http_send(h, &req, &res, err), ERROR_CANCELLED, "");
	assert_int_equal(fake_count(&plain, NULL, "/v2/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		http_test(test_answer),
		http_test(test_methods),
		http_test(test_nothing_is_followed),
		http_test(test_limits),
		http_test(test_sink),
		http_test(test_faults),
		http_test(test_slow_answer),
		http_test(test_unreachable),
		http_test(test_silent),
		http_test(test_tls),
		http_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
