#include "dockerfile/parse.h"

#include "testing.h"

/* "NAME(flag,flag)[rest] first-last <<NAME[body]" for each node. */
static void show_node(struct strbuf *out, const struct ast_node *node)
{
	AUTO_FREE char *rest = xstrndup(node->text + node->rest, node->end - node->rest);

	strbuf_puts(out, node->name);
	for (size_t i = 0; i < node->flags.n; i++)
		strbuf_printf(out, "(%s)", node->flags.items[i].text);
	describe_quoted(out, rest);
	strbuf_printf(out, "%d-%d", node->line_first, node->line_last);
	for (size_t i = 0; i < node->n_heredocs; i++) {
		const struct heredoc *h = &node->heredocs[i];
		AUTO_FREE char *body = heredoc_body(h);

		strbuf_printf(out, " %d<<%s%s%s", h->fd, h->chomp ? "-" : "", h->name,
			      h->expand ? "" : " raw");
		describe_quoted(out, body);
	}
	strbuf_putc(out, ';');
}

static void check_text(size_t i, const char *text, const char *expected, size_t *bad)
{
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(ast) ast = AST_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	if (parse_source(&ast, &src, &err) < 0)
		strbuf_printf(&out, "!%s", err.message);
	else
		for (size_t n = 0; n < ast.n_nodes; n++)
			show_node(&out, &ast.nodes[n]);
	if (expected[0] == '!' ? strncmp(out.buf, expected, strlen(expected)) == 0
			       : strcmp(out.buf, expected) == 0)
		return;
	(*bad)++;
	print_error("row %zu: %s\n  expected %s\n  got      %s\n", i, text, expected, out.buf);
}

static void check_table(const struct row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		check_text(i, rows[i].text, rows[i].expected, &bad);
	assert_int_equal(bad, 0);
}

