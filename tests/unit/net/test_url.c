#include "net/url.h"

#include "tests/unit/base/testing.h"

/* RFC 3986 section 5.4, all normal and abnormal examples (strict), seen from the standard's base. */
static void test_resolve_standard(void **state)
{
	static const char *const ROWS[][2] = {
		{"g:h", "g:h"},
		{"g", "http://a/b/c/g"},
		{"./g", "http://a/b/c/g"},
		{"g/", "http://a/b/c/g/"},
		{"/g", "http://a/g"},
		{"//g",
		 "http://g/"}, /* the standard's "http://g"; RFC 9110 4.2.3 makes them equal */
		{"?y", "http://a/b/c/d;p?y"},
		{"g?y", "http://a/b/c/g?y"},
		{"#s", "http://a/b/c/d;p?q"}, /* a fragment is not sent */
		{"g#s", "http://a/b/c/g"},
		{"g?y#s", "http://a/b/c/g?y"},
		{";x", "http://a/b/c/;x"},
		{"g;x", "http://a/b/c/g;x"},
		{"g;x?y#s", "http://a/b/c/g;x?y"},
		{"", "http://a/b/c/d;p?q"},
		{".", "http://a/b/c/"},
		{"./", "http://a/b/c/"},
		{"..", "http://a/b/"},
		{"../", "http://a/b/"},
		{"../g", "http://a/b/g"},
		{"../..", "http://a/"},
		{"../../", "http://a/"},
		{"../../g", "http://a/g"},
		{"../../../g", "http://a/g"},
		{"../../../../g", "http://a/g"},
		{"/./g", "http://a/g"},
		{"/../g", "http://a/g"},
		{"g.", "http://a/b/c/g."},
		{".g", "http://a/b/c/.g"},
		{"g..", "http://a/b/c/g.."},
		{"..g", "http://a/b/c/..g"},
		{"./../g", "http://a/b/g"},
		{"./g/.", "http://a/b/c/g/"},
		{"g/./h", "http://a/b/c/g/h"},
		{"g/../h", "http://a/b/c/h"},
		{"g;x=1/./y", "http://a/b/c/g;x=1/y"},
		{"g;x=1/../y", "http://a/b/c/y"},
		{"g?y/./x", "http://a/b/c/g?y/./x"},
		{"g?y/../x", "http://a/b/c/g?y/../x"},
		{"http:g", NULL}, /* an http URL without a host is none */
	};
	AUTO(url) base = {0};

	(void)state;
	assert_ok(url_parse(&base, "http://a/b/c/d;p?q", err));
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(url) got = {0};
		AUTO_FREE char *text = NULL;

		if (!ROWS[i][1]) {
			assert_error(url_resolve(&got, &base, ROWS[i][0], err), ERROR_SYNTAX, "");
			continue;
		}
		assert_ok(url_resolve(&got, &base, ROWS[i][0], err));
		text = url_format(&got);
		if (strcmp(text, ROWS[i][1]) != 0)
			fail_msg("\"%s\" gives %s, not %s", ROWS[i][0], text, ROWS[i][1]);
	}
}

/* How registries write Location. */
static void test_resolve_locations(void **state)
{
	static const char *const ROWS[][2] = {
		{"/v2/a/blobs/uploads/1?_state=x%3D%3D",
		 "https://r.io:5000/v2/a/blobs/uploads/1?_state=x%3D%3D"},
		{"//evil/x", "https://evil/x"},
		{"https://s3.example/b?X-Amz=1&y=%2F", "https://s3.example/b?X-Amz=1&y=%2F"},
		{"http://r.io:5000/x", "http://r.io:5000/x"},
		{"https://R.IO:5000/x", "https://r.io:5000/x"},
		{"https://r.io:443/x", "https://r.io/x"},
		{"http://r.io:80", "http://r.io/"},
		{"http://r.io:443/", "http://r.io:443/"},
		{"HTTPS://r.io:/x", "https://r.io/x"},
	};
	AUTO(url) base = {0};

	(void)state;
	assert_ok(url_parse(&base, "https://r.io:5000/v2/a/blobs/uploads/", err));
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(url) got = {0};
		AUTO_FREE char *text = NULL;

		assert_ok(url_resolve(&got, &base, ROWS[i][0], err));
		text = url_format(&got);
		assert_string_equal(text, ROWS[i][1]);
	}
}

