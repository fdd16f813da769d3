/* Each row is opened by openat2 and by the walk: the kernel is the second opinion on every value. */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "scratch.h"

static int outside_setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	make_file("secret", "outside");
	make_file("root/etc/passwd", "inside");
	make_dirs("root/usr/lib");
	make_file("root/usr/lib/libc", "libc");
	make_file("root/secret", "root's");
	make_link("usr/lib", "root/lib");
	make_link("/usr/lib", "root/abs");
	make_link("../../../../../secret", "root/up");
	make_link("/", "root/slash");
	make_link("loop2", "root/loop1");
	make_link("loop1", "root/loop2");
	make_link("missing/deep", "root/dangling");
	make_link("/etc/passwd", "root/usr/passwd");
	make_link("lib/", "root/trailing");
	make_link("etc/passwd/", "root/file-trailing");
	make_link(".", "root/dot");
	make_link("link00", "root/chain");
	for (int i = 0; i < 45; i++) {
		AUTO_FREE char *name = xstrfmt("root/link%02d", i);
		AUTO_FREE char *target = xstrfmt("link%02d", i + 1);

		make_link(i == 44 ? "secret" : target, name);
	}
	return 0;
}

struct row {
	const char *path;
	int flags;
	int number;          /* errno, 0 when it opens */
	const char *content; /* of a regular file; NULL: a folder or a link */
	const char *same;    /* is the same file as this below root, when content is NULL */
};

static void check_row(int root, const struct row *row,
		      int (*opener)(int, const char *, int, mode_t), const char *how)
{
	AUTO_FD int fd = opener(root, row->path, row->flags, 0644);
	struct stat st, wanted;
	char content[64] = "";

	if (fd < 0) {
		if (errno != row->number)
			fail_msg("%s, %s: %s", row->path, how, strerror(errno));
		return;
	}
	if (row->number)
		fail_msg("%s, %s: opened", row->path, how);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	if (row->content) {
		assert_true(read(fd, content, sizeof(content) - 1) >= 0);
		if (strcmp(content, row->content) != 0)
			fail_msg("%s, %s: \"%s\"", row->path, how, content);
		return;
	}
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fstatat(root, row->same, &wanted, AT_SYMLINK_NOFOLLOW), 0);
	if (st.st_ino != wanted.st_ino)
		fail_msg("%s, %s: is not %s", row->path, how, row->same);
}

static void check_rows(const struct row *rows, size_t n,
		       int (*opener)(int, const char *, int, mode_t))
{
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		fs_no_openat2 = false;
		check_row(root, &rows[i], opener, "openat2");
		fs_no_openat2 = true;
		check_row(root, &rows[i], opener, "walk");
		fs_no_openat2 = false;
	}
}

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY)

