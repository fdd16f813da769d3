#include "builder/mounts.h"

#include "stage_fixture.h"

/* What a RUN's --mount flags ask of the sandbox. */
struct
try {
	struct stage_fixture s;
	struct instruction ins;
	struct run_mounts m;
	struct output output;
};

static int try_init(struct try *t, struct build_fixture *f, const struct build_options *o,
		    const char *run, struct error *failure)
{
	struct expand_scope scope = {.lookup = no_variable};

	*t = (struct try){.m = {.n = 0}};
	stage_fixture_init(&t->s, f, o, run);
	output_init(&t->output, NULL);
	assert_ok(instruction_expand(
		&t->ins, &t->s.build.targets[0].file->stages[0].instructions[0], &scope, err));
	return run_mounts_init(&t->m, t->s.stage, &t->ins, failure);
}

static void try_release(struct try *t)
{
	run_mounts_release(&t->m);
	output_release(&t->output);
	instruction_release(&t->ins);
	stage_fixture_release(&t->s);
}

static void secrets(void **state)
{
	/* Of two with one id the later one counts. */
	static const struct build_secret given[] = {
		{"token", "first", 5}, {"token", "hunter2\n", 8}, {"nul", "a\0b", 3}};
	const struct build_options o = {.secrets = given, .n_secrets = 3};
	struct try t;

	assert_ok(
		try_init(&t, *state, &o,
			 "RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN "
			 "--mount=type=secret,id=token,target=/k,mode=0440,uid=5,gid=6 "
			 "--mount=type=secret,id=absent x",
			 err));
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_int_equal(t.m.n_mounts, 2);
	/* Parents come first, whatever the order they are written in. */
	assert_string_equal(t.m.mounts[0].target, "/k");
	assert_int_equal(t.m.mounts[0].mode, 0440);
	assert_int_equal(t.m.mounts[0].uid, 5);
	assert_int_equal(t.m.mounts[0].gid, 6);
	assert_int_equal(t.m.mounts[1].kind, SANDBOX_MOUNT_DATA);
	assert_string_equal(t.m.mounts[1].target, "/run/secrets/token");
	assert_int_equal(t.m.mounts[1].mode, 0400);
	assert_memory_equal(t.m.mounts[1].data, "hunter2\n", 8);
	assert_int_equal(t.m.env.n, 1);
	assert_string_equal(t.m.env.items[0], "TOKEN=hunter2\n");
	assert_true(t.output.mask.n > 0);
	try_release(&t);

	assert_ok(try_init(&t, *state, &o, "RUN --mount=type=secret,id=no,required x", err));
	assert_error(run_mounts_open(&t.m, 0, &t.output, err), ERROR_NOT_FOUND, "secret no");
	try_release(&t);

	assert_ok(try_init(&t, *state, &o, "RUN --mount=type=secret,id=nul,env=N x", err));
	assert_error(run_mounts_open(&t.m, 0, &t.output, err), ERROR_USAGE, "NUL byte");
	try_release(&t);
}

static void caches_and_memory(void **state)
{
	const struct build_options o = {.jobs = 1};
	struct try t;

	assert_ok(try_init(&t, *state, &o,
			   "RUN --mount=type=tmpfs,target=/t,size=64k "
			   "--mount=type=cache,target=rel,uid=7,mode=0700 x",
			   err));
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_int_equal(t.m.n_mounts, 2);
	assert_int_equal(t.m.mounts[0].kind, SANDBOX_MOUNT_CACHE);
	assert_string_equal(t.m.mounts[0].target, "/rel");
	assert_int_equal(t.m.mounts[0].uid, 7);
	assert_int_equal(t.m.mounts[0].mode, 0700);
	assert_non_null(strstr(t.m.mounts[0].source_dir, "/cache/mounts/"));
	assert_null(t.m.mounts[0].subpath);
	assert_int_equal(t.m.mounts[0].n_layers, 0);
	assert_int_equal(t.m.mounts[1].kind, SANDBOX_MOUNT_TMPFS);
	assert_int_equal(t.m.mounts[1].size, 65536);
	try_release(&t);
}

static void agents(void **state)
{
	static const struct build_ssh given[] = {{"default", "/host/agent"}, {"git", "/host/git"}};
	const struct build_options o = {.ssh = given, .n_ssh = 2};
	struct try t;

	assert_ok(try_init(&t, *state, &o,
			   "RUN --mount=type=ssh,id=absent --mount=type=ssh "
			   "--mount=type=ssh,id=git,target=/a,mode=0660,uid=5,gid=6,required x",
			   err));
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	/* The variable names the first one, whether or not it is there. */
	assert_string_equal(t.m.agent_target, "/run/buildkit/ssh_agent.0");
	assert_int_equal(t.m.n_mounts, 2);
	assert_int_equal(t.m.mounts[0].kind, SANDBOX_MOUNT_AGENT);
	assert_string_equal(t.m.mounts[0].target, "/a");
	assert_string_equal(t.m.mounts[0].source_dir, "/host/git");
	assert_int_equal(t.m.mounts[0].mode, 0660);
	assert_int_equal(t.m.mounts[0].uid, 5);
	assert_int_equal(t.m.mounts[0].gid, 6);
	assert_string_equal(t.m.mounts[1].target, "/run/buildkit/ssh_agent.1");
	assert_string_equal(t.m.mounts[1].source_dir, "/host/agent");
	assert_int_equal(t.m.mounts[1].mode, 0600);
	try_release(&t);

	assert_ok(try_init(&t, *state, &o, "RUN --mount=type=ssh,id=no,required x", err));
	assert_error(run_mounts_open(&t.m, 0, &t.output, err), ERROR_NOT_FOUND, "--ssh no");
	try_release(&t);
}

