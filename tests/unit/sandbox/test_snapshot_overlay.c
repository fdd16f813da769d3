/* What of a file reaches a layer: attributes, capabilities, owners, devices, depth, number. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/time.h"
#include "sandbox/snapshot_marks.h"

/* CAP_NET_RAW permitted and effective, revision 2 (capability.h: magic, then permitted and inheritable, low and high). */
static const unsigned char net_raw[20] = {1, 0, 0, 2, 0, 0x20};

static void adds_special_files(struct layer_writer *w)
{
	const struct xattr xattrs[] = {{"security.capability", net_raw, sizeof(net_raw)},
				       {"user.note", "kept", 4}};
	const struct entry entries[] = {
		{.type = ENTRY_DIR, .path = "s", .mode = 0755},
		{.type = ENTRY_FILE,
		 .path = "s/capable",
		 .mode = 0755,
		 .xattrs = xattrs,
		 .n_xattrs = 2},
		{.type = ENTRY_CHAR,
		 .path = "s/device",
		 .mode = 0666,
		 .dev_major = 1,
		 .dev_minor = 3},
		{.type = ENTRY_FILE, .path = "s/empty", .mode = 0644},
		{.type = ENTRY_FILE, .path = "s/owned", .mode = 0640, .uid = 7, .gid = 8},
		{.type = ENTRY_FILE, .path = "s/setuid", .mode = 06755, .uid = 0, .gid = 8},
	};
	struct text_source none = {.source = {.read = text_read}, .text = ""};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		must(layer_writer_add(w, &entries[i],
				      entries[i].type == ENTRY_FILE ? &none.source : NULL,
				      &must_err));
}

static struct rootfs *open_special(struct fixture *f)
{
	struct layer_writer *w;
	struct layer top = {0};
	struct rootfs *fs;

	must(layer_writer_open(&w, f->store, &plain_options, &must_err));
	adds_special_files(w);
	must(layer_writer_finish(w, &top, &must_err));
	layer_writer_free(w);

	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id},
					      {&top.descriptor, &top.diff_id}};

	must(rootfs_open(&fs, f->sb, layers, 2, &must_err));
	layer_release(&top);
	return fs;
}

/* A change of mode carries the whole file up, with all that belongs to it. */
static void carries_everything_of_a_file(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_special(f);
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o;

	run_script(
		fs,
		"cd /s && chmod 700 capable && chmod 600 device empty owned && chmod 6711 setuid",
		&o);
	if (o.result.status != 0)
		fail_msg("%s", o.err.buf);
	listing = commit_listing(f, fs);
	/* With one id, capabilities are not given to extracted files: the kernel would bind them to that id. */
	if (sandbox_mode(f->sb, NULL) == SANDBOX_ROOTLESS_SINGLE)
		assert_string_equal(
			listing,
			"d s 755 0:0\nf s/capable 700 0:0 user.note(4) =\nc s/device 600 0:0\n"
			"f s/empty 600 0:0 =\nf s/owned 600 7:8 =\nf s/setuid 6711 0:8 =\n");
	else
		assert_string_equal(
			listing,
			"d s 755 0:0\nf s/capable 700 0:0 security.capability(20) user.note(4) =\n"
			"c s/device 600 0:0\nf s/empty 600 0:0 =\nf s/owned 600 7:8 =\n"
			"f s/setuid 6711 0:8 =\n");
	rootfs_free(fs);
}

static void keeps_owners_that_a_step_gives(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	AUTO_FREE char *listing = NULL;
	AUTO(outcome) o;

	run_script(
		fs,
		"echo 1 > /new; chown 5:6 /new && echo done; ln -s x /sym; chown -h 7:8 /sym; chmod 600 /home/app/file",
		&o);
	assert_string_equal(o.out.buf, "done\n");
	listing = commit_listing(f, fs);
	assert_string_equal(
		listing,
		"d home 755 0:0\nd home/app 750 1000:1000\nf home/app/file 600 1000:1000 =content\n"
		"f new 644 5:6 =1\nl sym 777 7:8 -> x\n");
	rootfs_free(fs);
}

static void walks_deep_folders(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	struct rlimit few = {.rlim_cur = 256}, before;
	struct layer layer = {0};
	AUTO(error) err = ERROR_INIT;
	AUTO(outcome) o, p;

	/* Deeper than there are descriptors. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	run_script(
		fs,
		"i=0; while [ $i -lt 700 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done; echo x > file",
		&o);
	assert_int_equal(o.result.status, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	must(rootfs_commit(fs, &plain_options, &layer, &must_err));
	assert_true(layer.uncompressed > 700 * 512);
	layer_release(&layer);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* A path that no layer can hold. */
	run_script(
		fs,
		"cd /d/d; i=0; while [ $i -lt 100 ]; do n=$(head -c 250 /dev/zero | tr '\\0' n); mkdir $n && cd -P $n || exit 1; i=$((i+1)); done",
		&p);
	if (p.result.status == 0) {
		assert_int_equal(rootfs_commit(fs, &plain_options, &layer, &err), -1);
		assert_non_null(strstr(err.message, "too long for a layer"));
	}
	rootfs_free(fs);
}

static void takes_many_files_in_little_memory(void **state)
{
	struct fixture *f = *state;
	struct rootfs *fs = open_rootfs(f);
	struct layer layer = {0};
	struct rusage before, after;
	AUTO(outcome) o;

	run_script(
		fs,
		"mkdir /m && cd /m && i=0 && while [ $i -lt 20000 ]; do : > $i; i=$((i+1)); done",
		&o);
	assert_int_equal(o.result.status, 0);
	getrusage(RUSAGE_SELF, &before);
	must(rootfs_commit(fs, &plain_options, &layer, &must_err));
	getrusage(RUSAGE_SELF, &after);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed */
	/* 20,000 headers of 512 bytes are 10 MB: they must not be in memory at once (in KiB). */
	assert_true(after.ru_maxrss - before.ru_maxrss < 8 << 10);
#endif
	assert_true(layer.uncompressed > 20000 * 512);
	layer_release(&layer);
	rootfs_free(fs);
}

static void knows_capabilities_of_every_revision(void **state)
{
	static const unsigned char one[12] = {1, 0, 0, 1, 0, 0x20};
	static const unsigned char three[24] = {1, 0, 0, 3, 0, 0x20, [20] = 0xe9, [21] = 3};
	static const unsigned char strange[20] = {1, 0, 0, 9};
	unsigned char out[20];

	(void)state;
	assert_int_equal(capability_revision_2(net_raw, sizeof(net_raw), out), 20);
	assert_memory_equal(out, net_raw, 20);
	assert_int_equal(capability_revision_2(one, sizeof(one), out), 20);
	assert_memory_equal(out, net_raw, 20);
	assert_int_equal(capability_revision_2(three, sizeof(three), out), 20);
	assert_memory_equal(out, net_raw, 20);
	assert_int_equal(capability_revision_2(strange, sizeof(strange), out), 0);
	assert_int_equal(capability_revision_2(net_raw, 19, out), 0);
	assert_int_equal(capability_revision_2(net_raw, 3, out), 0);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(carries_everything_of_a_file),
		T(keeps_owners_that_a_step_gives),
		T(walks_deep_folders),
		T(takes_many_files_in_little_memory),
		cmocka_unit_test(knows_capabilities_of_every_revision),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
