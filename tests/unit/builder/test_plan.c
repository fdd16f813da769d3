#include "builder/plan.h"

#include "build_fixture.h"

/*
 * Keys by their properties: equal inputs give equal keys, each single change gives another key. No key is compared
 * with a value that we computed before.
 */

static const struct layer_options plain_layers = {.compression = COMPRESSION_GZIP,
						  .mtime_limit = -1};

/* Everything that a RUN's key is made of, as values that a row can change. */
struct run_input {
	struct digest chain;
	struct layer_options layers;
	const char *argv[4];
	const char *env[8]; /* name, value, ... */
	const char *cwd, *user, *hostname, *script, *platform;
	bool network, insecure;
	const char *limit; /* NULL: none */
	int64_t shm_size;
	const char *mount; /* NULL: none */
	const char *target;
	struct mount_input input;
};

static struct run_input base_input(void)
{
	return (struct run_input){
		.chain = digest_of("chain", 5),
		.layers = plain_layers,
		.argv = {"/bin/sh", "-c", "make"},
		.env = {"PATH", "/bin", "A", "1"},
		.cwd = "/src",
		.hostname = "buildkitsandbox",
		.platform = "linux/amd64",
		.network = true,
		.mount = "type=bind,target=/m",
		.target = "/m",
		.input = {.has_content = true, .content = {1, 2, 3}},
	};
}

static void run_key(const struct run_input *in, char out[SHA256_HEX_SIZE])
{
	AUTO(strlist) argv = STRLIST_INIT;
	AUTO(strlist) limits = STRLIST_INIT;
	AUTO(strmap) env = STRMAP_INIT;
	AUTO(strmap) args = STRMAP_INIT;
	AUTO(platform) platform = {.os = NULL};
	AUTO(step_key) key = {.hex = ""};
	struct run_mount mount = {.text = NULL};
	struct expand_scope scope = {.lookup = no_variable};
	char *target = in->target ? xstrdup(in->target) : NULL;

	for (size_t i = 0; i < 4 && in->argv[i]; i++)
		strlist_add(&argv, in->argv[i]);
	for (size_t i = 0; i < 8 && in->env[i]; i += 2)
		strmap_set(&env, in->env[i], in->env[i + 1]);
	if (in->mount)
		assert_ok(mount_parse(&mount, in->mount, &scope, NULL, err));
	assert_ok(platform_parse(&platform, in->platform, err));

	if (in->limit)
		strlist_add(&limits, in->limit);

	const struct run_plan plan = {
		.argv = &argv,
		.env = &env,
		.args = &args,
		.cwd = in->cwd,
		.user = in->user,
		.hostname = in->hostname,
		.script = in->script,
		.network = in->network,
		.insecure = in->insecure,
		.limits = &limits,
		.shm_size = in->shm_size,
		.platform = &platform,
		.mounts = &mount,
		.targets = &target,
		.inputs = &in->input,
		.n_mounts = in->mount != NULL,
	};

	step_key_begin(&key, "run", &in->chain, &in->layers);
	plan_run(&key, &plan);
	step_key_finish(&key);
	memcpy(out, key.hex, SHA256_HEX_SIZE);
	run_mount_release(&mount);
	free(target);
}

