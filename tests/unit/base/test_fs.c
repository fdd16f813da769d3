#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "scratch.h"

static void reads_within_the_limit(void **state)
{
	AUTO(strbuf) buf = STRBUF_LIMIT(1);

	(void)state;
	make_file("five", "12345");
	assert_ok(fs_read_file(in_scratch("five"), &buf, 5, err));
	assert_string_equal(buf.buf, "12345");
	assert_error(fs_read_file(in_scratch("five"), &buf, 4, err), ERROR_CORRUPT,
		     "5 bytes, more than the 4 allowed");
	assert_string_equal(buf.buf, "12345");
	assert_false(buf.overflow);
	assert_error(fs_read_file(in_scratch("none"), &buf, 4, err), ERROR_NOT_FOUND, "none");
	assert_error(fs_read_file(scratch_path, &buf, 4, err), ERROR_SYSTEM, "Is a directory");
}

/* A file whose size says nothing: pipes and proc. */
static void reads_streams_within_the_limit(void **state)
{
	AUTO(strbuf) buf = STRBUF_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "123456789", 9), 9);
	close(ends[1]);
	assert_error(fs_read_fd(ends[0], "pipe", &buf, 8, err), ERROR_CORRUPT,
		     "read pipe: it has more than the 8 bytes allowed");
	assert_int_equal(buf.len, 0);
	close(ends[0]);
	assert_ok(fs_read_file("/proc/self/stat", &buf, 1 << 16, err));
	assert_int_equal(strtol(buf.buf, NULL, 10), getpid());
}

