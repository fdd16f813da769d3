#include "testing.h"

static void set_up(struct test_scope *scope)
{
	memset(scope, 0, sizeof(*scope));
	strmap_set(&scope->values, "A", "1");
	strmap_set(&scope->values, "E", "");
	strmap_set(&scope->values, "P", "80 81");
	strmap_set(&scope->values, "SP", "a b");
	strmap_set(&scope->values, "D", "/dir");
	strmap_set(&scope->values, "M", "u=rwX,go=rX");
	strmap_set(&scope->values, "Q", "\"q\"");
}

static void tear_down(struct test_scope *scope)
{
	strmap_release(&scope->values);
	strlist_release(&scope->undefined);
}

static void fields_that_expand(void **state)
{
	static const struct row rows[] = {
		{"ENV a=$A b=\"x $A\" c='$A' d=\\$A", "ENV [a]=[1] [b]=[x 1] [c]=[$A] [d]=[$A]"},
		{"ENV a$A=b", "ENV [a1]=[b]"},
		{"ENV B \"x  y\"  z", "ENV [B]=[x  y  z]"},
		{"ENV $E=b", "!Dockerfile:2:5: ENV names can not be blank"},
		/* Of ARG the names; defaults wait. */
		{"ARG \"a\"=$A x$A b='c'", "ARG [a]=[$A] [x1] [b]=['c']"},
		{"ARG $E=b", "!Dockerfile:2:5: ARG names can not be blank"},
		/* A value that came from a variable is not read again. */
		{"ENV a=$Q", "ENV [a]=[\"q\"]"},
		{"LABEL \"a b\"=$A", "LABEL [a b]=[1]"},
		{"WORKDIR $D/\"x y\"", "WORKDIR [/dir/x y]"},
		{"USER \"$A\":'$A'", "USER [1:$A]"},
		{"VOLUME $D/a [x", "VOLUME [/dir/a][[x]"},
		{"VOLUME [\"$D/a b\"]", "VOLUME [/dir/a b]"},
		{"VOLUME $E", "!Dockerfile:2:8: VOLUME specified can not be an empty string"},
		{"STOPSIGNAL SIGRTMIN+$A", "STOPSIGNAL [SIGRTMIN+1]"},
		{"STOPSIGNAL $SP", "!invalid signal: a b"},
		{"STOPSIGNAL \"9\"", "STOPSIGNAL [9]"},
		/* Ports are split after expansion, in the order of the words. */
		{"EXPOSE $P", "EXPOSE [80/tcp][81/tcp]"},
		{"EXPOSE 8080 443/UDP 80-82", "EXPOSE [443/udp][80/tcp][81/tcp][82/tcp][8080/tcp]"},
		{"EXPOSE 80 80/tcp 79-80", "EXPOSE [79/tcp][80/tcp]"},
		{"EXPOSE $SP", "!Dockerfile:2:8: invalid containerPort: a"},
		{"EXPOSE $NONE", "EXPOSE "},
		{"COPY $D/$A \"b\" $SP d", "COPY [/dir/1][b][a b] -> [d]"},
		{"COPY \"b c\" d", "!double-quote"},
		{"COPY --chown=$A:$A --chmod=$M a $D/",
		 "COPY [a] -> [/dir/] chown=1:1 chmod=u=rwX,go=rX"},
		{"COPY --chown=$E a b", "COPY [a] -> [b]"},
		{"ADD --checksum=sha256:$A a b", "ADD [a] -> [b] checksum=sha256:1"},
		{"COPY [\"$SP\", \"'x'\"]", "COPY [a b] -> [x]"},
		{"COPY <<X /x\n$A '$A' \\$A\nX", "COPY  <<X[1 '1' $A\\n] -> [/x]"},
		{"COPY <<-\"X\" /x\n\t$A\nX", "COPY  <<X[$A\\n] raw -> [/x]"},
	};
	struct test_scope scope;

	(void)state;
	set_up(&scope);
	/* Quotes of whitespace words are processed word by word. */
	check_rows(rows, ARRAY_SIZE(rows), &scope);
	tear_down(&scope);
}

