#include "server/guard.h"

#include "tests/unit/base/testing.h"

/* RFC 7617 section 2: the example's user is Aladdin. */
static void test_basic(void **state)
{
	static const struct {
		const char *header, *user, *password;
	} ROWS[] = {
		{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
		{"bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", "Aladdin", "open sesame"},
		{"Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},
		{"Basic YTpiOmM=", "a", "b:c"}, /* the first colon parts them */
		{"Basic Og==", "", ""},
		{"Basic YWI=", NULL, NULL},     /* no colon */
		{"Basic YQBiOmM=", NULL, NULL}, /* NUL */
		{"Basic", NULL, NULL},
		{"Basic ", NULL, NULL},
		{"Basic ???", NULL, NULL},
		{"Basic YTpi YTpi", NULL, NULL},
		{"Bearer YTpi", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_FREE char *user = NULL;
		AUTO_FREE char *password = NULL;
		bool good = guard_parse_basic(ROWS[i].header, &user, &password);

		if (good != (ROWS[i].user != NULL))
			fail_msg("\"%s\": %d", ROWS[i].header, (int)good);
		if (!good)
			continue;
		assert_string_equal(user, ROWS[i].user);
		assert_string_equal(password, ROWS[i].password);
	}
}

static void test_local_host(void **state)
{
	static const char *const ours[] = {"localhost",   "LocalHost:5000", "127.0.0.1",
					   "127.9.9.9:1", "[::1]",          "[::1]:5000",
					   "x.localhost", "127.1"};
	static const char *const others[] = {"",           "evil.example", "localhost.evil.example",
					     "10.0.0.1",   "[::2]",        "127.0.0.1@evil.example",
					     "localhost/", "localhost:x",  "local host",
					     "localhost?", "[::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!guard_is_local_host(ours[i]))
			fail_msg("%s", ours[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (guard_is_local_host(others[i]))
			fail_msg("%s", others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_local_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
