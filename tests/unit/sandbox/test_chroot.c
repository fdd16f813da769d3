/* The sandbox mode for containers without mounts and namespaces: what is put into the root, what a step sees, may do and leaves. */
#include "sandbox_fixture.h"

#include <errno.h>
#include <sys/wait.h>

#define expect(fs, script, text)                                                            \
	do {                                                                                \
		AUTO(outcome) o_;                                                           \
		run_script(fs, script, &o_);                                                \
		if (o_.r < 0 || strcmp(o_.out.buf, text) != 0)                              \
			fail_msg("%s: expected \"%s\", got \"%s\" (%s%s)", script, text,    \
				 o_.out.buf, o_.err.buf, o_.r < 0 ? o_.error.message : ""); \
	} while (0)

static void changes(struct fixture *f, const char *script, const char *listing)
{
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *got = NULL;
	AUTO(outcome) o;

	run_script(fs, script, &o);
	if (o.r < 0 || o.result.status)
		fail_msg("%s: %s%s", script, o.err.buf, o.r < 0 ? o.error.message : "");
	got = commit_listing(f, fs);
	if (strcmp(got, listing) != 0)
		fail_msg("%s: expected\n%sgot\n%s", script, listing, got);
	rootfs_free(fs);
}

static void tells_what_changed(void **state)
{
	static const struct {
		const char *script, *listing;
	} rows[] = {
		{"true", ""},
		{"cat /etc/passwd /lib/one >/dev/null; ls -lR / >/dev/null", ""},
		/* the image has neither: only the step saw them */
		{"echo x > /etc/hosts; echo y > /etc/resolv.conf; echo z > /dev/shm/f; touch /dev/f",
		 ""},
		{"echo 1 > /lib/one", "f lib/one 644 0:0 =1\n"},
		/* same size and times: told by ctime */
		{"echo CONTENT > /lib/one; touch -d @1000000000 /lib/one",
		 "f lib/one 644 0:0 =CONTENT\n"},
		{"chmod 600 /lib/one", "f lib/one 600 0:0 =content\n"},
		{"chown 5:6 /lib/one", "f lib/one 644 5:6 =content\n"},
		{"chmod 711 /home", "d home 711 0:0\n"},
		{"rm /lib/one", "d lib 755 0:0\nw lib/one\n"},
		{"rm -r /home/app", "d home 755 0:0\nw home/app\n"},
		{"mkdir -p /a/b; echo x > /a/b/c",
		 "d a 755 0:0\nd a/b 755 0:0\nf a/b/c 644 0:0 =x\n"},
		{"rm -r /lib; mkdir /lib; echo 3 > /lib/three",
		 "d lib 755 0:0\nw lib/one\nw lib/two\nf lib/three 644 0:0 =3\n"},
		{"rm /lib/one; mkdir /lib/one; echo x > /lib/one/in",
		 "d lib 755 0:0\nd lib/one 755 0:0\nf lib/one/in 644 0:0 =x\n"},
		{"rm -r /home/app; echo x > /home/app", "d home 755 0:0\nf home/app 644 0:0 =x\n"},
		{"ln /lib/one /lib/three",
		 "d lib 755 0:0\nf lib/one 644 0:0 =content\nh lib/three -> lib/one\n"},
		{"ln -s one /lib/link; mkfifo /lib/p",
		 "d lib 755 0:0\nl lib/link 777 0:0 -> one\np lib/p 644 0:0\n"},
		{"mv /lib/one /lib/uno", "d lib 755 0:0\nw lib/one\nf lib/uno 644 0:0 =content\n"},
		{"echo new > /etc/new", "d etc 755 0:0\nf etc/new 644 0:0 =new\n"},
		{"chmod 700 /", "d  700 0:0\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		changes(*state, rows[i].script, rows[i].listing);
}

/* The second step goes on in the same root: only what it changed itself is in its layer. */
static void goes_on_from_step_to_step(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *first = NULL, *second = NULL, *third = NULL;

	expect(fs, "echo 1 > /one; echo 2 > /two", "");
	first = commit_listing(f, fs);
	expect(fs, "cat /one; echo 3 > /two", "1\n");
	second = commit_listing(f, fs);
	third = commit_listing(f, fs);
	assert_string_equal(first, "f one 644 0:0 =1\nf two 644 0:0 =2\n");
	assert_string_equal(second, "f two 644 0:0 =3\n");
	assert_string_equal(third, "");
	rootfs_free(fs);
}

/* A step that failed leaves a root that nobody goes on with. */
static void drops_the_root_of_a_failed_step(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);

	expect(fs, "echo dirt > /lib/one; exit 1", "");
	rootfs_free(fs);
	fs = open_rootfs(f);
	expect(fs, "cat /lib/one", "content\n");
	rootfs_free(fs);
}

static void answers_what_is_below_proc(void **state)
{
	static const struct {
		const char *script, *out;
	} rows[] = {
		{"head -n 1 /proc/self/status", "Name:\thead\n"},
		{"readlink /proc/self/exe; readlink -f /proc/self/cwd; readlink /proc/self/root",
		 "/bin/busybox\n/\n/\n"},
		{"cd /proc/self && head -n 1 comm; cd /proc && cut -d' ' -f1 version",
		 "sh\nLinux\n"},
		{"cut -d' ' -f1,2,3 /proc/mounts", "/dev/root / rootfs\nproc /proc proc\n"},
		{"cat /proc/sys/kernel/ostype; ls /proc/sys/kernel | grep -x ostype",
		 "Linux\nostype\n"},
		{"grep -c ^processor /proc/cpuinfo > /dev/null && echo cpus", "cpus\n"},
		{"tr '\\0' ' ' < /proc/$$/cmdline | cut -c1-10", "/bin/sh -c\n"},
		{"exec 7</lib/one; ls /proc/self/fd | grep -x 7; readlink /proc/$$/fd/7; cat /dev/fd/7",
		 "7\n/lib/one\ncontent\n"},
		{"echo out > /dev/stdout; echo in | cat /dev/stdin", "out\nin\n"},
		{"echo to > /lib/f; exec 8>>/lib/f; echo more > /proc/self/fd/8; cat /lib/f",
		 "more\n"},
		{"mkfifo /p; exec 9<>/p; (timeout 5 cat /proc/self/fd/9 | head -c 0); echo on",
		 "on\n"},
		{"ls -d /proc/$$ /proc/self /proc/1 2>/dev/null | sed s/$$/PID/",
		 "/proc/PID\n/proc/self\n"},
		{"test -d /proc/self/fd && test -f /proc/self/stat && test -L /proc/self/exe && echo kinds",
		 "kinds\n"},
		/* nothing of other processes, nothing that is written */
		{"cat /proc/1/environ 2>/dev/null || echo no", "no\n"},
		{"ls /proc/1/root/ 2>/dev/null || echo no", "no\n"},
		{"cat /proc/self/mem 2>/dev/null || echo no; cat /proc/kcore 2>/dev/null || echo no",
		 "no\nno\n"},
		{"echo x > /proc/sys/kernel/core_pattern || echo no", "no\n"},
		{"echo b > /proc/sysrq-trigger || echo no; touch /proc/x 2>/dev/null || echo no",
		 "no\nno\n"},
		{"ls /proc/self/root/etc 2>/dev/null || echo no", "no\n"},
	};
	struct rootfs *fs = open_rootfs(*state);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(fs, rows[i].script, rows[i].out);
	rootfs_free(fs);
}

/* Another user's processes are looked into as that user. */
static void answers_other_users(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;

	run_spec(fs,
		 "head -n 1 /proc/self/status; readlink /proc/self/exe; echo x > /dev/stdout; "
		 "grep -c SECRET /proc/$PPID/environ 2>/dev/null; echo $? > /dev/null; id -u",
		 (struct run_spec){.user = "app"}, &o);
	if (o.r < 0 || strcmp(o.out.buf, "Name:\thead\n/bin/busybox\nx\n1000\n") != 0)
		fail_msg("%s%s%s", o.out.buf, o.err.buf, o.r < 0 ? o.error.message : "");
	rootfs_free(fs);
}

static void refuses_working_directories_below_proc(void **state)
{
	static const char *const cwds[] = {"/proc/self/fd/8", "/proc/1/cwd", "/proc/self/root/etc"};

	for (size_t i = 0; i < ARRAY_SIZE(cwds); i++) {
		struct rootfs *fs = open_rootfs(*state);
		AUTO(outcome) o;

		run_spec(fs, "echo ran; pwd", (struct run_spec){.cwd = cwds[i]}, &o);
		if (o.r == 0 || !strstr(o.error.message, "working directory"))
			fail_msg("%s: %s", cwds[i], o.r == 0 ? o.out.buf : o.error.message);
		rootfs_free(fs);
	}
}

static void has_fewer_capabilities_and_no_way_up(void **state)
{
	struct rootfs *fs = open_rootfs(*state);

	expect(fs, "grep -E '^(Cap(Prm|Eff|Bnd)|NoNew)' /proc/self/status | tr '\\n' ' '",
	       "CapPrm:\t00000000a00025fb CapEff:\t00000000a00025fb CapBnd:\t00000000a00025fb NoNewPrivs:\t1 ");
	expect(fs, "chroot / /bin/busybox true 2>/dev/null || echo no", "no\n");
	expect(fs,
	       "mknod /m c 1 3 2>/dev/null || echo no; mount -t tmpfs x /tmp 2>/dev/null || echo no",
	       "no\nno\n");
	/* nothing but the three descriptors is open, and ".." of the root is the root */
	expect(fs, "ls -d /proc/self/fd/3 2>/dev/null; cd /..; cd ../../..; ls -d etc", "etc\n");
	rootfs_free(fs);
}

/* Processes that run on by themselves, deaf to signals, in sessions of their own. */
static void ends_every_process(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;
	pid_t pid;

	run_script(
		fs,
		"trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM; echo $$ > /pid; sleep 600' &) ; "
		"while ! test -s /pid; do :; done; cat /pid; for i in 1 2 3 4 5; do (sleep 700 &); done",
		&o);
	assert_int_equal(o.r, 0);
	pid = (pid_t)strtol(o.out.buf, NULL, 10);
	assert_true(pid > 0);
	assert_true(kill(pid, 0) < 0 && errno == ESRCH);
	rootfs_free(fs);
}

static void write_host_file(const char *dir, const char *name, const char *text)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", dir, name);

	must(fs_write_file_atomic(path, text, strlen(text), 0644, &must_err));
}

