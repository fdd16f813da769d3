#include "tests/unit/sandbox/sandbox_fixture.h"

#include <pthread.h>

static void runs_a_command(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) o;

	run_script(fs, "echo out; echo err >&2; exit 3", &o);
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.status, 3);
	assert_int_equal(o.result.oom, OOM_NONE);
	assert_string_equal(o.out.buf, "out\n");
	assert_string_equal(o.err.buf, "err\n");
	rootfs_free(fs);
}

/* Each row is a script and the entries it must leave behind (OCI image-spec 1.1, layer.md). */
static const struct {
	const char *script, *entries;
} changes[] = {
	{"true", ""},
	{"cat /lib/one /etc/passwd > /dev/null; ls -lR /lib /etc /root > /dev/null", ""},
	{"echo hi > /new", "f new 644 0:0 =hi\n"},
	{"mkdir -p /a/b && echo 1 > /a/b/c", "d a 755 0:0\nd a/b 755 0:0\nf a/b/c 644 0:0 =1\n"},
	{"rm /lib/one", "d lib 755 0:0\nw lib/one\n"},
	{"rm -r /lib", "w lib\n"},
	{"rm -r /lib && mkdir /lib && echo x > /lib/three",
	 "d lib 755 0:0\no lib\nf lib/three 644 0:0 =x\n"},
	{"rm -r /lib && echo file > /lib", "f lib 644 0:0 =file\n"},
	{"rm /lib/one && mkdir /lib/one", "d lib 755 0:0\nd lib/one 755 0:0\no lib/one\n"},
	{"rm /lib/one && ln -s two /lib/one", "d lib 755 0:0\nl lib/one 777 0:0 -> two\n"},
	{"chmod 600 /lib/one", "d lib 755 0:0\nf lib/one 600 0:0 =content\n"},
	{"chmod 4755 /lib/one; chmod 1770 /home",
	 "d home 1770 0:0\nd lib 755 0:0\nf lib/one 4755 0:0 =content\n"},
	{"echo 1 > /x; ln /x /a; ln /x /z", "f a 644 0:0 =1\nh x -> a\nh z -> a\n"},
	{"mkfifo -m 640 /p", "p p 640 0:0\n"},
	{"mv /lib/one /lib/three", "d lib 755 0:0\nw lib/one\nf lib/three 644 0:0 =content\n"},
	{"cd /lib; for i in c b a; do touch $i; done",
	 "d lib 755 0:0\nf lib/a 644 0:0 =\nf lib/b 644 0:0 =\nf lib/c 644 0:0 =\n"},
	{"chmod 711 /", "d  711 0:0\n"},
	{"printf 'x' > \"$(printf '/n\\377me')\"", "f n\377me 644 0:0 =x\n"},
	{"echo changed > /etc/hosts; echo changed >> /etc/resolv.conf; echo changed > /etc/hostname",
	 ""},
	{"mkdir /proc/x /sys/x 2>/dev/null; touch /dev/x; touch /dev/shm/y; true", ""},
	{"touch /etc/other", "d etc 755 0:0\nf etc/other 644 0:0 =\n"},
};

static void commits_exactly_what_changed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct rootfs *fs = open_rootfs(*state);
		AUTO_FREE char *listing = NULL;
		AUTO(outcome) o;

		run_script(fs, changes[i].script, &o);
		if (o.r < 0)
			fail_msg("%s: %s", changes[i].script, o.error.message);
		if (o.result.status != 0)
			fail_msg("%s: status %d: %s", changes[i].script, o.result.status,
				 o.err.buf);
		listing = commit_listing(*state, fs);
		if (strcmp(listing, changes[i].entries) != 0)
			fail_msg("%s: expected\n%sgot\n%s", changes[i].script, changes[i].entries,
				 listing);
		rootfs_free(fs);
	}
}

/* The folder of a change set serves the next step as it is. */
static void goes_on_after_a_commit(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	char *listing;
	AUTO(outcome) o, p;

	run_script(fs, "echo 1 > /first; rm /lib/one", &o);
	free(commit_listing(*state, fs));
	run_script(fs, "cat /first; ls /lib; echo 2 > /second; rm /first", &p);
	assert_int_equal(p.r, 0);
	assert_string_equal(p.out.buf, "1\ntwo\n");
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "w first\nf second 644 0:0 =2\n");
	free(listing);
	rootfs_free(fs);
}

static void keeps_changes_between_runs(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	char *listing;
	AUTO(outcome) o, p;

	run_script(fs, "echo 1 > /first; chmod 700 /", &o);
	run_script(fs, "cat /first; stat -c %a /; touch /cache", &p);
	assert_string_equal(p.out.buf, "1\n700\n");
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "d  700 0:0\nf cache 644 0:0 =\nf first 644 0:0 =1\n");
	free(listing);
	rootfs_free(fs);
}

struct worker {
	struct fixture *f;
	pthread_t thread;
	int number;
	char *listing;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	AUTO_FREE char *script = xstrfmt("echo %d > /n; test -e /other && exit 1; sleep 0.1",
					 w->number);

	for (int i = 0; i < 3; i++) {
		struct rootfs *fs = open_rootfs(w->f);
		AUTO(outcome) o;

		run_script(fs, script, &o);
		assert_int_equal(o.r, 0);
		assert_int_equal(o.result.status, 0);
		free(w->listing);
		w->listing = commit_listing(w->f, fs);
		rootfs_free(fs);
	}
	return NULL;
}

/* Stages of a build run at the same time, on threads that end before the build does. */
static void works_on_many_threads(void **state)
{
	struct worker workers[4] = {{0}};

	for (int i = 0; i < 4; i++) {
		workers[i].f = *state;
		workers[i].number = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		AUTO_FREE char *expected = xstrfmt("f n 644 0:0 =%d\n", i);

		pthread_join(workers[i].thread, NULL);
		assert_string_equal(workers[i].listing, expected);
		free(take_ptr(workers[i].listing));
	}
	/* What those threads started is gone with them; this one starts its own. */
	work(&workers[0]);
	assert_string_equal(workers[0].listing, "f n 644 0:0 =0\n");
	free(workers[0].listing);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_a_command, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(commits_exactly_what_changed, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(goes_on_after_a_commit, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(keeps_changes_between_runs, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(works_on_many_threads, fixture_setup,
						fixture_teardown),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