static void instructions_and_continuations(void **state)
{
	static const struct row rows[] = {
		{"FROM a", "FROM[a]1-1;"},
		{"\n\n \t from\t a  \r\n", "from[a]3-3;"},
		{"FROM a\r\nRUN b\r\n", "FROM[a]1-1;RUN[b]2-2;"},
		/* Comments: whole lines, also in a continuation; "#" elsewhere is data. */
		{"# c\nFROM a # d\n  #e\nRUN x#y", "FROM[a # d]2-2;RUN[x#y]4-4;"},
		{"RUN a \\\n# c\n  b \\\n  # d \\\n  c", "RUN[a   b   c]1-5;"},
		/* Blanks after the escape character are fine; two of them do not continue. */
		{"RUN a\\  \t\nb", "RUN[ab]1-2;"},
		{"RUN a\\\\\nRUN b", "RUN[a\\\\]1-1;RUN[b]2-2;"},
		{"RUN a\\\\\\\nRUN b", "RUN[a\\\\\\]1-1;RUN[b]2-2;"},
		{"RUN a \\\\  \nRUN b", "RUN[a \\\\]1-1;RUN[b]2-2;"},
		/* At the end of the file it is dropped. */
		{"RUN a \\", "RUN[a]1-1;"},
		{"RUN a \\\n", "RUN[a]1-1;"},
		/* Blank lines are skipped, the blanks before further lines are kept. */
		{"RUN a\\\n\n \t\n  b", "RUN[a  b]1-4;"},
		{"ENV a=\"b\\\n   c\"", "ENV[a=\"b   c\"]1-2;"},
		/* A line that is only the escape character. */
		{"\\\nFROM a", "FROM[a]1-2;"},
		{"FROM a\n\\\n", "FROM[a]1-1;"},
		{"FR\\\nOM a", "FROM[a]1-2;"},
		{"RUN\\\n echo", "RUN[echo]1-2;"},
		{"\\\n\\\n   FROM a", "FROM[a]1-3;"},
		/* Flags. */
		{"COPY --from=x  --link a b", "COPY(--from=x)(--link)[a b]1-1;"},
		{"COPY \\\n  --from=x \\\n  a b", "COPY(--from=x)[a b]1-3;"},
		{"RUN -- --x", "RUN[--x]1-1;"},
		{"COPY --from=x", "COPY(--from=x)[]1-1;"},
		/* Nothing at all. */
		{"", "!D: file with no instructions"},
		{"# only\n\n  # comments\n", "!D:3: file with no instructions"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void heredocs(void **state)
{
	static const struct row rows[] = {
		{"RUN <<EOF\na\n  b\nEOF\nRUN c", "RUN[<<EOF]1-4 0<<EOF[a\\n  b\\n];RUN[c]5-5;"},
		{"RUN <<EOF\nEOF", "RUN[<<EOF]1-2 0<<EOF[];"},
		/* Blank lines, comments and escape characters are content. */
		{"RUN <<EOF\n# a\n\nb \\\nEOF", "RUN[<<EOF]1-5 0<<EOF[# a\\n\\nb \\\\n];"},
		/* Only a line equal to the name ends it; with "-" after tabs, which are removed. */
		{"RUN <<EOF\n EOF\nEOF \nEOF", "RUN[<<EOF]1-4 0<<EOF[ EOF\\nEOF \\n];"},
		{"RUN <<-EOF\n\ta\n\t\tb\n c\n\t\tEOF", "RUN[<<-EOF]1-5 0<<-EOF[a\\nb\\n c\\n];"},
		{"RUN <<EOF\r\na\r\nEOF\r\n", "RUN[<<EOF]1-3 0<<EOF[a\r\\n];"},
		{"RUN 3<<E cat\na\nE", "RUN[3<<E cat]1-3 3<<E[a\\n];"},
		/* A quoted part stops expansion. */
		{"RUN <<\"E\"\na\nE", "RUN[<<\"E\"]1-3 0<<E raw[a\\n];"},
		{"RUN <<'E'\na\nE", "RUN[<<'E']1-3 0<<E raw[a\\n];"},
		{"RUN <<E'O'F\na\nEOF", "RUN[<<E'O'F]1-3 0<<EOF raw[a\\n];"},
		{"RUN <<'a b'\nx\na b", "RUN[<<'a b']1-3 0<<a b raw[x\\n];"},
		/* Several, in order. */
		{"COPY <<A <<B /d/\n1\nA\n2\nB", "COPY[<<A <<B /d/]1-5 0<<A[1\\n] 0<<B[2\\n];"},
		{"RUN cat <<A - <<B\n1\nA\n2\nB", "RUN[cat <<A - <<B]1-5 0<<A[1\\n] 0<<B[2\\n];"},
		{"RUN cat << EOF\na\nEOF", "RUN[cat << EOF]1-3 0<<EOF[a\\n];"},
		{"ADD <<F /d\na\nF", "ADD[<<F /d]1-3 0<<F[a\\n];"},
		{"add --chmod=755 <<F /d\na\nF", "add(--chmod=755)[<<F /d]1-3 0<<F[a\\n];"},
		{"ONBUILD RUN <<E\na\nE", "ONBUILD[RUN <<E]1-3 0<<E[a\\n];"},
		{"ONBUILD copy <<E /x\na\nE", "ONBUILD[copy <<E /x]1-3 0<<E[a\\n];"},
		/* After the continued line. */
		{"RUN cat \\\n <<E\na\nE", "RUN[cat  <<E]1-4 0<<E[a\\n];"},
		/* None: in quotes, in arithmetic, here-strings, in JSON, in other instructions. */
		{"RUN echo '<<EOF'", "RUN[echo '<<EOF']1-1;"},
		{"RUN echo \"a <<EOF\"", "RUN[echo \"a <<EOF\"]1-1;"},
		{"RUN echo $((1<<3))", "RUN[echo $((1<<3))]1-1;"},
		{"RUN echo $(( 1 << 3 ))", "RUN[echo $(( 1 << 3 ))]1-1;"},
		{"RUN cat <<<word", "RUN[cat <<<word]1-1;"},
		{"RUN [\"cat\", \"<<EOF\"]", "RUN[[\"cat\", \"<<EOF\"]]1-1;"},
		{"CMD cat <<EOF", "CMD[cat <<EOF]1-1;"},
		{"ENV A=<<EOF", "ENV[A=<<EOF]1-1;"},
		{"ONBUILD CMD <<EOF", "ONBUILD[CMD <<EOF]1-1;"},
		{"RUN echo \\<<EOF", "RUN[echo \\<<EOF]1-1;"},
		{"RUN a<<EOF", "RUN[a<<EOF]1-1;"},
		{"RUN cat <<", "RUN[cat <<]1-1;"},
		/* Even with another escape directive it is \ that escapes here. */
		{"# escape=`\nRUN echo \\<<EOF", "RUN[echo \\<<EOF]2-2;"},
		{"FROM a\nRUN <<EOF\na\n", "!D:2:1: unterminated heredoc"},
		{"RUN <<A <<B\nA\n", "!D:1:1: unterminated heredoc: no line \"B\" follows"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void directives(void **state)
{
	static const struct {
		const char *text;
		char escape;
		const char *syntax, *check;
	} rows[] = {
		{"FROM a", '\\', NULL, NULL},
		{"# escape=`\nFROM a", '`', NULL, NULL},
		{"#escape = \\\nFROM a", '\\', NULL, NULL},
		{"  # ESCAPE  =\t` \r\nFROM a", '`', NULL, NULL},
		{"# syntax=docker/dockerfile:1 x\n# escape=`\n# check=skip=all\nFROM a", '`',
		 "docker/dockerfile:1", "skip=all"},
		{"\xEF\xBB\xBF# escape=`\nFROM a", '`', NULL, NULL},
		/* The block ends at a blank line, a comment, an unknown directive, an instruction. */
		{"\n# escape=`\nFROM a", '\\', NULL, NULL},
		{"# hello\n# escape=`\nFROM a", '\\', NULL, NULL},
		{"# what=ever\n# escape=`\nFROM a", '\\', NULL, NULL},
		{"# syntax=a\n\n# escape=`\nFROM a", '\\', "a", NULL},
		{"ARG a\n# escape=`\nFROM a", '\\', NULL, NULL},
		{"# escape\n# escape=`\nFROM a", '\\', NULL, NULL},
		{"# syntax=\n# escape=`\nFROM a", '\\', NULL, NULL},
		/* A "#!" line is skipped for syntax and check only. */
		{"#!/usr/bin/env x\n# syntax=a\n# escape=`\n# check=b\nFROM a", '\\', "a", "b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
		AUTO(ast) ast = AST_INIT;

		assert_int_equal(source_init(&src, "D", rows[i].text, strlen(rows[i].text), NULL),
				 0);
		assert_int_equal(parse_source(&ast, &src, NULL), 0);
		if (ast.escape != rows[i].escape)
			fail_msg("row %zu: %c", i, ast.escape);
		assert_string_equal(ast.syntax ? ast.syntax : "-",
				    rows[i].syntax ? rows[i].syntax : "-");
		assert_string_equal(ast.check ? ast.check : "-",
				    rows[i].check ? rows[i].check : "-");
	}
}

static void wrong_directives(void **state)
{
	static const struct row rows[] = {
		{"# escape=x\nFROM a", "!D:1:1: invalid escape token 'x' does not match ` or \\"},
		{"# escape=``\nFROM a", "!D:1:1: invalid escape token"},
		{"# escape=`\n# Escape=`\nFROM a",
		 "!D:2:1: only one escape parser directive can be used"},
		{"# syntax=a\n# syntax=b\nFROM a",
		 "!D:2:1: only one syntax parser directive can be used"},
		{"# check=a\n# check=b\nFROM a",
		 "!D:2:1: only one check parser directive can be used"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void the_other_escape_character(void **state)
{
	static const struct row rows[] = {
		{"# escape=`\nRUN dir c:\\\nRUN b `\n c", "RUN[dir c:\\]2-2;RUN[b  c]3-4;"},
		{"# escape=`\nCOPY --from=a\\b c d", "COPY(--from=a\\b)[c d]2-2;"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void positions_survive_continuations(void **state)
{
	static const char text[] = "FROM a\n  RUN one \\\n\n   # x\n    two \\\nthree";
	static const struct {
		const char *word;
		int line, column;
	} rows[] = {{"RUN", 2, 3}, {"one", 2, 7}, {"two", 5, 5}, {"wo", 5, 6}, {"three", 6, 1}};
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(ast) ast = AST_INIT;
	const struct ast_node *node;

	(void)state;
	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	assert_int_equal(parse_source(&ast, &src, NULL), 0);
	node = &ast.nodes[1];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t at = (size_t)(strstr(node->text, rows[i].word) - node->text);
		int line, column;

		ast_position(node->pieces, node->n_pieces, at, &line, &column);
		assert_int_equal(line, rows[i].line);
		assert_int_equal(column, rows[i].column);
	}
}

static void comments_above_an_instruction(void **state)
{
	static const char text[] = "# check=skip=A\nFROM a\n"
				   "# check=skip=B;x\nRUN b\n"
				   "RUN c\n"
				   "# check=skip=C\n#\nRUN d\n";
	static const char *const expected[] = {NULL, "skip=B;x", NULL, NULL};
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(ast) ast = AST_INIT;

	(void)state;
	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	assert_int_equal(parse_source(&ast, &src, NULL), 0);
	assert_string_equal(ast.check, "skip=A");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (expected[i])
			assert_string_equal(ast.nodes[i].check, expected[i]);
		else
			assert_null(ast.nodes[i].check);
	}
}

static void blank_lines_in_continuations_are_noted(void **state)
{
	static const char text[] = "FROM a\nRUN b \\\n\n c\nRUN d \\\n# e\n f\nRUN g \\\n  \n h";
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(ast) ast = AST_INIT;

	(void)state;
	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	assert_int_equal(parse_source(&ast, &src, NULL), 0);
	assert_int_equal(ast.n_empty_lines, 2);
	assert_int_equal(ast.empty_lines[0], 4);
	assert_int_equal(ast.empty_lines[1], 10);
	ast_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_and_continuations),
		cmocka_unit_test(heredocs),
		cmocka_unit_test(directives),
		cmocka_unit_test(wrong_directives),
		cmocka_unit_test(the_other_escape_character),
		cmocka_unit_test(positions_survive_continuations),
		cmocka_unit_test(comments_above_an_instruction),
		cmocka_unit_test(blank_lines_in_continuations_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
