/* Mounts of a step: what they show, where they land, and that nothing of them is left behind. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <pthread.h>

static char *write_source(struct fixture *f, const char *name, const char *text)
{
	char *dir = store_path(f->store, "src");
	AUTO_FREE char *sub = xstrfmt("%s/sub", dir);
	AUTO_FREE char *path = xstrfmt("%s/%s", dir, name);
	AUTO_FD int fd = -1;

	must(fs_mkdir_p(sub, 0755, &must_err));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	must(fs_write_all(fd, text, strlen(text), path, &must_err));
	return dir;
}

/* Runs with the mounts, expects the output and what the step leaves behind. */
static void expect(struct fixture *f, const struct sandbox_mount *mounts, size_t n,
		   const char *script, const char *out, const char *entries)
{
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o;

	run_spec(fs, script, (struct run_spec){.mounts = mounts, .n_mounts = n}, &o);
	if (o.r < 0)
		fail_msg("%s: %s", script, o.error.message);
	if (strcmp(o.out.buf, out) != 0)
		fail_msg("%s: expected \"%s\", got \"%s\" (%s)", script, out, o.out.buf, o.err.buf);
	listing = commit_listing(f, fs);
	if (strcmp(listing, entries) != 0)
		fail_msg("%s: left behind: %s", script, listing);
	rootfs_free(fs);
}

static void expect_failure(struct fixture *f, const struct sandbox_mount *mounts, size_t n,
			   const char *message)
{
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o;

	run_spec(fs, "echo ran", (struct run_spec){.mounts = mounts, .n_mounts = n}, &o);
	if (o.r == 0 || o.out.len > 0 || !strstr(o.error.message, message))
		fail_msg("expected \"%s\", got \"%s\"", message,
			 o.error.message ? o.error.message : o.out.buf);
	rootfs_free(fs);
}

static void binds_a_folder_read_only(void **state)
{
	AUTO_FREE char *dir = write_source(*state, "sub/file", "text\n");
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_BIND,
				  .target = "/ctx/here",
				  .source_dir = dir,
				  .readonly = true};

	expect(*state, &m, 1, "cat /ctx/here/sub/file; touch /ctx/here/x 2>/dev/null || echo no",
	       "text\nno\n", "");
	m.subpath = "/sub";
	expect(*state, &m, 1, "cat /ctx/here/file", "text\n", "");
	m.subpath = "sub/file";
	expect(*state, &m, 1, "cat /ctx/here; echo x 2>/dev/null > /ctx/here || echo no",
	       "text\nno\n", "");
	m.target = "/lib/one";
	expect(*state, &m, 1, "cat /lib/one; ls /lib", "text\none\ntwo\n", "");
}

/* Writes go to a throw-away overlay, whatever kind of source (CVE-2024-9407). */
static void drops_what_is_written_to_a_bind(void **state)
{
	AUTO_FREE char *dir = write_source(*state, "sub/file", "text\n");
	AUTO_FREE char *file = xstrfmt("%s/sub/file", dir);
	AUTO(strbuf) after = STRBUF_INIT;
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_BIND, .target = "/ctx", .source_dir = dir};

	expect(*state, &m, 1,
	       "echo changed > /ctx/sub/file; cat /ctx/sub/file; touch /ctx/new; ls /ctx; stat -c %a /ctx",
	       "changed\nnew\nsub\n755\n", "");
	m.subpath = "sub/file";
	expect(*state, &m, 1, "echo changed > /ctx; cat /ctx", "changed\n", "");
	must(fs_read_file(file, &after, 100, &must_err));
	assert_string_equal(after.buf, "text\n");
}

static void binds_another_image(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_DIR, "data", NULL, 0700, 0, 0},
		{ENTRY_FILE, "data/x", NULL, 0644, 0, 0},
		{ENTRY_SYMLINK, "out", "/data", 0777, 0, 0},
		{ENTRY_SYMLINK, "up", "../../..", 0777, 0, 0},
	};
	struct fixture *f = *state;
	struct layer other = {0};

	make_layer(f, entries, ARRAY_SIZE(entries), &other);

	const struct rootfs_layer layers[] = {{&other.descriptor, &other.diff_id}};
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_BIND,
				  .target = "/mnt",
				  .layers = layers,
				  .n_layers = 1,
				  .readonly = true};

	expect(f, &m, 1, "ls /mnt; touch /mnt/y 2>/dev/null || echo no", "data\nout\nup\nno\n", "");
	/* Links resolve in the image they stand in (CVE-2024-1753, CVE-2024-23651). */
	m.subpath = "out";
	expect(f, &m, 1, "ls /mnt", "x\n", "");
	m.subpath = "up/data";
	expect(f, &m, 1, "ls /mnt", "x\n", "");
	m.subpath = "../../../../data/../data";
	expect(f, &m, 1, "ls /mnt", "x\n", "");
	m.readonly = false;
	expect(f, &m, 1, "touch /mnt/y; ls /mnt", "x\ny\n", "");
	m.readonly = true;
	expect(f, &m, 1, "ls /mnt", "x\n", "");
	m.subpath = "missing";
	expect_failure(f, &m, 1, "open missing, to be mounted on /mnt");
	layer_release(&other);
}

