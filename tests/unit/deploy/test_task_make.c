#include "task_fixture.h"

#include "deploy/task_json.h"
#include "deploy/task_make.h"

#define SECOND 1000000000ll

struct health_row {
	const char *test;                                 /* words, blanks between */
	int64_t interval, timeout, start_period, retries; /* seconds */
	const char *shell;
	const char *check; /* NULL: none */
	size_t n_notes;
};

/* ECS API Reference, HealthCheck: interval 5-300, timeout 2-60, retries 1-10, startPeriod 0-300. */
static const struct health_row health_rows[] = {
	{"CMD-SHELL x", 0, 0, 0, 0, NULL,
	 "{'command':['CMD-SHELL','x'],'interval':30,'timeout':30,'retries':3}", 0},
	{"CMD a b", 10, 5, 15, 2, NULL,
	 "{'command':['CMD','a','b'],'interval':10,'timeout':5,'retries':2,'startPeriod':15}", 0},
	{"CMD a", 1, 1, 0, 1, NULL, "{'command':['CMD','a'],'interval':5,'timeout':2,'retries':1}",
	 2},
	{"CMD a", 301, 61, 301, 11, NULL,
	 "{'command':['CMD','a'],'interval':300,'timeout':60,'retries':10,'startPeriod':300}", 4},
	{"CMD-SHELL x", 5, 2, 0, 1, "/bin/bash -c",
	 "{'command':['CMD','/bin/bash','-c','x'],'interval':5,'timeout':2,'retries':1}", 0},
	{"CMD x", 5, 2, 0, 1, "/bin/bash -c",
	 "{'command':['CMD','x'],'interval':5,'timeout':2,'retries':1}", 0},
	{"NONE", 0, 0, 0, 0, NULL, NULL, 0},
	{"CMD", 0, 0, 0, 0, NULL, NULL, 0},
};

static void health_checks_are_translated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(health_rows); i++) {
		const struct health_row *r = &health_rows[i];
		AUTO(image_config) config = {.has_healthcheck = false};
		AUTO(strlist) notes = STRLIST_INIT;
		AUTO_JSON *check = NULL;

		image_config_init(&config);
		config.has_healthcheck = true;
		config.healthcheck.interval = r->interval * SECOND;
		config.healthcheck.timeout = r->timeout * SECOND;
		config.healthcheck.start_period = r->start_period * SECOND;
		config.healthcheck.retries = r->retries;
		strlist_split(&config.healthcheck.test, r->test, ' ');
		if (r->shell)
			strlist_split(&config.shell, r->shell, ' ');
		check = task_health_check(&config, &notes);
		assert_int_equal(notes.n, r->n_notes);
		assert_int_equal(check != NULL, r->check != NULL);
		if (check) {
			AUTO(strbuf) text = STRBUF_INIT;
			AUTO_FREE char *wanted = json_quotes(r->check);

			json_write(check, &text);
			assert_string_equal(text.buf, wanted);
		}
	}
}

static void fractions_of_a_second_are_rounded_up(void **state)
{
	AUTO(image_config) config = {.has_healthcheck = false};
	AUTO(strlist) notes = STRLIST_INIT;
	AUTO_JSON *check = NULL;

	(void)state;
	image_config_init(&config);
	config.has_healthcheck = true;
	config.healthcheck.interval = 5 * SECOND + 1;
	config.healthcheck.start_interval = SECOND;
	strlist_split(&config.healthcheck.test, "CMD a", ' ');
	check = task_health_check(&config, &notes);
	assert_int_equal(task_json_int(check, "interval", 0), 6);
	assert_lines(
		&notes,
		"HEALTHCHECK --start-interval of the image is left out: ECS has no such thing");
}

struct unit_row {
	const char *text;
	int64_t cpu, memory;
};

static const struct unit_row unit_rows[] = {
	{"256", 256, 256},      {".25 vCPU", 256, -1}, {"0.5vcpu", 512, -1},
	{"1 VCPU", 1024, -1},   {"2 GB", -1, 2048},    {"0.5gb", -1, 512},
	{" 1024 ", 1024, 1024}, {"1.5", -1, -1},       {"", -1, -1},
	{"vCPU", -1, -1},       {"1 GBs", -1, -1},     {"-1", -1, -1},
	{".3 vCPU", -1, -1},    {"1 TB", -1, -1},      {"99999999999999999999", -1, -1},
};

