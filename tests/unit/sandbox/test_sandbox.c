/* Which mode is taken, and what is told when none works. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static void takes_the_best_mode_that_works(void **state)
{
	struct fixture *f = *state;
	struct sandbox_probe probes[SANDBOX_NONE];
	enum sandbox_mode best = SANDBOX_NONE, mode;
	char *why = (char *)(uintptr_t) "unset";
	size_t n;

	sandbox_probe_all(f->sb, probes, &n);
	assert_int_equal(n, SANDBOX_NONE);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(probes[i].mode, i);
		/* Each either works or says why not. */
		assert_true(probes[i].works == (probes[i].reason == NULL));
		if (probes[i].works && best == SANDBOX_NONE)
			best = probes[i].mode;
		sandbox_probe_release(&probes[i]);
	}
	mode = sandbox_mode(f->sb, &why);
	if (!getenv("SLIPWAY_TEST_MODE"))
		assert_int_equal(mode, best);
	assert_null(why);
	if (geteuid() != 0)
		assert_int_not_equal(mode, SANDBOX_ROOT);
}

static void leaves_nothing_of_a_probe(void **state)
{
	struct fixture *f = *state;
	struct sandbox_probe probes[SANDBOX_NONE];
	AUTO_FREE char *ingest = store_path(f->store, "ingest");
	size_t n;

	sandbox_probe_all(f->sb, probes, &n);
	for (size_t i = 0; i < n; i++)
		sandbox_probe_release(&probes[i]);
	/* Only when it is empty. */
	if (rmdir(ingest) < 0)
		fail_msg("%s is not empty", ingest);
}

static void knows_the_names_of_modes(void **state)
{
	struct fixture *f = *state;
	struct sandbox_options o = {.mode = "jail"};
	struct sandbox *sb = NULL;
	AUTO(error) err = ERROR_INIT;

	assert_string_equal(sandbox_mode_name(SANDBOX_ROOT), "root");
	assert_string_equal(sandbox_mode_name(SANDBOX_ROOTLESS_SUBUID), "rootless-subuid");
	assert_string_equal(sandbox_mode_name(SANDBOX_ROOTLESS_SINGLE), "rootless-single");
	assert_string_equal(sandbox_mode_name(SANDBOX_CHROOT), "chroot");
	assert_string_equal(sandbox_mode_name(SANDBOX_NONE), "none");
	assert_int_equal(sandbox_open(&sb, f->store, &o, &err), -1);
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_string_equal(sandbox_storage_name(SANDBOX_OVERLAY), "overlay");
	assert_string_equal(sandbox_storage_name(SANDBOX_COPY), "copy");
	error_clear(&err);
	o = (struct sandbox_options){.storage = "tape"};
	assert_int_equal(sandbox_open(&sb, f->store, &o, &err), -1);
	assert_int_equal(err.kind, ERROR_USAGE);
}

/* The mode that was asked for is taken alone, and what failed is told. */
static void does_not_take_another_mode_than_asked(void **state)
{
	struct fixture *f = *state;
	struct sandbox_options o = {.mode = "root"};
	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id}};
	struct sandbox *sb;
	struct rootfs *fs = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *why = NULL;

	if (geteuid() == 0)
		skip();
	must(sandbox_open(&sb, f->store, &o, &must_err));
	assert_int_equal(sandbox_mode(sb, &why), SANDBOX_NONE);
	assert_non_null(strstr(why, "root: slipway runs as user"));
	assert_int_equal(rootfs_open(&fs, sb, layers, 1, &err), -1);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "slipway runs as user"));
	assert_non_null(strstr(err.message, "slipway doctor"));
	sandbox_free(sb);
}

/* A state folder where overlays cannot write, as in a container without a volume. */
static void tells_where_an_overlay_cannot_write(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	/* The mount must not be seen by others: a child with mounts of its own. */
	pid = fork();
	if (pid == 0) {
		AUTO_FREE char *dir = xstrfmt("%s/o", f->root);
		AUTO_FREE char *options = xstrfmt("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w", dir,
						  dir, dir);
		AUTO_FREE char *merged = xstrfmt("%s/m", dir);
		AUTO_FREE char *why = NULL;
		static const char *const names[] = {"l", "u", "w", "m"};
		struct sandbox_options o = {.mode = "root", .storage = "overlay"};
		struct sandbox *sb, *other;
		struct store *s;

		for (size_t i = 0; i < 4; i++) {
			AUTO_FREE char *path = xstrfmt("%s/%s", dir, names[i]);

			fs_mkdir_p(path, 0700, NULL);
		}
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("overlay", merged, "overlay", 0, options) < 0 ||
		    store_open(&s, merged, NULL) < 0 || sandbox_open(&sb, s, &o, NULL) < 0)
			_exit(2);
		if (sandbox_mode(sb, &why) != SANDBOX_NONE)
			_exit(3);
		if (!strstr(why, "mount the overlay") || !strstr(why, "is an overlay itself") ||
		    !strstr(why, "SLIPWAY_ROOT"))
			_exit(4);
		/* A copy will do, unless an overlay was asked for. */
		o.storage = "auto";
		if (sandbox_open(&other, s, &o, NULL) < 0 ||
		    sandbox_mode(other, NULL) != SANDBOX_ROOT ||
		    sandbox_storage(other) != SANDBOX_COPY)
			_exit(5);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Files of any owner below a folder of ours. */
static void removes_trees_of_foreign_owners(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *layers = store_path(f->store, "layers");
	AUTO(outcome) o;

	run_script(fs, "mkdir -p /x/y/z && touch /x/y/f && chown -R 7:7 /x && chmod 0 /x/y", &o);
	assert_int_equal(o.result.status, 0);
	free(commit_listing(f, fs));
	rootfs_free(fs);
	must(sandbox_remove_tree(f->sb, layers, &must_err));
	assert_int_equal(access(layers, F_OK), -1);
	must(sandbox_remove_tree(f->sb, layers, &must_err)); /* missing is success */
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(takes_the_best_mode_that_works),
		T(leaves_nothing_of_a_probe),
		T(knows_the_names_of_modes),
		T(does_not_take_another_mode_than_asked),
		T(tells_where_an_overlay_cannot_write),
		T(removes_trees_of_foreign_owners),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
