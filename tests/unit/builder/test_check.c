/* Rules that need variables, the graph of stages and the context. Expected texts: dockerfile.md 15. */
#include "builder/check.h"

#include "builder/context.h"

#include "build_fixture.h"

struct case_row {
	const char *text;
	const char *expected; /* "Rule LINE message|..."; with "!" in front: part of the error */
};

/* Checks text in the folder "ctx". */
static int check(struct build_fixture *f, struct build_options *o, const char *text,
		 struct strbuf *out, struct error *failure)
{
	AUTO_PTR(context) context = NULL;
	AUTO_FREE char *path = path_join(f->folder, "ctx");
	AUTO(check_list) list = CHECK_LIST_INIT;
	int result;

	assert_ok(context_open_folder(&context, "context", path, NULL, err));
	o->dockerfile_name = "Dockerfile";
	o->dockerfile = text;
	o->dockerfile_len = strlen(text);
	o->context = context;
	o->source_date_epoch = -1;
	result = build_check(&list, f->store, o, failure);
	for (size_t i = 0; i < list.n; i++)
		strbuf_printf(out, "%s%s %d %s", i ? "|" : "",
			      check_rule_info(list.items[i].rule)->name, list.items[i].line_first,
			      list.items[i].message);
	return result;
}

static void check_cases(struct build_fixture *f, struct build_options *o,
			const struct case_row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		bool wants_error = rows[i].expected[0] == '!';
		int result = check(f, o, rows[i].text, &out, &err);

		if (wants_error ? result < 0 && strstr(err.message, rows[i].expected + 1) != NULL
				: result == 0 && strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s\n  expected %s\n  got      %s %s\n", rows[i].text, rows[i].expected,
			    out.buf, result < 0 ? err.message : "");
	}
	assert_int_equal(bad, 0);
}

static void from_lines(void **state)
{
	static const struct case_row rows[] = {
		{"ARG B=scratch\nFROM $B", ""},
		{"ARG VERSION=scratch\nFROM ${VERSON}",
		 "!base name (${VERSON}) should not be blank"},
		{"FROM scratch$VERSION",
		 "UndefinedArgInFrom 1 FROM argument 'VERSION' is not declared"},
		{"ARG VERSION\nFROM scratch$VERSION", ""},
		{"ARG VERSION\nFROM scratch${VERSON}",
		 "UndefinedArgInFrom 2 FROM argument 'VERSON' is not declared (did you mean VERSION?)"},
		{"FROM scratch${X:-}", ""},
		{"FROM --platform=$BULDPLATFORM scratch",
		 "!empty platform value from expression $BULDPLATFORM"},
		{"FROM --platform=$TARGETPLATFORM scratch",
		 "RedundantTargetPlatform 1 Setting platform to predefined $TARGETPLATFORM in FROM "
		 "is redundant as this is the default behavior"},
		{"FROM --platform=${TARGETPLATFORM} scratch",
		 "RedundantTargetPlatform 1 Setting platform to predefined ${TARGETPLATFORM} in "
		 "FROM is redundant as this is the default behavior"},
		{"FROM --platform=$BUILDPLATFORM scratch", ""},
		{"FROM --platform=linux/$TARGETARCH scratch", ""},
		{"FROM --platform=linux/arm64 scratch",
		 "FromPlatformFlagConstDisallowed 1 FROM --platform flag should not use constant "
		 "value \"linux/arm64\""},
		{"FROM --platform=linux/arm64 scratch AS build-arm64", ""},
		{"FROM --platform=linux/arm64 scratch AS linux", ""},
		{"FROM --platform=linux/arm64 scratch AS build",
		 "FromPlatformFlagConstDisallowed 1 FROM --platform flag should not use constant "
		 "value \"linux/arm64\""},
	};
	struct build_options o = {.now = 1};

	check_cases(*state, &o, rows, ARRAY_SIZE(rows));
}

/* With a build argument the file builds; without one it would not. */
static void defaults_of_from(void **state)
{
	static const struct case_row rows[] = {
		{"ARG B\nFROM $B", "InvalidDefaultArgInFrom 2 Default value for ARG $B results in "
				   "empty or invalid base image name"},
		{"ARG B=x:\nFROM ${B}", "InvalidDefaultArgInFrom 2 Default value for ARG ${B} "
					"results in empty or invalid base image name"},
		{"ARG B=busybox\nFROM $B", ""},
		{"ARG B\nFROM ${B:-busybox}", ""},
		{"# check=skip=InvalidDefaultArgInFrom\nARG B\nFROM $B", ""},
	};
	AUTO(strmap) args = STRMAP_INIT;
	struct build_options o = {.now = 1, .build_args = &args};

	strmap_set(&args, "B", "scratch");
	check_cases(*state, &o, rows, ARRAY_SIZE(rows));
}