/* The kernel may answer EAGAIN to a path with ".." while somebody renames anything at all. */
static void is_not_disturbed_by_renames_elsewhere(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_DIR, "data", NULL, 0755, 0, 0},
		{ENTRY_FILE, "data/x", NULL, 0644, 0, 0},
	};
	struct fixture *f = *state;
	struct layer other = {0};
	AUTO_FREE char *a = xstrfmt("%s/renamed-a", f->root);
	AUTO_FREE char *b = xstrfmt("%s/renamed-b", f->root);
	pid_t pid;

	make_layer(f, entries, ARRAY_SIZE(entries), &other);

	const struct rootfs_layer layers[] = {{&other.descriptor, &other.diff_id}};
	const struct sandbox_mount m = {.kind = SANDBOX_MOUNT_BIND,
					.target = "/mnt",
					.layers = layers,
					.n_layers = 1,
					.subpath = "data/../data/../data/../data/../data/../data",
					.readonly = true};

	assert_int_equal(mkdir(a, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		for (;;)
			if (rename(a, b) < 0 || rename(b, a) < 0)
				_exit(1);
	}
	for (int i = 0; i < 20; i++)
		expect(f, &m, 1, "ls /mnt", "x\n", "");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	layer_release(&other);
}

static void keeps_caches(void **state)
{
	AUTO_FREE char *dir = store_path(((struct fixture *)*state)->store, "c");
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_CACHE,
				  .target = "/var/cache/x",
				  .source_dir = dir,
				  .mode = 0711};

	expect(*state, &m, 1, "stat -c '%a %u:%g' /var/cache/x; echo 1 > /var/cache/x/a",
	       "711 0:0\n", "");
	expect(*state, &m, 1, "cat /var/cache/x/a; rm /var/cache/x/a", "1\n", "");
	m.readonly = true;
	expect(*state, &m, 1, "ls /var/cache/x; touch /var/cache/x/a 2>/dev/null || echo no",
	       "no\n", "");
}

static void mounts_memory(void **state)
{
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_TMPFS, .target = "/lib", .size = 65536};

	expect(*state, &m, 1,
	       "ls /lib; stat -c %a /lib; dd if=/dev/zero of=/lib/x bs=4096 count=100 2>/dev/null || echo full",
	       "1777\nfull\n", "");
}

static void shows_secrets_as_files_in_memory(void **state)
{
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_DATA,
				  .target = "/run/secrets/token",
				  .readonly = true,
				  .mode = 0400,
				  .data = "s3cret",
				  .data_len = 6};

	expect(*state, &m, 1,
	       "cat /run/secrets/token; echo; stat -c %a /run/secrets/token; echo x 2>/dev/null >> /run/secrets/token || echo no; "
	       "grep ' /run/secrets/token ' /proc/mounts | cut -d' ' -f1,3",
	       "s3cret\n400\nno\ntmpfs tmpfs\n", "");
}

static void nests_and_covers(void **state)
{
	AUTO_FREE char *dir = write_source(*state, "sub/file", "text\n");
	AUTO_FREE char *cache = store_path(((struct fixture *)*state)->store, "c");
	const struct sandbox_mount mounts[] = {
		{.kind = SANDBOX_MOUNT_CACHE, .target = "/root", .source_dir = cache},
		{.kind = SANDBOX_MOUNT_BIND,
		 .target = "/root/deep/er",
		 .source_dir = dir,
		 .readonly = true},
		{.kind = SANDBOX_MOUNT_DATA,
		 .target = "/root/f",
		 .data = "1",
		 .data_len = 1,
		 .mode = 0644},
		{.kind = SANDBOX_MOUNT_DATA,
		 .target = "/root/f",
		 .data = "2",
		 .data_len = 1,
		 .mode = 0644},
		{.kind = SANDBOX_MOUNT_TMPFS, .target = "/dev/extra"},
	};

	expect(*state, mounts, 5, "cat /root/deep/er/sub/file /root/f; echo; ls -d /dev/extra",
	       "text\n2\n/dev/extra\n", "");
}

