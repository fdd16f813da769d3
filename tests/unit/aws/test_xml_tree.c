/* Answers as the API references of EC2 and IAM show them. */
#include "aws/xml_tree.h"

#include "tests/unit/base/testing.h"

static void expect(const char *operation, const char *xml, const char *json)
{
	AUTO_JSON *tree = NULL, *expected = NULL;
	AUTO(strbuf) text = STRBUF_INIT;

	assert_int_equal(xml_tree_read(&tree, xml, strlen(xml), operation, NULL), 0);
	assert_int_equal(json_parse(&expected, json, strlen(json), "expected", NULL), 0);
	json_write(tree, &text);
	if (!json_equal(tree, expected))
		fail_msg("%s: %s", operation, text.buf);
}

static void test_answers(void **state)
{
	(void)state;
	expect("DescribeSecurityGroups",
	       "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n"
	       " <requestId>59dbff89</requestId>\n <securityGroupInfo>\n  <item><groupId>sg-1</groupId>"
	       "<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><groups/></item>"
	       "</ipPermissions></item>\n  <item><groupId>sg-2</groupId><ipPermissions/></item>\n"
	       " </securityGroupInfo></DescribeSecurityGroupsResponse>",
	       "{\"requestId\": \"59dbff89\", \"securityGroupInfo\": [{\"groupId\": \"sg-1\", "
	       "\"ipPermissions\": [{\"ipProtocol\": \"tcp\", \"fromPort\": \"80\", \"groups\": \"\"}]}, "
	       "{\"groupId\": \"sg-2\", \"ipPermissions\": \"\"}]}");
	expect("GetRole",
	       "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><Arn>arn:aws:iam::1:role/x</Arn>"
	       "<AssumeRolePolicyDocument>%7B%22a%22%3A1&amp;b</AssumeRolePolicyDocument></Role>"
	       "</GetRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetRoleResponse>",
	       "{\"Role\": {\"Path\": \"/\", \"Arn\": \"arn:aws:iam::1:role/x\", "
	       "\"AssumeRolePolicyDocument\": \"%7B%22a%22%3A1&b\"}}");
	expect("ListRoleTags",
	       "<ListRoleTagsResponse><ListRoleTagsResult><Tags><member><Key>a</Key><Value>b c</Value>"
	       "</member></Tags></ListRoleTagsResult></ListRoleTagsResponse>",
	       "{\"Tags\": [{\"Key\": \"a\", \"Value\": \"b c\"}]}");
	expect("AttachRolePolicy", "<AttachRolePolicyResponse/>", "{}");
}

static void test_what_is_no_answer(void **state)
{
	static const char *const texts[] = {
		"",
		"<html><body>502</body></html>",
		"<GetRoleResponse><GetRoleResult><Role>",
		"<GetRoleResponse></GetRoleResult></GetRoleResponse>",
		"<!DOCTYPE x [<!ENTITY a \"b\">]><GetRoleResponse/>",
		"<GetRoleResponse/><GetRoleResponse/>",
		"{\"Role\": 1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(error) err = ERROR_INIT;
		json_t *tree = NULL;

		assert_int_equal(xml_tree_read(&tree, texts[i], strlen(texts[i]), "GetRole", &err),
				 -1);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		assert_null(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
