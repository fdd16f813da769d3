#include "registry/policy.h"

#include "tests/unit/base/testing.h"

/* Abuse tests 19, 21 and 22 of the threat model as far as they are decided by addresses alone. */
static void test_rows(void **state)
{
	static const struct {
		const char *registry, *target;
		const char *refused; /* a part of the reason; NULL: allowed */
	} ROWS[] = {
		{"https://r.io/", "https://auth.r.io/token", NULL},
		{"https://r.io/", "https://other.example/token", NULL},
		{"https://r.io/", "https://r.io:8443/token", NULL},
		{"https://r.io/", "http://r.io/token", "over https"},
		{"https://r.io/", "http://auth.r.io/token", "over https"},
		{"https://r.io/", "http://169.254.169.254/", "over https"},
		{"https://r.io/", "https://169.254.169.254/", "no public network"},
		{"https://r.io/", "https://10.0.0.1/", "no public network"},
		{"https://r.io/", "https://2852039166/", "no public network"},
		{"https://r.io/", "https://[::ffff:169.254.169.254]/", "no public network"},
		{"https://r.io/", "https://127.0.0.1:5000/", "no public network"},
		{"https://r.io/", "https://localhost/", "no public network"},
		{"https://r.io/", "https://0.0.0.0/", "no public network"},
		{"https://r.io/", "https://[fd00:ec2::254]/", "no public network"},
		{"https://r.io/", "https://user:pw@auth.r.io/", "user name"},
		{"https://r.io/", "file:///etc/passwd", "http and https"},
		{"https://r.io/", "gopher://r.io/", "http and https"},
		{"https://10.0.0.1:5000/", "https://10.0.0.1:5001/token", NULL},
		{"https://10.0.0.1:5000/", "https://10.0.0.2/token", "no public network"},
		{"http://127.0.0.1:5000/", "http://127.0.0.1:5001/token", NULL},
		{"http://localhost:5000/", "http://127.0.0.1:5001/token", NULL},
		{"http://[::1]:5000/", "http://localhost/token", NULL},
		{"http://localhost:5000/", "http://10.0.0.1/token", "no public network"},
		{"http://localhost:5000/", "http://169.254.169.254/latest", "no public network"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(url) registry = {0};
		AUTO(url) target = {0};
		AUTO(error) why = ERROR_INIT;
		int rc;

		assert_ok(url_parse(&registry, ROWS[i].registry, err));
		assert_ok(url_parse(&target, ROWS[i].target, err));
		rc = policy_check(&registry, &target, "token server", &why);
		if (rc != (ROWS[i].refused ? -1 : 0) ||
		    (rc < 0 && (why.kind != ERROR_DENIED || !strstr(why.message, ROWS[i].refused))))
			fail_msg("%s -> %s: %s", ROWS[i].registry, ROWS[i].target,
				 why.message ? why.message : "allowed");
	}
}

/* The message names where we were sent, and no secret of it. */
static void test_message(void **state)
{
	AUTO(url) registry = {0};
	AUTO(url) target = {0};
	AUTO(error) why = ERROR_INIT;

	(void)state;
	assert_ok(url_parse(&registry, "https://r.io/", err));
	assert_ok(url_parse(&target, "http://u:geheim@r.io/up?_state=geheim", err));
	assert_int_equal(policy_check(&registry, &target, "upload session", &why), -1);
	assert_non_null(strstr(why.message, "r.io names the upload session http://r.io/up?.."));
	assert_null(strstr(why.message, "geheim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