static void set_chain(struct run_input *in)
{
	in->chain = digest_of("other", 5);
}
static void set_no_chain(struct run_input *in)
{
	in->chain = (struct digest){""};
}
static void set_command(struct run_input *in)
{
	in->argv[2] = "make ";
}
static void split_command(struct run_input *in)
{
	in->argv[2] = "ma";
	in->argv[3] = "ke";
}
static void shift_words(struct run_input *in)
{
	in->argv[1] = "-cm";
	in->argv[2] = "ake";
}
static void set_value(struct run_input *in)
{
	in->env[3] = "2";
}
static void add_variable(struct run_input *in)
{
	in->env[4] = "UNUSED";
	in->env[5] = "";
}
static void shift_variable(struct run_input *in)
{
	in->env[2] = "A=";
	in->env[3] = "";
}
static void set_cwd(struct run_input *in)
{
	in->cwd = "/";
}
static void set_user(struct run_input *in)
{
	in->user = "app";
}
static void set_empty_user(struct run_input *in)
{
	in->user = "";
}
static void set_hostname(struct run_input *in)
{
	in->hostname = "h";
}
static void set_script(struct run_input *in)
{
	in->script = "#!/bin/sh\n";
}
static void set_network(struct run_input *in)
{
	in->network = false;
}
static void set_insecure(struct run_input *in)
{
	in->insecure = true;
}
static void set_step_limit(struct run_input *in)
{
	in->limit = "nofile=5";
}
static void set_shm_size(struct run_input *in)
{
	in->shm_size = 1 << 20;
}
static void set_platform(struct run_input *in)
{
	in->platform = "linux/arm64";
}
static void set_compression(struct run_input *in)
{
	in->layers.compression = COMPRESSION_ZSTD;
}
static void set_limit(struct run_input *in)
{
	in->layers.mtime_limit = 0;
}
static void drop_mount(struct run_input *in)
{
	in->mount = NULL;
}
static void set_mount_kind(struct run_input *in)
{
	in->mount = "type=tmpfs,target=/m";
}
static void set_mount_target(struct run_input *in)
{
	in->target = "/n";
}
static void set_mount_writable(struct run_input *in)
{
	in->mount = "type=bind,target=/m,rw";
}
static void set_mount_content(struct run_input *in)
{
	in->input.content[31] = 1;
}
static void set_no_content(struct run_input *in)
{
	in->input.has_content = false;
}
static void set_cache(struct run_input *in)
{
	in->mount = "type=cache,target=/m";
}
static void set_cache_id(struct run_input *in)
{
	in->mount = "type=cache,target=/m,id=x";
}
static void set_cache_owner(struct run_input *in)
{
	in->mount = "type=cache,target=/m,uid=5";
}
static void set_secret(struct run_input *in)
{
	in->mount = "type=secret,id=m,target=/m";
}
static void set_secret_env(struct run_input *in)
{
	in->mount = "type=secret,id=m,target=/m,env=M";
}

static void each_change_of_a_run_is_another_key(void **state)
{
	static void (*const changes[])(struct run_input *) = {
		set_chain,         set_no_chain,   set_command,      split_command,
		shift_words,       set_value,      add_variable,     shift_variable,
		set_cwd,           set_user,       set_empty_user,   set_hostname,
		set_script,        set_network,    set_platform,     set_insecure,
		set_step_limit,    set_shm_size,   set_compression,  set_limit,
		drop_mount,        set_mount_kind, set_mount_target, set_mount_writable,
		set_mount_content, set_no_content, set_cache,        set_cache_id,
		set_cache_owner,   set_secret,     set_secret_env,
	};
	char keys[ARRAY_SIZE(changes) + 1][SHA256_HEX_SIZE];
	struct run_input in = base_input();

	(void)state;
	run_key(&in, keys[0]);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct run_input changed = base_input();

		changes[i](&changed);
		run_key(&changed, keys[i + 1]);
	}
	for (size_t a = 0; a < ARRAY_SIZE(keys); a++)
		for (size_t b = 0; b < a; b++)
			if (strcmp(keys[a], keys[b]) == 0)
				fail_msg("changes %zu and %zu give the same key", b, a);
}

static void equal_runs_have_equal_keys(void **state)
{
	struct run_input a = base_input(), b = base_input();
	char x[SHA256_HEX_SIZE], y[SHA256_HEX_SIZE];

	(void)state;
	run_key(&a, x);
	run_key(&b, y);
	assert_string_equal(x, y);
	assert_int_equal(strlen(x), 64);
}

static void args_are_only_named(void **state)
{
	AUTO(strlist) argv = STRLIST_INIT;
	AUTO(strmap) env = STRMAP_INIT;
	AUTO(strmap) args = STRMAP_INIT;
	AUTO(step_key) key = {.hex = ""};
	AUTO(platform) platform = {.os = NULL};
	const struct digest none = {""};
	struct run_plan plan = {.argv = &argv, .env = &env, .args = &args, .platform = &platform};
	char before[SHA256_HEX_SIZE];

	(void)state;
	strmap_set(&env, "GIT_SHA", "hunter2");
	step_key_begin(&key, "run", &none, &plain_layers);
	plan_run(&key, &plan);
	step_key_finish(&key);
	memcpy(before, key.hex, sizeof(before));
	assert_non_null(strstr(key.parts.buf, "ENV GIT_SHA\t"));

	/* Whether a variable came from ARG matters to nobody but the reader of the reason. */
	strmap_set(&args, "GIT_SHA", "hunter2");
	step_key_begin(&key, "run", &none, &plain_layers);
	plan_run(&key, &plan);
	step_key_finish(&key);
	assert_string_equal(key.hex, before);
	assert_non_null(strstr(key.parts.buf, "ARG GIT_SHA\t"));
	assert_null(strstr(key.parts.buf, "hunter2"));
}

