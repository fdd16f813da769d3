#include "builder/build.h"

#include "build_bench.h"

static void copies_and_folders(void **state)
{
	static const char text[] = "FROM scratch\n"
				   "USER 5:6\n"
				   "WORKDIR /app/x\n"
				   "COPY --chmod=640 a.txt .\n"
				   "WORKDIR ../y\n"
				   "WORKDIR /app\n"
				   "ADD sub /app/x/\n"
				   "WORKDIR /\n"
				   "LABEL a=b\n";
	static const char *const history[] = {
		"USER 5:6",        "+WORKDIR /app/x", "+COPY --chmod=640 a.txt . # buildkit",
		"+WORKDIR /app/y", "+WORKDIR /app",   "+ADD sub /app/x/ # buildkit",
		"WORKDIR /",       "LABEL a=b",
	};
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	r = build(&b, text);
	assert_history(r.image, history, ARRAY_SIZE(history));
	assert_int_equal(r.image->manifest.n_layers, 5);
	assert_layer(&b, r.image, 0, "d 0755 5:6 app\nd 0755 5:6 app/x\n");
	/* Folders on the way are in a layer as they are, as in the change set of an overlay. */
	assert_layer(&b, r.image, 1, "d 0755 5:6 app\nd 0755 5:6 app/x\nf 0640 0:0 app/x/a.txt\n");
	assert_layer(&b, r.image, 2, "d 0755 5:6 app\nd 0755 5:6 app/y\n");
	assert_layer(&b, r.image, 3, "");
	assert_layer(&b, r.image, 4, "d 0755 5:6 app\nd 0755 5:6 app/x\nf 0644 0:0 app/x/b.txt\n");
	assert_string_equal(r.image->config.working_dir, "/");
	assert_list(&b.watch.names,
		    "[1/6] WORKDIR /app/x|[2/6] COPY --chmod=640 a.txt .|[3/6] WORKDIR ../y|"
		    "[4/6] WORKDIR /app|[5/6] ADD sub /app/x/");
	assert_string_equal(b.watch.statuses.buf, "ddddd");
}

static void a_second_build_is_the_same_image(void **state)
{
	static const char text[] =
		"FROM scratch AS one\nCOPY sub /s/\nFROM scratch\n"
		"ENV A=1\nWORKDIR /w\nCOPY a.txt .\nCOPY --from=one /s/b.txt .\nCMD [\"x\"]\n";
	AUTO(bench) b;
	AUTO(build_result) first = {.image = NULL};
	AUTO(build_result) second = {.image = NULL};
	AUTO_FREE char *a_path = NULL;

	bench_init(&b, *state);
	b.o.no_cache = true; /* the store is shared by the tests */
	first = build(&b, text);
	b.o.no_cache = false;
	assert_int_equal(first.steps, 4);
	assert_int_equal(first.cached, 0);

	/* Later, with other times of the files: all hits, and not a byte differs. */
	a_path = xstrfmt("%s/ctx/a.txt", b.f->folder);
	assert_int_equal(
		utimensat(AT_FDCWD, a_path, (struct timespec[2]){{.tv_sec = 1}, {.tv_sec = 2}}, 0),
		0);
	b.o.now += 1000;
	second = build(&b, text);
	assert_int_equal(second.steps, 4);
	assert_int_equal(second.cached, 4);
	assert_string_equal(b.watch.statuses.buf, "cccc");
	assert_string_equal(first.image->descriptor.digest.text,
			    second.image->descriptor.digest.text);
}

static void metadata_invalidates_nothing(void **state)
{
	AUTO(bench) b;
	AUTO(build_result) first = {.image = NULL};
	AUTO(build_result) second = {.image = NULL};

	bench_init(&b, *state);
	first = build(&b, "FROM scratch\nLABEL x=meta\nCMD [\"a\"]\nCOPY a.txt /meta\n");
	second = build(&b, "FROM scratch\nLABEL x=other\nEXPOSE 1\nENV E=1\ncopy  a.txt  /meta\n");
	assert_int_equal(second.cached, 1);
	assert_string_equal(first.image->config.diff_ids[0].text,
			    second.image->config.diff_ids[0].text);
}

static void assert_note(const struct bench *b, const char *wanted)
{
	for (size_t i = 0; i < b->watch.notes.n; i++)
		if (strstr(b->watch.notes.items[i], wanted))
			return;
	fail_msg("no note holds \"%s\" (there are %zu; first: %s)", wanted, b->watch.notes.n,
		 b->watch.notes.n ? b->watch.notes.items[0] : "none");
}