static void variables(void **state)
{
	static const struct case_row rows[] = {
		{"FROM scratch\nARG KNOWN\nENV A=$KNOWN PATH2=$PAHT B=${C-d}",
		 "UndefinedVar 3 Usage of undefined variable '$PAHT' (did you mean $PATH?)"},
		{"FROM scratch\nENV A=1\nENV B=$A C=$B",
		 "UndefinedVar 3 Usage of undefined variable '$B' (did you mean $A?)"},
		{"FROM scratch\nARG A=1\nFROM scratch\nLABEL x=$SOMETHING",
		 "UndefinedVar 4 Usage of undefined variable '$SOMETHING'"},
		{"FROM scratch AS a\nARG A=1\nFROM a\nLABEL x=$A", ""},
		{"ARG GLOBAL=1\nFROM scratch\nLABEL x=$GLOBAL",
		 "UndefinedVar 3 Usage of undefined variable '$GLOBAL'"},
		{"ARG GLOBAL=1\nFROM scratch\nARG GLOBAL\nLABEL x=$GLOBAL", ""},
		{"FROM scratch\nARG A=$NOWHERE",
		 "UndefinedVar 2 Usage of undefined variable '$NOWHERE'"},
		{"FROM scratch\nCOPY <<E /e\n$NOWHERE\nE\nCOPY <<'E' /f\n$NOWHERE\nE\n",
		 "UndefinedVar 2 Usage of undefined variable '$NOWHERE'"},
		{"FROM scratch\n# check=skip=UndefinedVar\nLABEL x=$A", ""},
		{"FROM scratch\nLABEL x=${A?needed}", "!Dockerfile:2:9: "},
		/* What a stage inherits. */
		{"FROM scratch AS a\nSHELL [\"x\"]\nWORKDIR /w\nFROM a\nCMD b\nWORKDIR c", ""},
		{"FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]", ""},
		{"FROM scratch AS a\nONBUILD ENV X=$NOWHERE\nFROM a",
		 "UndefinedVar 3 Usage of undefined variable '$NOWHERE'"},
	};
	struct build_options o = {.now = 1};

	check_cases(*state, &o, rows, ARRAY_SIZE(rows));
}

static void copies(void **state)
{
	static const struct case_row rows[] = {
		{"FROM scratch\nCOPY secret.txt /x",
		 "CopyIgnoredFile 2 Attempting to Copy file \"secret.txt\" that is excluded by "
		 ".dockerignore"},
		{"FROM scratch\nADD ./out/bin /x",
		 "CopyIgnoredFile 2 Attempting to Add file \"out/bin\" that is excluded by "
		 ".dockerignore"},
		{"FROM scratch\nARG D=out\nCOPY a.txt $D /x/",
		 "CopyIgnoredFile 3 Attempting to Copy file \"out\" that is excluded by "
		 ".dockerignore"},
		{"FROM scratch\nCOPY a.txt /x\nADD https://h/out /out", ""},
		{"FROM scratch AS a\nFROM scratch\nCOPY --from=a out /x", ""},
	};
	struct build_fixture *f = *state;
	struct build_options o = {.now = 1};

	write_file(f, "ctx/.dockerignore", "secret.txt\nout\n");
	check_cases(f, &o, rows, ARRAY_SIZE(rows));
	/* What is taken back below a folder cannot be told from the patterns. */
	write_file(f, "ctx/.dockerignore", "secret.txt\nout\n!out/bin\n");
	check_cases(f, &o,
		    (const struct case_row[]){{"FROM scratch\nCOPY secret.txt out/bin /x/", ""}},
		    1);
}

