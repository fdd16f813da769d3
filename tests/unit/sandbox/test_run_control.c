/* Signals to a step that runs and further programs in it, asked by other threads. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/time.h"
#include "sandbox/run_control.h"

/* A step on a thread of its own. */
struct running {
	struct pool *pool;
	struct group group;
	struct rootfs *fs;
	struct run_control *control;
	const char *script, *user;
	struct outcome o;
};

static int run_it(void *arg, struct error *err)
{
	struct running *r = arg;

	(void)err;
	run_spec(r->fs, r->script, (struct run_spec){.control = r->control, .user = r->user},
		 &r->o);
	return 0;
}

static void start(struct running *r, struct fixture *f, const char *script)
{
	r->script = script;
	r->pool = pool_new(1);
	r->fs = open_rootfs(f);
	must(run_control_open(&r->control, &must_err));
	group_init(&r->group, r->pool);
	must(group_run_now(&r->group, run_it, r, &must_err));
}

static void finish(struct running *r)
{
	must(group_wait(&r->group, &must_err));
	run_control_free(r->control);
	pool_free(r->pool);
	rootfs_free(r->fs);
}

/* Runs "sh -c script" in it; what it wrote to *out, which is initialised here. */
static int execute(const struct running *r, const char *script, const char *user, int timeout_ms,
		   struct strbuf *out, int *status, struct error *err)
{
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, xstrdup(script), NULL};
	char *env[] = {(char[]){DEFAULT_PATH_ENV}, (char[]){"WORD=given"}, NULL};
	struct run_program p = {.argv = argv,
				.env = env,
				.cwd = "/home",
				.user = user,
				.stdin_fd = -1,
				.timeout_ms = timeout_ms};
	char bytes[4096];
	int fds[2], result;
	ssize_t n;

	strbuf_init(out);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p.stdout_fd = p.stderr_fd = fds[1];
	result = run_control_exec(r->control, &p, status, err);
	close(fds[1]);
	while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
		strbuf_add(out, bytes, (size_t)n);
	close(fds[0]);
	free(argv[2]);
	return result;
}

static void runs_a_program_in_a_running_step(void **state)
{
	struct running r = {0};
	AUTO(strbuf) out, again;
	int status = -1;

	start(&r, *state, "echo made > /tmp/mark; exec sleep 1000");
	/* It waits for the step to run, and sees its files. */
	must(execute(&r,
		     "while [ ! -e /tmp/mark ]; do sleep 0.02; done; cat /tmp/mark; pwd; "
		     "echo $WORD $HOME; exit 3",
		     "", 20000, &out, &status, &must_err));
	assert_int_equal(status, 3);
	assert_string_equal(out.buf, "made\n/home\ngiven /root\n");
	must(execute(&r, "echo error >&2", "", 20000, &again, &status, &must_err));
	assert_int_equal(status, 0);
	assert_string_equal(again.buf, "error\n");
	run_control_kill(r.control);
	finish(&r);
	assert_int_equal(r.o.r, 0);
	assert_int_equal(r.o.result.status, 128 + SIGKILL);
	outcome_release(&r.o);
}

static void has_the_users_rights_and_no_more(void **state)
{
	struct running r = {0};
	AUTO(strbuf) rights, app = STRBUF_INIT;
	int status;

	start(&r, *state,
	      "grep -E 'Cap(Bnd|Eff)|Seccomp:|NoNew' /proc/self/status; touch /tmp/shown; "
	      "sleep 1000");
	must(execute(&r,
		     "while [ ! -e /tmp/shown ]; do sleep 0.02; done; "
		     "grep -E 'Cap(Bnd|Eff)|Seccomp:|NoNew' /proc/self/status",
		     "", 20000, &rights, &status, &must_err));
	assert_int_equal(status, 0);
	if (sandbox_mode(((struct fixture *)*state)->sb, NULL) != SANDBOX_ROOTLESS_SINGLE) {
		must(execute(&r, "id -u; id -g; id -G; echo $HOME", "app", 20000, &app, &status,
			     &must_err));
		assert_string_equal(app.buf, "1000\n1000\n1000 50 60\n/home/app\n");
	}
	run_control_kill(r.control);
	finish(&r);
	assert_string_equal(rights.buf, r.o.out.buf);
	assert_int_equal(r.o.r, 0);
	assert_int_equal(r.o.result.status, 128 + SIGKILL);
	outcome_release(&r.o);
}

