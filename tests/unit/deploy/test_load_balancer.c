#include "deploy/load_balancer.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/unit/base/testing.h"

static char *name_of(const char *app)
{
	const struct deploy_target t = {.app = app};

	return load_balancer_name(&t);
}

/* CreateLoadBalancer, Name: letters, digits and hyphens, at most 32, neither first nor last a hyphen. */
static void test_names_are_what_aws_takes(void **state)
{
	static const char *const apps[] = {
		"web",
		"a_b",
		"a-b",
		"web-",
		"abcdefghijklmnopqrstuvwx",
		"abcdefghijklmnopqrstuvwxy",
		"_",
		"an_app_with_a_name_that_goes_on_and_on_until_it_is_too_long",
	};
	AUTO(strlist) seen = STRLIST_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		AUTO_FREE char *name = name_of(apps[i]);
		size_t n = strlen(name);

		assert_true(n <= 32 && n > 8);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), n);
		assert_int_not_equal(name[n - 1], '-');
		assert_false(strlist_has(&seen, name));
		strlist_add(&seen, name);
	}
	assert_string_equal(seen.items[0], "slipway-web");
	assert_string_equal(seen.items[4], "slipway-abcdefghijklmnopqrstuvwx");
}

static void test_plan(void **state)
{
	const struct load_balancer_wanted w = {.port = 3000, .certificate = "arn:c"};
	struct load_balancer lb = {.name = (char[]){"slipway-web"}};
	AUTO(strlist) lines = STRLIST_INIT;

	(void)state;
	load_balancer_plan(&lb, &w, &lines);
	assert_int_equal(lines.n, 2);
	assert_string_equal(lines.items[0],
			    "+ load balancer slipway-web (HTTPS on 443, 80 leads there)");
	assert_string_equal(lines.items[1],
			    "+ target group slipway-web (port 3000, health check on /)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_what_aws_takes),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
