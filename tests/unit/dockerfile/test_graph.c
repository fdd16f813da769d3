#include "dockerfile/graph.h"

#include "testing.h"

/* Plans text for target and shows "order 0 2 | bases 0:- 2:0 | externals [a]", or the error. */
static void show_plan(struct strbuf *out, const char *text, const char *target)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	AUTO(graph_plan) plan = GRAPH_PLAN_INIT;
	AUTO(error) err = ERROR_INIT;

	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(graph_eval_globals(&globals, file, NULL, "linux/amd64", "linux/amd64",
					    target, NULL),
			 0);
	assert_int_equal(graph_expand_bases(&bases, file, &globals, NULL), 0);
	if (graph_plan(&plan, file, target, &bases, &err) < 0) {
		strbuf_printf(out, "!%s", err.message);
		return;
	}
	strbuf_puts(out, "order");
	for (int i = 0; i < plan.n_order; i++)
		strbuf_printf(out, " %d", plan.order[i]);
	strbuf_puts(out, " bases");
	for (int i = 0; i < plan.n_order; i++)
		strbuf_printf(out, " %d", plan.stages[plan.order[i]].base);
	strbuf_puts(out, " ");
	describe_list(out, &plan.externals);
}

static void plans(void **state)
{
	static const struct {
		const char *text, *target, *expected;
	} rows[] = {
		{"FROM a", NULL, "order 0 bases -1 [a]"},
		{"FROM scratch", NULL, "order 0 bases -1 "},
		/* Only what the target needs. */
		{"FROM a AS x\nFROM b AS y\nFROM c", NULL, "order 2 bases -1 [c]"},
		{"FROM a AS x\nFROM b AS y\nFROM c", "x", "order 0 bases -1 [a]"},
		{"FROM a AS x\nFROM b AS y\nFROM c", "Y", "order 1 bases -1 [b]"},
		{"FROM a AS x\nFROM x AS y\nFROM y", NULL, "order 0 1 2 bases -1 0 1 [a]"},
		/* Case does not matter, anywhere. */
		{"FROM a AS Xx\nFROM XX", NULL, "order 0 1 bases -1 0 [a]"},
		{"FROM a AS x\nFROM b\nCOPY --from=X c d", NULL, "order 0 1 bases -1 -1 [a][b]"},
		/* By index; FROM takes none. */
		{"FROM a\nFROM b\nCOPY --from=0 c d", NULL, "order 0 1 bases -1 -1 [a][b]"},
		{"FROM a\nFROM b\nRUN --mount=from=0,target=/x c", NULL,
		 "order 0 1 bases -1 -1 [a][b]"},
		{"FROM a\nFROM 0", NULL, "order 1 bases -1 [0]"},
		/* Images and contexts. */
		{"FROM a\nCOPY --from=img:1 c d\nCOPY --from=img:1 e f\nCOPY --from=scratch g h",
		 NULL, "order 0 bases -1 [a][img:1]"},
		{"FROM a\nRUN --mount=from=b,target=/b --mount=type=cache,from=c,target=/c "
		 "--mount=type=tmpfs,from=d,target=/d x",
		 NULL, "order 0 bases -1 [a][b][c]"},
		/* An earlier stage shadows an image of its name. */
		{"FROM a AS busybox\nFROM busybox", NULL, "order 0 1 bases -1 0 [a]"},
		{"FROM a AS scratch\nFROM scratch", NULL, "order 0 1 bases -1 0 [a]"},
		{"FROM busybox AS busybox\nFROM b\nCOPY --from=busybox c d", NULL,
		 "order 0 1 bases -1 -1 [busybox][b]"},
		/* FROM a name that only comes later is an image. */
		{"FROM later\nFROM b AS later", "later", "order 1 bases -1 [b]"},
		/* Of two stages with one name the later replaces the earlier for what follows. */
		{"FROM a AS x\nFROM x AS x\nFROM b\nCOPY --from=x c d", NULL,
		 "order 0 1 2 bases -1 0 -1 [a][b]"},
		{"FROM a AS x\nFROM b AS y\nCOPY --from=x c d\nFROM e AS x", "y",
		 "order 0 1 bases -1 -1 [a][b]"},
		/* Globals in FROM. */
		{"ARG B=x\nFROM a AS x\nFROM $B", NULL, "order 0 1 bases -1 0 [a]"},
		/* Errors. */
		{"FROM a AS one", "on",
		 "!D: target stage \"on\" could not be found (did you mean one?)"},
		{"FROM a", "x",
		 "!D: target stage \"x\" could not be found\nNo stage of this file has a "
		 "name (FROM IMAGE AS NAME)."},
		{"FROM a AS one", "0", "!D: target stage \"0\" could not be found"},
		{"FROM a\nCOPY --from=7 b c", NULL,
		 "!D:2:13: invalid stage index 7: the file has 1 stage, counted from 0"},
		{"FROM a\nCOPY --from=-1 b c", NULL, "!D:2:13: invalid stage index -1"},
		{"FROM a AS x\nCOPY --from=x b c", NULL,
		 "!D:2:13: circular dependency detected on stage: x"},
		{"FROM a\nCOPY --from=0 b c", NULL,
		 "!D:2:13: circular dependency detected on stage: stage-0"},
		{"FROM a AS x\nCOPY --from=y b c\nFROM x AS y", NULL,
		 "circular dependency detected on stage:"},
		{"FROM a AS x\nRUN --mount=from=y,target=/y c\nFROM d AS y\nCOPY --from=x b c",
		 NULL, "circular dependency detected on stage:"},
		{"FROM a AS x\nCOPY --from=y b c\nFROM d AS y\nFROM x", NULL,
		 "!D:2:13: cannot copy from stage \"y\", it needs to be defined before current stage "
		 "\"x\""},
		{"FROM a AS x\nRUN --mount=from=1,target=/y c\nFROM d AS y\nFROM x", NULL,
		 "!D:2:18: cannot mount from stage \"1\""},
	};
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		bool error = rows[i].expected[0] != 'o';

		show_plan(&out, rows[i].text, rows[i].target);
		if (error ? strstr(out.buf, rows[i].expected) != NULL && out.buf[0] == '!'
			  : strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s\n  expected %s\n  got      %s\n", rows[i].text, rows[i].expected,
			    out.buf);
	}
	assert_int_equal(bad, 0);
}

