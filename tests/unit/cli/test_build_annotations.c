#include "cli/build_annotations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/strbuf.h"

/* "place[platform] key=value" for each item. */
static void show(struct strbuf *out, const struct annotation_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct build_annotation *a = &l->items[i];

		strbuf_printf(out, "%s%d[%s] %s=%s", i ? "; " : "", (int)a->place,
			      a->platform ? a->platform : "", a->key, a->value);
	}
}

/* buildx's util/buildflags: TYPE[PLATFORM],TYPE:KEY=VALUE; manifest 0, index 1, manifest-descriptor 2, index-descriptor 3. */
static void forms(void **state)
{
	static const struct {
		const char *text, *expected; /* "!": refused with this in the message */
	} rows[] = {
		{"a=b", "0[] a=b"},
		{"a=", "0[] a="},
		{"org.example/a-b=c:d=e,f", "0[] org.example/a-b=c:d=e,f"},
		{"manifest:a=b", "0[] a=b"},
		{"index:a=b", "1[] a=b"},
		{"manifest-descriptor:a=b", "2[] a=b"},
		{"index-descriptor:a=b", "3[] a=b"},
		{"index,manifest-descriptor:a=b:c", "1[] a=b:c; 2[] a=b:c"},
		{"manifest[linux/amd64]:a=b", "0[linux/amd64] a=b"},
		{"manifest[linux/arm64/v8],manifest-descriptor[linux/arm]:a=b",
		 "0[linux/arm64] a=b; 2[linux/arm/v7] a=b"},
		{"manifest:a:b=c", "0[] a:b=c"},
		{"a", "!want [TYPE:]NAME=VALUE"},
		{"=b", "!want [TYPE:]NAME=VALUE"},
		{"manifest:=b", "!want [TYPE:]NAME=VALUE"},
		{"manifest:a", "!want [TYPE:]NAME=VALUE"},
		{"manifests:a=b", "!unknown annotation type \"manifests\""},
		{"manifest,:a=b", "!unknown annotation type \"\""},
		{"manifest[linux/amd64:a=b", "!want TYPE[PLATFORM]"},
		{"manifest[]:a=b", "!want TYPE[PLATFORM]"},
		{"manifest[linux/amd64]x:a=b", "!want TYPE[PLATFORM]"},
		{"manifest[a/b/c/d]:a=b", "!a/b/c/d"},
		{"index[linux/amd64]:a=b", "!an index is of no platform"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(annotation_list) l = {.items = NULL};
		AUTO(error) err = ERROR_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		bool refused = *rows[i].expected == '!';

		if ((annotation_list_add(&l, rows[i].text, &err) < 0) != refused)
			fail_msg("%s: %s", rows[i].text, err.message ? err.message : "taken");
		show(&out, &l);
		if (refused ? err.kind != ERROR_USAGE || !strstr(err.message, rows[i].expected + 1)
			    : strcmp(out.buf, rows[i].expected) != 0)
			fail_msg("%s: %s%s", rows[i].text, out.len ? out.buf : "",
				 err.message ? err.message : "");
	}
}

static void checks(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* of amd64 and arm64 */
		bool several, good;
	} rows[] = {
		{"a=b", 0, false, true},
		{"manifest-descriptor:a=b", 0, false, true},
		{"index:a=b", 0, false, false},
		{"index-descriptor:a=b", 1, false, false},
		{"index-descriptor:a=b", 1, true, true},
		{"index,index-descriptor:a=b", 2, true, true},
		{"manifest[linux/arm64]:a=b", 2, true, true},
		{"manifest[linux/arm64]:a=b", 1, false, false},
		{"manifest-descriptor[linux/s390x]:a=b", 2, true, false},
		{"manifest[linux/s390x]:a=b", 0, false, true},
	};
	AUTO(platform) amd64 = {.os = NULL};
	AUTO(platform) arm64 = {.os = NULL};

	(void)state;
	assert_int_equal(platform_parse(&amd64, "linux/amd64", NULL), 0);
	assert_int_equal(platform_parse(&arm64, "linux/arm64/v8", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct platform platforms[] = {amd64, arm64};
		AUTO(annotation_list) l = {.items = NULL};
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(annotation_list_add(&l, rows[i].text, NULL), 0);
		if ((annotation_list_check(&l, platforms, rows[i].n, rows[i].several, &err) == 0) !=
		    rows[i].good)
			fail_msg("%s: %s", rows[i].text, err.message ? err.message : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