static void says_why_a_program_cannot_start(void **state)
{
	static const struct {
		const char *name, *user, *says;
		enum error_kind kind;
		int status;
	} rows[] = {
		{"nothing-here", "", "not found in PATH", ERROR_STEP, 127},
		{"/etc/passwd", "", "Permission denied", ERROR_STEP, 126},
		{"sh", "nobody-here", "user nobody-here is not in /etc/passwd", ERROR_NOT_FOUND, 0},
	};
	struct running r = {0};

	start(&r, *state, "sleep 1000");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *argv[] = {xstrdup(rows[i].name), NULL}, *env[] = {NULL};
		const struct run_program p = {.argv = argv,
					      .env = env,
					      .user = rows[i].user,
					      .stdin_fd = -1,
					      .stdout_fd = -1,
					      .stderr_fd = -1,
					      .timeout_ms = 20000};
		AUTO(error) err = ERROR_INIT;
		int status;

		assert_int_equal(run_control_exec(r.control, &p, &status, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.status, rows[i].status);
		assert_non_null(strstr(err.message, rows[i].says));
		free(argv[0]);
	}
	run_control_kill(r.control);
	finish(&r);
	outcome_release(&r.o);
}

static void ends_a_program_that_takes_too_long(void **state)
{
	int64_t before = time_monotonic_ns();
	AUTO(error) late = ERROR_INIT;
	AUTO(error) gone = ERROR_INIT;
	struct running r = {0};
	AUTO(strbuf) out, none;
	int status;

	start(&r, *state, "sleep 1000");
	/* Answered when the step runs. */
	assert_int_equal(execute(&r, "true", "", 20000, &none, &status, &gone), 0);
	strbuf_release(&none);
	/* The pipe's end comes when its processes are gone. */
	assert_int_equal(
		execute(&r, "echo begun; sleep 1000; echo never", "", 500, &out, &status, &late),
		-1);
	assert_int_equal(late.kind, ERROR_SYSTEM);
	assert_int_equal(late.number, ETIMEDOUT);
	assert_string_equal(out.buf, "begun\n");
	run_control_kill(r.control);
	must(group_wait(&r.group, &must_err));
	assert_int_equal(execute(&r, "true", "", -1, &none, &status, &gone), -1);
	assert_int_equal(gone.kind, ERROR_CANCELLED);
	assert_true(time_monotonic_ns() - before < 20000000000ll);
	group_init(&r.group, r.pool);
	finish(&r);
	outcome_release(&r.o);
}

/* The signal may come before the command does. */
static void passes_signals_on(void **state)
{
	struct running r = {0};
	AUTO(strbuf) out;
	int status;

	start(&r, *state, "sleep 1000");
	run_control_signal(r.control, SIGTERM);
	finish(&r);
	assert_int_equal(r.o.result.status, 128 + SIGTERM);
	outcome_release(&r.o);

	start(&r, *state,
	      "trap 'echo asked; exit 7' USR1; touch /tmp/ready; while :; do sleep 0.02; done");
	must(execute(&r, "while [ ! -e /tmp/ready ]; do sleep 0.02; done", "", 20000, &out, &status,
		     &must_err));
	run_control_signal(r.control, SIGUSR1);
	finish(&r);
	assert_int_equal(r.o.r, 0);
	assert_int_equal(r.o.result.status, 7);
	assert_string_equal(r.o.out.buf, "asked\n");
	outcome_release(&r.o);
}

static void ends_what_has_not_begun(void **state)
{
	struct running r = {0};

	start(&r, *state, "trap '' TERM; sleep 1000");
	run_control_kill(r.control);
	finish(&r);
	assert_int_equal(r.o.r, 0);
	assert_int_equal(r.o.result.status, 128 + SIGKILL);
	outcome_release(&r.o);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	T(runs_a_program_in_a_running_step),
	T(has_the_users_rights_and_no_more),
	T(says_why_a_program_cannot_start),
	T(ends_a_program_that_takes_too_long),
	T(passes_signals_on),
	T(ends_what_has_not_begun),
};
SANDBOX_TEST_MAIN(tests)
