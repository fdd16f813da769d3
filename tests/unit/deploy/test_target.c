#include "deploy/target.h"

#include "tests/unit/base/testing.h"

static const struct deploy_target target = {
	.app = "web",
	.account = (char[]){"123456789012"},
	.region = (char[]){"eu-west-1"},
	.partition = (char[]){"aws"},
};

static void test_arn(void **state)
{
	AUTO_FREE char *cluster = deploy_target_arn(&target, "ecs", "cluster/a");
	AUTO_FREE char *role = deploy_target_arn(&target, "iam", "role/b");

	(void)state;
	assert_string_equal(cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/a");
	assert_string_equal(role, "arn:aws:iam::123456789012:role/b");
}

static void test_only_its_own_tags_make_it_ours(void **state)
{
	struct deploy_target other = target;
	AUTO_JSON *big = deploy_target_tags(&target, "Key", "Value");
	AUTO_JSON *small = deploy_target_tags(&target, "key", "value");
	AUTO_JSON *foreign = json_pack("[{s:s, s:s}]", "Key", TAG_APP, "Value", "web");

	(void)state;
	other.app = "web2";
	assert_true(deploy_target_owns(&target, big));
	assert_true(deploy_target_owns(&target, small));
	assert_false(deploy_target_owns(&target, foreign));
	assert_false(deploy_target_owns(&other, big));
	assert_false(deploy_target_owns(&target, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arn),
		cmocka_unit_test(test_only_its_own_tags_make_it_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