static void units_are_those_of_the_api(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unit_rows); i++) {
		assert_int_equal(task_json_cpu(unit_rows[i].text), unit_rows[i].cpu);
		assert_int_equal(task_json_memory(unit_rows[i].text), unit_rows[i].memory);
	}
}

static void names_are_made_valid(void **state)
{
	static const char *const pairs[][2] = {
		{"my-app", "my-app"}, {"My App", "My-App"},
		{"a.b.c", "a-b-c"},   {"--a--", "a"},
		{"..", "app"},        {"", "app"},
		{"a_b", "a_b"},       {"\xc3\xa9t\xc3\xa9", "t"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		AUTO_FREE char *name = task_name_valid(pairs[i][0]);

		assert_string_equal(name, pairs[i][1]);
	}
}

struct platform_row {
	const char *os, *arch, *word; /* word NULL: refused */
};

static const struct platform_row platform_rows[] = {
	{"linux", "amd64", "X86_64"},
	{"linux", "arm64", "ARM64"},
	{"linux", "riscv64", NULL},
	{"windows", "amd64", NULL},
};

static void platforms_have_ecs_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(platform_rows); i++) {
		const struct platform_row *r = &platform_rows[i];
		AUTO(image_config) config = {.has_cmd = false};
		AUTO(task_definition) td = {.json = NULL};
		AUTO(strlist) notes = STRLIST_INIT;
		AUTO(error) err = ERROR_INIT;
		struct task_options o = {.name = "a"};

		image_config_init(&config);
		config.platform.os = xstrdup(r->os);
		config.platform.arch = xstrdup(r->arch);
		assert_int_equal(task_definition_make(&td, &o, &config, "a", &notes, &err),
				 r->word ? 0 : -1);
		if (r->word)
			assert_string_equal(aws_text(json_object_get(td.json, "runtimePlatform"),
						     "cpuArchitecture"),
					    r->word);
		else
			assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	}
}

static void ports_that_ecs_cannot_map_are_left_out(void **state)
{
	AUTO(image_config) config = {.has_cmd = false};
	AUTO(task_definition) td = {.json = NULL};
	AUTO(strlist) notes = STRLIST_INIT;
	AUTO(strlist) ports = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;
	struct task_options o = {.name = "a"};

	(void)state;
	image_config_init(&config);
	image_config_add_port(&config, "80/tcp");
	image_config_add_port(&config, "132/sctp");
	assert_int_equal(task_definition_make(&td, &o, &config, "a", &notes, &err), 0);
	task_definition_ports(&td, &ports);
	assert_lines(&ports, "80/tcp");
	assert_lines(&notes,
		     "EXPOSE 132/sctp of the image is left out: ECS maps single tcp and udp ports");
}

static void flags_change_what_is_there(void **state)
{
	AUTO(task_definition)
	td = task_of(
		"{'networkMode':'bridge','containerDefinitions':[{'name':'web','portMappings':[{'containerPort':80,'name':'http'}],"
		"'secrets':[{'name':'S','valueFrom':'old'}]}],'tags':[{'key':'a','value':'1'}]}");
	AUTO(error) err = ERROR_INIT;
	AUTO(task_options) o = {.launch = TASK_EC2, .memory = "1 GB"};

	(void)state;
	strlist_add(&o.ports, "8080:80");
	strlist_add(&o.ports, "443");
	strmap_set(&o.secrets, "S", "new");
	strmap_set(&o.tags, "a", "2");
	strmap_set(&o.tags, "b", "3");
	assert_int_equal(task_definition_apply(&td, NULL, &o, &err), 0);
	assert_task(
		&td,
		"{'networkMode':'bridge','containerDefinitions':[{'name':'web','portMappings':["
		"{'containerPort':80,'name':'http','hostPort':8080},{'containerPort':443,'protocol':'tcp'}],"
		"'secrets':[{'name':'S','valueFrom':'new'}],'memory':1024}],'tags':[{'key':'a','value':'2'},{'key':'b','value':'3'}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_checks_are_translated),
		cmocka_unit_test(fractions_of_a_second_are_rounded_up),
		cmocka_unit_test(units_are_those_of_the_api),
		cmocka_unit_test(names_are_made_valid),
		cmocka_unit_test(platforms_have_ecs_names),
		cmocka_unit_test(ports_that_ecs_cannot_map_are_left_out),
		cmocka_unit_test(flags_change_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
