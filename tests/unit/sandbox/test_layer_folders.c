/* Extracted layers: believed only when whole, made again otherwise; leftovers of killed processes are swept. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <sys/file.h>
#include <unistd.h>

#include "base/time.h"

static char *chain_path(struct fixture *f, const char *name)
{
	/* The chain ID of a first layer is its diff ID (image-spec 1.1, config.md). */
	return store_path(f->store, "layers/%s/%s/%s", sandbox_mode_name(sandbox_mode(f->sb, NULL)),
			  digest_hex(&f->base.diff_id), name);
}

static void overwrite(const char *path, const char *text)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	must(fs_write_all(fd, text, strlen(text), path, &must_err));
}

static void read_text(const char *path, struct strbuf *out)
{
	strbuf_reset(out);
	must(fs_read_file(path, out, 4096, &must_err));
}

static void extracts_once(void **state)
{
	AUTO_FREE char *ok = NULL, *file = NULL;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) boot = STRBUF_INIT;

	rootfs_free(open_rootfs(*state));
	ok = chain_path(*state, ".ok");
	file = chain_path(*state, "fs/lib/one");
	read_text(ok, &text);
	read_text("/proc/sys/kernel/random/boot_id", &boot);
	strbuf_trim(&boot);
	assert_string_equal(text.buf, boot.buf);
	overwrite(file, "marked\n");
	rootfs_free(open_rootfs(*state));
	read_text(file, &text);
	assert_string_equal(text.buf, "marked\n");
}

static int count_new(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	(void)dirfd;
	(void)st;
	(void)err;
	*(int *)arg += str_starts(entry, "new-");
	return 0;
}

/* It begins under ingest/, and stays there neither when it is moved nor when somebody else was first. */
static void leaves_no_folder_behind(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *place = NULL;
	struct stat st;
	int n = 0;

	rootfs_free(open_rootfs(f));
	place = chain_path(f, "");
	assert_int_equal(stat(place, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	must(fs_each_entry(store_dirfd(f->store), "ingest", count_new, &n, &must_err));
	assert_int_equal(n, 0);
}

/* After a power cut, or a kill in the middle. */
static void makes_torn_folders_again(void **state)
{
	AUTO_FREE char *ok = NULL, *file = NULL, *junk = NULL;
	AUTO(strbuf) text = STRBUF_INIT;

	rootfs_free(open_rootfs(*state));
	ok = chain_path(*state, ".ok");
	file = chain_path(*state, "fs/lib/one");
	junk = chain_path(*state, "fs/junk");
	for (int how = 0; how < 3; how++) {
		overwrite(file, "");
		overwrite(junk, "x");
		if (how == 0)
			overwrite(ok, "00000000-0000-0000-0000-000000000000");
		else if (how == 1)
			overwrite(ok, "");
		else
			assert_int_equal(unlink(ok), 0);
		rootfs_free(open_rootfs(*state));
		read_text(file, &text);
		assert_string_equal(text.buf, "content\n");
		assert_int_equal(access(junk, F_OK), -1);
		assert_int_equal(access(ok, F_OK), 0);
	}
}

/* The config promises other bytes than the layer has: nothing of it is run (row 13). */
static void refuses_a_layer_that_is_not_what_was_promised(void **state)
{
	struct fixture *f = *state;
	struct digest wrong = digest_of("other", 5);
	const struct rootfs_layer layers[] = {{&f->base.descriptor, &wrong}};
	struct rootfs *fs = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO(error) again = ERROR_INIT;
	AUTO_FREE char *ok = NULL;

	assert_int_equal(rootfs_open(&fs, f->sb, layers, 1, &err), -1);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.message, "extract layer sha256:"));
	ok = store_path(f->store, "layers/%s/%s/.ok", sandbox_mode_name(sandbox_mode(f->sb, NULL)),
			digest_hex(&wrong));
	assert_int_equal(access(ok, F_OK), -1);
	assert_int_equal(rootfs_open(&fs, f->sb, layers, 1, &again), -1);
}

static void tells_of_a_missing_blob(void **state)
{
	struct fixture *f = *state;
	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id}};
	struct rootfs *fs = NULL;
	AUTO(error) err = ERROR_INIT;

	must(store_delete_blob(f->store, &f->base.descriptor.digest, &must_err));
	assert_int_equal(rootfs_open(&fs, f->sb, layers, 1, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static char *make_leftover(struct fixture *f, const char *name, int64_t age)
{
	AUTO_FREE char *upper = store_path(f->store, "ingest/%s/upper/deep", name);
	char *dir = store_path(f->store, "ingest/%s", name);
	struct timespec times[2] = {{.tv_sec = time_now() - age}, {.tv_sec = time_now() - age}};

	must(fs_mkdir_p(upper, 0700, &must_err));
	assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
	return dir;
}

static void sweeps_what_killed_processes_left(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *dead = make_leftover(f, "run-dead", 3600);
	AUTO_FREE char *young = make_leftover(f, "new-run-young", 5);
	AUTO_FREE char *alive = make_leftover(f, "run-alive", 3600);
	AUTO_FD int lock = open(alive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(lock, LOCK_EX), 0);
	rootfs_free(open_rootfs(f));
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(young, F_OK), 0);
	assert_int_equal(access(alive, F_OK), 0);
}

/* prune works while nobody uses extracted layers: it takes the lock alone. */
static void holds_the_lock_while_layers_are_used(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *path = store_path(f->store, "layers/%s/.lock",
					  sandbox_mode_name(sandbox_mode(f->sb, NULL)));
	AUTO_FD int lock = open(path, O_RDWR | O_CLOEXEC);

	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1);
	rootfs_free(fs);
	/* What was found whole is not looked at again, so it must stay. */
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1);
	sandbox_free(f->sb);
	f->sb = NULL;
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	fixture_open_sandbox(f);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(extracts_once),
		T(leaves_no_folder_behind),
		T(makes_torn_folders_again),
		T(refuses_a_layer_that_is_not_what_was_promised),
		T(tells_of_a_missing_blob),
		T(sweeps_what_killed_processes_left),
		T(holds_the_lock_while_layers_are_used),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
