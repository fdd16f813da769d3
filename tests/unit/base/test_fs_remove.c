#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "scratch.h"

static void removes_what_is_there(void **state)
{
	(void)state;
	assert_ok(fs_remove_tree(scratch_fd, "none", err));
	make_file("file", "");
	assert_ok(fs_remove_tree(scratch_fd, "file", err));
	assert_false(exists("file"));
	make_dirs("empty");
	assert_ok(fs_remove_tree(AT_FDCWD, in_scratch("empty"), err));
	assert_false(exists("empty"));
	make_file("tree/a/b/file", "x");
	make_file("tree/a/c/file", "x");
	make_dirs("tree/d/e/f");
	assert_int_equal(mkfifoat(scratch_fd, "tree/d/fifo", 0600), 0);
	assert_ok(fs_remove_tree(scratch_fd, "tree", err));
	assert_false(exists("tree"));
	assert_ok(fs_remove_tree(scratch_fd, "no/way", err));
	make_file("file", "");
	assert_error(fs_remove_tree(scratch_fd, "file/x", err), ERROR_SYSTEM,
		     "remove file/x: Not a directory");
}

static void links_are_not_followed(void **state)
{
	(void)state;
	make_file("kept/file", "x");
	make_dirs("tree");
	make_link("../kept", "tree/dir-link");
	make_link("../kept/file", "tree/file-link");
	make_link("tree", "top-link");
	assert_ok(fs_remove_tree(scratch_fd, "top-link", err));
	assert_true(exists("tree/dir-link"));
	assert_ok(fs_remove_tree(scratch_fd, "tree", err));
	assert_false(exists("tree"));
	assert_content("kept/file", "x");
}

/* Deeper than the longest path, with fewer descriptors than levels. */
static void depth_needs_no_descriptors(void **state)
{
	struct rlimit old, low;
	int fd = openat(scratch_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (int i = 0; i < 5000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, i ? "d" : "deep", 0755), 0);
		next = openat(fd, i ? "d" : "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){.rlim_cur = 32, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_ok(fs_remove_tree(scratch_fd, "deep", err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_false(exists("deep"));
}

/* In a child: the exit code is the result. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_as_nobody(void)
{
	AUTO(error) err = ERROR_INIT;

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		return 3;
	/* The permissions must be in the way, else the test shows nothing. */
	if (faccessat(scratch_fd, "locked/tree/none/x", F_OK, 0) == 0 || errno != EACCES)
		return 2;
	return fs_remove_tree(scratch_fd, "locked/tree", &err) == 0 ? 0 : 1;
}

static void folders_without_permission(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} rows[] = {
		{"locked/tree/none", 0},      {"locked/tree/read", 0400},
		{"locked/tree/search", 0100}, {"locked/tree/nowrite", 0500},
		{"locked/tree", 0500},
	};

	(void)state;
	make_dirs("locked/tree");
	for (size_t i = 0; i < ARRAY_SIZE(rows) - 1; i++) {
		AUTO_FREE char *file = xstrfmt("%s/sub/x", rows[i].name);
		AUTO_FREE char *sub = xstrfmt("%s/sub", rows[i].name);

		make_file(file, "");
		if (geteuid() == 0) {
			assert_int_equal(fchownat(scratch_fd, rows[i].name, 65534, 65534, 0), 0);
			assert_int_equal(fchownat(scratch_fd, sub, 65534, 65534, 0), 0);
		}
	}
	if (geteuid() == 0) {
		assert_int_equal(fchownat(scratch_fd, "locked", 65534, 65534, 0), 0);
		assert_int_equal(fchownat(scratch_fd, "locked/tree", 65534, 65534, 0), 0);
		assert_int_equal(fchmod(scratch_fd, 0711), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(fchmodat(scratch_fd, rows[i].name, rows[i].mode, 0), 0);
	assert_int_equal(in_child(remove_as_nobody), 0);
	assert_false(exists("locked/tree"));
}

/* A mount left in the tree is another tree: its content stays. */
static int bind_and_remove(void)
{
	AUTO_FREE char *source = xstrdup(in_scratch("precious"));
	AUTO(error) err = ERROR_INIT;

	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(source, in_scratch("mounted/point"), NULL, MS_BIND, NULL) < 0)
		return 77;
	for (int i = 0; i < 2; i++) {
		fs_no_openat2 = i;
		if (fs_remove_tree(scratch_fd, "mounted", &err) == 0)
			return 1;
		if (!strstr(err.message, "mounted/point") || !strstr(err.message, "unmount"))
			return 2;
	}
	return 0;
}

static void mounts_are_not_entered(void **state)
{
	int result;

	(void)state;
	make_file("precious/file", "x");
	make_dirs("mounted/point");
	result = in_child(bind_and_remove);
	if (result == 77)
		skip();
	assert_int_equal(result, 0);
	assert_content("precious/file", "x");
	assert_ok(fs_remove_tree(scratch_fd, "mounted", err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removes_what_is_there),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(depth_needs_no_descriptors),
		cmocka_unit_test(folders_without_permission),
		cmocka_unit_test(mounts_are_not_entered),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
