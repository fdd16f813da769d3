/* Members of an input as JSON and forms bring them, and pages. */
#include "local/api_service.h"

#include "tests/unit/base/testing.h"

struct ground {
	struct local local;
	struct api_call call;
};

static void begin(struct ground *g, const char *service, const char *input)
{
	memset(g, 0, sizeof(*g));
	g->call.local = &g->local;
	g->call.region = "eu-west-1";
	g->call.account = "000000000000";
	g->call.service = api_service_named(service);
	g->call.input = json_loads(input, JSON_ALLOW_NUL, NULL);
	g->call.output = json_object();
	assert_non_null(g->call.service);
	assert_non_null(g->call.input);
}

static void end(struct ground *g)
{
	json_decref(g->call.input);
	json_decref(g->call.output);
	free(g->call.code);
	free(g->call.message);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *service, *input;
		int64_t value; /* -99: refused */
	} ROWS[] = {
		{"ecs", "{}", 7},
		{"ecs", "{\"n\":null}", 7},
		{"ecs", "{\"n\":12}", 12},
		{"ecs", "{\"n\":12.0}", 12},
		{"ecs", "{\"n\":12.5}", -99},
		{"ecs", "{\"n\":1e300}", -99},
		{"ecs", "{\"n\":\"12\"}", -99},
		{"ecs", "{\"n\":true}", -99},
		{"iam", "{\"n\":\"12\"}", 12},
		{"iam", "{\"n\":\"-3\"}", -3},
		{"iam", "{\"n\":\"\"}", -99},
		{"iam", "{\"n\":\"12x\"}", -99},
		{"iam", "{\"n\":\"1234567890123456789\"}", -99},
		{"iam", "{\"n\":[]}", -99},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		struct ground g;
		int64_t value;
		int r;

		begin(&g, ROWS[i].service, ROWS[i].input);
		r = api_int(&g.call, "n", &value, 7);
		assert_int_equal(r, ROWS[i].value == -99 ? -1 : 0);
		if (r == 0)
			assert_int_equal(value, ROWS[i].value);
		else
			assert_string_equal(g.call.code, *ROWS[i].service == 'e'
								 ? "SerializationException"
								 : "MalformedInput");
		end(&g);
	}
}

static void test_flags_and_texts(void **state)
{
	struct ground g;
	const char *text;
	bool flag;

	(void)state;
	begin(&g, "ecs", "{\"a\":true,\"b\":\"true\",\"c\":\"x\\u0000y\",\"d\":\"x\",\"e\":1}");
	assert_int_equal(api_flag(&g.call, "a", &flag, false), 0);
	assert_true(flag);
	assert_int_equal(api_flag(&g.call, "z", &flag, true), 0);
	assert_true(flag);
	assert_int_equal(api_flag(&g.call, "b", &flag, false), -1);
	assert_int_equal(api_text(&g.call, "c", &text), -1);
	assert_int_equal(api_text(&g.call, "e", &text), -1);
	assert_int_equal(api_text(&g.call, "z", &text), 0);
	assert_null(text);
	assert_int_equal(api_text(&g.call, "d", &text), 0);
	assert_string_equal(text, "x");
	end(&g);
	begin(&g, "ec2", "{\"a\":\"true\",\"b\":\"false\",\"c\":\"yes\"}");
	assert_int_equal(api_flag(&g.call, "a", &flag, false), 0);
	assert_true(flag);
	assert_int_equal(api_flag(&g.call, "b", &flag, true), 0);
	assert_false(flag);
	assert_int_equal(api_flag(&g.call, "c", &flag, true), -1);
	end(&g);
}

/* The members are the service's own. */
static void test_pages(void **state)
{
	static const struct {
		const char *service, *size, *token, *next, *three;
	} ROWS[] = {
		{"ecs", "maxResults", "nextToken", "nextToken", "3"},
		{"ssm", "MaxResults", "NextToken", "NextToken", "3"},
		{"iam", "MaxItems", "Marker", "Marker", "\"3\""},
		{"ec2", "MaxResults", "NextToken", "nextToken", "\"3\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_FREE char *token = NULL;
		size_t seen = 0, pages = 0;

		do {
			AUTO_FREE char *size = xstrfmt("{\"%s\":%s}", ROWS[i].size, ROWS[i].three);
			AUTO_JSON *list = json_loads("[0,1,2,3,4,5,6]", 0, NULL);
			const json_t *next;
			struct ground g;

			begin(&g, ROWS[i].service, size);
			if (token)
				json_object_set_new(g.call.input, ROWS[i].token, json_text(token));
			assert_int_equal(api_page(&g.call, list, 100), 0);
			for (size_t k = 0; k < json_array_size(list); k++)
				assert_int_equal(json_integer_value(json_array_get(list, k)),
						 seen++);
			next = json_object_get(g.call.output, ROWS[i].next);
			free(token);
			token = xstrdup_null(json_string_value(next));
			end(&g);
		} while (token && ++pages < 10);
		assert_int_equal(seen, 7);
		assert_int_equal(pages, 2);
	}
}

static void test_tokens_of_nobody(void **state)
{
	static const char *const tokens[] = {
		"x",           "cGFnZSA=", "cGFnZSB4", "cGFnZSAxIDI=", "cGFnZSAxMjM0NTY3ODkw",
		"bm9uc2Vuc2U="};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		AUTO_JSON *list = json_loads("[0,1]", 0, NULL);
		struct ground g;

		begin(&g, "ecs", "{}");
		json_object_set_new(g.call.input, "nextToken", json_text(tokens[i]));
		assert_int_equal(api_page(&g.call, list, 100), -1);
		assert_string_equal(g.call.code, "InvalidParameterException");
		end(&g);
	}
	/* far behind the end there is nothing */
	AUTO_JSON *list = json_loads("[0,1]", 0, NULL);
	struct ground g;

	begin(&g, "ecs", "{\"nextToken\":\"cGFnZSA5OTk5OQ==\"}");
	assert_int_equal(api_page(&g.call, list, 100), 0);
	assert_int_equal(json_array_size(list), 0);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_flags_and_texts),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_tokens_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
