/* A copy has all that the original has, as far as its file system keeps it. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/copy_tree.h"

#define BIG 10000 /* more than a page */

/* In memory: there attributes may be as long as the kernel allows, on ext4 they are not. */
static int setup(void **state)
{
	char *dir = NULL;

	must(fs_make_temp_dir("/dev/shm", "slipway-copy-", &dir, &must_err));
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	must(fs_remove_tree(AT_FDCWD, *state, &must_err));
	free(*state);
	return 0;
}

static char *make_file(const char *dir, const char *name, const char *content)
{
	char *path = xstrfmt("%s/%s", dir, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	must(fs_write_all(fd, content, strlen(content), name, &must_err));
	return path;
}

static void copy(const char *dir, const char *from, const char *to)
{
	AUTO_FREE char *source = xstrfmt("%s/%s", dir, from);
	AUTO_FD int fd = open(source, O_PATH | O_CLOEXEC);
	AUTO_FD int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0 && dirfd >= 0);
	must(copy_tree(fd, dirfd, to, &must_err));
}

static struct stat stat_of(const char *dir, const char *name)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", dir, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("%s is missing", name);
	return st;
}

static void copies_folders(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1000000000, .tv_nsec = 7}};
	const char *dir = *state;
	AUTO_FREE char *top = xstrfmt("%s/top", dir);
	AUTO_FREE char *deep = xstrfmt("%s/top/deep", dir);
	AUTO_FREE char *sym = xstrfmt("%s/top/link", dir);
	AUTO_FREE char *hard = xstrfmt("%s/top/deep/hard", dir);
	char text[8] = "";

	assert_int_equal(mkdir(top, 0755), 0);
	assert_int_equal(mkdir(deep, 0755), 0);
	AUTO_FREE char *file = make_file(dir, "top/file", "content");

	assert_int_equal(link(file, hard), 0);
	assert_int_equal(symlink("nowhere", sym), 0);
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	assert_int_equal(chmod(deep, 01711), 0);
	copy(dir, "top", "new");
	assert_int_equal(stat_of(dir, "new/deep").st_mode & 07777, 01711);
	assert_int_equal(stat_of(dir, "new/file").st_ino, stat_of(dir, "new/deep/hard").st_ino);
	assert_int_not_equal(stat_of(dir, "new/file").st_ino, stat_of(dir, "top/file").st_ino);
	assert_int_equal(stat_of(dir, "new/file").st_mtim.tv_sec, 1000000000);
	assert_int_equal(stat_of(dir, "new/file").st_mtim.tv_nsec, 7);
	assert_int_equal(stat_of(dir, "new/file").st_size, 7);
	AUTO_FREE char *copied = xstrfmt("%s/new/link", dir);

	assert_int_equal(readlink(copied, text, sizeof(text)), 7);
	assert_memory_equal(text, "nowhere", 7);
}

static void copies_long_attributes(void **state)
{
	const char *dir = *state;
	AUTO_FREE char *file = make_file(dir, "file", "");
	AUTO_FREE char *copied = xstrfmt("%s/copied", dir);
	AUTO_FREE char *value = xmalloc(BIG);
	AUTO_FREE char *got = xmalloc(BIG);

	memset(value, 'v', BIG);
	if (setxattr(file, "user.big", value, BIG, 0) < 0)
		skip(); /* needs Linux 6.6 */
	assert_int_equal(setxattr(file, "user.small", "1", 1, 0), 0);
	copy(dir, "file", "copied");
	assert_int_equal(getxattr(copied, "user.big", got, BIG), BIG);
	assert_memory_equal(got, value, BIG);
	assert_int_equal(getxattr(copied, "user.small", got, BIG), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(copies_folders),
		T(copies_long_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
