#include "registry/challenge.h"

#include "base/strbuf.h"

#include "tests/unit/base/testing.h"

/* Each challenge as "scheme{name=value;...}" one after the other. */
static void show(const struct challenges *c, struct strbuf *out)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct strmap *p = &c->items[i].params;

		strbuf_printf(out, "%s%s{", i ? " " : "", c->items[i].scheme);
		for (size_t k = 0; k < p->n; k++)
			strbuf_printf(out, "%s%s=%s", k ? ";" : "", p->entries[k].key,
				      p->entries[k].value);
		strbuf_putc(out, '}');
	}
}

static void test_rows(void **state)
{
	static const char *const ROWS[][2] = {
		{"Basic realm=\"a\"", "basic{realm=a}"},
		{"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
		 "scope=\"repository:samalba/my-app:pull,push\"",
		 "bearer{realm=https://auth.docker.io/token;service=registry.docker.io;"
		 "scope=repository:samalba/my-app:pull,push}"},
		/* RFC 9110 section 11.6.1 */
		{"Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
		 "basic{realm=simple} newauth{realm=apps;type=1;title=Login to \"apps\"}"},
		{"bearer REALM = \"x\" , Service=y", "bearer{realm=x;service=y}"},
		{"Bearer realm=https://r.io/token,service=s",
		 "bearer{realm=https://r.io/token;service=s}"},
		{"Negotiate, Basic realm=\"a,b\"", "negotiate{} basic{realm=a,b}"},
		{"Negotiate YII=, Basic realm=x", "negotiate{} basic{realm=x}"},
		{"NTLM TlRMTVNTUAAC==,Bearer realm=\"q\"", "ntlm{} bearer{realm=q}"},
		{"Basic", "basic{}"},
		{",, Basic realm=x,,", "basic{realm=x}"},
		{"Bearer realm=\"a\",realm=\"b\"", "bearer{realm=a}"},
		{"Bearer realm=\"unfinished", "bearer{}"},
		{"Bearer realm=\"a\" junk", "bearer{realm=a}"},
		{"Basic realm=\"a\\", "basic{}"},
		{"\"quoted\"", ""},
		{"Bearer \"x\"", "bearer{}"},
		{"Bearer=x", ""},
		{"", ""},
		{"   ", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(challenges) c = {0};
		AUTO(strbuf) shown = STRBUF_INIT;

		challenges_parse(&c, ROWS[i][0]);
		show(&c, &shown);
		if (strcmp(shown.buf, ROWS[i][1]) != 0)
			fail_msg("%s\n  gives %s\n  not   %s", ROWS[i][0], shown.buf, ROWS[i][1]);
	}
}

static void test_several_headers(void **state)
{
	AUTO(challenges) c = {0};

	(void)state;
	challenges_parse(&c, "Basic realm=one");
	challenges_parse(&c, "BEARER Realm=two");
	assert_int_equal(c.n, 2);
	assert_string_equal(challenge_get(challenges_find(&c, "bearer"), "realm"), "two");
	assert_string_equal(challenge_get(challenges_find(&c, "basic"), "realm"), "one");
	assert_null(challenges_find(&c, "digest"));
}

/* A header of many parts costs no more than a few of them. */
static void test_bounds(void **state)
{
	AUTO(challenges) c = {0};
	AUTO(strbuf) many = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&many, "Scheme%d, ", i);
	challenges_parse(&c, many.buf);
	assert_int_equal(c.n, 16);
	challenges_release(&c);
	strbuf_reset(&many);
	strbuf_puts(&many, "Bearer ");
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&many, "p%d=v,", i);
	challenges_parse(&c, many.buf);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].params.n, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_several_headers),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