static void finds_targets_through_links_of_the_image(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_SYMLINK, "abs", "/lib", 0777, 0, 0},
		{ENTRY_SYMLINK, "escape", "../../../../../lib", 0777, 0, 0},
		{ENTRY_SYMLINK, "loop", "loop", 0777, 0, 0},
		{ENTRY_SYMLINK, "nowhere", "/not/there", 0777, 0, 0},
		{ENTRY_SYMLINK, "toproc", "/proc/self", 0777, 0, 0},
		{ENTRY_SYMLINK, "tosys", "/sys/kernel", 0777, 0, 0},
	};
	struct fixture *f = *state;
	struct layer top = {0};
	struct rootfs *fs;
	static const struct {
		const char *target, *script, *out;
	} rows[] = {
		{"/abs/m", "cat /lib/m", "data"},
		{"/escape/m", "cat /lib/m", "data"},
		{"/nowhere/m", "cat /not/there/m", "data"},
		{"/abs/one", "cat /lib/one", "data"},
		{"/loop/m", NULL, "find the mount point /loop/m"},
		{"/toproc/attr", NULL, "leads into /proc"},
		{"/proc/x", NULL, "leads into /proc"},
		{"/tosys/x", NULL, "leads into /sys"},
		{"/", NULL, "this is the root"},
		{"/lib/..", NULL, "this is the root"},
		{"/lib/one/m", NULL, "find the mount point /lib/one/m"},
		{"/lib", NULL, "mount on /lib (a file can only cover a file"},
	};

	make_layer(f, entries, ARRAY_SIZE(entries), &top);

	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id},
					      {&top.descriptor, &top.diff_id}};

	must(rootfs_open(&fs, f->sb, layers, 2, &must_err));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct sandbox_mount m = {.kind = SANDBOX_MOUNT_DATA,
						.target = rows[i].target,
						.data = "data",
						.data_len = 4,
						.mode = 0644};
		const struct run_spec spec = {.mounts = &m, .n_mounts = 1};
		AUTO(outcome) o;

		run_spec(fs, rows[i].script ? rows[i].script : "true", spec, &o);
		if (rows[i].script ? o.r < 0 || strcmp(o.out.buf, rows[i].out) != 0
				   : o.r == 0 || !strstr(o.error.message, rows[i].out))
			fail_msg("%s: %s", rows[i].target,
				 o.error.message ? o.error.message : o.out.buf);
	}
	AUTO_FREE char *listing = commit_listing(f, fs);

	assert_string_equal(listing, "");
	rootfs_free(fs);
	layer_release(&top);
}

/* The metadata of folders that hold made-up mount points is that of the image. */
static void does_not_change_what_is_around_a_target(void **state)
{
	struct sandbox_mount m = {.kind = SANDBOX_MOUNT_DATA,
				  .target = "/home/app/.netrc",
				  .data = "x",
				  .data_len = 1};

	expect(*state, &m, 1, "stat -c '%a %Y' /home/app /home; stat -c %a /root; ls -A /home/app",
	       "750 1000000000\n755 1000000000\n700\n.netrc\nfile\n", "");
	m.target = "/new/a/b";
	expect(*state, &m, 1, "stat -c '%a %u:%g' /new /new/a; rm -r /new 2>/dev/null || echo busy",
	       "755 0:0\n755 0:0\nbusy\n", "");
}

static void *swap_targets(void *arg)
{
	struct rootfs *fs = open_rootfs(arg);
	AUTO_FREE char *cache = store_path(((struct fixture *)arg)->store, "c");
	const struct sandbox_mount m = {
		.kind = SANDBOX_MOUNT_CACHE, .target = "/c", .source_dir = cache};
	AUTO(outcome) o;

	run_spec(
		fs,
		"cd /c; until [ -e end ]; do rm -rf t; ln -s /proc/self/attr t; rm -f t; ln -s /lib t; rm -f t; mkdir t; done",
		(struct run_spec){.mounts = &m, .n_mounts = 1}, &o);
	rootfs_free(fs);
	return NULL;
}

/* A cache shared with a step that swaps a mount point for links: it lands inside, or nothing runs (CVE-2025-52881). */
static void is_not_led_astray_by_a_racing_step(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *cache = store_path(f->store, "c");
	AUTO_FREE char *end = xstrfmt("%s/end", cache);
	const struct sandbox_mount mounts[] = {
		{.kind = SANDBOX_MOUNT_CACHE, .target = "/c", .source_dir = cache},
		{.kind = SANDBOX_MOUNT_DATA,
		 .target = "/c/t/exec",
		 .data = "data",
		 .data_len = 4,
		 .mode = 0644},
	};
	pthread_t thread;

	must(fs_mkdir_p(cache, 0755, &must_err));
	assert_int_equal(pthread_create(&thread, NULL, swap_targets, f), 0);
	for (int i = 0; i < 30; i++) {
		struct rootfs *fs = open_rootfs(f);
		AUTO(outcome) o;

		/* /proc is as it was made, wherever the file went. */
		run_spec(
			fs,
			"grep -c ' /proc/.*/attr' /proc/mounts; cat /proc/self/attr/exec 2>/dev/null | head -c 4",
			(struct run_spec){.mounts = mounts, .n_mounts = 2}, &o);
		if (o.r == 0)
			assert_string_equal(o.out.buf, "0\n");
		rootfs_free(fs);
	}
	close(open(end, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(binds_a_folder_read_only),
		T(drops_what_is_written_to_a_bind),
		T(binds_another_image),
		T(is_not_disturbed_by_renames_elsewhere),
		T(keeps_caches),
		T(mounts_memory),
		T(shows_secrets_as_files_in_memory),
		T(nests_and_covers),
		T(finds_targets_through_links_of_the_image),
		T(does_not_change_what_is_around_a_target),
		T(is_not_led_astray_by_a_racing_step),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