static void links_stay_in_the_root(void **state)
{
	static const struct row rows[] = {
		{"etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"/etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"//etc/./passwd", O_RDONLY, 0, "inside", NULL},
		{"../../etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"usr/../etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"lib/libc", O_RDONLY, 0, "libc", NULL},
		{"abs/libc", O_RDONLY, 0, "libc", NULL},
		{"usr/passwd", O_RDONLY, 0, "inside", NULL},
		{"up", O_RDONLY, 0, "root's", NULL},
		{"slash/slash/secret", O_RDONLY, 0, "root's", NULL},
		{"lib/../../etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"lib/..", DIR_FLAGS, 0, NULL, "usr"},
		{"dot/dot/dot/etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"trailing/libc", O_RDONLY, 0, "libc", NULL},
		{"link20", O_RDONLY, 0, "root's", NULL},
		{"chain", O_RDONLY, ELOOP, NULL, NULL},
		{"loop1", O_RDONLY, ELOOP, NULL, NULL},
		{"loop1/x", O_RDONLY, ELOOP, NULL, NULL},
		{"missing", O_RDONLY, ENOENT, NULL, NULL},
		{"missing/../etc/passwd", O_RDONLY, ENOENT, NULL, NULL},
		{"dangling", O_RDONLY, ENOENT, NULL, NULL},
		{"etc/passwd/x", O_RDONLY, ENOTDIR, NULL, NULL},
		{"etc/passwd/..", O_RDONLY, ENOTDIR, NULL, NULL},
		{"etc/passwd/", O_RDONLY, ENOTDIR, NULL, NULL},
		{"etc/passwd/.", O_RDONLY, ENOTDIR, NULL, NULL},
		{"file-trailing", O_RDONLY, ENOTDIR, NULL, NULL},
		{"etc/passwd", DIR_FLAGS, ENOTDIR, NULL, NULL},
		{"etc", O_RDWR, EISDIR, NULL, NULL},
		{"", O_RDONLY, ENOENT, NULL, NULL},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), fs_openat_in_root);
}

static void folders_and_last_links(void **state)
{
	static const struct row rows[] = {
		{"/", DIR_FLAGS, 0, NULL, "."},
		{".", DIR_FLAGS, 0, NULL, "."},
		{"..", DIR_FLAGS, 0, NULL, "."},
		{"/", O_PATH | O_DIRECTORY, 0, NULL, "."},
		{"lib", DIR_FLAGS, 0, NULL, "usr/lib"},
		{"lib", O_PATH, 0, NULL, "usr/lib"},
		{"lib", O_PATH | O_NOFOLLOW, 0, NULL, "lib"},
		{"lib/", O_PATH | O_NOFOLLOW, 0, NULL, "usr/lib"},
		{"lib", O_RDONLY | O_NOFOLLOW, ELOOP, NULL, NULL},
		{"lib", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, ENOTDIR, NULL, NULL},
		{"loop1", O_PATH | O_NOFOLLOW, 0, NULL, "loop1"},
		{"slash", O_PATH, 0, NULL, "."},
		{"etc/passwd", O_PATH, 0, NULL, "etc/passwd"},
		{"etc/passwd", O_PATH | O_DIRECTORY, ENOTDIR, NULL, NULL},
		{"etc/passwd/", O_PATH, ENOTDIR, NULL, NULL},
		{"lib/..", O_PATH, 0, NULL, "usr"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), fs_openat_in_root);
}

static void beneath_follows_nothing(void **state)
{
	static const struct row rows[] = {
		{"etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"/etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"usr/../etc/passwd", O_RDONLY, 0, "inside", NULL},
		{"/", DIR_FLAGS, 0, NULL, "."},
		{"lib/libc", O_RDONLY, ELOOP, NULL, NULL},
		{"lib", O_RDONLY, ELOOP, NULL, NULL},
		{"lib/", O_PATH | O_NOFOLLOW, ELOOP, NULL, NULL},
		{"lib", O_PATH | O_NOFOLLOW, 0, NULL, "lib"},
		{"usr/passwd", O_RDONLY | O_NOFOLLOW, ELOOP, NULL, NULL},
		{"../secret", O_RDONLY, EXDEV, NULL, NULL},
		{"..", O_PATH, EXDEV, NULL, NULL},
		{"usr/../../secret", O_RDONLY, EXDEV, NULL, NULL},
		{"missing", O_RDONLY, ENOENT, NULL, NULL},
		{"", O_RDONLY, ENOENT, NULL, NULL},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), fs_openat_beneath);
}

/* Both ways create at the same place, with the same errors. */
static void creates(void **state)
{
	static const struct {
		const char *path;
		int flags;
		int number;
		const char *made; /* in scratch */
	} rows[] = {
		{"etc/new", O_WRONLY | O_CREAT, 0, "root/etc/new"},
		{"/abs/new", O_WRONLY | O_CREAT | O_EXCL, 0, "root/usr/lib/new"},
		{"../new", O_WRONLY | O_CREAT, 0, "root/new"},
		{"dangling-file", O_WRONLY | O_CREAT, 0, "root/etc/made"},
		{"dangling-file", O_WRONLY | O_CREAT | O_EXCL, EEXIST, NULL},
		{"dangling-file", O_WRONLY | O_CREAT | O_NOFOLLOW, ELOOP, NULL},
		{"etc/passwd", O_WRONLY | O_CREAT | O_EXCL, EEXIST, NULL},
		{"missing/new", O_WRONLY | O_CREAT, ENOENT, NULL},
		{"new/", O_WRONLY | O_CREAT, EISDIR, NULL},
		{"etc", O_WRONLY | O_CREAT, EISDIR, NULL},
		{"loop1", O_WRONLY | O_CREAT, ELOOP, NULL},
	};
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	make_link("/etc/made", "root/dangling-file");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		size_t r = i / 2;
		int fd;

		fs_no_openat2 = i % 2;
		fd = fs_openat_in_root(root, rows[r].path, rows[r].flags, 0640);
		if (fd < 0 ? errno != rows[r].number : rows[r].number)
			fail_msg("%s, %s: %s", rows[r].path, i % 2 ? "walk" : "openat2",
				 fd < 0 ? strerror(errno) : "opened");
		if (fd >= 0) {
			struct stat st;

			assert_int_equal(fstat(fd, &st), 0);
			assert_int_equal(st.st_mode & 07777, 0640);
			close(fd);
			assert_int_equal(unlinkat(scratch_fd, rows[r].made, 0), 0);
		}
	}
	fs_no_openat2 = false;
	assert_false(exists("etc"));
}

