/* What is said of a step's end for want of memory: from made-up files of the kernel, and from a real kill. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <signal.h>

#include "sandbox/oom.h"

#define OWN_1      "5:pids:/p\n4:memory:/m/x\n0::/\n"
#define OWN_2      "0::/user.slice/s\n"
#define V1         "/sys/fs/cgroup/memory/m/x/memory.oom_control"
#define V2         "/sys/fs/cgroup/user.slice/s/memory.events"
#define EVENTS(n)  "low 0\nhigh 7\nmax 9\noom 8\noom_kill " #n "\noom_group_kill 5\n"
#define CONTROL(n) "oom_kill_disable 0\nunder_oom 0\noom_kill " #n "\n"
#define VMSTAT(n)  "nr_free_pages 12\noom_kill " #n "\ndrop_pagecache 3\n"

static const struct {
	const char *membership;
	const char *file, *before, *after; /* of the group; NULL: there is none */
	const char *vmstat_before, *vmstat_after;
	int status;
	enum oom_kill kill;
} rows[] = {
	/* The group's own count decides, whatever happens elsewhere. */
	{OWN_2, V2, EVENTS(1), EVENTS(2), VMSTAT(4), VMSTAT(5), 137, OOM_GROUP},
	{OWN_2, V2, EVENTS(1), EVENTS(1), VMSTAT(4), VMSTAT(5), 137, OOM_NONE},
	{OWN_1, V1, CONTROL(0), CONTROL(3), VMSTAT(4), VMSTAT(4), 137, OOM_GROUP},
	{OWN_1, V1, CONTROL(3), CONTROL(3), VMSTAT(4), VMSTAT(9), 137, OOM_NONE},
	/* Nothing to read, as in the topmost group, or no count in it (Linux before 4.13). */
	{"0::/\n", NULL, NULL, NULL, VMSTAT(9), VMSTAT(10), 137, OOM_MACHINE},
	{"0::/\n", NULL, NULL, NULL, VMSTAT(9), VMSTAT(9), 137, OOM_NONE},
	{OWN_1, V1, "under_oom 0\n", "under_oom 0\n", VMSTAT(9), VMSTAT(10), 137, OOM_MACHINE},
	{NULL, NULL, NULL, NULL, VMSTAT(9), VMSTAT(10), 137, OOM_MACHINE},
	{NULL, NULL, NULL, NULL, NULL, NULL, 137, OOM_NONE},
	/* Who was not killed was not killed for memory. */
	{OWN_2, V2, EVENTS(1), EVENTS(2), NULL, NULL, 0, OOM_NONE},
	{OWN_2, V2, EVENTS(1), EVENTS(2), NULL, NULL, 1, OOM_NONE},
	{OWN_2, V2, EVENTS(1), EVENTS(2), NULL, NULL, 143, OOM_NONE},
	{NULL, NULL, NULL, NULL, VMSTAT(9), VMSTAT(10), 2, OOM_NONE},
};

static void put(const char *top, const char *name, const char *text)
{
	AUTO_FREE char *path = xstrfmt("%s%s", top, name);
	AUTO_FREE char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	if (!text)
		return;
	must(fs_mkdir_p(dir, 0755, &must_err));
	must(fs_write_file_atomic(path, text, strlen(text), 0644, &must_err));
}

static void says_no_more_than_the_counts_do(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *top = xstrfmt("%s/top-%zu", f->root, i);
		AUTO(oom_watch) w = {.file = NULL};

		put(top, "/proc/self/cgroup", rows[i].membership);
		put(top, "/proc/vmstat", rows[i].vmstat_before);
		if (rows[i].file)
			put(top, rows[i].file, rows[i].before);
		oom_watch_start(&w, NULL, top);
		put(top, "/proc/vmstat", rows[i].vmstat_after);
		if (rows[i].file)
			put(top, rows[i].file, rows[i].after);
		if (oom_watch_end(&w, rows[i].status) != rows[i].kill)
			fail_msg("row %zu: %d", i, oom_watch_end(&w, rows[i].status));
	}
}

static void has_words_for_each_case(void **state)
{
	(void)state;
	assert_string_equal(oom_text(OOM_NONE), "");
	assert_null(strstr(oom_text(OOM_STEP), "perhaps"));
	assert_non_null(strstr(oom_text(OOM_GROUP), "perhaps"));
	assert_non_null(strstr(oom_text(OOM_MACHINE), "perhaps"));
}

/* Our own group of memory with version 1 of control groups, whose limit is enough for us. free(), or NULL */
static char *limited_group(void)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *limit = NULL;
	const char *at, *end;
	char *dir;

	must(fs_read_file("/proc/self/cgroup", &text, 65536, &must_err));
	at = strstr(text.buf, ":memory:");
	if (!at)
		return NULL;
	at += strlen(":memory:");
	end = strchr(at, '\n');
	dir = xstrfmt("/sys/fs/cgroup/memory%.*s/slipway-test-%d", (int)(end - at), at,
		      (int)getpid());
	limit = xstrfmt("%s/memory.limit_in_bytes", dir);
	if (mkdir(dir, 0755) == 0) {
		AUTO_FD int fd = open(limit, O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "400M", 4) == 4)
			return dir;
		rmdir(dir);
	}
	free(dir);
	return NULL;
}

static void enter(const char *dir)
{
	AUTO_FREE char *procs = xstrfmt("%s/cgroup.procs", dir);
	AUTO_FD int fd = open(procs, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && write(fd, "0", 1) == 1);
}

/* With a limit of its own a step has a group of its own, so that the answer is sure, even when the shell says 3. */
static void knows_of_a_step_in_a_group_of_its_own(void **state)
{
	static const char hog[] = "dd if=/dev/zero of=/dev/null bs=900M count=1; exit 3";
	AUTO_FREE char *dir = geteuid() == 0 ? limited_group() : NULL;
	AUTO_FREE char *parent = dir ? xstrndup(dir, (size_t)(strrchr(dir, '/') - dir)) : NULL;
	struct rootfs *fs;
	AUTO(outcome) own, shared, fine;

	if (!dir) {
		print_message("needs: root, and control groups of version 1 for memory\n");
		skip();
	}
	fs = open_rootfs(*state);
	enter(dir);
	run_spec(fs, hog, (struct run_spec){.pids_max = 50}, &own);
	run_spec(fs, hog, (struct run_spec){.pids_max = 0}, &shared);
	run_spec(fs, "exit 3", (struct run_spec){.pids_max = 50}, &fine);
	enter(parent);
	rootfs_free(fs);
	/* The outermost process of a step ends a moment after the step; nothing else is in there. */
	for (int tries = 0; rmdir(dir) < 0 && tries < 3000; tries++)
		usleep(10000);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(own.result.status, 3);
	assert_int_equal(own.result.oom, OOM_STEP);
	assert_int_equal(shared.result.status, 3);
	assert_int_equal(shared.result.oom, OOM_NONE);
	assert_int_equal(fine.result.oom, OOM_NONE);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(says_no_more_than_the_counts_do),
		T(has_words_for_each_case),
		T(knows_of_a_step_in_a_group_of_its_own),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
