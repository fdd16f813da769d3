#include "lease_fixture.h"

#include <sys/file.h>
#include <time.h>

#include "base/process.h"
#include "base/strbuf.h"

static int64_t oldest(struct fixture *f)
{
	int64_t since = -1;

	assert_ok(f, lease_oldest(f->store, &since, &f->err));
	return since;
}

static void survey(struct fixture *f, struct lease_summary *out)
{
	AUTO_FD int lock = -1;

	assert_ok(f, lease_lock(f->store, &lock, &f->err));
	assert_ok(f, lease_survey(f->store, out, &f->err));
}

static int count_leases(const struct fixture *f)
{
	AUTO_FREE char *command = xstrfmt("ls '%s/leases' | grep -c '^[0-9]'", f->root);
	FILE *p = popen(command, "r");
	int n = -1;

	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	return n;
}

static void test_take_and_give_back(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(lease) one = NULL;
	AUTO_PTR(lease) two = NULL;
	AUTO(lease_summary) own = {0};

	assert_true(oldest(f) == INT64_MAX);
	assert_ok(f, lease_take(&one, f->store, &f->err));
	assert_ok(f, lease_take(&two, f->store, &f->err));
	assert_int_equal(count_leases(f), 2);
	assert_true(time(NULL) - oldest(f) < 1000);
	/* For prune, its own process does not count. */
	survey(f, &own);
	assert_int_equal(own.live, 0);
	lease_free(take_ptr(one));
	assert_int_equal(count_leases(f), 1);
	assert_true(oldest(f) != INT64_MAX);
	lease_free(take_ptr(two));
	assert_true(oldest(f) == INT64_MAX);
	lease_free(NULL);
}

static void test_other_process(void **state)
{
	struct fixture *f = *state;
	struct digest d = digest_of("abc", 3);
	pid_t general = start_holder(f, NULL), precise = start_holder(f, &d);
	AUTO(lease_summary) both = {0};
	AUTO(lease_summary) none = {0};

	survey(f, &both);
	assert_int_equal(both.live, 2);
	assert_int_equal(both.general, 1);
	assert_int_equal(both.kept.n, 1);
	assert_string_equal(both.kept.items[0], d.text);
	assert_true(time(NULL) - both.oldest < 1000);
	end_holder(general);
	end_holder(precise);
	/* Killed, they hold nothing, and their files go. */
	survey(f, &none);
	assert_int_equal(none.live, 0);
	assert_true(none.oldest == INT64_MAX);
	assert_int_equal(count_leases(f), 0);
}

/* A file of a process that lives, but is another one: its number was used again. */
static void test_reused_pid(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *alive = xstrfmt("leases/%d-1-0", (int)getpid());

	fixture_write(f, alive, "since 5\n", 8);
	fixture_write(f, "leases/README", "x", 1);
	assert_true(oldest(f) == INT64_MAX);
	assert_false(fixture_exists(f, alive));
	assert_true(fixture_exists(f, "leases/README"));
}

/* Another container's process of the same number, begun in the same moment, is not this one. */
static void test_same_pid_elsewhere(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *name = xstrfmt("leases/%d-%llu-7", (int)getpid(),
				       (unsigned long long)process_start_time(getpid()));
	AUTO_FREE char *path = path_join(f->root, name);
	AUTO(lease_summary) found = {0};

	fixture_write(f, name, "since 5\n", 8);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	survey(f, &found);
	assert_int_equal(found.live, 1);
	assert_int_equal(found.oldest, 5);
	assert_true(fixture_exists(f, name));
}

/* What was kept is written down before lease_keep returns, and the lease stays as old as it is. */
static void test_keep(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(lease) l = NULL;
	struct digest a = digest_of("a", 1), b = digest_of("b", 1);

	assert_ok(f, lease_take(&l, f->store, &f->err));
	assert_ok(f, lease_keep(l, &a, &f->err));
	assert_ok(f, lease_keep(l, &b, &f->err));
	AUTO_FREE char *command = xstrfmt("cat '%s'/leases/[0-9]*", f->root);
	FILE *p = popen(command, "r");
	char text[400] = "";
	size_t n = fread(text, 1, sizeof(text) - 1, p);

	pclose(p);
	text[n] = '\0';
	AUTO_FREE char *want = xstrfmt("\n%s\n%s\n", a.text, b.text);

	assert_true(strncmp(text, "since ", 6) == 0);
	assert_string_equal(strchr(text, '\n'), want);
}

static void test_folder_is_gone(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(lease) l = NULL;

	assert_ok(f, fs_remove_tree(store_dirfd(f->store), "leases", &f->err));
	assert_true(oldest(f) == INT64_MAX);
	assert_ok(f, lease_take(&l, f->store, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_take_and_give_back), store_test(test_other_process),
		store_test(test_reused_pid),         store_test(test_keep),
		store_test(test_folder_is_gone),     store_test(test_same_pid_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