static char *host_folder(struct fixture *f, const char *name)
{
	char *dir = xstrfmt("%s/%s", f->root, name);

	must(fs_mkdir_p(dir, 0755, &must_err));
	return dir;
}

static void run_mounts(struct rootfs *fs, const char *script, struct sandbox_mount *mounts,
		       size_t n, const char *text)
{
	AUTO(outcome) o;

	run_spec(fs, script, (struct run_spec){.mounts = mounts, .n_mounts = n}, &o);
	if (o.r < 0 || strcmp(o.out.buf, text) != 0)
		fail_msg("%s: expected \"%s\", got \"%s\" (%s%s)", script, text, o.out.buf,
			 o.err.buf, o.r < 0 ? o.error.message : "");
}

static void puts_mounts_in_and_takes_them_out(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *ctx = host_folder(f, "ctx"), *listing = NULL, *kept = NULL;
	AUTO_FREE char *cache = xstrfmt("%s/cache-folder", f->root);
	AUTO_FREE char *file = xstrfmt("%s/cache-folder/a", f->root);
	AUTO(strbuf) text = STRBUF_INIT;
	struct sandbox_mount mounts[] = {
		{.kind = SANDBOX_MOUNT_BIND, .target = "/lib", .source_dir = ctx, .readonly = true},
		{.kind = SANDBOX_MOUNT_BIND, .target = "/deep/er/ctx", .source_dir = ctx},
		{.kind = SANDBOX_MOUNT_CACHE, .target = "/var/cache/x", .source_dir = cache},
		{.kind = SANDBOX_MOUNT_TMPFS, .target = "/tmp"},
		{.kind = SANDBOX_MOUNT_DATA,
		 .target = "/run/secrets/s",
		 .mode = 0400,
		 .data = "s3cret",
		 .data_len = 6},
	};
	struct rootfs *fs = open_rootfs(f);

	write_host_file(ctx, "f", "from outside\n");
	run_mounts(
		fs,
		"cat /lib/f /deep/er/ctx/f /run/secrets/s; echo; ls /lib; echo 1 > /var/cache/x/a; echo t > /tmp/t; "
		"stat -c %a /tmp /run/secrets/s; echo changed > /deep/er/ctx/f; rm -r /deep /run",
		mounts, ARRAY_SIZE(mounts), "from outside\nfrom outside\ns3cret\nf\n1777\n400\n");
	kept = xstrfmt("%s/f", ctx);
	must(fs_read_file(kept, &text, 100, &must_err));
	assert_string_equal(text.buf, "from outside\n");
	strbuf_reset(&text);
	must(fs_read_file(file, &text, 100, &must_err));
	assert_string_equal(text.buf, "1\n");
	listing = commit_listing(f, fs);
	assert_string_equal(listing, "");
	/* What the step makes beside a mount stays, the folders on the way to it with it. */
	run_mounts(fs, "cat /var/cache/x/a; echo y > /deep/er/y", &mounts[1], 2, "1\n");
	free(listing);
	listing = commit_listing(f, fs);
	assert_string_equal(listing, "d deep 755 0:0\nd deep/er 755 0:0\nf deep/er/y 644 0:0 =y\n");
	rootfs_free(fs);
}

