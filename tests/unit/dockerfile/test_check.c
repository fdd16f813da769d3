#include "dockerfile/check.h"

#include "testing.h"

static void config_is_read(void **state)
{
	static const struct {
		const char *text;
		const char *skip, *experimental; /* "A B"; "all" */
		bool error;
	} rows[] = {
		{"", "", "", false},
		{"skip=A,B", "A B", "", false},
		{"error=true", "", "", true},
		{"skip=all; Error=TRUE ", "all", "", true},
		{"error=false", "", "", false},
		{"error=0;skip= a , B ;experimental=C", "a B", "C", false},
		{"experimental=all", "", "all", false},
		{"skip=;", "", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(check_config) config = {0};
		AUTO_FREE char *skip = NULL, *experimental = NULL;

		assert_int_equal(check_config_parse(&config, rows[i].text, NULL), 0);
		skip = strlist_join(&config.skip, " ");
		experimental = strlist_join(&config.experimental, " ");
		assert_string_equal(skip, rows[i].skip);
		assert_string_equal(experimental, rows[i].experimental);
		assert_int_equal(config.skip_all, strcmp(skip, "all") == 0);
		assert_int_equal(config.experimental_all, strcmp(experimental, "all") == 0);
		assert_int_equal(config.error, rows[i].error);
	}
}

static void wrong_options_are_refused(void **state)
{
	static const struct row rows[] = {
		{"skp=A", "invalid check option \"skp\" (did you mean skip?)"},
		{"error", "invalid check option \"error\""},
		{"warn=all", "invalid check option \"warn\""},
		{"error=yes", "failed to parse check option \"error=yes\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(check_config) config = {0};
		AUTO(check_list) list = CHECK_LIST_INIT;
		AUTO(error) err = ERROR_INIT;
		AUTO(error) usage = ERROR_INIT;
		AUTO_FREE char *text = xstrfmt("# check=%s\nFROM a\n", rows[i].text);
		AUTO_PTR(dockerfile) file = NULL;

		assert_int_equal(check_config_parse(&config, rows[i].text, &err), -1);
		assert_int_equal(err.kind, ERROR_SYNTAX);
		assert_non_null(strstr(err.message, rows[i].expected));
		error_clear(&err);
		assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), &err), -1);
		assert_true(str_starts(err.message, "D:1:1: "));
		assert_non_null(strstr(err.message, rows[i].expected));
		assert_int_equal(check_override(&list, rows[i].text, &usage), -1);
		assert_int_equal(usage.kind, ERROR_USAGE);
		assert_true(str_starts(usage.message, "--build-arg BUILDKIT_DOCKERFILE_CHECK: "));
	}
}

/* "Rule LINE|Rule LINE" */
static void show(struct strbuf *out, const struct check_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		strbuf_printf(out, "%s%s %d", i ? "|" : "",
			      check_rule_info(list->items[i].rule)->name,
			      list->items[i].line_first);
}

static void fill(struct check_list *list)
{
	check_add_line(list, CHECK_UNDEFINED_VAR, 7, "late");
	check_add_line(list, CHECK_MAINTAINER, 3, "b");
	check_add_line(list, CHECK_CACHE_MOUNT, 5, "suggested");
	check_add_line(list, CHECK_JSON_ARGS, 3, "a");
	check_add_line(list, CHECK_DEFINITION_DESCRIPTION, 1, "experimental");
}