static void unwanted_files(void **state)
{
	static const struct case_row rows[] = {
		{"FROM scratch\nCOPY . /x",
		 "CopyUnwantedFiles 2 COPY of the whole context takes in .git, .env: name them in "
		 ".dockerignore"},
		{"FROM scratch\nADD a.txt ./ /x/",
		 "CopyUnwantedFiles 2 ADD of the whole context takes in .git, .env: name them in "
		 ".dockerignore"},
		{"FROM scratch\nCOPY --exclude=.git --exclude=.env / /x", ""},
		{"FROM scratch\nCOPY --exclude=.env .. /x",
		 "CopyUnwantedFiles 2 COPY of the whole context takes in .git: name it in "
		 ".dockerignore"},
		{"FROM scratch\nCOPY .git /x", ""},
		{"FROM scratch AS a\nFROM scratch\nCOPY --from=a . /x", ""},
		{"# check=skip=CopyUnwantedFiles\nFROM scratch\nCOPY . /x", ""},
	};
	struct build_fixture *f = *state;
	struct build_options o = {.now = 1};

	write_file(f, "ctx/.git/HEAD", "x");
	write_file(f, "ctx/.env", "x");
	check_cases(f, &o, rows, ARRAY_SIZE(rows));
	write_file(f, "ctx/.dockerignore", ".git\n.env\n");
	check_cases(f, &o, (const struct case_row[]){{"FROM scratch\nCOPY . /x", ""}}, 1);
}

static void which_stages(void **state)
{
	static const char text[] = "FROM scratch AS a\nCMD x\nFROM scratch AS b\nWORKDIR y\n";
	struct build_options o = {.now = 1};
	static const char *const both =
		"JSONArgsRecommended 2 JSON arguments recommended for CMD to prevent unintended "
		"behavior related to OS signals|WorkdirRelativePath 4 Relative workdir \"y\" can "
		"have unexpected results if the base image changes";
	AUTO(strbuf) out = STRBUF_INIT;

	assert_ok(check(*state, &o, text, &out, err));
	assert_string_equal(out.buf, both);
	strbuf_reset(&out);
	o.target = "b";
	assert_ok(check(*state, &o, text, &out, err));
	assert_string_equal(out.buf, strchr(both, '|') + 1);
}

static void what_fails(void **state)
{
	static const struct case_row rows[] = {
		{"FROM scratch\nCOPY --from=9 a b", "!invalid stage index 9"},
		{"# check=error=true\nFROM scratch AS X",
		 "!lint violation found for rules: StageNameCasing"},
		{"# check=error=true\nFROM scratch AS x\nRUN apt-get install y",
		 "CacheMountRecommended 3 \"apt-get install\" downloads again what an earlier build "
		 "had: RUN --mount=type=cache,target=/var/cache/apt,sharing=locked keeps it"},
		{"FROM scratch AS biulder\nFROM scratch\nCOPY --from=builder / /",
		 "!Did you mean the stage biulder?"},
		{"FROM scratch AS base\nFROM bsae", "!Did you mean the stage base?"},
		{"FROM debain:12", "!Did you mean the image debian?"},
		{"FROM scratch AS base\nFROM scratch\nRUN --mount=from=bsae x",
		 "!Dockerfile:3:18: "},
		{"FROM scratch AS b\nFROM qqq", "!image qqq"},
	};
	AUTO(strmap) args = STRMAP_INIT;
	struct build_options o = {.now = 1, .build_args = &args};
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	check_cases(*state, &o, rows, ARRAY_SIZE(rows));
	/* What was found stays with an error, and a name that is not near is not guessed. */
	assert_int_equal(check(*state, &o, "FROM scratch AS B\nFROM qqq", &out, &err), -1);
	assert_string_equal(out.buf, "StageNameCasing 1 Stage name 'B' should be lowercase");
	assert_null(strstr(err.message, "Did you mean"));
	/* The options of the command line replace the file's. */
	strmap_set(&args, "BUILDKIT_DOCKERFILE_CHECK", "skip=all;error=true");
	check_cases(*state, &o,
		    (const struct case_row[]){
			    {"# check=skip=JSONArgsRecommended\nFROM scratch AS X", ""}},
		    1);
	strmap_set(&args, "BUILDKIT_DOCKERFILE_CHECK", "skip");
	check_cases(*state, &o,
		    (const struct case_row[]){{"FROM scratch", "!--build-arg "
							       "BUILDKIT_DOCKERFILE_CHECK: "}},
		    1);
}

static int setup(void **state)
{
	int result = build_fixture_setup(state);

	if (result == 0)
		write_file(*state, "ctx/a.txt", "alpha");
	return result;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, build_fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(from_lines),     CASE(defaults_of_from), CASE(variables),  CASE(copies),
		CASE(unwanted_files), CASE(which_stages),     CASE(what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
