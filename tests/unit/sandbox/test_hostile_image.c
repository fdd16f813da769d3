/*
 * Images and steps that mean harm: the abuse rows of the threat model that concern the sandbox. What they must not
 * reach is a file of the host made for this, or the answer the kernel gives.
 */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <unistd.h>

#define OVERLAY_LAYERS 490 /* less than the 500 that the kernel takes, for those slipway adds */

/* Opens the base with a layer of these entries on top. */
static struct rootfs *open_with(struct fixture *f, const struct base_entry *entries, size_t n)
{
	struct layer top = {0};
	struct rootfs *fs;

	make_layer(f, entries, n, &top);

	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id},
					      {&top.descriptor, &top.diff_id}};

	must(rootfs_open(&fs, f->sb, layers, 2, &must_err));
	layer_release(&top);
	return fs;
}

/* /dev, /proc and /sys as anything but folders (CVE-2025-31133, CVE-2025-52565). */
static void refuses_system_folders_that_are_none(void **state)
{
	static const struct {
		struct base_entry entry;
		const char *message;
	} rows[] = {
		{{ENTRY_SYMLINK, "dev", "/tmp", 0777, 0, 0}, "/dev as a symbolic link"},
		{{ENTRY_SYMLINK, "proc", "/lib", 0777, 0, 0}, "/proc as a symbolic link"},
		{{ENTRY_SYMLINK, "sys", "../../../../tmp", 0777, 0, 0}, "/sys as a symbolic link"},
		{{ENTRY_FILE, "proc", NULL, 0644, 0, 0}, "/proc as something else than a folder"},
		{{ENTRY_FIFO, "dev", NULL, 0644, 0, 0}, "/dev as something else than a folder"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rootfs *fs = open_with(*state, &rows[i].entry, 1);
		AUTO(outcome) o;

		run_script(fs, "echo ran", &o);
		if (o.r == 0 || !strstr(o.error.message, rows[i].message))
			fail_msg("%s: %s", rows[i].entry.path,
				 o.error.message ? o.error.message : o.out.buf);
		rootfs_free(fs);
	}
}

/* What is inside /dev and /proc of the image is covered, whatever it is. */
static void covers_what_is_in_system_folders(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_DIR, "dev", NULL, 0755, 0, 0},
		{ENTRY_SYMLINK, "dev/null", "/etc/passwd", 0777, 0, 0},
		{ENTRY_SYMLINK, "dev/ptmx", "/etc/passwd", 0777, 0, 0},
		{ENTRY_SYMLINK, "dev/pts", "/etc", 0777, 0, 0},
		{ENTRY_DIR, "proc", NULL, 0755, 0, 0},
		{ENTRY_SYMLINK, "proc/interrupts", "/etc/passwd", 0777, 0, 0},
		{ENTRY_SYMLINK, "proc/self", "/etc", 0777, 0, 0},
	};
	struct rootfs *fs = open_with(*state, entries, ARRAY_SIZE(entries));
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o;

	run_script(
		fs,
		"echo x > /dev/null; readlink /dev/ptmx; test -d /dev/pts && test ! -e /dev/pts/passwd && echo pts; "
		"wc -c < /proc/interrupts; grep -c root:x /etc/passwd",
		&o);
	assert_int_equal(o.r, 0);
	assert_string_equal(o.out.buf, "pts/ptmx\npts\n0\n1\n");
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "");
	rootfs_free(fs);
}

/* /etc and its files as links, absolute and upwards: bound inside the root, the host's files untouched. */
static void binds_network_files_inside_the_root(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_SYMLINK, "etc", "../../../../lib", 0777, 0, 0},
		{ENTRY_SYMLINK, "lib/hosts", "/nested/hosts", 0777, 0, 0},
		{ENTRY_SYMLINK, "lib/resolv.conf", "../../../../../../run/resolv.conf", 0777, 0, 0},
	};
	AUTO(strbuf) before = STRBUF_INIT;
	AUTO(strbuf) after = STRBUF_INIT;
	struct rootfs *fs = open_with(*state, entries, ARRAY_SIZE(entries));
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o;

	must(fs_read_file("/etc/hosts", &before, 1 << 20, &must_err));
	run_script(
		fs,
		"echo overwritten > /etc/hosts; cat /nested/hosts; echo x > /etc/resolv.conf; cat /run/resolv.conf",
		&o);
	if (o.r < 0)
		fail_msg("%s", o.error.message);
	assert_string_equal(o.out.buf, "overwritten\nx\n");
	must(fs_read_file("/etc/hosts", &after, 1 << 20, &must_err));
	assert_string_equal(before.buf, after.buf);
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "");
	rootfs_free(fs);
}