static void test_refused(void **state)
{
	static const char *const ROWS[] = {
		"",
		"r.io/x",
		"//r.io/x",
		"https://",
		"https:///x",
		"https:x",
		"https://r.io:0/",
		"https://r.io:65536/",
		"https://r.io:99999999999/",
		"https://r.io:80x/",
		"https://r.io/a b",
		"https://r.io/a\tb",
		"https://r.io/a\r\nHost: x",
		"https://r.io\\@evil.io/",
		"https://r%2eio/",
		"https://r.io,evil.io/",
		"https://\xc3\xa9.io/",
		"https://r.io/\xc3\xa9",
		"https://[::1/",
		"https://[::1]x/",
		"https://[fe80::1%25eth0]/",
		"https://[1.2.3.4]/",
		"https://a:b:c/",
		"1https://r.io/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(url) got = {0};

		assert_error(url_parse(&got, ROWS[i], err), ERROR_SYNTAX, "malformed URL");
		assert_null(got.scheme);
	}
}

static void test_parts(void **state)
{
	AUTO(url) u = {0};
	AUTO_FREE char *redacted = NULL;
	AUTO_FREE char *host = NULL;
	AUTO_FREE char *whole = NULL;

	(void)state;
	assert_ok(
		url_parse(&u, "https://user:pass@word@[2001:DB8:0::1]:8443/p/q?sig=secret#f", err));
	assert_string_equal(u.scheme, "https");
	assert_string_equal(u.userinfo, "user:pass@word");
	assert_string_equal(u.host, "2001:db8::1");
	assert_int_equal(u.port, 8443);
	assert_string_equal(u.path, "/p/q");
	assert_string_equal(u.query, "sig=secret");
	redacted = url_redact(&u);
	assert_string_equal(redacted, "https://[2001:db8::1]:8443/p/q?..");
	host = url_host_port(&u);
	assert_string_equal(host, "[2001:db8::1]:8443");
	whole = url_format(&u);
	assert_string_equal(whole, "https://[2001:db8::1]:8443/p/q?sig=secret");
}

static void test_origins(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} ROWS[] = {
		{"https://r.io/a", "https://r.io:443/b?c", true},
		{"https://R.io/", "https://r.IO/", true},
		{"https://r.io/", "http://r.io/", false},
		{"https://r.io/", "https://r.io:444/", false},
		{"https://r.io/", "https://www.r.io/", false},
		{"https://r.io/", "https://r.io./", false},
		{"http://127.0.0.1:5/", "http://0x7f.1:5/", true},
		{"http://127.0.0.1:5/", "http://localhost:5/", false},
		{"http://[::1]/", "http://[0:0::1]/", true},
		{"file:///a", "file:///a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(url) a = {0};
		AUTO(url) b = {0};

		assert_ok(url_parse(&a, ROWS[i].a, err));
		assert_ok(url_parse(&b, ROWS[i].b, err));
		if (url_same_origin(&a, &b) != ROWS[i].same)
			fail_msg("%s and %s", ROWS[i].a, ROWS[i].b);
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool loopback, internal;
	} ROWS[] = {
		{"127.0.0.1", true, true},
		{"127.255.0.9", true, true},
		{"127.1", true, true},
		{"2130706433", true, true},
		{"0x7f000001", true, true},
		{"0177.0.0.1", true, true},
		{"localhost", true, true},
		{"LocalHost", true, true},
		{"localhost.", true, true},
		{"a.localhost", true, true},
		{"::1", true, true},
		{"[::1]", true, true},
		{"::ffff:127.0.0.1", true, true},
		{"0.0.0.0", false, true},
		{"10.0.0.1", false, true},
		{"100.64.0.1", false, true},
		{"100.128.0.1", false, false},
		{"169.254.169.254", false, true},
		{"172.16.0.1", false, true},
		{"172.32.0.1", false, false},
		{"192.0.0.192", false, true},
		{"192.168.1.1", false, true},
		{"224.0.0.1", false, true},
		{"255.255.255.255", false, true},
		{"fe80::1", false, true},
		{"fd00::1", false, true},
		{"::", false, true},
		{"ff02::1", false, true},
		{"::ffff:10.0.0.1", false, true},
		{"64:ff9b::a9fe:a9fe", false, true},
		{"2002:a00:1::", false, true},
		{"8.8.8.8", false, false},
		{"2606:4700::1", false, false},
		{"::ffff:8.8.8.8", false, false},
		{"example.com", false, false},
		{"notlocalhost", false, false},
		{"localhost.evil.io", false, false},
		{"", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		if (url_host_is_loopback(ROWS[i].host) != ROWS[i].loopback ||
		    url_host_is_internal(ROWS[i].host) != ROWS[i].internal)
			fail_msg("%s", ROWS[i].host);
	}
}

static void test_encode(void **state)
{
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	url_encode(&out, "sha256:a/b c~d-e_f.g&\xc3\xa9");
	assert_string_equal(out.buf, "sha256%3Aa%2Fb%20c~d-e_f.g%26%C3%A9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve_standard), cmocka_unit_test(test_resolve_locations),
		cmocka_unit_test(test_refused),          cmocka_unit_test(test_parts),
		cmocka_unit_test(test_origins),          cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
