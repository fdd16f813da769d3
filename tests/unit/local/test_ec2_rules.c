/* Rules of security groups: kept one by one, shown together, and compared without their ids. */
#include "local/ec2_rules.h"

#include "tests/unit/base/testing.h"

static json_t *rule(int egress, int port, const char *block)
{
	return json_pack("{s:b, s:s, s:i, s:i, s:s}", "isEgress", egress, "ipProtocol", "tcp",
			 "fromPort", port, "toPort", port, "cidrIpv4", block);
}

static void test_shown_together(void **state)
{
	AUTO_JSON *rules = json_array();
	AUTO_JSON *in = NULL;
	AUTO_JSON *out = NULL;
	AUTO_JSON *wanted = json_loads(
		"[{\"ipProtocol\":\"tcp\",\"fromPort\":80,\"toPort\":80,\"ipRanges\":[{\"cidrIp\":"
		"\"10.0.0.0/8\"},{\"cidrIp\":\"0.0.0.0/0\"}],\"ipv6Ranges\":[],\"prefixListIds\":[],"
		"\"groups\":[]},{\"ipProtocol\":\"tcp\",\"fromPort\":443,\"toPort\":443,"
		"\"ipRanges\":[{\"cidrIp\":\"0.0.0.0/0\"}],\"ipv6Ranges\":[],\"prefixListIds\":[],"
		"\"groups\":[]}]",
		0, NULL);

	(void)state;
	ec2_rules_add(rules, rule(0, 80, "10.0.0.0/8"));
	ec2_rules_add(rules, rule(0, 443, "0.0.0.0/0"));
	ec2_rules_add(rules, rule(1, 80, "0.0.0.0/0"));
	ec2_rules_add(rules, rule(0, 80, "0.0.0.0/0"));
	in = ec2_rules_permissions(rules, false);
	out = ec2_rules_permissions(rules, true);
	assert_true(json_equal(in, wanted));
	assert_int_equal(json_array_size(out), 1);
	assert_string_not_equal(
		json_string_value(json_object_get(json_array_get(rules, 0), "securityGroupRuleId")),
		json_string_value(
			json_object_get(json_array_get(rules, 1), "securityGroupRuleId")));
}

static void test_found(void **state)
{
	static const struct {
		int egress, port;
		const char *block;
		size_t at;
	} ROWS[] = {
		{0, 80, "0.0.0.0/0", 0},
		{1, 80, "0.0.0.0/0", 1},
		{0, 81, "0.0.0.0/0", 2},
		{0, 80, "10.0.0.0/8", 2},
	};
	AUTO_JSON *rules = json_array();

	(void)state;
	ec2_rules_add(rules, rule(0, 80, "0.0.0.0/0"));
	ec2_rules_add(rules, rule(1, 80, "0.0.0.0/0"));
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_JSON *asked = rule(ROWS[i].egress, ROWS[i].port, ROWS[i].block);

		json_object_set_new(asked, "description", json_string("counts for nothing"));
		assert_int_equal(ec2_rules_find(rules, asked), ROWS[i].at);
	}
}

/* EC2's words of InvalidPermission.Duplicate. */
static void test_described(void **state)
{
	static const struct {
		const char *rule, *text;
	} ROWS[] = {
		{"{\"ipProtocol\":\"tcp\",\"fromPort\":80,\"toPort\":81,\"cidrIpv4\":\"0.0.0.0/0\"}",
		 "peer: 0.0.0.0/0, TCP, from port: 80, to port: 81, ALLOW"},
		{"{\"ipProtocol\":\"-1\",\"cidrIpv6\":\"::/0\"}", "peer: ::/0, ALL, ALLOW"},
		{"{\"ipProtocol\":\"udp\",\"fromPort\":53,\"toPort\":53,\"referencedGroupInfo\":"
		 "{\"groupId\":\"sg-1\"}}",
		 "peer: sg-1, UDP, from port: 53, to port: 53, ALLOW"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_JSON *one = json_loads(ROWS[i].rule, 0, NULL);
		AUTO_FREE char *text = ec2_rules_describe(one);

		assert_string_equal(text, ROWS[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown_together),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