static void refuses_files_that_lead_into_proc(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_DIR, "etc", NULL, 0755, 0, 0},
		{ENTRY_SYMLINK, "etc/hosts", "/proc/self/environ", 0777, 0, 0},
	};
	struct rootfs *fs = open_with(*state, entries, ARRAY_SIZE(entries));
	AUTO(outcome) o;

	run_script(fs, "echo ran", &o);
	assert_int_equal(o.r, -1);
	assert_non_null(strstr(o.error.message, "leads into /proc"));
	rootfs_free(fs);
}

/* passwd and group as links, pipes, folders, or too large: no hang, nothing of the host read (row 49). */
static void reads_users_inside_the_root_only(void **state)
{
	static const struct {
		struct base_entry passwd;
		const char *user, *out, *message;
	} rows[] = {
		{{ENTRY_SYMLINK, "etc/passwd", "../../../../../../etc/passwd", 0777, 0, 0},
		 "app",
		 NULL,
		 "user app is not in"},
		{{ENTRY_SYMLINK, "etc/passwd", "/lib/one", 0777, 0, 0},
		 "app",
		 NULL,
		 "user app is not in"},
		{{ENTRY_FIFO, "etc/passwd", NULL, 0644, 0, 0}, "app", NULL, "user app is not in"},
		{{ENTRY_DIR, "etc/passwd", NULL, 0755, 0, 0}, "app", NULL, "user app is not in"},
		{{ENTRY_SYMLINK, "etc/passwd", "/dev/zero", 0777, 0, 0},
		 "app",
		 NULL,
		 "user app is not in"},
		{{ENTRY_FIFO, "etc/passwd", NULL, 0644, 0, 0}, "", "ran\n", NULL},
		{{ENTRY_FIFO, "etc/passwd", NULL, 0644, 0, 0}, "0", "ran\n", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct base_entry entries[] = {{ENTRY_DIR, "etc", NULL, 0755, 0, 0},
						     rows[i].passwd};
		struct rootfs *fs = open_with(*state, entries, 2);
		AUTO(outcome) o;

		run_spec(fs, "echo ran", (struct run_spec){.user = rows[i].user}, &o);
		if (rows[i].message ? o.r == 0 || !strstr(o.error.message, rows[i].message)
				    : o.r < 0 || strcmp(o.out.buf, rows[i].out) != 0)
			fail_msg("row %zu: %s", i, o.error.message ? o.error.message : o.out.buf);
		rootfs_free(fs);
	}
}

static void refuses_a_user_file_that_is_too_large(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o, p, q;

	run_script(fs, "head -c 1048577 /dev/zero | tr '\\0' a > /etc/passwd", &o);
	assert_int_equal(o.result.status, 0);
	run_spec(fs, "echo ran", (struct run_spec){.user = "app"}, &p);
	assert_non_null(strstr(p.error.message, "larger than 1 MiB"));
	/* One line of a megabyte is legal, and only long. */
	run_spec(fs, "head -c 1048576 /dev/zero | tr '\\0' a > /etc/passwd",
		 (struct run_spec){.user = "0"}, &q);
	assert_int_equal(q.r, -1);
	rootfs_free(fs);
}

/* Working directories by ways of descriptors (CVE-2024-21626). */
static void refuses_working_directories_by_descriptors(void **state)
{
	static const char *const cwds[] = {"/proc/self/fd/8", "/proc/self/fd/3", "/proc/1/cwd",
					   "/proc/self/root/etc", "/link"};
	static const struct base_entry entries[] = {
		{ENTRY_SYMLINK, "link", "/proc/self/fd/7/../..", 0777, 0, 0}};
	struct rootfs *fs = open_with(*state, entries, 1);

	for (size_t i = 0; i < ARRAY_SIZE(cwds); i++) {
		AUTO(outcome) o;

		run_spec(fs, "echo ran; pwd", (struct run_spec){.cwd = cwds[i]}, &o);
		if (o.r == 0)
			fail_msg("%s: %s", cwds[i], o.out.buf);
		assert_non_null(strstr(o.error.message, "working directory"));
	}
	rootfs_free(fs);
}

/* Row by row: a script, and all that it may say. */
static const struct {
	const char *script, *out;
} attempts[] = {
	/* 41: settings of the kernel, its memory and its keys */
	{"echo x > /proc/sys/kernel/core_pattern || echo no", "no\n"},
	{"echo b > /proc/sysrq-trigger || echo no", "no\n"},
	{"echo 1 > /proc/irq/default_smp_affinity || echo no", "no\n"},
	{"mkdir /sys/fs/cgroup/x || echo no", "no\n"},
	{"echo 1 > /sys/kernel/uevent_helper || echo no", "no\n"},
	{"cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts | head -c 1 | wc -c", "0\n"},
	{"ls -A /proc/acpi /proc/scsi /sys/firmware | grep -v : | grep -c .", "0\n"},
	/* 42: mounts and namespaces */
	{"mount -t tmpfs none /tmp || echo no; mount --bind /lib /tmp || echo no; umount /proc || echo no",
	 "no\nno\nno\n"},
	{"mount -o remount,rw /sys || echo no; mount -o remount,rw /proc/sys || echo no",
	 "no\nno\n"},
	{"unshare -m true || echo no; unshare -U true || echo no; unshare -n true || echo no; unshare -p true || echo no",
	 "no\nno\nno\nno\n"},
	{"nsenter -t 1 -m true || echo no; pivot_root /tmp /tmp || echo no; swapoff -a; hostname other || echo no",
	 "no\nno\nno\n"},
	/* 43: devices */
	{"mknod /d b 8 0; head -c 1 /d > /x || echo no; mknod /dev/d b 254 0; head -c 1 /dev/d > /x || echo no; rm -f /d /x",
	 "no\nno\n"},
	{"mknod /dev/shm/d b 8 0; head -c 1 /dev/shm/d > /dev/null || echo no", "no\n"},
	/* 44: our own program */
	{"echo x > /proc/1/exe || echo no; cp /proc/1/exe /tmp/x || echo no", "no\nno\n"},
	/* 35: a mount point replaced, then cleaned up by whoever follows names */
	{"mv /etc /etc2 || echo no; rm -rf /etc/hosts || echo no; ln -sfn / /etc/hosts 2>&1 | grep -c . ",
	 "no\nno\n1\n"},
	/* chroot twice and out: the root of the step is the root of its namespace */
	{"mkdir -p /tmp/a; cd /; chroot /tmp/a /bin/true; ls /home", "app\n"},
};

static void refuses_what_would_reach_the_host(void **state)
{
	struct rootfs *fs = open_rootfs(*state);

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		AUTO_FREE char *script = xstrfmt("{ %s ; } 2>/dev/null", attempts[i].script);
		AUTO(outcome) o;

		run_script(fs, script, &o);
		if (o.r < 0)
			fail_msg("%s: %s", attempts[i].script, o.error.message);
		if (strcmp(o.out.buf, attempts[i].out) != 0)
			fail_msg("%s: expected \"%s\", got \"%s\"", attempts[i].script,
				 attempts[i].out, o.out.buf);
	}
	rootfs_free(fs);
}

