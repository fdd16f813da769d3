#include "deploy/roles.h"

#include "tests/unit/base/testing.h"

static const struct deploy_target target = {
	.app = "web",
	.account = (char[]){"123456789012"},
	.region = (char[]){"eu-west-1"},
	.partition = (char[]){"aws"},
};

/* What a task may read, against the ARNs of the ECS Developer Guide, "Pass sensitive data to an Amazon ECS container". */
static void test_exactly_the_secrets_of_the_task(void **state)
{
#define ACCOUNT "eu-west-1:123456789012:"
	static const struct {
		const char *from, *action, *resource, *more;
	} rows[] = {
		{"db/password", "ssm:GetParameters", "arn:aws:ssm:" ACCOUNT "parameter/db/password",
		 NULL},
		{"/db/password", "ssm:GetParameters",
		 "arn:aws:ssm:" ACCOUNT "parameter/db/password", NULL},
		{"arn:aws:ssm:" ACCOUNT "parameter/x", "ssm:GetParameters",
		 "arn:aws:ssm:" ACCOUNT "parameter/x", NULL},
		{"arn:aws:secretsmanager:" ACCOUNT "secret:key-AbCdEf",
		 "secretsmanager:GetSecretValue",
		 "arn:aws:secretsmanager:" ACCOUNT "secret:key-AbCdEf", NULL},
		{"arn:aws:secretsmanager:" ACCOUNT "secret:key-AbCdEf:user::",
		 "secretsmanager:GetSecretValue",
		 "arn:aws:secretsmanager:" ACCOUNT "secret:key-AbCdEf", NULL},
		{"arn:aws:secretsmanager:" ACCOUNT "secret:key:user:AWSPREVIOUS:",
		 "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:" ACCOUNT "secret:key",
		 "arn:aws:secretsmanager:" ACCOUNT "secret:key-??????"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strlist) secrets = STRLIST_INIT;
		AUTO_JSON *policy = NULL;
		const json_t *statements, *resources;

		strlist_add(&secrets, rows[i].from);
		policy = secrets_policy(&target, &secrets);
		statements = json_object_get(policy, "Statement");
		resources = json_object_get(json_array_get(statements, 0), "Resource");
		assert_int_equal(json_array_size(statements), 1);
		assert_string_equal(aws_text(json_array_get(statements, 0), "Action"),
				    rows[i].action);
		assert_int_equal(json_array_size(resources), rows[i].more ? 2 : 1);
		assert_string_equal(json_string_value(json_array_get(resources, 0)),
				    rows[i].resource);
		if (rows[i].more)
			assert_string_equal(json_string_value(json_array_get(resources, 1)),
					    rows[i].more);
	}
	assert_null(secrets_policy(&target, NULL));
}

static void test_trust(void **state)
{
	static const struct {
		const char *text;
		bool trusts;
	} rows[] = {
		/* as IAM answers */
		{"%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22"
		 "Service%22%3A%22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole"
		 "%22%7D%5D%7D",
		 true},
		{"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"Service\":[\"ec2."
		 "amazonaws.com\",\"ecs-tasks.amazonaws.com\"]},\"Action\":[\"sts:AssumeRole\"]}}",
		 true},
		{"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ecs."
		 "amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}",
		 false},
		{"{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":{\"Service\":\"ecs-tasks."
		 "amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}",
		 false},
		{"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"sts:"
		 "AssumeRole\"}]}",
		 false},
		{"%7B", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON *trust = role_read_document(rows[i].text);

		assert_int_equal(role_trusts_tasks(trust), rows[i].trusts);
	}
	{
		AUTO_JSON *own = role_trust(&target);

		assert_true(role_trusts_tasks(own));
	}
}

static void test_names_fit(void **state)
{
	struct deploy_target other = target;
	AUTO_FREE char *plain = role_name(&target, "execution");
	AUTO_FREE char *one = NULL, *two = NULL;

	(void)state;
	assert_string_equal(plain, "slipway-web-execution");
	other.app = "a-very-long-name-of-an-app-that-does-not-fit-into-a-role-of-iam-1";
	one = role_name(&other, "execution");
	other.app = "a-very-long-name-of-an-app-that-does-not-fit-into-a-role-of-iam-2";
	two = role_name(&other, "execution");
	assert_int_equal(strlen(one), 64);
	assert_int_equal(role_check_name(one, NULL), 0);
	assert_string_not_equal(one, two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exactly_the_secrets_of_the_task),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_names_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