static void misses_are_explained(void **state)
{
	static const char text[] = "FROM scratch\nCOPY sub /explained/\nCOPY a.txt /explained/a\n";
	AUTO(bench) b;
	struct build_result r[4] = {{.image = NULL}};

	bench_init(&b, *state);
	b.o.explain = true;
	b.o.dockerfile_name = "Dockerfile.explained"; /* no other test has this place */
	r[0] = build(&b, text);
	assert_note(&b, "MISS step 1: first build of this step");

	write_file(b.f, "ctx/sub/b.txt", "changed");
	r[1] = build(&b, text);
	assert_note(&b, "MISS step 1: sub/b.txt changed");
	assert_note(&b, "MISS step 2: step 1 was made anew");

	write_file(b.f, "ctx/sub/new", "n");
	r[2] = build(&b, text);
	assert_note(&b, "MISS step 1: sub/new added");

	r[3] = build(&b, "FROM scratch\nCOPY --chown=7 sub /explained/\n");
	assert_note(&b, "MISS step 1: instruction changed");
	for (size_t i = 0; i < 4; i++)
		build_result_release(&r[i]);
}

static void an_upstream_change_without_effect_is_a_hit(void **state)
{
	AUTO(bench) b;
	AUTO(build_result) first = {.image = NULL};
	AUTO(build_result) second = {.image = NULL};
	AUTO(build_result) third = {.image = NULL};

	bench_init(&b, *state);
	first = build(&b, "FROM scratch AS s\nCOPY a.txt /up/a\nFROM scratch\n"
			  "COPY --from=s /up/a /effect\n");
	/* Another chain, the same file. */
	second = build(&b, "FROM scratch AS s\nCOPY sub /other/\nCOPY a.txt /up/a\nFROM scratch\n"
			   "COPY --from=s /up/a /effect\n");
	assert_string_equal(first.image->config.diff_ids[0].text,
			    second.image->config.diff_ids[0].text);
	assert_int_equal(b.watch.statuses.buf[b.watch.statuses.len - 1], 'c');
	/* Another file. */
	third = build(&b, "FROM scratch AS s\nCOPY sub/b.txt /up/a\nFROM scratch\n"
			  "COPY --from=s /up/a /effect\n");
	assert_int_equal(b.watch.statuses.buf[b.watch.statuses.len - 1], 'd');
	assert_string_not_equal(first.image->config.diff_ids[0].text,
				third.image->config.diff_ids[0].text);
}

static void linked_copies_stay_when_the_base_moves(void **state)
{
	AUTO(bench) b;
	AUTO(build_result) first = {.image = NULL};
	AUTO(build_result) second = {.image = NULL};

	bench_init(&b, *state);
	first = build(&b, "FROM scratch\nCOPY sub /l1/\nCOPY --link a.txt /linked/\n");
	second = build(&b, "FROM scratch\nCOPY sub /l2/\nCOPY --link a.txt /linked/\n");
	assert_string_equal(b.watch.statuses.buf, "dc");
	assert_layer(&b, second.image, 1, "d 0755 0:0 linked\nf 0644 0:0 linked/a.txt\n");
}

static void source_date_epoch(void **state)
{
	static const char text[] = "ARG SOURCE_DATE_EPOCH\nFROM scratch\nWORKDIR /e\nENV A=1\n";
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	strmap_set(&b.args, "SOURCE_DATE_EPOCH", "86400");
	r = build(&b, text);
	assert_string_equal(r.image->config.created, "1970-01-02T00:00:00Z");
	for (size_t i = 0; i < r.image->config.n_history; i++)
		assert_string_equal(r.image->config.history[i].created, "1970-01-02T00:00:00Z");
	strmap_set(&b.args, "SOURCE_DATE_EPOCH", "soon");
	AUTO(build_result) none = {.image = NULL};

	assert_error(try_build(&b, text, &none, err), ERROR_USAGE,
		     "invalid SOURCE_DATE_EPOCH: soon");
}

static void options_of_the_image(void **state)
{
	AUTO(strmap) labels = STRMAP_INIT;
	const struct build_annotation annotation = {.key = "a", .value = "1"};
	AUTO(platform) platform = {.os = NULL};
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	strmap_set(&labels, "l", "option");
	assert_ok(platform_parse(&platform, "linux/arm64", err));
	b.o.labels = &labels;
	b.o.annotations = &annotation;
	b.o.n_annotations = 1;
	b.o.platforms = &platform;
	b.o.n_platforms = 1;
	b.o.target = "ONE";
	r = build(&b, "FROM scratch AS one\nLABEL l=file\nARG TARGETARCH\nENV T=$TARGETARCH\n"
		      "COPY a.txt /arm\nFROM nowhere AS two\n");
	assert_string_equal(strmap_get(&r.image->config.labels, "l"), "option");
	assert_string_equal(strmap_get(&r.image->manifest.annotations, "a"), "1");
	assert_string_equal(r.image->config.platform.arch, "arm64");
	assert_string_equal(image_config_get_env(&r.image->config, "T"), "arm64");
}