/* Docker's 14 capabilities for root, none for others; none inheritable or ambient (CVE-2022-24769). */
static void has_dockers_capabilities(void **state)
{
	static const char show[] = "grep ^Cap /proc/self/status | tr '\\t\\n' '  '";
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) root, user;

	run_script(fs, show, &root);
	assert_string_equal(
		root.out.buf,
		"CapInh: 0000000000000000 CapPrm: 00000000a80425fb CapEff: 00000000a80425fb "
		"CapBnd: 00000000a80425fb CapAmb: 0000000000000000 ");
	run_spec(fs, show, (struct run_spec){.user = "app"}, &user);
	if (sandbox_mode(f->sb, NULL) != SANDBOX_ROOTLESS_SINGLE)
		assert_string_equal(
			user.out.buf,
			"CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 "
			"CapBnd: 00000000a80425fb CapAmb: 0000000000000000 ");
	rootfs_free(fs);
}

/* A setuid program works: no_new_privs is not set, the root is not nosuid. */
static void keeps_setuid_programs_working(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o, p;

	if (sandbox_mode(f->sb, NULL) == SANDBOX_ROOTLESS_SINGLE) {
		rootfs_free(fs);
		skip();
	}
	run_script(fs,
		   "cp /bin/busybox /bin/su && chmod 4755 /bin/su; "
		   "echo open::1001:1001::/:/bin/sh >> /etc/passwd; echo /bin/sh > /etc/shells; "
		   "grep NoNewPrivs /proc/self/status",
		   &o);
	assert_string_equal(o.out.buf, "NoNewPrivs:\t0\n");
	/* Without root's rights su could not become another user. */
	run_spec(fs, "/bin/su open -c 'id -u'", (struct run_spec){.user = "app"}, &p);
	assert_string_equal(p.out.buf, "1001\n");
	rootfs_free(fs);
}

