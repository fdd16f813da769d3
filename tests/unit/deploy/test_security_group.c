#include "deploy/security_group.h"

#include "tests/unit/base/testing.h"

static json_t *parse(const char *text)
{
	json_t *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	return j;
}

#define RULE(protocol, from, to, v4, v6)                                              \
	"{\"ipProtocol\":\"" protocol "\",\"fromPort\":\"" from "\",\"toPort\":\"" to \
	"\",\"ipRanges\":[{\"cidrIp\":\"" v4 "\"}],\"ipv6Ranges\":[{\"cidrIpv6\":\"" v6 "\"}]}"

/* What AuthorizeSecurityGroupIngress is asked for, as text. */
static void test_missing(void **state)
{
	static const struct {
		const char *rules, *ports, *missing, *text;
	} rows[] = {
		{"[]", "3000/tcp",
		 "[{\"IpProtocol\":\"tcp\",\"FromPort\":3000,\"ToPort\":3000,\"IpRanges\":[{"
		 "\"CidrIp\":\"0.0.0.0/0\"}],\"Ipv6Ranges\":[{\"CidrIpv6\":\"::/0\"}]}]",
		 "3000/tcp"},
		{"[" RULE("tcp", "3000", "3000", "0.0.0.0/0", "::/0") "]", "3000/tcp", "[]", ""},
		{"[" RULE("tcp", "80", "443", "0.0.0.0/0", "::/0") "]", "80/tcp 443 100", "[]", ""},
		{"[{\"ipProtocol\":\"-1\",\"ipRanges\":[{\"cidrIp\":\"0.0.0.0/0\"}],\"ipv6Ranges\":["
		 "{\"cidrIpv6\":\"::/0\"}]}]",
		 "53/udp 80", "[]", ""},
		{"[" RULE("tcp", "53", "53", "0.0.0.0/0", "::/0") "]", "53/udp",
		 "[{\"IpProtocol\":\"udp\",\"FromPort\":53,\"ToPort\":53,\"IpRanges\":[{"
		 "\"CidrIp\":\"0.0.0.0/0\"}],\"Ipv6Ranges\":[{\"CidrIpv6\":\"::/0\"}]}]",
		 "53/udp"},
		/* one family alone; a range of others is not everybody */
		{"[" RULE("tcp", "80", "80", "0.0.0.0/0", "2001:db8::/32") "]", "80/tcp 80",
		 "[{\"IpProtocol\":\"tcp\",\"FromPort\":80,\"ToPort\":80,\"Ipv6Ranges\":[{"
		 "\"CidrIpv6\":\"::/0\"}]}]",
		 "80/tcp"},
		{"[" RULE("tcp", "80", "80", "10.0.0.0/8", "::/0") "]", "80/tcp",
		 "[{\"IpProtocol\":\"tcp\",\"FromPort\":80,\"ToPort\":80,\"IpRanges\":[{"
		 "\"CidrIp\":\"0.0.0.0/0\"}]}]",
		 "80/tcp"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON *rules = parse(rows[i].rules);
		AUTO_JSON *missing = NULL;
		AUTO(strlist) ports = STRLIST_INIT;
		AUTO(strlist) list = STRLIST_INIT;
		AUTO(strbuf) text = STRBUF_INIT;
		AUTO_FREE char *joined = NULL;

		strlist_split(&ports, rows[i].ports, ' ');
		assert_int_equal(security_group_missing(rules, &ports, &missing, &list, NULL), 0);
		json_write(missing, &text);
		joined = strlist_join(&list, " ");
		assert_string_equal(text.buf, rows[i].missing);
		assert_string_equal(joined, rows[i].text);
	}
}

static void test_what_is_no_port(void **state)
{
	static const char *const wrong[] = {"0", "65536", "80/sctp", "http", "", "80-90"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(strlist) ports = STRLIST_INIT;
		AUTO(error) err = ERROR_INIT;
		AUTO_JSON *missing = NULL;

		strlist_add(&ports, wrong[i]);
		assert_int_equal(security_group_missing(NULL, &ports, &missing, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_what_is_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
