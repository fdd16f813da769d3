#include "aws/xml.h"

#include "tests/unit/base/testing.h"

/* One line an event: "<path", ">path" or "path=text". */
static int events(const char *text, struct strbuf *out, struct error *err)
{
	AUTO(xml_reader) x;
	enum xml_kind kind;
	int more;

	xml_reader_init(&x, text, strlen(text), "answer");
	while ((more = xml_next(&x, &kind, err)) > 0) {
		if (kind == XML_TEXT)
			strbuf_printf(out, "%s=%s\n", x.path.buf, x.text.buf);
		else
			strbuf_printf(out, "%c%s\n", kind == XML_OPEN ? '<' : '>', x.path.buf);
	}
	return more;
}

static void test_events(void **state)
{
	static const char *const ROWS[][2] = {
		{"<a/>", "<a\n>a\n"},
		{"<?xml version=\"1.0\"?>\n<!-- c --><a>x</a>\n", "<a\na=x\n>a\n"},
		{"<n:a xmlns:n=\"u>v\"><n:b>1</n:b><b/></n:a>",
		 "<a\n<a/b\na/b=1\n>a/b\n<a/b\n>a/b\n>a\n"},
		{"<a> \n <b>t</b> </a>", "<a\n<a/b\na/b=t\n>a/b\n>a\n"},
		{"<a>1 &lt; 2 &amp;&#x20AC;&#65;<![CDATA[<&>]]><!-- c -->!</a>",
		 "<a\na=1 < 2 &\xe2\x82\xac"
		 "A<&>!\n>a\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		assert_ok(events(ROWS[i][0], &out, err));
		assert_string_equal(out.buf, ROWS[i][1]);
	}
}

static void test_refused(void **state)
{
	static const char *const ROWS[] = {
		"",
		" ",
		"x",
		"<a>",
		"<a",
		"<a></b>",
		"</a>",
		"<a/><b/>",
		"<a>&what;</a>",
		"<a>&#0;</a>",
		"<a>&#x110000;</a>",
		"<a>& </a>",
		"<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
		"<a><!-- </a>",
		"<a><![CDATA[ </a>",
		"<a b=\"></a>",
		"<a/>text",
		"< a/>",
		"<a></a></a>",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		assert_error(events(ROWS[i], &out, err), ERROR_CORRUPT, "answer");
	}
}

static void test_depth_is_bounded(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&text, "<a>");
	assert_error(events(text.buf, &out, err), ERROR_CORRUPT, "deeply");
}

static void test_find(void **state)
{
	static const char text[] =
		"<R><C><K>one</K><K>two</K></C><M/><Error><Code>Denied</Code></Error></R>";
	AUTO(strbuf) out = STRBUF_INIT;
	bool found;

	(void)state;
	assert_ok(xml_find(text, strlen(text), "answer", "R/C/K", &out, &found, err));
	assert_true(found);
	assert_string_equal(out.buf, "one");
	assert_ok(xml_find(text, strlen(text), "answer", "R/M", &out, &found, err));
	assert_true(found);
	assert_string_equal(out.buf, "");
	assert_ok(xml_find(text, strlen(text), "answer", "R/K", &out, &found, err));
	assert_false(found);
	assert_error(xml_find(text, strlen(text) - 4, "answer", "R/C/K", &out, &found, err),
		     ERROR_CORRUPT, "answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
