/* Forms as botocore's serialisers write them (query: "Tags.member.1.Key"; EC2: "Filter.1.Value.1"), and what is none. */
#include "local/api_form.h"

#include "tests/unit/base/testing.h"

static void test_forms(void **state)
{
	static const struct {
		const char *form, *json;
	} ROWS[] = {
		{"", "{}"},
		{"&&", "{}"},
		{"Action=GetCallerIdentity&Version=2011-06-15",
		 "{\"Action\":\"GetCallerIdentity\",\"Version\":\"2011-06-15\"}"},
		{"a=1%2B1+x%C3%A9&b", "{\"a\":\"1+1 xé\",\"b\":\"\"}"},
		{"Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.2.Key=l",
		 "{\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"},{\"Key\":\"l\"}]}"},
		{"Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b",
		 "{\"Filter\":[{\"Name\":\"vpc-id\",\"Value\":[\"a\",\"b\"]}]}"},
		/* ten comes after two, whatever came first */
		{"A.10=ten&A.2=two&A.1=one", "{\"A\":[\"one\",\"two\",\"ten\"]}"},
		{"A.999999=x", "{\"A\":[\"x\"]}"},
		{"A.1000000=x", "{\"A\":{\"1000000\":\"x\"}}"},
		{"member.1=x", "{\"member\":[\"x\"]}"},
		{"A.member=x", "{\"A\":{\"member\":\"x\"}}"},
		{"A.member.1=x&A.other=y", "{\"A\":{\"member\":[\"x\"],\"other\":\"y\"}}"},
		{"=x", "{\"\":\"x\"}"},
		{"a==b", "{\"a\":\"=b\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_JSON *object = json_object();
		AUTO(strbuf) text = STRBUF_INIT;

		assert_ok(api_form_read(object, ROWS[i].form, strlen(ROWS[i].form), err));
		json_write(object, &text);
		assert_string_equal(text.buf, ROWS[i].json);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *form, *message;
	} ROWS[] = {
		{"a=%", "escape"},
		{"a=%4", "escape"},
		{"a=%4g", "escape"},
		{"a=%00", "NUL"},
		{"a%00b=1", "NUL"},
		{"a=%ff", "UTF-8"},
		{"%ff=1", "UTF-8"},
		{"a=1&a=2", "member a is there twice"},
		{"a=1&a.b=2", "text and a structure"},
		{"a.b=1&a=2", "twice"},
		{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r=1", "16 levels"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_JSON *object = json_object();

		assert_error(api_form_read(object, ROWS[i].form, strlen(ROWS[i].form), err),
			     ERROR_SYNTAX, ROWS[i].message);
	}
}

static void test_too_many(void **state)
{
	AUTO_JSON *object = json_object();
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	for (int i = 0; i <= 10000; i++)
		strbuf_printf(&text, "A.%d=x&", i);
	assert_error(api_form_read(object, text.buf, text.len, err), ERROR_SYNTAX, "10000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