static void magic_links_are_refused(void **state)
{
	static const struct {
		const char *path;
		int number;
	} rows[] = {
		{"self/cwd/etc", ELOOP},    {"self/root", ELOOP}, {"self/fd/0", ELOOP},
		{"thread-self/exe", ELOOP}, {"self/status", 0},   {"mounts", 0},
	};
	AUTO_FD int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		size_t r = i / 2;
		int fd;

		fs_no_openat2 = i % 2;
		fd = fs_openat_in_root(proc, rows[r].path, O_RDONLY, 0);
		if (fd < 0 ? errno != rows[r].number : rows[r].number)
			fail_msg("%s, %s: %s", rows[r].path, i % 2 ? "walk" : "openat2",
				 fd < 0 ? strerror(errno) : "opened");
		if (fd >= 0)
			close(fd);
	}
	fs_no_openat2 = false;
}

static void long_names_and_paths(void **state)
{
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *name = xmalloc(257);
	AUTO_FREE char *path = xmalloc(4097);

	(void)state;
	memset(name, 'n', 256);
	name[256] = '\0';
	for (size_t i = 0; i < 4096; i += 2) {
		path[i] = '.';
		path[i + 1] = '/';
	}
	path[4096] = '\0';
	for (int i = 0; i < 2; i++) {
		AUTO_FD int fd = -1;

		fs_no_openat2 = i;
		assert_int_equal(fs_openat_in_root(root, name, O_PATH, 0), -1);
		assert_int_equal(errno, ENAMETOOLONG);
		assert_int_equal(fs_openat_in_root(root, path, O_PATH, 0), -1);
		assert_int_equal(errno, ENAMETOOLONG);
		fd = fs_openat_in_root(root, path + 2, O_PATH, 0);
		assert_true(fd >= 0);
	}
	fs_no_openat2 = false;
}

static void makes_folders_inside(void **state)
{
	static const struct {
		const char *path;
		int number;
		const char *made; /* in scratch */
	} rows[] = {
		{"x/y/z", 0, "root/x/y/z"},
		{"x/y/z", 0, "root/x/y/z"},
		{"/abs/sub", 0, "root/usr/lib/sub"},
		{"../../top", 0, "root/top"},
		{"dangling/leaf", 0, "root/missing/deep/leaf"},
		{"dangling-abs", 0, "root/run/lock"},
		{"", 0, "root"},
		{"/", 0, "root"},
		{"etc/passwd/x", ENOTDIR, NULL},
		{"etc/passwd", ENOTDIR, NULL},
		{"loop1/x", ELOOP, NULL},
	};
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mode_t mask = umask(077);

	(void)state;
	make_link("/run/lock", "root/dangling-abs");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FD int fd = fs_mkdir_p_in_root(root, rows[i].path, 0751);
		struct stat st, wanted;

		if (fd < 0 ? errno != rows[i].number : rows[i].number)
			fail_msg("%s: %s", rows[i].path, fd < 0 ? strerror(errno) : "made");
		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(fstatat(scratch_fd, rows[i].made, &wanted, 0), 0);
		assert_int_equal(st.st_ino, wanted.st_ino);
		if (strcmp(rows[i].made, "root") != 0)
			assert_int_equal(st.st_mode & 07777, 0751);
	}
	umask(mask);
	assert_false(exists("top"));
	assert_false(exists("run"));
}

