/* Expected texts: dockerfile.md 15. */
#include "dockerfile/check_file.h"

#include "testing.h"

static const char *no_variable(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "SET") == 0 ? "443/TCP" : NULL;
}

/* Every instruction of a stage in turn, as a build that knows only $SET. */
static void walk_stage(struct dockerfile *file, const struct dockerfile_stage *stage)
{
	const struct expand_scope scope = {.lookup = no_variable, .escape = file->escape};
	struct check_stage rules = {.cmd = NULL};

	for (size_t i = 0; i < stage->n_instructions; i++) {
		const struct instruction *ins = &stage->instructions[i];
		AUTO(instruction) ready = INSTRUCTION_INIT;
		bool arg = ins->kind == INSTRUCTION_ARG;

		if (!arg)
			assert_int_equal(instruction_expand(&ready, ins, &scope, NULL), 0);
		check_instruction(&file->warnings, &rules, ins, ins, arg ? ins : &ready, &scope);
	}
}

/* "Rule LINE[-LAST] message|..." */
static void show_warnings(struct strbuf *out, const char *text)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(error) err = ERROR_INIT;

	if (dockerfile_parse(&file, "D", text, strlen(text), &err) < 0)
		fail_msg("%s", err.message);
	for (int i = 0; i < file->n_stages; i++)
		walk_stage(file, &file->stages[i]);
	check_finish(&file->warnings);
	for (size_t i = 0; i < file->warnings.n; i++) {
		const struct check_warning *w = &file->warnings.items[i];

		strbuf_printf(out, "%s%s %d", i ? "|" : "", check_rule_info(w->rule)->name,
			      w->line_first);
		if (w->line_last != w->line_first)
			strbuf_printf(out, "-%d", w->line_last);
		strbuf_printf(out, " %s", w->message);
	}
}