static void fields_that_do_not(void **state)
{
	static const struct row rows[] = {
		{"RUN echo $A \"$A\" \\$A", "RUN shell [echo $A \"$A\" \\$A]"},
		{"RUN [\"$A\"]", "RUN exec [$A]"},
		{"RUN <<E\n$A\nE", "RUN shell [$A\\n]"},
		{"CMD $A", "CMD shell [$A]"},
		{"ENTRYPOINT [\"$A\"]", "ENTRYPOINT exec [$A]"},
		{"SHELL [\"$A\"]", "SHELL exec [$A]"},
		{"HEALTHCHECK CMD $A", "HEALTHCHECK shell [$A] 0 0 0 0 0"},
		{"HEALTHCHECK NONE", "HEALTHCHECK NONE"},
		{"MAINTAINER \"$A\"", "MAINTAINER [\"$A\"]"},
		{"ONBUILD RUN $A", "ONBUILD [RUN $A]"},
		{"COPY --exclude=$A a b", "COPY [a] -> [b] exclude=[$A]"},
	};
	struct test_scope scope;

	(void)state;
	set_up(&scope);
	check_rows(rows, ARRAY_SIZE(rows), &scope);
	tear_down(&scope);
}

static void mistakes_have_their_place(void **state)
{
	static const struct row rows[] = {
		{"ENV a=1 \\\n  b=${X",
		 "!Dockerfile:3:5: cannot expand \"${X\": syntax error: missing '}'\n"
		 "  3 |   b=${X\n    |     ^"},
		{"COPY --chmod=9z a b",
		 "!Dockerfile:2:14: invalid chmod parameter: '9z'. it should be octal string and "
		 "between 0 and 07777"},
		{"COPY <<X /x\na\n${\nX", "!Dockerfile:3: cannot expand"},
		{"RUN --mount=type=cache,target=/x,mode=$D a",
		 "!Dockerfile:2:34: invalid value /dir for mode"},
		{"WORKDIR ${X?no \"way\"}", "!Dockerfile:2:9: cannot expand"},
		{"USER 'a", "!single-quote"},
	};
	struct test_scope scope;

	(void)state;
	set_up(&scope);
	check_rows(rows, ARRAY_SIZE(rows), &scope);
	tear_down(&scope);
}

static void chmod_is_ready_to_use(void **state)
{
	static const char text[] = "FROM a\nCOPY --chmod=0750 a b\nCOPY a b\n";
	AUTO_PTR(dockerfile) file = NULL;
	struct expand_scope scope = {0};

	(void)state;
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		AUTO(instruction) ready = INSTRUCTION_INIT;

		assert_int_equal(
			instruction_expand(&ready, &file->stages[0].instructions[i], &scope, NULL),
			0);
		assert_int_equal(ready.copy.chmod.given, i == 0);
		if (i == 0)
			assert_int_equal(chmod_apply(&ready.copy.chmod, 0644, false), 0750);
	}
}

static void args_are_expanded_one_by_one(void **state)
{
	static const char text[] = "FROM a\nARG a=1$A b c=\"x y\"\n";
	static const char *const expected[] = {"11", NULL, "x y"};
	AUTO_PTR(dockerfile) file = NULL;
	struct test_scope values;
	struct expand_scope scope = {.lookup = test_lookup, .ctx = &values};
	const struct instruction *arg;

	(void)state;
	set_up(&values);
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	arg = &file->stages[0].instructions[0];
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		AUTO_FREE char *value = NULL;

		assert_int_equal(instruction_expand_arg(&value, arg, i, &scope, NULL), 0);
		if (expected[i])
			assert_string_equal(value, expected[i]);
		else
			assert_null(value);
	}
	tear_down(&values);
}

static void undefined_names_are_told(void **state)
{
	struct test_scope scope;
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) told = STRBUF_INIT;

	(void)state;
	set_up(&scope);
	assert_int_equal(read_one(&out, "COPY $A $X ${Y:-z} $Z", &scope, NULL), 0);
	describe_list(&told, &scope.undefined);
	assert_string_equal(told.buf, "[X][Z]");
	tear_down(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_that_expand),
		cmocka_unit_test(fields_that_do_not),
		cmocka_unit_test(mistakes_have_their_place),
		cmocka_unit_test(chmod_is_ready_to_use),
		cmocka_unit_test(args_are_expanded_one_by_one),
		cmocka_unit_test(undefined_names_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
