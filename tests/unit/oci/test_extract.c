#include "oci/extract.h"

#include <errno.h>
#include <sys/xattr.h>

#include "base/process.h"
#include "tests/unit/oci/extract_ground.h"

static void assert_outside_untouched(const struct ground *g)
{
	AUTO(strbuf) found = STRBUF_INIT;
	AUTO_FD int fd = open(g->outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	list_folder(&found, fd);
	assert_string_equal(found.buf, "");
}

static void plain(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_dir(t, "d");
	tar_file(t, "d/f", "content");
	tar_link(t, '2', "l", "d/f");
	tar_link(t, '1', "h", "d/f");
	tar_add(t, (struct tar_header){.name = "su", .mode = 04755});
	tar_add(t, (struct tar_header){.name = "none", .mode = 0});
	tar_add(t, (struct tar_header){.name = "pipe", .type = '6', .mode = 0640});
	tar_add(t, (struct tar_header){.name = "locked", .type = '5', .mode = 0});
	tar_file(t, "locked/in", "x");
}

static void row1_dotdot(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_file(t, "../outside/x", "evil");
}

static void row1_absolute(struct strbuf *t, const char *outside)
{
	AUTO_FREE char *path = xstrfmt("%s/x", outside);

	tar_file(t, "/abs/x", "mine");
	tar_file(t, path, "mine");
}

static void row2(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '2', "d", "/etc");
	tar_file(t, "d/p", "mine");
}

static void row2_real(struct strbuf *t, const char *outside)
{
	tar_link(t, '2', "d", outside);
	tar_file(t, "d/p", "mine");
	tar_dir(t, "d/sub");
	tar_file(t, "d/sub/q", "mine");
}

static void row2_file(struct strbuf *t, const char *outside)
{
	AUTO_FREE char *path = xstrfmt("%s/x", outside);

	tar_link(t, '2', "f", path);
	tar_file(t, "f", "mine");
}

static void row3_up(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '2', "d", "../../..");
	tar_file(t, "d/p", "mine");
	tar_link(t, '2', "e", "../outside");
	tar_file(t, "e/p", "mine");
}

static void row3_chain(struct strbuf *t, const char *outside)
{
	char name[16], target[16];

	(void)outside;
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		tar_link(t, '2', name, target);
	}
	tar_dir(t, "l0");
	tar_file(t, "l41/p", "x");
}

static void row3_loop(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '2', "a", "b");
	tar_link(t, '2', "b", "a");
	tar_file(t, "a/p", "x");
}

static void row4_replaced(struct strbuf *t, const char *outside)
{
	tar_dir(t, "d");
	tar_file(t, "d/x", "1");
	tar_link(t, '2', "d", outside);
	tar_file(t, "d/y", "2");
}

static void row5_up(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '1', "h", "../outside/x");
}

static void row5_absolute(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '1', "h", "/etc/shadow");
}

static void row5_symlink(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '2', "s", "/etc/shadow");
	tar_link(t, '1', "h", "s");
}

static void row5_missing(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '1', "h", "nothing");
}

static void row5_through_link(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_link(t, '2', "e", "/etc");
	tar_link(t, '1', "h", "e/passwd");
}

static void row7(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_dir(t, "sub");
	tar_file(t, "sub/.wh...", "");
}

static void last_wins(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_dir(t, "a");
	tar_file(t, "a/x", "1");
	tar_file(t, "a", "file now");
	tar_file(t, "b", "1");
	tar_file(t, "b", "22");
	tar_link(t, '2', "c", "b");
	tar_dir(t, "c");
	tar_file(t, "c/y", "3");
	tar_file(t, "b2", "1");
	tar_link(t, '1', "b2", "b");
	tar_link(t, '2', "b3", "x");
	tar_link(t, '2', "b3", "y");
}

static void parent_is_file(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_file(t, "a", "1");
	tar_file(t, "a/b", "2");
}

static void root_itself(struct strbuf *t, const char *outside)
{
	(void)outside;
	tar_add(t,
		(struct tar_header){.name = "./", .type = '5', .mode = 0711, .mtime = 1700000000});
	tar_file(t, "./f", "1");
}

static const struct {
	const char *what;
	void (*make)(struct strbuf *tar, const char *outside);
	const char *found; /* as list_folder() shows it */
	const char *
		inside; /* found NULL: what is at this place below the path of the folder outside, in the root */
	const char *why; /* found and inside NULL: of the error */
} cases[] = {
	{"plain entries", plain,
	 "d 755\nd/f 644 =content\nh 644 =content\nl -> d/f\nlocked 0\nlocked/in 644 =x\n"
	 "none 0 =\npipe p640\nsu 4755 =\n",
	 NULL, NULL},
	{"the root's metadata", root_itself, "f 644 =1\n", NULL, NULL},
	{"the last of two entries wins", last_wins,
	 "a 644 =file now\nb 644 =22\nb2 644 =22\nb3 -> y\nc 755\nc/y 644 =3\n", NULL, NULL},
	{"row 1: ..", row1_dotdot, NULL, NULL, "unsafe path"},
	{"row 2: link to /etc", row2, "d -> /etc\netc 755\netc/p 644 =mine\n", NULL, NULL},
	{"row 2: a link at the place of a file is replaced", row2_file, "f 644 =mine\n", NULL,
	 NULL},
	{"row 3: 41 links", row3_chain, NULL, NULL, "lead in circles"},
	{"row 3: a loop", row3_loop, NULL, NULL, "lead in circles"},
	{"row 5: hard link beyond the root", row5_up, NULL, NULL, "unsafe path"},
	{"row 5: hard link to a file of the host", row5_absolute, NULL, NULL, "does not exist"},
	{"row 5: hard link to a symbolic link, which is not followed", row5_symlink,
	 "h -> /etc/shadow\ns -> /etc/shadow\n", NULL, NULL},
	{"row 5: hard link to nothing", row5_missing, NULL, NULL, "does not exist"},
	{"row 5: hard link through a link to the host", row5_through_link, NULL, NULL,
	 "does not exist"},
	{"row 7: whiteout of ..", row7, NULL, NULL, "a whiteout of nothing"},
	{"a parent that is a file", parent_is_file, NULL, NULL, "parent is not a folder"},
	{"row 1: absolute names", row1_absolute, NULL, "x", NULL},
	{"row 2: link to a folder that exists outside", row2_real, NULL, "sub/q", NULL},
	{"row 3: links that go up", row3_up,
	 "d -> ../../..\ne -> ../outside\noutside 755\noutside/p 644 =mine\np 644 =mine\n", NULL,
	 NULL},
	{"row 4: a folder replaced by a link", row4_replaced, NULL, "y", NULL},
};