static void check_warnings(const struct row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
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

#define CASING(name, side) \
	"Command '" name "' should match the case of the command majority (" side ")"
#define JSON(name)                                                                              \
	"JSON arguments recommended for " name " to prevent unintended behavior related to OS " \
	"signals"
#define ONCE(name)                                                                  \
	"Multiple " name                                                            \
	" instructions should not be used in the same stage because only the last " \
	"one will be used"
#define LEGACY(name) \
	"\"" name " key=value\" should be used instead of legacy \"" name " key value\" format"
#define SECRET(what) "Do not use ARG or ENV instructions for sensitive data (" what ")"

static void names_and_casing(void **state)
{
	static const struct row rows[] = {
		{"FROM a\nCMD [\"x\"]", ""},
		{"FROM a AS Build", "StageNameCasing 1 Stage name 'Build' should be lowercase"},
		{"FROM a AS build-2.x_y", ""},
		{"FROM a as b", "FromAsCasing 1 'as' and 'FROM' keywords' casing do not match"},
		{"from a AS b", "FromAsCasing 1 'AS' and 'from' keywords' casing do not match"},
		{"FROM a As b", "FromAsCasing 1 'As' and 'FROM' keywords' casing do not match"},
		{"from a as b", ""},
		{"From a As b", "ConsistentInstructionCasing 1 " CASING("From", "uppercase")},
		{"from a\nrun b\nCOPY c d",
		 "ConsistentInstructionCasing 3 " CASING("COPY", "lowercase")},
		{"FROM a\nrun b", "ConsistentInstructionCasing 2 " CASING("run", "uppercase")},
		{"FROM a\nrun b\\\n c\nUSER d",
		 "ConsistentInstructionCasing 2-3 " CASING("run", "uppercase")},
		/* ARG in front of FROM does not count, as in docker. */
		{"arg a\narg b\nFROM a\nRUN b", ""},
		{"FROM a AS x\nFROM b AS X",
		 "DuplicateStageName 2 Duplicate stage name \"x\", stage names should be unique|"
		 "StageNameCasing 2 Stage name 'X' should be lowercase"},
		{"FROM a AS x\nFROM b AS y", ""},
		{"FROM a AS scratch", "ReservedStageName 1 Stage name should not use the same name "
				      "as reserved stage \"scratch\""},
		{"FROM a AS context", "ReservedStageName 1 Stage name should not use the same name "
				      "as reserved stage \"context\""},
		{"FROM a\nRUN b \\\n\n c", "NoEmptyContinuation 4 Empty continuation line"},
		{"FROM a\nRUN b \\\n# d\n c", ""},
		{"FROM a\nCOPY <<X /x\n\nX\n", ""},
		{"FROM a\nMAINTAINER b", "MaintainerDeprecated 2 Maintainer instruction is "
					 "deprecated in favor of using label"},
	};

	(void)state;
	check_warnings(rows, ARRAY_SIZE(rows));
}

static void commands(void **state)
{
	static const struct row rows[] = {
		{"FROM a\nCMD b", "JSONArgsRecommended 2 " JSON("CMD")},
		{"FROM a\nENTRYPOINT b", "JSONArgsRecommended 2 " JSON("ENTRYPOINT")},
		{"from a\ncmd b", "JSONArgsRecommended 2 " JSON("cmd")},
		{"FROM a\nCMD [\"b\"]\nENTRYPOINT [\"c\"]\nRUN d\nHEALTHCHECK CMD e", ""},
		{"FROM a\nSHELL [\"x\"]\nCMD b", ""},
		{"FROM a\nSHELL [\"x\"]\nFROM b\nCMD c", "JSONArgsRecommended 4 " JSON("CMD")},
		{"FROM a\nCMD [\"b\"]\nCMD [\"c\"]",
		 "MultipleInstructionsDisallowed 2 " ONCE("CMD")},
		{"FROM a\nENTRYPOINT [\"b\"]\nENTRYPOINT [\"c\"]\nENTRYPOINT [\"d\"]",
		 "MultipleInstructionsDisallowed 2 " ONCE(
			 "ENTRYPOINT") "|MultipleInstructionsDisallowed 3 " ONCE("ENTRYPOINT")},
		{"FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE",
		 "MultipleInstructionsDisallowed 2 " ONCE("HEALTHCHECK")},
		{"FROM a\nHEALTHCHECK NONE\nFROM b\nHEALTHCHECK NONE", ""},
		{"FROM a\nWORKDIR b\nWORKDIR c",
		 "WorkdirRelativePath 2 Relative workdir \"b\" can have unexpected results if the "
		 "base image changes"},
		{"FROM a\nWORKDIR /b\nWORKDIR c", ""},
	};

	(void)state;
	check_warnings(rows, ARRAY_SIZE(rows));
}

static void values(void **state)
{
	static const struct row rows[] = {
		{"FROM a\nENV b c", "LegacyKeyValueFormat 2 " LEGACY("ENV")},
		{"FROM a\nLABEL b c", "LegacyKeyValueFormat 2 " LEGACY("LABEL")},
		{"FROM a\nENV b=c d=e", ""},
		{"FROM a\nARG API_KEY", "SecretsUsedInArgOrEnv 2 " SECRET("ARG \"API_KEY\"")},
		{"FROM a\nENV my_Password=x",
		 "SecretsUsedInArgOrEnv 2 " SECRET("ENV \"my_Password\"")},
		{"FROM a\nENV TOKEN x",
		 "LegacyKeyValueFormat 2 " LEGACY("ENV") "|SecretsUsedInArgOrEnv 2 " SECRET(
			 "ENV \"TOKEN\"")},
		{"FROM a\nARG AUTH X CREDENTIALS=1",
		 "SecretsUsedInArgOrEnv 2 " SECRET(
			 "ARG \"AUTH\"") "|SecretsUsedInArgOrEnv 2 " SECRET("ARG \"CREDENTIALS\"")},
		{"FROM a\nENV PUBLIC_KEY=x TOKEN_FILE=y KEYBOARD=z PASSWD_VERSION=1 MONKEY=1", ""},
		{"FROM a\nLABEL token=x", ""},
		/* Outside a stage it reaches no image, and docker says nothing. */
		{"ARG TOKEN\nFROM a", ""},
		{"FROM a\nEXPOSE 80/TCP",
		 "ExposeProtoCasing 2 Defined protocol '80/TCP' in EXPOSE instruction should be "
		 "lowercase"},
		{"FROM a\nEXPOSE $SET",
		 "ExposeProtoCasing 2 Defined protocol '443/TCP' in EXPOSE instruction should be "
		 "lowercase"},
		{"FROM a\nEXPOSE 8080:80",
		 "ExposeInvalidFormat 2 EXPOSE instruction should not define an IP address or "
		 "host-port mapping, found '8080:80'"},
		{"FROM a\nEXPOSE 127.0.0.1:80:80",
		 "ExposeInvalidFormat 2 EXPOSE instruction should not define an IP address or "
		 "host-port mapping, found '127.0.0.1:80:80'"},
		{"FROM a\nEXPOSE 80 443/tcp 53/udp 5000-5010", ""},
	};

	(void)state;
	check_warnings(rows, ARRAY_SIZE(rows));
}

static void descriptions(void **state)
{
#define ON "# check=experimental=all\n"
	static const struct row rows[] = {
		{"# other\nFROM a AS b", ""},
		{ON "\n# other\nFROM a AS b",
		 "InvalidDefinitionDescription 4 Comment for FROM should follow the format: `# b "
		 "<description>`"},
		{ON "\n# b builds\nFROM a AS b\n# VERSION of it\nARG VERSION=1", ""},
		{ON "\n# other\n\nFROM a AS b\n# other\n#\nARG VERSION=1", ""},
		{ON "\n# other\nFROM a", ""},
		{ON "\n# about it\nARG V\nFROM a\n# v\nARG V W",
		 "InvalidDefinitionDescription 4 Comment for ARG should follow the format: `# V "
		 "<description>`|"
		 "InvalidDefinitionDescription 7 Comment for ARG should follow the format: `# "
		 "<arg_key> <description>`"},
		{ON "\nFROM a\n# W\nARG V W\n# other\nRUN x", ""},
		{"# check=experimental=InvalidDefinitionDescription;skip=all\n\n# other\nFROM a AS "
		 "B",
		 "InvalidDefinitionDescription 4 Comment for FROM should follow the format: `# b "
		 "<description>`"},
	};

	(void)state;
	check_warnings(rows, ARRAY_SIZE(rows));
}

static void silenced(void **state)
{
	static const struct row rows[] = {
		{"# check=skip=MaintainerDeprecated\nFROM a\nMAINTAINER b\nENV c d",
		 "LegacyKeyValueFormat 4 " LEGACY("ENV")},
		{"# check=skip=all\nFROM a as X\nMAINTAINER b", ""},
		{"# check=error=true;skip=maintainerdeprecated, LegacyKeyValueFormat\nFROM a\n"
		 "MAINTAINER b\nENV c d",
		 ""},
		/* For one instruction. */
		{"FROM a\n# check=skip=LegacyKeyValueFormat\nENV c d\nENV e f",
		 "LegacyKeyValueFormat 4 " LEGACY("ENV")},
		{"FROM a\n# check=skip=NoEmptyContinuation\nRUN b \\\n\n c\nRUN d \\\n\n e",
		 "NoEmptyContinuation 8 Empty continuation line"},
		{"FROM a\n# check=skip=JSONArgsRecommended\n\nCMD b", ""},
		{"FROM a\n# check=skip=JSONArgsRecommended\n#\nCMD b",
		 "JSONArgsRecommended 4 " JSON("CMD")},
		{"FROM a\n# check=skip=all\n# more\nCMD b", ""},
		/* One that does not parse is a comment. */
		{"FROM a\n# check=all\nCMD b", "JSONArgsRecommended 3 " JSON("CMD")},
	};

	(void)state;
	check_warnings(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_casing), cmocka_unit_test(commands),
		cmocka_unit_test(values),           cmocka_unit_test(descriptions),
		cmocka_unit_test(silenced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