static void refuses_by_name_what_it_cannot_do(void **state)
{
	static const struct {
		struct run_spec spec;
		const char *words;
	} rows[] = {
		{{.network = SANDBOX_NETWORK_NONE}, "without network"},
		{{.readonly_root = true}, "read-only"},
		{{.tty = true, .stdin_fd = -1}, "a terminal"},
		{{.privileged = true}, "privileged"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rootfs *fs = open_rootfs(*state);
		AUTO(outcome) o;

		run_spec(fs, "echo ran", rows[i].spec, &o);
		assert_int_equal(o.r, -1);
		assert_int_equal(o.error.kind, ERROR_UNSUPPORTED);
		if (!strstr(o.error.message, rows[i].words))
			fail_msg("no \"%s\" in \"%s\"", rows[i].words, o.error.message);
		assert_string_equal(o.out.buf, "");
		rootfs_free(fs);
	}
}

/* What an image has in the places of devices and network files cannot be reached through them, and stays. */
static void keeps_what_is_in_the_way(void **state)
{
	static const struct base_entry entries[] = {
		{ENTRY_DIR, "dev", NULL, 0755, 0, 0},
		{ENTRY_FILE, "dev/null", NULL, 0644, 0, 0},
		{ENTRY_SYMLINK, "etc/hosts", "../../../lib/one", 0777, 0, 0},
		{ENTRY_FILE, "etc/resolv.conf", NULL, 0600, 0, 0},
	};
	struct fixture *f = *state;
	struct rootfs_layer layers[2] = {{&f->base.descriptor, &f->base.diff_id}};
	AUTO(layer) layer = {0};
	AUTO_FREE char *listing = NULL;
	struct rootfs *fs;

	make_layer(f, entries, ARRAY_SIZE(entries), &layer);
	layers[1] = (struct rootfs_layer){&layer.descriptor, &layer.diff_id};
	must(rootfs_open(&fs, f->sb, layers, 2, &must_err));
	expect(fs,
	       "test -c /dev/null && echo x > /dev/null; grep -c localhost /lib/one; rm -f /etc/resolv.conf; "
	       "echo y > /etc/resolv.conf; rm -rf /dev; ls -d /dev 2>/dev/null || echo gone",
	       "2\ngone\n");
	listing = commit_listing(f, fs);
	assert_string_equal(listing, "d etc 755 0:0\n");
	expect(fs, "cat /etc/resolv.conf | grep -c content; cat /lib/two", "0\ncontent\n");
	rootfs_free(fs);
}

static void refuses_a_device_folder_that_is_a_link(void **state)
{
	static const struct base_entry entries[] = {{ENTRY_SYMLINK, "dev", "/etc", 0777, 0, 0}};
	struct fixture *f = *state;
	struct rootfs_layer layers[2] = {{&f->base.descriptor, &f->base.diff_id}};
	AUTO(layer) layer = {0};
	struct rootfs *fs;
	AUTO(outcome) o;

	make_layer(f, entries, 1, &layer);
	layers[1] = (struct rootfs_layer){&layer.descriptor, &layer.diff_id};
	must(rootfs_open(&fs, f->sb, layers, 2, &must_err));
	run_script(fs, "echo ran", &o);
	assert_int_equal(o.r, -1);
	assert_non_null(strstr(o.error.message, "/dev as a symbolic link"));
	rootfs_free(fs);
}

int main(int argc, char **argv)
{
#define row(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		row(tells_what_changed),
		row(goes_on_from_step_to_step),
		row(drops_the_root_of_a_failed_step),
		row(answers_what_is_below_proc),
		row(answers_other_users),
		row(refuses_working_directories_below_proc),
		row(has_fewer_capabilities_and_no_way_up),
		row(ends_every_process),
		row(puts_mounts_in_and_takes_them_out),
		row(refuses_by_name_what_it_cannot_do),
		row(keeps_what_is_in_the_way),
		row(refuses_a_device_folder_that_is_a_link),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 77;
	}
	setenv("SLIPWAY_TEST_MODE", "chroot", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