static void atomic_write_replaces(void **state)
{
	struct stat st;

	(void)state;
	make_dirs("atomic");
	assert_ok(fs_write_file_atomic(in_scratch("atomic/f"), "one", 3, 0600, err));
	assert_content("atomic/f", "one");
	assert_int_equal(fstatat(scratch_fd, "atomic/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	make_file("target", "kept");
	make_link("../target", "atomic/link");
	assert_ok(fs_write_file_atomic(in_scratch("atomic/link"), "", 0, 0644, err));
	assert_content("atomic/link", "");
	assert_content("target", "kept");
	/* Nothing else is left behind, on failure neither. */
	make_dirs("atomic/dir/below");
	assert_error(fs_write_file_atomic(in_scratch("atomic/dir"), "x", 1, 0644, err),
		     ERROR_SYSTEM, "replace");
	assert_int_equal(unlinkat(scratch_fd, "atomic/f", 0), 0);
	assert_int_equal(unlinkat(scratch_fd, "atomic/link", 0), 0);
	assert_int_equal(unlinkat(scratch_fd, "atomic/dir/below", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(scratch_fd, "atomic/dir", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(scratch_fd, "atomic", AT_REMOVEDIR), 0);
	assert_error(fs_write_file_atomic(in_scratch("none/f"), "x", 1, 0644, err), ERROR_NOT_FOUND,
		     "none");
}

static void mkdir_p_makes_what_is_missing(void **state)
{
	(void)state;
	assert_ok(fs_mkdir_p(in_scratch("p/a//b/c/"), 0755, err));
	assert_true(exists("p/a/b/c"));
	assert_ok(fs_mkdir_p(in_scratch("p/a"), 0755, err));
	assert_ok(fs_mkdir_p("/", 0755, err));
	make_link("a", "p/link");
	assert_ok(fs_mkdir_p(in_scratch("p/link/d"), 0755, err));
	assert_true(exists("p/a/d"));
	make_file("p/file", "");
	assert_error(fs_mkdir_p(in_scratch("p/file"), 0755, err), ERROR_SYSTEM, "Not a directory");
	assert_error(fs_mkdir_p(in_scratch("p/file/x"), 0755, err), ERROR_SYSTEM,
		     "Not a directory");
	assert_error(fs_mkdir_p("", 0755, err), ERROR_NOT_FOUND, "create folder");
	assert_ok(fs_fsync_dir(AT_FDCWD, in_scratch("p"), err));
	assert_error(fs_fsync_dir(AT_FDCWD, in_scratch("q"), err), ERROR_NOT_FOUND, "q");
}

static void temp_dirs_are_private(void **state)
{
	AUTO_FREE char *one = NULL;
	AUTO_FREE char *two = NULL;
	struct stat st;

	(void)state;
	assert_ok(fs_make_temp_dir(scratch_path, "t-", &one, err));
	assert_ok(fs_make_temp_dir(scratch_path, "t-", &two, err));
	assert_string_not_equal(one, two);
	assert_true(str_starts(path_base(one), "t-"));
	assert_int_equal(stat(one, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void read_exact_wants_all(void **state)
{
	char data[5] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "abcdef", 6), 6);
	close(ends[1]);
	assert_ok(fs_read_exact(ends[0], data, 4, "pipe", err));
	assert_string_equal(data, "abcd");
	assert_error(fs_read_exact(ends[0], data, 4, "pipe", err), ERROR_CORRUPT,
		     "read pipe: it ends after 2 of 4 bytes");
	close(ends[0]);
}

static void copies(void **state)
{
	AUTO_FD int in = -1;
	AUTO_FD int out = -1;
	int ends[2];

	(void)state;
	make_file("source", "0123456789");
	make_file("copy", "");
	in = openat(scratch_fd, "source", O_RDONLY | O_CLOEXEC);
	out = openat(scratch_fd, "copy", O_WRONLY | O_CLOEXEC);
	assert_ok(fs_copy_fd(in, out, 3, "source", err));
	assert_content("copy", "012");
	assert_ok(fs_copy_fd(in, out, -1, "source", err));
	assert_content("copy", "0123456789");
	assert_ok(fs_copy_fd(in, out, 0, "source", err));
	assert_int_equal(lseek(in, 8, SEEK_SET), 8);
	assert_error(fs_copy_fd(in, out, 5, "source", err), ERROR_CORRUPT,
		     "copy source: it ends after 2 of 5 bytes");
	/* From a pipe, which copy_file_range refuses, and from proc, where it sees nothing. */
	assert_int_equal(ftruncate(out, 0), 0);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "piped", 5), 5);
	close(ends[1]);
	assert_ok(fs_copy_fd(ends[0], out, -1, "pipe", err));
	assert_content("copy", "piped");
	close(ends[0]);
	close(in);
	in = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	assert_ok(fs_copy_fd(in, out, -1, "stat", err));
	assert_true(lseek(out, 0, SEEK_CUR) > 20);
}

static void a_full_disk_is_reported(void **state)
{
	AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_error(fs_write_all(full, "x", 1, "blob", err), ERROR_SYSTEM,
		     "write blob: No space left on device");
}

static void fd_paths_open(void **state)
{
	char path[32];
	struct stat a, b;

	(void)state;
	fs_fd_path(scratch_fd, path);
	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(fstat(scratch_fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void unnamed_files_have_no_name(void **state)
{
	char back[6] = "";
	AUTO_FD int fd = -1;
	struct stat st;

	(void)state;
	fd = fs_open_unnamed(scratch_path, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pwrite(fd, "hello", 5, 0), 5);
	assert_int_equal(pread(fd, back, 5, 0), 5);
	assert_string_equal(back, "hello");
	assert_error(fs_open_unnamed("/nonexistent/folder", err), ERROR_NOT_FOUND,
		     "/nonexistent/folder");
}

struct seen {
	char names[64];
	int stop_after;
};

static int see(void *arg, int dirfd, const char *entry, const struct stat *st, struct error *err)
{
	struct seen *seen = arg;
	struct stat same;

	(void)err;
	assert_int_equal(fstatat(dirfd, entry, &same, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(same.st_ino, st->st_ino);
	seen->names[strlen(seen->names)] = S_ISDIR(st->st_mode)   ? 'd'
					   : S_ISLNK(st->st_mode) ? 'l'
								  : 'f';
	return --seen->stop_after == 0 ? 7 : 0;
}

static int refuse(void *arg, int dirfd, const char *entry, const struct stat *st, struct error *err)
{
	(void)arg;
	(void)dirfd;
	(void)st;
	return error_set(err, ERROR_CORRUPT, "%s is refused", entry);
}

static void each_entry_is_seen(void **state)
{
	struct seen one = {.stop_after = 1}, all = {.names = ""}, none = {.names = ""};

	(void)state;
	make_file("each/file", "x");
	make_dirs("each/folder/below");
	assert_int_equal(symlinkat("folder", scratch_fd, "each/link"), 0);
	assert_ok(fs_each_entry(scratch_fd, "each", see, &all, err));
	assert_int_equal(strlen(all.names), 3);
	assert_true(strchr(all.names, 'f') && strchr(all.names, 'd') && strchr(all.names, 'l'));
	assert_int_equal(fs_each_entry(scratch_fd, "each", see, &one, NULL), 7);
	assert_int_equal(strlen(one.names), 1);
	assert_error(fs_each_entry(scratch_fd, "each", refuse, NULL, err), ERROR_CORRUPT,
		     "is refused");
	assert_ok(fs_each_entry(scratch_fd, "each/missing", see, &none, err));
	assert_string_equal(none.names, "");
	assert_error(fs_each_entry(scratch_fd, "each/file", see, &none, err), ERROR_SYSTEM,
		     "each/file");
	assert_error(fs_each_entry(scratch_fd, "each/link", see, &none, err), ERROR_SYSTEM,
		     "each/link");
}

static int flags_of(const char *name)
{
	AUTO_FD int fd = openat(scratch_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags = 0;

	assert_true(fd >= 0);
	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? 0 : flags;
}

/* Where chattr +T works, it is done; where it does not, nothing is. */
static void scatters_where_the_file_system_can(void **state)
{
	AUTO_FD int fd = -1;
	int flags = FS_TOPDIR_FL;

	(void)state;
	make_dirs("scatter/one");
	make_dirs("by-hand");
	make_file("scatter/file", "x");
	fd = openat(scratch_fd, "by-hand", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	for (int i = 0; i < 2; i++)
		fs_scatter(in_scratch("scatter"));
	assert_int_equal(flags_of("scatter") & FS_TOPDIR_FL, flags_of("by-hand") & FS_TOPDIR_FL);
	assert_int_equal(flags_of("scatter/one") & FS_TOPDIR_FL, 0);
	fs_scatter(in_scratch("scatter/file"));
	fs_scatter(in_scratch("scatter/none"));
	assert_false(exists("scatter/none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_within_the_limit),
		cmocka_unit_test(reads_streams_within_the_limit),
		cmocka_unit_test(atomic_write_replaces),
		cmocka_unit_test(mkdir_p_makes_what_is_missing),
		cmocka_unit_test(temp_dirs_are_private),
		cmocka_unit_test(read_exact_wants_all),
		cmocka_unit_test(copies),
		cmocka_unit_test(a_full_disk_is_reported),
		cmocka_unit_test(fd_paths_open),
		cmocka_unit_test(unnamed_files_have_no_name),
		cmocka_unit_test(each_entry_is_seen),
		cmocka_unit_test(scatters_where_the_file_system_can),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