static void copy_key(const char *line, const char *cwd, int64_t folder_mtime,
		     char out[SHA256_HEX_SIZE])
{
	AUTO_PTR(dockerfile) file = parse_stage(line);
	AUTO(instruction) ins = INSTRUCTION_INIT;
	AUTO(step_key) key = {.hex = ""};
	const struct digest none = {""};

	expand_first(&ins, file);
	step_key_begin(&key, "copy", &none, &plain_layers);
	plan_copy(&key, &ins, cwd, folder_mtime);
	step_key_finish(&key);
	memcpy(out, key.hex, SHA256_HEX_SIZE);
}

static void copies_with_the_same_parameters(void **state)
{
	static const struct {
		const char *line, *cwd;
	} same[] = {
		{"COPY a /app/x/", "/"},
		{"COPY b c /app/x/", "/other"},
		{"copy a x/", "/app"},
		{"COPY a ./x/.", "/app"},
		{"COPY a ../app//x/", "/app"},
		{"COPY a .", "/app/x"},
		{"COPY --from=s a ./", "/app/x"},
	};
	char first[SHA256_HEX_SIZE], next[SHA256_HEX_SIZE];

	(void)state;
	copy_key(same[0].line, same[0].cwd, 0, first);
	for (size_t i = 1; i < ARRAY_SIZE(same); i++) {
		copy_key(same[i].line, same[i].cwd, 0, next);
		if (strcmp(first, next) != 0)
			fail_msg("%s in %s has another key", same[i].line, same[i].cwd);
	}
}

static void copies_with_other_parameters(void **state)
{
	static const char *const lines[] = {
		"COPY a /x",
		"COPY a /x/",
		"COPY a /y",
		"COPY a /",
		"COPY --chown=1 a /x",
		"COPY --chown=1:1 a /x",
		"COPY --chmod=1 a /x",
		"COPY --chmod=u+x a /x",
		"COPY --link a /x",
		"COPY --parents a /x",
		"COPY --exclude=b a /x",
		"COPY --exclude=b --exclude=c a /x",
		"COPY --exclude=c --exclude=b a /x",
		"ADD --unpack=true a /x",
		"ADD --unpack=false a /x",
		"ADD --keep-git-dir=true a /x",
		"ADD --checksum=sha256:00 a /x",
	};
	char keys[ARRAY_SIZE(lines) + 1][SHA256_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		copy_key(lines[i], "/", 0, keys[i]);
	copy_key(lines[0], "/", 1, keys[ARRAY_SIZE(lines)]);
	for (size_t a = 0; a < ARRAY_SIZE(keys); a++)
		for (size_t b = 0; b < a; b++)
			if (strcmp(keys[a], keys[b]) == 0)
				fail_msg("%s and %s have the same key", lines[b],
					 a < ARRAY_SIZE(lines) ? lines[a] : "another folder time");
}

static void kinds_and_paths_of_workdir(void **state)
{
	static const struct {
		const char *kind, *path, *user;
		int64_t mtime;
	} rows[] = {
		{"workdir", "/a", NULL, 0}, {"workdir", "/b", NULL, 0}, {"workdir", "/a", "u", 0},
		{"workdir", "/a", NULL, 1}, {"copy", "/a", NULL, 0},
	};
	char keys[ARRAY_SIZE(rows)][SHA256_HEX_SIZE];
	const struct digest none = {""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(step_key) key = {.hex = ""};

		step_key_begin(&key, rows[i].kind, &none, &plain_layers);
		plan_workdir(&key, rows[i].path, rows[i].user, rows[i].mtime);
		step_key_finish(&key);
		memcpy(keys[i], key.hex, SHA256_HEX_SIZE);
		for (size_t b = 0; b < i; b++)
			assert_string_not_equal(keys[i], keys[b]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_of_a_run_is_another_key),
		cmocka_unit_test(equal_runs_have_equal_keys),
		cmocka_unit_test(args_are_only_named),
		cmocka_unit_test(copies_with_the_same_parameters),
		cmocka_unit_test(copies_with_other_parameters),
		cmocka_unit_test(kinds_and_paths_of_workdir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