static void stage_triggers_make_dependencies(void **state)
{
	static const char text[] = "FROM a AS tools\n"
				   "FROM b AS base\nONBUILD COPY --from=tools x y\nONBUILD RUN z\n"
				   "FROM base AS child\nRUN own\n"
				   "FROM child AS grandchild\n";
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	const struct dockerfile_stage *child;

	(void)state;
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(graph_expand_bases(&bases, file, &globals, NULL), 0);
	/* Planning again changes nothing. */
	for (int round = 0; round < 2; round++) {
		AUTO(graph_plan) plan = GRAPH_PLAN_INIT;

		assert_int_equal(graph_plan(&plan, file, "child", &bases, NULL), 0);
		assert_int_equal(plan.n_order, 3);
		assert_int_equal(plan.order[0], 0);
		assert_int_equal(plan.target, 2);
	}
	child = &file->stages[2];
	assert_int_equal(child->n_instructions, 3);
	assert_int_equal(child->instructions[0].kind, INSTRUCTION_COPY);
	assert_true(child->instructions[1].trigger);
	assert_false(child->instructions[2].trigger);
	/* They fire once: grandchildren do not inherit them. */
	assert_int_equal(file->stages[3].n_instructions, 0);
	assert_int_equal(file->stages[1].n_instructions, 2);
}

static void dependencies_name_their_instruction(void **state)
{
	static const char text[] = "FROM a AS x\nFROM b\nCOPY --from=x c d\n"
				   "RUN --mount=from=img,target=/i e\n";
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	AUTO(graph_plan) plan = GRAPH_PLAN_INIT;
	const struct plan_stage *stage;

	(void)state;
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(graph_expand_bases(&bases, file, &globals, NULL), 0);
	assert_int_equal(graph_plan(&plan, file, NULL, &bases, NULL), 0);
	stage = &plan.stages[1];
	assert_true(stage->needed);
	assert_int_equal(stage->n_dependencies, 3);
	assert_int_equal(stage->dependencies[0].kind, DEPENDENCY_FROM);
	assert_int_equal(stage->dependencies[0].stage, STAGE_NONE);
	assert_string_equal(stage->dependencies[0].name, "b");
	assert_int_equal(stage->dependencies[1].kind, DEPENDENCY_COPY);
	assert_int_equal(stage->dependencies[1].stage, 0);
	assert_int_equal(stage->dependencies[1].instruction->line_first, 3);
	assert_int_equal(stage->dependencies[2].kind, DEPENDENCY_MOUNT);
	assert_int_equal(stage->dependencies[2].stage, STAGE_NONE);
	assert_string_equal(stage->dependencies[2].name, "img");
}

static void finding_stages(void **state)
{
	static const char text[] = "FROM a AS x\nFROM b AS Y\nFROM c AS x\nFROM d\n";
	static const struct {
		int at;
		const char *name;
		int expected;
	} rows[] = {
		{3, "x", 2},
		{2, "X", 0},
		{0, "x", -1},
		{3, "y", 1},
		{1, "y", -1},
		{3, "img", -1},
		{3, "0", 0},
		{0, "3", 3},
		{3, "4", -1},
		{3, "-1", -1},
		{3, "+1", 1},
		{3, "1x", -1},
		{3, "99999999999", -1},
	};
	AUTO_PTR(dockerfile) file = NULL;

	(void)state;
	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(graph_find_stage(file, rows[i].at, rows[i].name),
				 rows[i].expected);
}