/* Opens path by the kernel ([0]) and by the walk ([1]): errno or 0, and what it was. */
static void open_twice(int root, bool beneath, const char *path, int flag, int number[2],
		       ino_t inode[2])
{
	for (int walk = 0; walk < 2; walk++) {
		int fd;
		struct stat st = {.st_ino = 0};

		fs_no_openat2 = walk;
		fd = beneath ? fs_openat_beneath(root, path, flag, 0600)
			     : fs_openat_in_root(root, path, flag, 0600);
		number[walk] = fd < 0 ? errno : 0;
		inode[walk] = 0;
		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		inode[walk] = st.st_ino;
		/* What the first made, the second shall make too, at the same place. */
		if (flag & O_CREAT) {
			char link[32], made[PATH_MAX] = "";

			fs_fd_path(fd, link);
			assert_true(readlink(link, made, sizeof(made) - 1) > 0);
			assert_int_equal(unlink(made), 0);
			inode[walk] = strlen(made);
		}
		close(fd);
	}
	fs_no_openat2 = false;
}

/* Random paths with random flags: the walk must end where the kernel does, or fail as it does. */
static void the_walk_agrees_with_the_kernel(void **state)
{
	static const char *const parts[] = {
		"etc",      "usr",   "lib",    "abs",     "up",
		"slash",    "loop1", "passwd", "libc",    "..",
		".",        "",      "dot",    "etc",     "trailing",
		"dangling", "usr",   "chain",  "link12",  "link30",
		"secret",   "..",    "lib",    "missing", "file-trailing",
	};
	static const int flags[] = {
		O_RDONLY,
		O_PATH,
		O_PATH | O_NOFOLLOW,
		O_RDONLY | O_DIRECTORY,
		O_RDONLY | O_NOFOLLOW,
		O_PATH | O_DIRECTORY | O_NOFOLLOW,
		O_WRONLY | O_CREAT | O_EXCL,
	};
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int flag = flags[i % ARRAY_SIZE(flags)], number[2];
		AUTO(strbuf) path = STRBUF_INIT;
		bool agree = false;
		ino_t inode[2];

		for (uint32_t n = i % 6 + 1; n; n--) {
			random = random * 1664525 + 1013904223;
			strbuf_printf(&path, "%s%s", parts[(random >> 16) % ARRAY_SIZE(parts)],
				      n > 1 || random >> 30 == 0 ? "/" : "");
		}
		/* Under load the kernel may walk a path twice, and count its links twice against the limit of 40. */
		for (int tries = 0; tries < 10 && !agree; tries++) {
			open_twice(root, i % 3 == 0, path.buf, flag, number, inode);
			agree = number[0] == number[1] && inode[0] == inode[1];
		}
		if (!agree)
			fail_msg("\"%s\", flags %o: %s, but the walk: %s", path.buf, flag,
				 strerror(number[0]), strerror(number[1]));
	}
}

/* As a container engine's filter that does not know the call. */
static int refuse_openat2(uint32_t number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void openat2_may_be_refused(void **state)
{
	static const uint32_t numbers[] = {ENOSYS, EPERM};
	AUTO_FD int root = openat(scratch_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			char content[16] = "";
			int fd;

			if (refuse_openat2(numbers[i]) < 0)
				_exit(77);
			fd = fs_openat_in_root(root, "up", O_RDONLY, 0);
			if (fd < 0 || read(fd, content, sizeof(content) - 1) < 0)
				_exit(1);
			_exit(strcmp(content, "root's") == 0 ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_stay_in_the_root),
		cmocka_unit_test(folders_and_last_links),
		cmocka_unit_test(beneath_follows_nothing),
		cmocka_unit_test(creates),
		cmocka_unit_test(magic_links_are_refused),
		cmocka_unit_test(long_names_and_paths),
		cmocka_unit_test(makes_folders_inside),
		cmocka_unit_test(the_walk_agrees_with_the_kernel),
		cmocka_unit_test(openat2_may_be_refused),
	};

	return cmocka_run_group_tests(tests, outside_setup, scratch_teardown);
}