static void triggers_run_first_and_once(void **state)
{
	static const char *const history[] = {"+COPY a.txt /t # buildkit", "LABEL own=1",
					      "LABEL last=1"};
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	r = build(&b,
		  "FROM scratch AS base\nONBUILD COPY a.txt /t\nFROM base AS child\nLABEL own=1\n"
		  "FROM child\nLABEL last=1\n");
	assert_history(r.image, history, ARRAY_SIZE(history));
	assert_int_equal(r.image->config.on_build.n, 0);
}

static void errors_have_their_place(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{"FROM scratch\nCOPY nope /\n", ERROR_NOT_FOUND, "Dockerfile:2:"},
		{"FROM scratch\nCOPY nope /\n", ERROR_NOT_FOUND, "2 | COPY nope /"},
		{"FROM scratch\nCOPY a.txt /f\nWORKDIR /f\n", ERROR_SYNTAX, "Dockerfile:3:"},
		{"FROM scratch\nADD git@github.com:a/b /\n", ERROR_UNSUPPORTED, "Dockerfile:2:"},
		{"FROM scratch\nCOPY https://h/x /\n", ERROR_SYNTAX, "URL for COPY"},
		{"FROM some/image\n", ERROR_UNSUPPORTED, "Dockerfile:1:"},
		{"FROM scratch\nRUN true\n", ERROR_UNSUPPORTED, "sandbox"},
		{"FROM scratch\nUSER nobody-here\nWORKDIR /u\n", ERROR_NOT_FOUND, "nobody-here"},
		{"FROM scratch\nRUN --security=insecure true\n", ERROR_DENIED, "Dockerfile:2:"},
		{"FROM scratch\nENV A=${B:?not given}\n", ERROR_SYNTAX, "not given"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bench) b;
		AUTO(build_result) r = {.image = NULL};

		bench_init(&b, *state);
		assert_error(try_build(&b, rows[i].text, &r, err), rows[i].kind, rows[i].message);
		assert_null(r.image);
	}
}

static void warnings_come_at_the_end(void **state)
{
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	r = build(&b, "FROM scratch\nARG KNOWN\nENV A=$KNOWN PATH2=$PAHT B=${C-d}\n");
	assert_list(
		&b.watch.logs,
		"Dockerfile:3: UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)");
}

static void cancelling(void **state)
{
	const struct cancel now = {.signal = 15, .count = 1, .wake_fd = -1};
	AUTO(bench) b;
	AUTO(build_result) r = {.image = NULL};

	bench_init(&b, *state);
	b.o.cancel = &now;
	assert_error(try_build(&b, "FROM scratch\nCOPY a.txt /c\n", &r, err), ERROR_CANCELLED,
		     "cancelled");
}

/* Eight stages, three deep, and twice the same step at the same time. */
static void stages_side_by_side(void **state)
{
	static const char text[] =
		"FROM scratch AS a\nCOPY a.txt /pa\n"
		"FROM scratch AS b\nCOPY a.txt /pa\n"
		"FROM scratch AS c\nCOPY sub /pc\n"
		"FROM a AS d\nCOPY --from=c /pc /pd\n"
		"FROM b AS e\nCOPY --from=c /pc/b.txt /pe\n"
		"FROM scratch AS f\nCOPY --from=a /pa /pf\nCOPY --from=b /pa /pf2\n"
		"FROM d AS g\nCOPY --from=e /pe /pg\nCOPY --from=f / /all/\n"
		"FROM g\nCOPY --from=0 /pa /z\n";
	AUTO(bench) b;
	AUTO(build_result) alone = {.image = NULL};
	AUTO(build_result) together = {.image = NULL};

	bench_init(&b, *state);
	b.o.no_cache = true;
	alone = build(&b, text);
	b.o.jobs = 4;
	together = build(&b, text);
	assert_int_equal(together.steps, 10);
	assert_string_equal(alone.image->descriptor.digest.text,
			    together.image->descriptor.digest.text);
	/* The first failure ends the others. */
	AUTO(build_result) none = {.image = NULL};

	assert_error(try_build(&b,
			       "FROM scratch AS a\nCOPY nope /\nFROM scratch AS b\nCOPY a.txt /b\n"
			       "FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n",
			       &none, err),
		     ERROR_NOT_FOUND, "Dockerfile:2:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_folders),
		cmocka_unit_test(a_second_build_is_the_same_image),
		cmocka_unit_test(metadata_invalidates_nothing),
		cmocka_unit_test(misses_are_explained),
		cmocka_unit_test(an_upstream_change_without_effect_is_a_hit),
		cmocka_unit_test(linked_copies_stay_when_the_base_moves),
		cmocka_unit_test(source_date_epoch),
		cmocka_unit_test(options_of_the_image),
		cmocka_unit_test(triggers_run_first_and_once),
		cmocka_unit_test(errors_have_their_place),
		cmocka_unit_test(warnings_come_at_the_end),
		cmocka_unit_test(cancelling),
		cmocka_unit_test(stages_side_by_side),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
