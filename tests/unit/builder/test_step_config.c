#include "builder/steps.h"

#include "build_bench.h"

static void configuration(void **state)
{
	static const char text[] = "FROM scratch\n"
				   "MAINTAINER A <a@b>\n"
				   "ARG V=1\n"
				   "ENV A=$V B=\"x y\"\n"
				   "LABEL l=1 m=2\n"
				   "LABEL l=3\n"
				   "EXPOSE 443 80/TCP 53/udp\n"
				   "VOLUME /v /w\n"
				   "USER app:staff\n"
				   "SHELL [\"/bin/bash\", \"-c\"]\n"
				   "CMD echo hi\n"
				   "STOPSIGNAL SIGINT\n"
				   "HEALTHCHECK --interval=5s --retries=2 CMD [\"ok\"]\n"
				   "ONBUILD RUN true\n";
	static const char *const history[] = {
		"MAINTAINER A <a@b>",
		"ARG V=1",
		"ENV A=1 B=x y",
		"LABEL l=1 m=2",
		"LABEL l=3",
		"EXPOSE [443/tcp 53/udp 80/tcp]",
		"VOLUME [/v /w]",
		"USER app:staff",
		"SHELL [/bin/bash -c]",
		"CMD [\"/bin/bash\" \"-c\" \"echo hi\"]",
		"STOPSIGNAL SIGINT",
		("HEALTHCHECK {Test:[CMD ok] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s "
		 "Retries:2}"),
	};
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};
	const struct image_config *c;

	bench_init(&b, *state);
	r = build(&b, text);
	c = &r.image->config;
	assert_int_equal(r.image->manifest.n_layers, 0);
	assert_string_equal(c->author, "A <a@b>");
	assert_list(&c->env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|A=1|"
		    "B=x y");
	assert_string_equal(c->working_dir, "/");
	assert_string_equal(strmap_get(&c->labels, "l"), "3");
	assert_string_equal(strmap_get(&c->labels, "m"), "2");
	assert_list(&c->exposed_ports, "443/tcp|53/udp|80/tcp");
	assert_list(&c->volumes, "/v|/w");
	assert_string_equal(c->user, "app:staff");
	assert_list(&c->shell, "/bin/bash|-c");
	assert_list(&c->cmd, "/bin/bash|-c|echo hi");
	assert_true(c->args_escaped);
	assert_false(c->has_entrypoint);
	assert_string_equal(c->stop_signal, "SIGINT");
	assert_list(&c->healthcheck.test, "CMD|ok");
	assert_int_equal(c->healthcheck.interval, 5000000000);
	assert_int_equal(c->healthcheck.retries, 2);
	assert_list(&c->on_build, "RUN true");
	assert_string_equal(c->created, "2023-11-14T22:13:20Z");
	assert_history(r.image, history, ARRAY_SIZE(history));
	assert_int_equal(r.steps, 0);
}

static void entrypoint_resets_only_an_inherited_cmd(void **state)
{
	static const struct {
		const char *text, *entrypoint, *cmd; /* NULL: absent */
	} rows[] = {
		{"FROM scratch AS p\nCMD [\"a\"]\nFROM p\nENTRYPOINT [\"e\"]\n", "e", NULL},
		{"FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"e\"]\n", "e", "a"},
		{"FROM scratch\nENTRYPOINT [\"e\"]\nCMD [\"a\"]\n", "e", "a"},
		{"FROM scratch AS p\nCMD [\"a\"]\nFROM p\nCMD [\"b\"]\nENTRYPOINT [\"e\"]\n", "e",
		 "b"},
		{"FROM scratch AS p\nENTRYPOINT [\"e\"]\nFROM p\nCMD [\"b\"]\n", "e", "b"},
		{"FROM scratch\nENTRYPOINT e x\n", "/bin/sh|-c|e x", NULL},
		{"FROM scratch\nCMD []\n", NULL, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bench) b;
		AUTO(build_result) r = {.image = NULL};
		const struct image_config *c;

		bench_init(&b, *state);
		r = build(&b, rows[i].text);
		c = &r.image->config;
		assert_int_equal(c->has_entrypoint, rows[i].entrypoint != NULL);
		assert_int_equal(c->has_cmd, rows[i].cmd != NULL);
		if (rows[i].entrypoint)
			assert_list(&c->entrypoint, rows[i].entrypoint);
		if (rows[i].cmd)
			assert_list(&c->cmd, rows[i].cmd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration),
		cmocka_unit_test(entrypoint_resets_only_an_inherited_cmd),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
