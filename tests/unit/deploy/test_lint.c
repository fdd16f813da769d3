#include "task_fixture.h"

#include "deploy/lint_private.h"

#include "lint_rows.h"

static void show_and_fail(const struct row *r, const char *text, const struct lint_findings *found)
{
	for (size_t i = 0; i < found->n; i++)
		print_message("%s: %s [%s]\n", found->items[i].place, found->items[i].message,
			      found->items[i].rule);
	fail_msg("%s: %s", r->rule, text);
}

static void lint_text(const char *text, struct lint_findings *out)
{
	AUTO(task_definition) td = task_of(text);

	lint_definition(&td, &(struct lint_options){.role_follows = false}, out);
}

static void each_rule_finds_its_fault_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		AUTO(lint_findings) found = {.items = NULL};
		const struct lint_finding *f;

		lint_text(r->bad, &found);
		f = found.items;
		if (found.n != 1 || strcmp(f->rule, r->rule) != 0 ||
		    strcmp(f->place, r->place) != 0 || !strstr(f->message, r->says))
			show_and_fail(r, r->bad, &found);
	}
}

static void each_rule_is_silent_beside_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(lint_findings) found = {.items = NULL};

		lint_text(rows[i].good, &found);
		if (found.n)
			show_and_fail(&rows[i], rows[i].good, &found);
	}
}

/* These need texts that are made. */
static const char *const elsewhere[] = {"size"};

static void each_rule_has_a_row(void **state)
{
	const struct lint_rule *const all[] = {lint_rules_shape, lint_rules_task,
					       lint_rules_fargate, lint_rules_container,
					       lint_rules_links};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		for (const struct lint_rule *rule = all[k]; rule->id; rule++) {
			bool found = str_in(rule->id, elsewhere, ARRAY_SIZE(elsewhere));

			for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
				found |= strcmp(rows[i].rule, rule->id) == 0;
			if (!found)
				fail_msg("no row for %s", rule->id);
		}
}

static void long_ones_are_refused(void **state)
{
	const size_t lengths[] = {60000, 66000};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO_FREE char *value = xmalloc(lengths[i] + 1);
		AUTO_FREE char *text = NULL;
		AUTO(lint_findings) found = {.items = NULL};

		memset(value, 'a', lengths[i]);
		value[lengths[i]] = '\0';
		text = xstrfmt(WITH("'environment':[{'name':'A','value':'%s'}]"), value);
		lint_text(text, &found);
		assert_int_equal(found.n, i);
		if (i)
			assert_string_equal(found.items[0].rule, "size");
	}
}

static void ten_containers_are_the_most(void **state)
{
	(void)state;
	for (int n = 10; n <= 11; n++) {
		AUTO(strbuf) text = STRBUF_INIT;
		AUTO(lint_findings) found = {.items = NULL};

		strbuf_puts(&text, "{" ON_FARGATE "'containerDefinitions':[");
		for (int i = 0; i < n; i++)
			strbuf_printf(&text, "%s{'name':'c%d','image':'a'}", i ? "," : "", i);
		strbuf_puts(&text, "]}");
		lint_text(text.buf, &found);
		assert_int_equal(found.n, n - 10);
		if (n > 10)
			assert_string_equal(found.items[0].rule, "container-count");
	}
}

struct size_case {
	int cpu, memory;
	bool good;
};

/* Both ends of each row of the table in the Developer Guide, and what is beside them. */
static const struct size_case size_cases[] = {
	{256, 512, true},      {256, 1024, true},     {256, 1536, false},     {256, 2048, true},
	{256, 3072, false},    {512, 512, false},     {512, 1024, true},      {512, 4096, true},
	{512, 5120, false},    {1024, 1024, false},   {1024, 2048, true},     {1024, 8192, true},
	{1024, 9216, false},   {2048, 3072, false},   {2048, 4096, true},     {2048, 16384, true},
	{2048, 17408, false},  {4096, 7168, false},   {4096, 8192, true},     {4096, 30720, true},
	{4096, 31744, false},  {8192, 15360, false},  {8192, 16384, true},    {8192, 17408, false},
	{8192, 61440, true},   {8192, 65536, false},  {16384, 28672, false},  {16384, 32768, true},
	{16384, 36864, false}, {16384, 122880, true}, {16384, 131072, false},
};

