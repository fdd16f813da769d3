#include "dockerfile/scope.h"

#include "testing.h"

static const char *const proxies[] = {
	"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
};

static const char *const platform_names[] = {
	"TARGETPLATFORM",  "TARGETOS",       "TARGETARCH",  "TARGETVARIANT",
	"TARGETOSVERSION", "BUILDPLATFORM",  "BUILDOS",     "BUILDARCH",
	"BUILDVARIANT",    "BUILDOSVERSION", "TARGETSTAGE",
};

static void predefined_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		assert_true(arg_is_predefined(proxies[i]));
	for (size_t i = 0; i < ARRAY_SIZE(platform_names); i++)
		assert_true(arg_is_platform(platform_names[i]));
	assert_false(arg_is_predefined("Http_Proxy"));
	assert_false(arg_is_predefined("PATH"));
	assert_false(arg_is_platform("TARGET"));
	assert_false(arg_is_platform("BUILDSTAGE"));
	assert_false(arg_is_platform("targetos"));
}

static void eval(struct strmap *out, const char *text, const struct strmap *args,
		 const char *target)
{
	AUTO_PTR(dockerfile) file = NULL;

	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(
		graph_eval_globals(out, file, args, "linux/arm64/v8", "linux/amd64", target, NULL),
		0);
}

static void platform_arguments(void **state)
{
	static const char *const expected[] = {"linux/arm64/v8", "linux", "arm64", "v8", "",
					       "linux/amd64",    "linux", "amd64", "",   "",
					       "default"};
	AUTO(strmap) got = STRMAP_INIT;

	(void)state;
	eval(&got, "FROM a", NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(platform_names); i++)
		assert_string_equal(strmap_get(&got, platform_names[i]), expected[i]);
	strmap_clear(&got);
	eval(&got, "FROM a AS B", NULL, NULL);
	assert_string_equal(strmap_get(&got, "TARGETSTAGE"), "b");
	strmap_clear(&got);
	eval(&got, "FROM a AS b\nFROM c", NULL, "b");
	assert_string_equal(strmap_get(&got, "TARGETSTAGE"), "b");
}

static void globals_and_build_args(void **state)
{
	static const char text[] = "ARG A=1 B=$A-$TARGETARCH C\nARG D=${C:-none} E=${F-unset}\n"
				   "ARG G=$A H TARGETOS\nFROM x";
	static const struct {
		const char *name, *value;
	} expected[] = {
		{"A", "$9"},   {"B", "$9-arm64"},     {"C", NULL},
		{"D", "none"}, {"E", "unset"},        {"G", ""},
		{"H", "h"},    {"TARGETOS", "plan9"}, {"UNUSED", NULL},
	};
	AUTO(strmap) args = STRMAP_INIT;
	AUTO(strmap) got = STRMAP_INIT;

	(void)state;
	strmap_set(&args, "A", "$9"); /* never expanded */
	strmap_set(&args, "G", "");   /* set, and empty */
	strmap_set(&args, "H", "h");
	strmap_set(&args, "C", NULL); /* declared without a value */
	strmap_set(&args, "UNUSED", "u");
	strmap_set(&args, "TARGETOS", "plan9");
	eval(&got, text, &args, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (expected[i].value)
			assert_string_equal(strmap_get(&got, expected[i].name), expected[i].value);
		else
			assert_false(strmap_has(&got, expected[i].name));
	}
}

static void a_default_that_cannot_be_expanded(void **state)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) got = STRMAP_INIT;
	AUTO(error) err = ERROR_INIT;
	static const char text[] = "ARG A=${B\nFROM x";

	(void)state;
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(
		graph_eval_globals(&got, file, NULL, "linux/amd64", "linux/amd64", NULL, &err), -1);
	assert_non_null(strstr(err.message, "D:1:7: cannot expand"));
}

static void bases(void **state)
{
	static const char text[] = "ARG B=busy\nFROM ${B}box:1\nARG B=inner\n"
				   "FROM --platform=$BUILDPLATFORM \"$B\" AS $B\nFROM scratch\n";
	static const char good[] = "ARG B=busy\nFROM ${B}box:1\nARG B=inner\n"
				   "FROM --platform=$BUILDPLATFORM \"$B\" AS two\nFROM scratch\n";
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) got = STAGE_BASES_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	/* Stage names are not expanded. */
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), &err), -1);
	assert_non_null(strstr(err.message, "invalid name for build stage: \"$B\""));
	assert_int_equal(dockerfile_parse(&file, "D", good, strlen(good), NULL), 0);
	assert_int_equal(
		graph_eval_globals(&globals, file, NULL, "linux/arm64", "linux/amd64", NULL, NULL),
		0);
	assert_int_equal(graph_expand_bases(&got, file, &globals, NULL), 0);
	assert_int_equal(got.n, 3);
	assert_string_equal(got.items[0].name, "busybox:1");
	assert_null(got.items[0].platform);
	assert_string_equal(got.items[1].name, "busy");
	assert_string_equal(got.items[1].platform, "linux/amd64");
	assert_string_equal(got.items[2].name, "scratch");
}

static void blank_bases(void **state)
{
	static const struct row rows[] = {
		{"FROM a\nFROM $B", "D:2:6: base name ($B) should not be blank"},
		{"ARG B\nFROM ${B}", "D:2:6: base name (${B}) should not be blank"},
		/* ARG of a stage is not global. */
		{"FROM a\nARG B=b\nFROM $B", "D:3:6: base name ($B) should not be blank"},
		{"FROM --platform=$P a", "D:1:17: empty platform value from expression $P"},
		{"FROM ${B", "D:1:6: cannot expand"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(dockerfile) file = NULL;
		AUTO(strmap) globals = STRMAP_INIT;
		AUTO(stage_bases) got = STAGE_BASES_INIT;
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(
			dockerfile_parse(&file, "D", rows[i].text, strlen(rows[i].text), NULL), 0);
		assert_int_equal(graph_eval_globals(&globals, file, NULL, "linux/amd64",
						    "linux/amd64", NULL, NULL),
				 0);
		assert_int_equal(graph_expand_bases(&got, file, &globals, &err), -1);
		if (!strstr(err.message, rows[i].expected))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
	stage_bases_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(predefined_names),
		cmocka_unit_test(platform_arguments),
		cmocka_unit_test(globals_and_build_args),
		cmocka_unit_test(a_default_that_cannot_be_expanded),
		cmocka_unit_test(bases),
		cmocka_unit_test(blank_bases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
