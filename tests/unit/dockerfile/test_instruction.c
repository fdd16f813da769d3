#include "dockerfile/instruction.h"

#include "testing.h"

static void unknown_things_are_named(void **state)
{
	static const struct row rows[] = {
		{"COPPY a b", "!Dockerfile:2:1: unknown instruction: COPPY (did you mean COPY?)\n"
			      "  2 | COPPY a b\n    | ^"},
		{"abracadabra", "!unknown instruction: abracadabra\n"},
		{"COPY --form=x a b",
		 "!Dockerfile:2:6: unknown flag: --form (did you mean --from?)"},
		{"COPY --link \\\n  --chwon=x a b",
		 "!Dockerfile:3:3: unknown flag: --chwon (did you mean --chown?)"},
		{"COPY --checksum=sha256:1 a b", "!unknown flag: --checksum"},
		{"ADD --from=x a b", "!unknown flag: --from"},
		{"ADD --parents a b", "!unknown flag: --parents"},
		{"ENV --x=1 a=b", "!unknown flag: --x"},
		{"CMD --help", "!unknown flag: --help"},
		{"HEALTHCHECK --intervall=1s CMD x", "!did you mean --interval?"},
		{"RUN --Mount=type=bind x", "!unknown flag: --Mount (did you mean --mount?)"},
		{"COPY --from a b", "!missing a value on flag: --from"},
		{"COPY --link= a b", "!missing a value on flag: --link"},
		{"COPY --from=a --from=b c d", "!duplicate flag specified: --from"},
		{"COPY --link=yes a b", "!expecting boolean value for flag --link, not: yes"},
		{"RUN --mount x", "!missing a value on flag: --mount"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void run_forms(void **state)
{
	static const struct row rows[] = {
		{"RUN echo  'a  b' # c", "RUN shell [echo  'a  b' # c]"},
		{"RUN [\"a\", \"b c\", \"$X\"]", "RUN exec [a][b c][$X]"},
		/* What fails to be JSON is silently for the shell. */
		{"RUN ['a']", "RUN shell [['a']]"},
		{"RUN [\"a\"] && b", "RUN shell [[\"a\"] && b]"},
		{"RUN [\"a\"", "RUN shell [[\"a\"]"},
		{"RUN [ ! -e /x ]", "RUN shell [[ ! -e /x ]]"},
		{"RUN [\"C:\\work\"]", "RUN shell [[\"C:\\work\"]]"},
		{"RUN [\"C:\\temp\"]", "RUN exec [C:\temp]"},
		{"RUN [\"a\", 1]",
		 "!Dockerfile:2:5: when using JSON array syntax, arrays must be comprised of "
		 "strings only"},
		{"RUN a \\\n  && b", "RUN shell [a   && b]"},
		{"RUN", "!RUN requires at least one argument"},
		{"RUN []", "!RUN requires at least one argument"},
		{"RUN --network=none a", "RUN shell [a] network=none"},
		{"RUN --network=host a", "RUN shell [a] network=host"},
		{"RUN --network=default a", "RUN shell [a]"},
		{"RUN --network=hots a",
		 "!network mode \"hots\" is not valid (did you mean host?)"},
		{"RUN --network= a", "!is not valid"},
		{"RUN --security=sandbox a", "RUN shell [a]"},
		{"RUN --security=safe a", "!security mode \"safe\" is not valid"},
		{"RUN --security=insecur a",
		 "!security mode \"insecur\" is not valid (did you mean insecure?)"},
		/* Heredocs: the body alone, a script, or rebuilt for the shell. */
		{"RUN <<EOF\necho $A\n\n# x\nEOF", "RUN shell [echo $A\\n\\n# x\\n]"},
		{"RUN <<-EOF\n\techo a\n\tEOF", "RUN shell [echo a\\n]"},
		{"RUN << EOF\na\nEOF", "RUN shell [a\\n]"},
		{"RUN <<EOF\n#!/usr/bin/python3\nprint(1)\nEOF",
		 "RUN shell [/dev/pipes/EOF] script [#!/usr/bin/python3\\nprint(1)\\n]"},
		{"RUN cat <<A - <<'B' > /x\n1\nA\n$2\nB",
		 "RUN shell [cat <<A - <<'B' > /x\\n1\\nA\\n$2\\nB]"},
		{"RUN cat <<-A\n\t1\n\tA", "RUN shell [cat <<-A\\n\t1\\nA]"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void refused_by_name(void **state)
{
	static const struct row rows[] = {
		{"RUN --device=vendor.com/x a", "Dockerfile:2:5: RUN --device is not supported"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(read_one(&out, rows[i].text, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_UNSUPPORTED);
		assert_non_null(strstr(err.message, rows[i].expected));
	}
}

static void copy_and_add(void **state)
{
	static const struct row rows[] = {
		{"COPY a b", "COPY [a] -> [b]"},
		{"COPY a b /c/", "COPY [a][b] -> [/c/]"},
		/* Quotes do not hold words together; only JSON does. */
		{"COPY \"a b\" c", "COPY [\"a][b\"] -> [c]"},
		{"COPY [\"a b\", \"c d\"]", "COPY [a b] -> [c d]"},
		{"COPY ['a', 'b']", "COPY [['a',] -> ['b']]"},
		{"COPY [\"a\", 2]", "!comprised of strings only"},
		{"COPY --from=build --chown=1:2 --chmod=755 --link --parents a b",
		 "COPY [a] -> [b] from=build chown=1:2 chmod=755 link parents"},
		{"COPY --link=false --parents=TRUE a b", "COPY [a] -> [b] parents"},
		{"COPY --exclude=*.o --exclude=!x.o a b", "COPY [a] -> [b] exclude=[*.o][!x.o]"},
		{"COPY --from=0 a b", "COPY [a] -> [b] from=0"},
		{"ADD --checksum=sha256:ab --keep-git-dir --unpack=false u d",
		 "ADD [u] -> [d] checksum=sha256:ab keep-git-dir=1 unpack=0"},
		{"ADD https://x/y git@h:x /d", "ADD [https://x/y][git@h:x] -> [/d]"},
		{"COPY a", "!COPY requires at least two arguments, but only one was provided. "
			   "Destination could not be determined"},
		{"ADD", "!ADD requires at least two arguments"},
		{"COPY [\"a\"]", "!COPY requires at least two arguments"},
		{"COPY []", "!COPY requires at least two arguments"},
		{"COPY --from=$X a b", "!Dockerfile:2:6: variable expansion is not supported for "
				       "--from, define a new stage"},
		/* Heredocs are sources; real sources stay apart. */
		{"COPY <<A b <<\"C\" /d/\n1\n$x\nA\n2\nC",
		 "COPY [b] <<A[1\\n$x\\n] <<C[2\\n] raw -> [/d/]"},
		{"ADD <<-A /d\n\t1\nA", "ADD  <<A[1\\n] -> [/d]"},
		{"COPY a <<B\nB", "!COPY cannot accept a heredoc as a destination"},
		{"COPY [\"<<A\", \"/d\"]", "COPY [<<A] -> [/d]"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void pairs(void **state)
{
	static const struct row rows[] = {
		{"ENV a=b c=\"d e\" f='g'h", "ENV [a]=[b] [c]=[\"d e\"] [f]=['g'h]"},
		{"ENV a=", "ENV [a]=[]"},
		{"ENV a=b=c", "ENV [a]=[b=c]"},
		{"ENV a=b\\ c", "ENV [a]=[b\\ c]"},
		{"ENV a b  c=d", "ENV [a]=[b  c=d]"},
		{"ENV a\t b ", "ENV [a]=[b]"},
		{"ENV a", "!ENV must have two arguments"},
		{"ENV", "!ENV requires at least one argument"},
		{"ENV a=b c",
		 "!Dockerfile:2:9: can't find = in \"c\". Must be of the form: name=value"},
		{"ENV =b", "!ENV names can not be blank"},
		{"LABEL \"a b\"=c d=e", "LABEL [\"a b\"]=[c] [d]=[e]"},
		{"LABEL a b c", "LABEL [a]=[b c]"},
		{"LABEL a", "!LABEL must have two arguments"},
		{"LABEL =b", "!LABEL names can not be blank"},
		{"ARG a", "ARG [a]"},
		{"ARG a=b c d=\"e f\" g=", "ARG [a]=[b] [c] [d]=[\"e f\"] [g]=[]"},
		{"ARG", "!ARG requires at least one argument"},
		{"ARG =b", "!Dockerfile:2:5: ARG names can not be blank"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void texts_and_commands(void **state)
{
	static const struct row rows[] = {
		{"WORKDIR /a b", "WORKDIR [/a b]"},
		{"WORKDIR", "!WORKDIR requires exactly one argument"},
		{"USER 1000:1000", "USER [1000:1000]"},
		{"USER", "!USER requires exactly one argument"},
		{"MAINTAINER \"A\" <a@b>", "MAINTAINER [\"A\" <a@b>]"},
		{"STOPSIGNAL SIGTERM", "STOPSIGNAL [SIGTERM]"},
		{"STOPSIGNAL SIGFOO", "!Dockerfile:2:12: invalid signal: SIGFOO"},
		{"STOPSIGNAL $X", "STOPSIGNAL [$X]"},
		{"CMD a  b", "CMD shell [a  b]"},
		{"CMD [\"a\", \"b\"]", "CMD exec [a][b]"},
		{"CMD []", "CMD exec "},
		{"CMD", "CMD shell []"},
		{"CMD [1]", "!comprised of strings only"},
		{"ENTRYPOINT [\"a\"]", "ENTRYPOINT exec [a]"},
		{"ENTRYPOINT []", "ENTRYPOINT exec "},
		{"ENTRYPOINT", "ENTRYPOINT shell []"},
		{"SHELL [\"/bin/bash\", \"-c\"]", "SHELL exec [/bin/bash][-c]"},
		{"SHELL bash", "!SHELL requires the arguments to be in JSON form"},
		{"SHELL []", "!SHELL requires at least one argument"},
		{"SHELL", "!SHELL requires at least one argument"},
		{"VOLUME /a /b", "VOLUME [/a][/b]"},
		{"VOLUME [\"/a b\"]", "VOLUME [/a b]"},
		{"VOLUME [\" \"]", "!VOLUME specified can not be an empty string"},
		{"VOLUME", "!VOLUME requires at least one argument"},
		{"VOLUME []", "!VOLUME requires at least one argument"},
		{"EXPOSE 8080 80/udp 443", "EXPOSE [443][80/udp][8080]"},
		{"EXPOSE http", "!Dockerfile:2:8: invalid containerPort: http"},
		{"EXPOSE 80 81/ip", "!Dockerfile:2:11: invalid proto: ip"},
		{"EXPOSE $P", "EXPOSE [$P]"},
		{"EXPOSE", "!EXPOSE requires at least one argument"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void healthchecks(void **state)
{
	static const struct row rows[] = {
		{"HEALTHCHECK NONE", "HEALTHCHECK NONE"},
		{"HEALTHCHECK none", "HEALTHCHECK NONE"},
		{"HEALTHCHECK CMD curl  -f x", "HEALTHCHECK shell [curl  -f x] 0 0 0 0 0"},
		{"HEALTHCHECK cmd [\"a\", \"b\"]", "HEALTHCHECK exec [a][b] 0 0 0 0 0"},
		{"HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2h "
		 "--start-interval=1.5s --retries=3 CMD a",
		 "HEALTHCHECK shell [a] 90000000000 500000000 7200000000000 1500000000 3"},
		{"HEALTHCHECK --interval=0 --retries=0 CMD a", "HEALTHCHECK shell [a] 0 0 0 0 0"},
		{"HEALTHCHECK NONE a", "!HEALTHCHECK NONE takes no arguments"},
		{"HEALTHCHECK", "!HEALTHCHECK requires at least one argument"},
		{"HEALTHCHECK CMD", "!Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK CMD []", "!Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK FOO x", "!Unknown type \"FOO\" in HEALTHCHECK (try CMD)"},
		{"HEALTHCHECK --interval=1 CMD a", "!Dockerfile:2:13:"},
		{"HEALTHCHECK --interval=1us CMD a",
		 "!Interval \"interval\" cannot be less than 1ms"},
		{"HEALTHCHECK --timeout=-1s CMD a", "!cannot be less than 1ms"},
		{"HEALTHCHECK --retries=-1 CMD a", "!--retries cannot be negative (-1)"},
		{"HEALTHCHECK --retries=x CMD a", "!--retries needs a number"},
		{"HEALTHCHECK --retries=99999999999 CMD a", "!--retries needs a number"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void onbuild(void **state)
{
	static const struct row rows[] = {
		{"ONBUILD RUN a  b", "ONBUILD [RUN a  b]"},
		/* Verbatim, blanks at the end and heredocs included. */
		{"ONBUILD   copy --from=x  a b  ", "ONBUILD [copy --from=x  a b  ]"},
		{"ONBUILD RUN a \\\n  b", "ONBUILD [RUN a   b]"},
		{"ONBUILD RUN <<EOF\na\nEOF", "ONBUILD [RUN <<EOF\\na\\nEOF]"},
		{"ONBUILD", "!ONBUILD requires at least one argument"},
		{"ONBUILD ONBUILD RUN a", "!Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
		{"ONBUILD from a", "!isn't allowed as an ONBUILD trigger"},
		{"ONBUILD MAINTAINER a", "!MAINTAINER isn't allowed as an ONBUILD trigger"},
		/* Checked where it stands. */
		{"ONBUILD  RNU a", "!Dockerfile:2:10: unknown instruction: RNU"},
		{"ONBUILD COPY \\\n   --form=x a b", "!Dockerfile:3:4: unknown flag: --form"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), NULL);
}

static void from_lines(void **state)
{
	static const struct row rows[] = {
		{"FROM a", "FROM [a]"},
		{"FROM a:1@sha256:b AS Build", "FROM [a:1@sha256:b] as build"},
		{"FROM --platform=$P ${B}x as c-1_.2", "FROM [${B}x] platform=$P as c-1_.2"},
		{"FROM", "!FROM requires either one or three arguments"},
		{"FROM a b", "!FROM requires either one or three arguments"},
		{"FROM a AS", "!FROM requires either one or three arguments"},
		{"FROM a IS b", "!FROM requires either one or three arguments"},
		{"FROM a AS b c", "!FROM requires either one or three arguments"},
		{"FROM a AS 1b", "!Dockerfile:2:11: invalid name for build stage: \"1b\""},
		{"FROM a AS b/c", "!invalid name for build stage: \"b/c\""},
	};
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = xstrfmt("\n%s", rows[i].text);
		AUTO_PTR(dockerfile) file = NULL;
		AUTO(error) err = ERROR_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		int r = dockerfile_parse(&file, "Dockerfile", text, strlen(text), &err);

		if (r == 0)
			describe(&out, &file->stages[0].from);
		if (rows[i].expected[0] == '!' ? r < 0 && strstr(err.message, rows[i].expected + 1)
					       : r == 0 && strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s: got %s%s\n", rows[i].text, out.buf, err.message);
	}
	assert_int_equal(bad, 0);
}

static void triggers(void **state)
{
	static const struct row rows[] = {
		{"RUN a", "RUN shell [a]"},
		{"COPY --from=x a b", "COPY [a] -> [b] from=x"},
		{"RUN <<EOF\na\nEOF", "RUN shell [a\\n]"},
		{"FROM a", "!FROM isn't allowed as an ONBUILD trigger"},
		{"onbuild RUN a", "!ONBUILD isn't allowed as an ONBUILD trigger"},
		{"RUN a\nRUN b", "!onbuild trigger should be a single expression"},
		{"", "!file with no instructions"},
		{"RNU a", "!T:1:1: unknown instruction: RNU (did you mean RUN?)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
		AUTO(instruction) ins = INSTRUCTION_INIT;
		AUTO(error) err = ERROR_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		assert_int_equal(source_init(&src, "T", rows[i].text, strlen(rows[i].text), NULL),
				 0);
		if (instruction_parse_text(&ins, &src, &err) < 0) {
			assert_int_equal(rows[i].expected[0], '!');
			if (!strstr(err.message, rows[i].expected + 1))
				fail_msg("%s: %s", rows[i].text, err.message);
			continue;
		}
		assert_true(ins.trigger);
		describe(&out, &ins);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void names(void **state)
{
	enum instruction_kind kind;

	(void)state;
	for (int i = 0; i < N_INSTRUCTIONS; i++) {
		assert_true(
			instruction_kind_find(&kind, instruction_name((enum instruction_kind)i)));
		assert_int_equal(kind, i);
	}
	assert_true(instruction_kind_find(&kind, "stopSignal"));
	assert_int_equal(kind, INSTRUCTION_STOPSIGNAL);
	assert_false(instruction_kind_find(&kind, "STOP"));
	assert_false(instruction_kind_find(&kind, ""));
	instruction_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_things_are_named),
		cmocka_unit_test(run_forms),
		cmocka_unit_test(refused_by_name),
		cmocka_unit_test(copy_and_add),
		cmocka_unit_test(pairs),
		cmocka_unit_test(texts_and_commands),
		cmocka_unit_test(healthchecks),
		cmocka_unit_test(onbuild),
		cmocka_unit_test(from_lines),
		cmocka_unit_test(triggers),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