static void long_chains_need_no_stack(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	AUTO(graph_plan) plan = GRAPH_PLAN_INIT;

	(void)state;
	strbuf_puts(&text, "FROM a AS s0\n");
	for (int i = 1; i < 50000; i++)
		strbuf_printf(&text, "FROM s%d AS s%d\n", i - 1, i);
	assert_int_equal(dockerfile_parse(&file, "D", text.buf, text.len, NULL), 0);
	assert_int_equal(graph_expand_bases(&bases, file, &globals, NULL), 0);
	assert_int_equal(graph_plan(&plan, file, NULL, &bases, NULL), 0);
	assert_int_equal(plan.n_order, 50000);
	graph_plan_release(NULL);
}

/* "t" is --build-context t=target:x; "u" the same in FROM of stage 1 alone. */
static const char *target_of(void *arg, int from, const char *name)
{
	(void)arg;
	return strcmp(name, "t") == 0 || (from == 1 && strcmp(name, "u") == 0) ? "X" : NULL;
}

static void plan_of_contexts(struct strbuf *out, const char *text, const char *target)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	AUTO(graph_plan) plan = GRAPH_PLAN_INIT;
	AUTO(error) err = ERROR_INIT;

	assert_int_equal(dockerfile_parse(&file, "D", text, strlen(text), NULL), 0);
	assert_int_equal(graph_expand_bases(&bases, file, &globals, NULL), 0);
	file->contexts.target = target_of;
	if (graph_plan(&plan, file, target, &bases, &err) < 0) {
		strbuf_printf(out, "!%s", err.message);
		return;
	}
	for (int i = 0; i < plan.n_order; i++)
		strbuf_printf(out, "%d", plan.order[i]);
	strbuf_puts(out, " of ");
	for (int i = 0; i < plan.n_stages; i++)
		strbuf_printf(out, "%d", plan.sequence[i]);
	for (int i = 0; i < file->n_stages; i++)
		strbuf_printf(out, "%s%d", i ? "," : " t=", graph_find_stage(file, i, "t"));
}

/* A context that is a stage leads to any stage, as another target of bake does; only a cycle is wrong. */
static void contexts_that_are_later_stages(void **state)
{
	static const struct {
		const char *text, *target, *expected;
	} rows[] = {
		{"FROM t AS a\nFROM b AS x\nFROM a\nCOPY --from=x c d", NULL, "102 of 102 t=1,1,1"},
		{"FROM a AS a\nCOPY --from=t c d\nFROM b AS x", "a", "10 of 10 t=1,1"},
		{"FROM a AS a\nRUN --mount=from=t,target=/t c\nFROM t AS y\nFROM b AS x\nFROM y",
		 NULL, "213 of 2013 t=2,2,2,2"},
		/* The last one so far goes before one that comes later. */
		{"FROM b AS x\nFROM t AS a\nFROM c AS x\nFROM t", NULL, "23 of 0123 t=2,0,0,2"},
		{"FROM u AS a\nFROM u AS b\nFROM c AS x\nFROM b", NULL, "213 of 0213 t=2,2,2,2"},
		{"FROM t AS a\nFROM a AS x", NULL,
		 "!D:2:6: circular dependency detected on stage: a"},
		{"FROM t AS x", NULL, "!D:1:6: circular dependency detected on stage: x"},
		{"FROM t AS a\nFROM b", NULL,
		 "!D:1:1: --build-context t=target:X: there is no such stage"},
		/* Others still have to come before. */
		{"FROM t AS a\nCOPY --from=z d e\nFROM b AS x\nFROM c AS z", "a",
		 "!D:2:13: cannot copy from stage \"z\", it needs to be defined before current stage \"a\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		plan_of_contexts(&out, rows[i].text, rows[i].target);
		if (out.buf[0] == '!' ? !str_starts(out.buf, rows[i].expected)
				      : strcmp(out.buf, rows[i].expected) != 0)
			fail_msg("%s\n  expected %s\n  got      %s", rows[i].text, rows[i].expected,
				 out.buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),
		cmocka_unit_test(stage_triggers_make_dependencies),
		cmocka_unit_test(dependencies_name_their_instruction),
		cmocka_unit_test(finding_stages),
		cmocka_unit_test(long_chains_need_no_stack),
		cmocka_unit_test(contexts_that_are_later_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
