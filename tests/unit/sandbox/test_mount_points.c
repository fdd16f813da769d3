/* What slipway-init made in a root is taken out, and nothing else. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/mount_points.h"

struct place {
	char *root;
	struct strlist made, pardoned;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	must(fs_make_temp_dir(tmp ? tmp : "/tmp", "slipway-points-", &p->root, &must_err));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	must(fs_remove_tree(AT_FDCWD, p->root, &must_err));
	strlist_release(&p->made);
	strlist_release(&p->pardoned);
	free(p->root);
	free(p);
	return 0;
}

/* A path ending in "/" is a folder. */
static void put(const struct place *p, const char *path, const char *content)
{
	AUTO_FREE char *full = xstrfmt("%s/%s", p->root, path);
	char *slash = strrchr(full, '/');
	AUTO_FD int fd = -1;

	*slash = '\0';
	must(fs_mkdir_p(full, 0755, &must_err));
	if (!slash[1])
		return;
	*slash = '/';
	fd = open(full, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	must(fs_write_all(fd, content, strlen(content), path, &must_err));
}

/* As slipway-init tells it; folder is that in which path begins to be ours. */
static void tell(struct place *p, const char *folder, const char *path)
{
	AUTO_FREE char *full = xstrfmt("%s/%s", p->root, folder);
	struct stat st;

	assert_int_equal(stat(full, &st), 0);
	strlist_addf(&p->made, "%zu %lld %ld %s", strlen(folder), (long long)st.st_ctim.tv_sec,
		     st.st_ctim.tv_nsec, path);
}

static bool exists(const struct place *p, const char *path)
{
	AUTO_FREE char *full = xstrfmt("%s/%s", p->root, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

static void removes_what_was_made(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *etc = xstrfmt("%s/etc", p->root);
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000000000}};
	struct stat st;

	put(p, "etc/passwd", "x");
	put(p, "etc/hosts", "");
	put(p, "proc/", NULL);
	put(p, "opt/a/b/c/", NULL);
	put(p, "opt/a/b/file", "");
	assert_int_equal(utimensat(AT_FDCWD, etc, times, 0), 0);
	tell(p, "", "proc");
	tell(p, "etc", "etc/hosts");
	tell(p, "", "opt/a/b/c");
	tell(p, "", "opt/a/b/file");
	must(mount_points_remove(p->root, &p->made, &p->pardoned, &must_err));
	assert_false(exists(p, "proc") || exists(p, "etc/hosts") || exists(p, "opt"));
	assert_true(exists(p, "etc/passwd"));
	assert_int_equal(stat(etc, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_true(strlist_has(&p->pardoned, "") && strlist_has(&p->pardoned, "etc"));
}

/* What the step made beside a mount point, or in a folder on the way to it, is its own. */
static void leaves_what_the_step_made(void **state)
{
	struct place *p = *state;

	put(p, "etc/passwd", "x");
	put(p, "opt/a/b/", NULL);
	put(p, "filled", "");
	tell(p, "etc", "etc/gone/with/the/folder");
	tell(p, "", "opt/a/b");
	tell(p, "", "filled");
	put(p, "opt/a/other", "x");
	put(p, "filled", "no longer empty");
	put(p, "etc/new", "x");
	must(mount_points_remove(p->root, &p->made, &p->pardoned, &must_err));
	assert_false(exists(p, "opt/a/b"));
	assert_true(exists(p, "opt/a/other") && exists(p, "filled") && exists(p, "etc/new"));
	assert_false(strlist_has(&p->pardoned, "etc"));
}

/* The step had the root to itself: a folder may have become a link that leads out of it. */
static void follows_no_link(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *etc = xstrfmt("%s/root/etc", p->root);
	AUTO_FREE char *root = xstrfmt("%s/root", p->root);

	put(p, "hosts", "");
	put(p, "root/etc/hosts", "");
	strlist_add(&p->made, "3 0 0 etc/hosts");
	must(fs_remove_tree(AT_FDCWD, etc, &must_err));
	assert_int_equal(symlink("..", etc), 0);
	must(mount_points_remove(root, &p->made, &p->pardoned, &must_err));
	assert_true(exists(p, "hosts"));
	/* Gone altogether. */
	assert_int_equal(unlink(etc), 0);
	must(mount_points_remove(root, &p->made, &p->pardoned, &must_err));
	assert_int_equal(p->pardoned.n, 0);
}

static void refuses_what_is_no_line(void **state)
{
	static const char *const lines[] = {"",          "x",          "1 2 etc",       "1 2 3",
					    "3 0 0 etc", "-1 0 0 etc", "9 0 0 etc/host"};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		AUTO(error) err = ERROR_INIT;

		strlist_clear(&p->made);
		strlist_add(&p->made, lines[i]);
		assert_int_equal(mount_points_remove(p->root, &p->made, &p->pardoned, &err), -1);
		assert_int_equal(err.kind, ERROR_CORRUPT);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(removes_what_was_made),
		T(leaves_what_the_step_made),
		T(follows_no_link),
		T(refuses_what_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