static void silenced(void **state)
{
	static const struct {
		const char *options, *comment; /* the comment is of lines 3 to 4 */
		const char *left;
	} rows[] = {
		{"", NULL,
		 "JSONArgsRecommended 3|MaintainerDeprecated 3|CacheMountRecommended 5|UndefinedVar "
		 "7"},
		{"skip=all", NULL, ""},
		{"skip=all;experimental=all", NULL, "InvalidDefinitionDescription 1"},
		{"skip=UndefinedVar,cachemountrecommended;experimental=InvalidDefinitionDescription",
		 NULL,
		 "InvalidDefinitionDescription 1|JSONArgsRecommended 3|MaintainerDeprecated 3"},
		{"", "skip=MaintainerDeprecated,UndefinedVar",
		 "JSONArgsRecommended 3|CacheMountRecommended 5|UndefinedVar 7"},
		{"skip=UndefinedVar", "skip=all", "CacheMountRecommended 5"},
		{"", "skip",
		 "JSONArgsRecommended 3|MaintainerDeprecated 3|CacheMountRecommended 5|UndefinedVar "
		 "7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(check_list) list = CHECK_LIST_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		assert_int_equal(check_config_parse(&list.config, rows[i].options, NULL), 0);
		if (rows[i].comment)
			check_add_comment(&list, 3, 4, rows[i].comment);
		fill(&list);
		check_finish(&list);
		check_finish(&list);
		show(&out, &list);
		assert_string_equal(out.buf, rows[i].left);
	}
}

static void options_can_be_replaced(void **state)
{
	AUTO(check_list) list = CHECK_LIST_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	assert_int_equal(check_config_parse(&list.config, "skip=all;error=true", NULL), 0);
	assert_int_equal(check_override(&list, "skip=MaintainerDeprecated", NULL), 0);
	fill(&list);
	check_finish(&list);
	assert_int_equal(check_count(&list, CHECK_WARNING), 2);
	assert_int_equal(check_count(&list, CHECK_SUGGESTION), 1);
	assert_int_equal(check_enforce(&list, NULL), 0);
	show(&out, &list);
	assert_string_equal(out.buf,
			    "JSONArgsRecommended 3|CacheMountRecommended 5|UndefinedVar 7");
}

static void warnings_may_be_errors(void **state)
{
	AUTO(check_list) list = CHECK_LIST_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(check_config_parse(&list.config, "error=true", NULL), 0);
	check_add_line(&list, CHECK_CACHE_MOUNT, 1, "suggestions never fail");
	assert_int_equal(check_enforce(&list, &err), 0);
	fill(&list);
	fill(&list);
	check_finish(&list);
	assert_int_equal(check_enforce(&list, &err), -1);
	assert_int_equal(err.kind, ERROR_SYNTAX);
	assert_true(str_starts(err.message, "lint violation found for rules: JSONArgsRecommended, "
					    "MaintainerDeprecated, UndefinedVar\n"));
}

static void messages_are_one_printable_line(void **state)
{
	AUTO(check_list) list = CHECK_LIST_INIT;

	(void)state;
	check_add_line(&list, CHECK_MAINTAINER, 1, "a\n\x1b[2J");
	assert_string_equal(list.items[0].message, "a\\x0a\\x1b[2J");
	check_add_line(NULL, CHECK_MAINTAINER, 1, "dropped");
	check_list_release(NULL);
	check_config_release(NULL);
}

/* The names and pages of docker's documentation (dockerfile.md 15); those without a page are not docker's. */
static void the_table(void **state)
{
	static const char *const names[] = {"StageNameCasing",
					    "FromAsCasing",
					    "NoEmptyContinuation",
					    "ConsistentInstructionCasing",
					    "DuplicateStageName",
					    "ReservedStageName",
					    "JSONArgsRecommended",
					    "MaintainerDeprecated",
					    "UndefinedArgInFrom",
					    "WorkdirRelativePath",
					    "UndefinedVar",
					    "MultipleInstructionsDisallowed",
					    "LegacyKeyValueFormat",
					    "InvalidBaseImagePlatform",
					    "RedundantTargetPlatform",
					    "SecretsUsedInArgOrEnv",
					    "InvalidDefaultArgInFrom",
					    "FromPlatformFlagConstDisallowed",
					    "CopyIgnoredFile",
					    "InvalidDefinitionDescription",
					    "ExposeProtoCasing",
					    "ExposeInvalidFormat",
					    "SyntaxIgnored",
					    "CopyUnwantedFiles",
					    "CacheMountRecommended"};
	AUTO_FREE char *url = check_rule_url(CHECK_JSON_ARGS);

	(void)state;
	assert_int_equal(ARRAY_SIZE(names), N_CHECK_RULES);
	for (int i = 0; i < N_CHECK_RULES; i++) {
		const struct check_rule_info *rule = check_rule_info((enum check_rule)i);

		assert_string_equal(rule->name, names[i]);
		assert_true(strlen(rule->description) > 20);
		assert_int_equal(rule->experimental, i == CHECK_DEFINITION_DESCRIPTION);
		assert_true(!rule->page ==
			    (i >= CHECK_SYNTAX_IGNORED || i == CHECK_BASE_IMAGE_PLATFORM));
	}
	assert_string_equal(url,
			    "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
	assert_null(check_rule_url(CHECK_CACHE_MOUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_is_read),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(silenced),
		cmocka_unit_test(options_can_be_replaced),
		cmocka_unit_test(warnings_may_be_errors),
		cmocka_unit_test(messages_are_one_printable_line),
		cmocka_unit_test(the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