/* Names that a layer cannot hold fail the build with the path; sockets are left out with a note. */
static void tells_what_a_layer_cannot_hold(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	struct layer layer = {0};
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o, p;

	run_script(fs, "mkdir /d; touch /d/.wh.x", &o);
	assert_int_equal(rootfs_commit(fs, &plain_options, &layer, &err), -1);
	assert_non_null(strstr(err.message, "/d/.wh.x"));
	rootfs_free(fs);
	fs = open_rootfs(f);
	run_script(
		fs,
		"nc -lk local:/socket & i=0; while [ ! -e /socket ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done; test -S /socket && echo there",
		&p);
	listing = commit_listing(f, fs);
	if (strcmp(p.out.buf, "there\n") == 0) {
		assert_string_equal(listing, "");
		assert_non_null(strstr(f->logged.buf, "/socket is a socket"));
	}
	rootfs_free(fs);
}

static void refuses_more_layers_than_an_overlay_takes(void **state)
{
	struct fixture *f = *state;
	const struct base_entry entries[] = {{ENTRY_FILE, "more", NULL, 0644, 0, 0}};
	struct rootfs_layer layers[OVERLAY_LAYERS + 2];
	struct layer more = {0};
	struct rootfs *fs;
	AUTO(outcome) o, p;

	make_layer(f, entries, ARRAY_SIZE(entries), &more);
	layers[0] = (struct rootfs_layer){&f->base.descriptor, &f->base.diff_id};
	for (size_t i = 1; i < ARRAY_SIZE(layers); i++)
		layers[i] = (struct rootfs_layer){&more.descriptor, &more.diff_id};
	must(rootfs_open(&fs, f->sb, layers, 130, &must_err));
	run_script(fs, "echo 130; grep -c / /proc/mounts > /dev/null", &o);
	if (o.r < 0)
		fail_msg("%s", o.error.message);
	assert_string_equal(o.out.buf, "130\n");
	rootfs_free(fs);
	must(rootfs_open(&fs, f->sb, layers, ARRAY_SIZE(layers), &must_err));
	run_script(fs, "echo ran", &p);
	assert_int_equal(p.r, -1);
	assert_non_null(strstr(p.error.message, "more than the"));
	rootfs_free(fs);
	layer_release(&more);
}

/* What changed nothing is not mounted: steps stay as cheap, and as many, as the changes are. */
static void mounts_no_layer_without_entries(void **state)
{
	struct fixture *f = *state;
	struct rootfs_layer layers[OVERLAY_LAYERS + 2];
	struct layer empty = {0}, out = {0};
	struct rootfs *fs;
	AUTO(outcome) o, p;

	make_layer(f, NULL, 0, &empty);
	layers[0] = (struct rootfs_layer){&f->base.descriptor, &f->base.diff_id};
	for (size_t i = 1; i < ARRAY_SIZE(layers); i++)
		layers[i] = (struct rootfs_layer){&empty.descriptor, &empty.diff_id};
	must(rootfs_open(&fs, f->sb, layers, ARRAY_SIZE(layers), &must_err));
	run_script(fs, "cat /lib/one; echo new > /new", &o);
	assert_int_equal(o.r, 0);
	assert_string_equal(o.out.buf, "content\n");
	must(rootfs_commit(fs, &plain_options, &out, &must_err));
	layer_release(&out);
	must(rootfs_commit(fs, &plain_options, &out, &must_err));
	assert_string_equal(out.diff_id.text, empty.diff_id.text);
	run_script(fs, "cat /lib/one /new", &p);
	assert_int_equal(p.r, 0);
	assert_string_equal(p.out.buf, "content\nnew\n");
	rootfs_free(fs);
	layer_release(&empty);
	layer_release(&out);
}

/* No path of the host shows in the step's list of mounts. */
static void shows_no_path_of_the_host(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o;

	run_script(fs, "cat /proc/mounts /proc/self/mountinfo", &o);
	assert_true(o.out.len > 100);
	if (strstr(o.out.buf, strrchr(f->root, '/') + 1))
		fail_msg("%s", o.out.buf);
	rootfs_free(fs);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(refuses_system_folders_that_are_none),
		T(covers_what_is_in_system_folders),
		T(binds_network_files_inside_the_root),
		T(refuses_files_that_lead_into_proc),
		T(reads_users_inside_the_root_only),
		T(refuses_a_user_file_that_is_too_large),
		T(refuses_working_directories_by_descriptors),
		T(refuses_what_would_reach_the_host),
		T(has_dockers_capabilities),
		T(keeps_setuid_programs_working),
		T(tells_what_a_layer_cannot_hold),
		T(refuses_more_layers_than_an_overlay_takes),
		T(mounts_no_layer_without_entries),
		T(shows_no_path_of_the_host),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