/* Equal targets keep their order: the later one covers. */
static void covering(void **state)
{
	const struct build_options o = {.jobs = 1};
	struct try t;

	assert_ok(
		try_init(&t, *state, &o,
			 "RUN --mount=type=tmpfs,target=/m/in --mount=type=tmpfs,target=/m,size=1m "
			 "--mount=type=cache,target=/m x",
			 err));
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_int_equal(t.m.mounts[0].kind, SANDBOX_MOUNT_TMPFS);
	assert_string_equal(t.m.mounts[0].target, "/m");
	assert_int_equal(t.m.mounts[1].kind, SANDBOX_MOUNT_CACHE);
	assert_string_equal(t.m.mounts[2].target, "/m/in");
	try_release(&t);
}

static void no_root_as_target(void **state)
{
	const struct build_options o = {.jobs = 1};
	struct try t;

	assert_error(try_init(&t, *state, &o, "RUN --mount=type=bind,target=. x", err),
		     ERROR_SYNTAX, "invalid mount target \"/\"");
	try_release(&t);
}

/* An empty source: nothing to copy, nothing in the key. */
static void from_scratch(void **state)
{
	const struct build_options o = {.jobs = 1};
	struct try t;

	assert_ok(try_init(
		&t, *state, &o,
		"RUN --mount=type=cache,target=/c,from=scratch --mount=from=scratch,target=/b x",
		err));
	assert_ok(run_mounts_hash(&t.m, false, err));
	assert_false(t.m.inputs[0].has_content || t.m.inputs[1].has_content);
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_string_equal(t.m.mounts[0].target, "/b");
	assert_null(t.m.mounts[0].source_dir);
	assert_int_equal(t.m.mounts[0].n_layers, 0);
	assert_int_equal(t.m.mounts[1].n_layers, 0);
	try_release(&t);
}

static struct context *open_context(struct build_fixture *f, const char *name)
{
	struct context *c = NULL;
	AUTO_FREE char *path = path_join(f->folder, name);

	assert_ok(context_open_folder(&c, "context", path, NULL, err));
	return c;
}

static void parts_of_a_context(void **state)
{
	static const char run[] = "RUN --mount=target=/all --mount=target=/one,source=sub/f,rw x";
	struct build_fixture *f = *state;
	struct build_options o = {.no_stat_cache = true};
	uint8_t before[SHA256_SIZE];
	struct try t;

	write_file(f, "plain/sub/f", "1");
	o.context = open_context(f, "plain");
	assert_ok(try_init(&t, f, &o, run, err));
	assert_false(t.m.from_image);
	assert_ok(run_mounts_hash(&t.m, false, err));
	assert_true(t.m.inputs[0].has_content && t.m.inputs[1].has_content);
	assert_memory_not_equal(t.m.inputs[0].content, t.m.inputs[1].content, SHA256_SIZE);
	memcpy(before, t.m.inputs[1].content, SHA256_SIZE);
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_int_equal(t.m.n_mounts, 2);
	assert_string_equal(t.m.mounts[0].source_dir, o.context->path);
	assert_true(t.m.mounts[0].readonly);
	assert_string_equal(t.m.mounts[1].subpath, "/sub/f");
	assert_false(t.m.mounts[1].readonly);

	bool changed = true;

	assert_ok(run_mounts_recheck(&t.m, &changed, err));
	assert_false(changed);
	write_file(f, "plain/sub/f", "2");
	assert_ok(run_mounts_recheck(&t.m, &changed, err));
	assert_true(changed);
	try_release(&t);

	assert_ok(try_init(&t, f, &o, run, err));
	assert_ok(run_mounts_hash(&t.m, false, err));
	assert_memory_not_equal(t.m.inputs[1].content, before, SHA256_SIZE);
	try_release(&t);
	context_free(o.context);
}

/* The step must not see what the ignore file excludes: the rest comes as a layer. */
static void ignored_files(void **state)
{
	struct build_fixture *f = *state;
	struct build_options o = {.no_stat_cache = true};
	struct try t;

	write_file(f, "filtered/kept", "1");
	write_file(f, "filtered/secret", "2");
	write_file(f, "filtered/.dockerignore", "secret\n");
	o.context = open_context(f, "filtered");
	assert_ok(try_init(&t, f, &o, "RUN --mount=target=/all --mount=target=/k,source=kept x",
			   err));
	assert_ok(run_mounts_hash(&t.m, false, err));
	assert_ok(run_mounts_open(&t.m, 0, &t.output, err));
	assert_null(t.m.mounts[0].source_dir);
	assert_int_equal(t.m.mounts[0].n_layers, 1);
	assert_ok(layer_index_ensure(f->store, t.m.mounts[0].layers[0].descriptor,
				     t.m.mounts[0].layers[0].diff_id, err));
	AUTO_PTR(tree) tree = tree_new();

	assert_ok(tree_add_layer(tree, f->store, t.m.mounts[0].layers[0].diff_id, err));
	assert_non_null(tree_lookup(tree, "kept", false));
	assert_null(tree_lookup(tree, "secret", false));
	assert_string_equal(t.m.mounts[1].source_dir, o.context->path);
	try_release(&t);

	assert_ok(try_init(&t, f, &o, "RUN --mount=target=/s,source=secret x", err));
	assert_error(run_mounts_hash(&t.m, false, err), ERROR_NOT_FOUND, "secret");
	try_release(&t);
	context_free(o.context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets),
		cmocka_unit_test(caches_and_memory),
		cmocka_unit_test(agents),
		cmocka_unit_test(covering),
		cmocka_unit_test(from_scratch),
		cmocka_unit_test(no_root_as_target),
		cmocka_unit_test(parts_of_a_context),
		cmocka_unit_test(ignored_files),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