static void one_layer(struct fixture *f, bool flat)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *name = xstrfmt("out-%d-%zu", flat, i);
		AUTO(ground) g = {0};
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(strbuf) found = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		int result;

		ground_init(&g, f, name);
		g.o.flat = flat;
		cases[i].make(&tar, g.outside);
		result = extract(&g, &tar, &err);
		assert_outside_untouched(&g);
		if (cases[i].why) {
			if (result == 0 || !strstr(err.message, cases[i].why))
				fail_msg("%s: %s", cases[i].what, err.message);
			continue;
		}
		if (result < 0)
			fail_msg("%s: %s", cases[i].what, err.message);
		if (cases[i].inside) {
			AUTO_FREE char *path = xstrfmt("%s/%s", g.outside + 1, cases[i].inside);

			assert_int_equal(faccessat(g.fd, path, F_OK, AT_SYMLINK_NOFOLLOW), 0);
			continue;
		}
		list_folder(&found, g.fd);
		if (strcmp(found.buf, cases[i].found) != 0)
			fail_msg("%s: got\n%swant\n%s", cases[i].what, found.buf, cases[i].found);
	}
}

static void test_one_layer(void **state)
{
	one_layer(*state, false);
	one_layer(*state, true);
}

static void test_one_layer_without_openat2(void **state)
{
	fs_no_openat2 = true;
	one_layer(*state, false);
	fs_no_openat2 = false;
}

static void test_attributes(void **state)
{
	static const uint8_t capability[20] = {1, 0, 0, 2, 0, 4};
	struct fixture *f = *state;
	AUTO(ground) g = {0};
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(strbuf) records = STRBUF_INIT;
	char value[64];
	struct stat st;

	ground_init(&g, f, "out");
	tar_record(&records, "SCHILY.xattr.security.capability", capability, sizeof(capability));
	tar_record(&records, "SCHILY.xattr.user.note", "hi", 2);
	tar_record(&records, "SCHILY.xattr.user.overlay.opaque", "y", 1);
	tar_pax(&tar, (struct tar_header){.name = "pax"}, &records);
	tar_add(&tar, (struct tar_header){.name = "bin/ping",
					  .mode = 04755,
					  .uid = 12,
					  .gid = 34,
					  .mtime = 1700000001});
	tar_add(&tar, (struct tar_header){.name = "bin/",
					  .type = '5',
					  .mode = 02775,
					  .uid = 12,
					  .gid = 35,
					  .mtime = 1700000002});
	tar_file(&tar, "bin/other", "x");
	tar_link(&tar, '2', "bin/l", "ping");
	assert_ok(f, extract(&g, &tar, &f->err));
	assert_int_equal(fstatat(g.fd, "bin/ping", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_mtime, 1700000001);
	if (geteuid() == 0) {
		AUTO_FREE char *path = xstrfmt("%s/bin/ping", g.out);

		assert_int_equal(st.st_uid, 12);
		assert_int_equal(st.st_gid, 34);
		assert_int_equal(getxattr(path, "security.capability", value, sizeof(value)), 20);
		assert_memory_equal(value, capability, 20);
		assert_int_equal(getxattr(path, "user.overlay.opaque", value, sizeof(value)), -1);
	}
	assert_int_equal(fstatat(g.fd, "bin", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 02775);
	assert_int_equal(st.st_mtime, 1700000002);
	assert_int_equal(fstatat(g.fd, "bin/l", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mtime, 0);
}

/* All of the above as a user who is not root and has one id. */
static void test_as_nobody(void **state)
{
	struct fixture *f = *state;
	AUTO(strbuf) out = STRBUF_INIT;
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *const argv[] = {
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", self, NULL};
	struct process_options p = {.path = "setpriv",
				    .argv = (char *const *)(uintptr_t)argv,
				    .stdin_fd = -1,
				    .stdout_fd = -1,
				    .stderr_fd = -1};
	int status = -1;

	if (geteuid() != 0)
		skip();
	assert_true(n > 0);
	self[n] = '\0';
	assert_ok(f, process_capture(&p, NULL, 0, NULL, &out, 120000, NULL, &status, &f->err));
	/* 126 and 127: the build folder is not open to others. */
	if (status == 126 || status == 127)
		skip();
	if (status)
		fail_msg("%s", out.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_one_layer),
		store_test(test_one_layer_without_openat2),
		store_test(test_attributes),
		store_test(test_as_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