static void sizes_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(size_cases); i++) {
		const struct size_case *s = &size_cases[i];
		AUTO(lint_findings) found = {.items = NULL};
		AUTO_FREE char *text = xstrfmt("{" FAMILY FARGATE AWSVPC
					       "'cpu':'%d','memory':'%d'," LIST("{" NAMED "}") "}",
					       s->cpu, s->memory);

		lint_text(text, &found);
		if ((found.n_errors == 0) != s->good)
			fail_msg("%d units and %d MiB", s->cpu, s->memory);
	}
}

static void a_role_that_follows_is_not_missed(void **state)
{
	AUTO(task_definition) td = task_of(WITH(WHOLE_LOGS("")));
	AUTO(lint_findings) found = {.items = NULL};

	(void)state;
	lint_definition(&td, &(struct lint_options){.role_follows = true}, &found);
	assert_int_equal(found.n, 0);
}

struct line_row {
	const char *text;
	int line;
};

static const struct line_row line_rows[] = {
	{"{'family': 'a',\n'cpu':'256','memory':'512',\n'networkMode':'awsvpc','requiresCompatibilities':['FARGATE'],\n"
	 "'containerDefinitions': [\n{'name':'x','image':'b:]}\\'','cpu':1},\n{'name':'web',\n'image':'a'}]}",
	 5},
	{"{'taskDefinition':\n{'family': 'a','cpu':'256','memory':'512','networkMode':'awsvpc','requiresCompatibilities':['FARGATE'],\n"
	 "'containerDefinitions': [\n{'name':'x','command':['{'],\n'image':'App'}]}}",
	 5},
	{"{'family': 'a',\n'cpu':'256','memory':'512',\n\n'requiresCompatibilities':['FARGATE'],'networkMode'\n:\n'bridge',"
	 "'containerDefinitions': [{'name':'x','image':'a'}]}",
	 4},
};

static void findings_have_their_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line_rows); i++) {
		AUTO(lint_findings) found = {.items = NULL};

		lint_text(line_rows[i].text, &found);
		if (found.n != 1)
			fail_msg("%zu findings in %s", found.n, line_rows[i].text);
		assert_int_equal(found.items[0].line, line_rows[i].line);
	}
}

static void a_finding_reads_as_compilers_write(void **state)
{
	AUTO(task_definition)
	td = task_of("{\n'networkMode':'bridge'," FAMILY FARGATE SIZE LIST("{" NAMED "}") "}");
	AUTO(lint_findings) found = {.items = NULL};
	AUTO_FREE char *text = NULL;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	lint_definition(&td, &(struct lint_options){.role_follows = false}, &found);
	text = lint_format(&found.items[0], &td);
	assert_string_equal(
		text,
		"task.json:2: error: networkMode: on Fargate it has to be \"awsvpc\" [network-mode]");
	assert_int_equal(lint_fail(&found, &td, &err), -1);
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_non_null(strstr(err.message, "task.json: 1 error:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_finds_its_fault_alone),
		cmocka_unit_test(each_rule_is_silent_beside_it),
		cmocka_unit_test(each_rule_has_a_row),
		cmocka_unit_test(long_ones_are_refused),
		cmocka_unit_test(ten_containers_are_the_most),
		cmocka_unit_test(sizes_are_those_of_the_table),
		cmocka_unit_test(a_role_that_follows_is_not_missed),
		cmocka_unit_test(findings_have_their_line),
		cmocka_unit_test(a_finding_reads_as_compilers_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
