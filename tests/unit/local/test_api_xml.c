/* XML as AWS's query and EC2 protocols write it; aws/xml_tree.c, the client's reader, reads it back. */
#include "local/api_xml.h"

#include "aws/xml_tree.h"
#include "tests/unit/base/testing.h"

static void test_members(void **state)
{
	static const struct {
		const char *json, *item, *xml;
	} ROWS[] = {
		{"{}", "member", ""},
		{"{\"A\":\"x\",\"B\":1,\"C\":true,\"D\":null}", "member",
		 "<A>x</A><B>1</B><C>true</C>"},
		{"{\"A\":[]}", "member", "<A></A>"},
		{"{\"A\":[{\"B\":\"x\"},\"y\"]}", "member",
		 "<A><member><B>x</B></member><member>y</member></A>"},
		{"{\"vpcSet\":[{\"vpcId\":\"v\"}]}", "item",
		 "<vpcSet><item><vpcId>v</vpcId></item></vpcSet>"},
		{"{\"A\":\"<&>\\\"'\\r\\n\\t\"}", "member", "<A>&lt;&amp;&gt;&quot;'&#13;\n\t</A>"},
		{"{\"A\":\"\\u0001x\\ufffe\\uffff\"}", "member",
		 "<A>\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd</A>"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_JSON *object = json_loads(ROWS[i].json, 0, NULL);
		AUTO(strbuf) text = STRBUF_INIT;

		assert_non_null(object);
		api_xml_members(&text, object, ROWS[i].item);
		assert_string_equal(text.buf, ROWS[i].xml);
	}
}

static void test_read_back(void **state)
{
	AUTO_JSON *object = json_loads("{\"A\":[{\"K\":\"a<b&\\\"c\"},{\"K\":\"\"}],\"B\":\"é\"}",
				       0, NULL);
	AUTO_JSON *back = NULL;
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	strbuf_puts(&text, "<OpResponse><OpResult>");
	api_xml_members(&text, object, "member");
	strbuf_puts(&text, "</OpResult></OpResponse>");
	assert_ok(xml_tree_read(&back, text.buf, text.len, "Op", err));
	assert_true(json_equal(object, back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
