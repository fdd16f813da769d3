#include "dockerfile/check.h"

#include "testing.h"

/* "Rule LINE message" a line, for the rules asked for (all when NULL). */
static void show_warnings(struct strbuf *out, const char *text)
{
	AUTO_PTR(dockerfile) file = NULL;

	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < file->warnings.n; i++)
		strbuf_printf(out, "%s%s %d %s", i ? "|" : "", file->warnings.items[i].rule,
			      file->warnings.items[i].line, file->warnings.items[i].message);
}

static void rules(void **state)
{
	static const struct row rows[] = {
		{"FROM a\nCMD [\"x\"]", ""},
		{"FROM a AS Build", "StageNameCasing 1 Stage name 'Build' should be lowercase"},
		{"FROM a as b", "FromAsCasing 1 'as' and 'FROM' keywords' casing do not match"},
		{"from a AS b", "FromAsCasing 1 'AS' and 'from' keywords' casing do not match"},
		{"from a as b", ""},
		{"From a As b",
		 "ConsistentInstructionCasing 1 Command 'From' should match the case of "
		 "the command majority (uppercase)"},
		{"FROM a\nRUN b \\\n\n c", "NoEmptyContinuation 4 Empty continuation line"},
		{"from a\nrun b\nCOPY c d",
		 "ConsistentInstructionCasing 3 Command 'COPY' should match the case of the command "
		 "majority (lowercase)"},
		{"FROM a\nrun b",
		 "ConsistentInstructionCasing 2 Command 'run' should match the case of the command "
		 "majority (uppercase)"},
		{"FROM a AS x\nFROM b AS X",
		 "DuplicateStageName 2 Duplicate stage name \"x\", stage names should be unique|"
		 "StageNameCasing 2 Stage name 'X' should be lowercase"},
		{"FROM a AS scratch",
		 "ReservedStageName 1 Stage name should not use the same name as reserved stage "
		 "\"scratch\""},
		{"FROM a\nCMD b",
		 "JSONArgsRecommended 2 JSON arguments recommended for CMD to prevent unintended "
		 "behavior related to OS signals"},
		{"FROM a\nENTRYPOINT b",
		 "JSONArgsRecommended 2 JSON arguments recommended for ENTRYPOINT to prevent "
		 "unintended behavior related to OS signals"},
		{"FROM a\nSHELL [\"x\"]\nCMD b", ""},
		{"FROM a\nMAINTAINER b",
		 "MaintainerDeprecated 2 Maintainer instruction is deprecated "
		 "in favor of using label"},
		{"FROM a\nCMD [\"b\"]\nCMD [\"c\"]",
		 "MultipleInstructionsDisallowed 2 Multiple CMD instructions should not be used in "
		 "the same stage because only the last one will be used"},
		{"FROM a\nHEALTHCHECK NONE\nFROM b\nHEALTHCHECK NONE", ""},
		{"FROM a\nENV b c",
		 "LegacyKeyValueFormat 2 \"ENV key=value\" should be used instead of "
		 "legacy \"ENV key value\" format"},
		{"FROM a\nLABEL b c", "LegacyKeyValueFormat 2 \"LABEL key=value\" should be used "
				      "instead of legacy \"LABEL key value\" format"},
		{"FROM a\nARG API_KEY",
		 "SecretsUsedInArgOrEnv 2 Do not use ARG or ENV instructions for "
		 "sensitive data (ARG \"API_KEY\")"},
		{"FROM a\nENV my_Password=x",
		 "SecretsUsedInArgOrEnv 2 Do not use ARG or ENV instructions for sensitive data "
		 "(ENV \"my_Password\")"},
		{"FROM a\nENV PUBLIC_KEY=x TOKEN_FILE=y KEYBOARD=z PASSWD_VERSION=1 MONKEY=1", ""},
		{"FROM a\nLABEL token=x", ""},
		{"FROM a\nEXPOSE 80/TCP",
		 "ExposeProtoCasing 2 Defined protocol '80/TCP' in EXPOSE instruction should be "
		 "lowercase"},
		{"FROM a\nEXPOSE 8080:80",
		 "ExposeInvalidFormat 2 EXPOSE instruction should not define an IP address or "
		 "host-port mapping, found '8080:80'"},
	};
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		show_warnings(&out, rows[i].text);
		if (strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s\n  expected %s\n  got      %s\n", rows[i].text, rows[i].expected,
			    out.buf);
	}
	assert_int_equal(bad, 0);
}

static void silenced(void **state)
{
	static const struct row rows[] = {
		{"# check=skip=MaintainerDeprecated\nFROM a\nMAINTAINER b\nENV c d",
		 "LegacyKeyValueFormat 4"},
		{"# check=skip=all\nFROM a as X\nMAINTAINER b", ""},
		{"# check=error=true;skip=maintainerdeprecated, LegacyKeyValueFormat\nFROM a\n"
		 "MAINTAINER b\nENV c d",
		 ""},
		/* For one instruction. */
		{"FROM a\n# check=skip=LegacyKeyValueFormat\nENV c d\nENV e f",
		 "LegacyKeyValueFormat 4"},
		{"FROM a\n# check=skip=NoEmptyContinuation\nRUN b \\\n\n c\nRUN d \\\n\n e",
		 "NoEmptyContinuation 8"},
		{"FROM a\n# check=skip=JSONArgsRecommended\n\nCMD b", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		show_warnings(&out, rows[i].text);
		if (*rows[i].expected
			    ? strncmp(out.buf, rows[i].expected, strlen(rows[i].expected)) != 0 ||
				      strchr(out.buf, '|')
			    : out.len > 0)
			fail_msg("%s: %s", rows[i].text, out.buf);
	}
}

static void options(void **state)
{
	(void)state;
	assert_true(check_is_error("error=true"));
	assert_true(check_is_error("skip=all; Error=TRUE "));
	assert_false(check_is_error("error=false"));
	assert_false(check_is_error("skip=error"));
	assert_false(check_is_error(NULL));
	assert_true(check_skips("skip=A,B", "B"));
	assert_true(check_skips("error=true;skip= a ", "A"));
	assert_false(check_skips("skip=AB", "A"));
	assert_false(check_skips("skip=", "A"));
	assert_false(check_skips(NULL, "A"));
	check_list_release(NULL);
	check_add(NULL, "Rule", 1, "dropped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(silenced),
		cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
