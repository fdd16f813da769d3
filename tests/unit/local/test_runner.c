/* One task, one container: states, exit codes and reasons as ECS gives them. */
#include "tests/unit/local/runner_fixture.h"

#include "local/process_mark.h"

#define assert_text(object, key, wanted) assert_string_equal(aws_text(object, key), wanted)

static void runs_a_task_to_its_end(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f, ONE(SHELL("echo out; echo err >&2; printf unfinished; exit 7")), NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");
	const json_t *web = container_of(task, "web");

	assert_exit(task, "web", 7);
	assert_text(task, "stopCode", "EssentialContainerExited");
	assert_text(task, "stoppedReason", "Essential container in task exited");
	assert_text(task, "desiredStatus", "STOPPED");
	assert_text(web, "lastStatus", "STOPPED");
	assert_true(str_starts(aws_text(web, "imageDigest"), "sha256:"));
	assert_true(str_starts(aws_text(web, "runtimeId"), f->task));
	assert_null(json_object_get(web, "reason"));
	assert_non_null(strstr(log, "out\n"));
	assert_non_null(strstr(log, "err\n"));
	assert_non_null(strstr(log, "unfinished\n"));
	for (const char *const *key =
		     (const char *const[]){"pullStartedAt", "pullStoppedAt", "stoppingAt",
					   "executionStoppedAt", "stoppedAt", NULL};
	     *key; key++)
		assert_true(json_real_value(json_object_get(task, *key)) > 1e9);
}

static void stops_a_task_that_is_asked_to(void **state)
{
	struct runner_fixture *f = *state;

	run_task(
		f,
		ONE(SHELL(
			"trap \\\"echo asked; exit 3\\\" TERM; echo up; while :; do sleep 0.02; done")),
		NULL);
	AUTO_JSON *running = await_status(f, "RUNNING");

	assert_text(container_of(running, "web"), "lastStatus", "RUNNING");
	assert_true(json_real_value(json_object_get(running, "startedAt")) > 1e9);
	assert_int_equal(exit_code_of(running, "web"), -1);
	await_word(f, "web", "up");
	stop_task(f);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");

	assert_exit(task, "web", 3);
	assert_text(task, "stopCode", "UserInitiated");
	assert_text(task, "stoppedReason", "Enough.");
	assert_string_equal(log, "up\nasked\n");
}

static void kills_what_does_not_end(void **state)
{
	struct runner_fixture *f = *state;
	int64_t before;

	run_task(
		f,
		ONE(SHELL(
			"trap \\\"\\\" TERM; echo up; while :; do sleep 0.05; done") ", 'stopTimeout': 1"),
		NULL);
	await_word(f, "web", "up");

	before = time_monotonic_ns();
	stop_task(f);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "web", 137);
	assert_true(time_monotonic_ns() - before >= 1000000000ll);
	assert_true(time_monotonic_ns() - before < 15000000000ll);
}

static const struct {
	const char *container, *settings, *reason, *says;
} failures[] = {
	{"'image': 'nothing:here'", NULL, "CannotPullContainerError: ", "nothing:here"},
	{"'image': 'app:1', 'command': ['nothing-here']", NULL, "CannotStartContainerError: ",
	 "exec: \"nothing-here\": executable file not found in $PATH"},
	{"'image': 'app:1', 'command': ['/etc/passwd']", NULL,
	 "CannotStartContainerError: ", "exec: \"/etc/passwd\": permission denied"},
	{"'image': 'app:1', 'user': 'nobody-here'", NULL,
	 "CannotStartContainerError: ", "user nobody-here is not in /etc/passwd"},
	{"'image': 'app:1', 'secrets': [{'name': 'A', 'valueFrom': '/none'}]", NULL,
	 "ResourceInitializationError: unable to pull secrets or registry auth: ",
	 "invalid ssm parameters: /none"},
	{"'image': 'app:1', 'secrets': [{'name': 'A', 'valueFrom': "
	 "'arn:aws:secretsmanager:eu-west-1:000000000000:secret:db-AbCdEf'}]",
	 NULL, "ResourceInitializationError: unable to pull secrets or registry auth: ",
	 "Secrets Manager can't find the specified secret"},
	{"'image': 'app:1', 'logConfiguration': {'logDriver': 'awslogs', 'options': "
	 "{'awslogs-group': '/none'}}",
	 NULL, "ResourceInitializationError: failed to validate logger args: ",
	 "The specified log group does not exist"},
	{"'image': 'app:1', 'logConfiguration': {'logDriver': 'splunk'}", NULL,
	 "ResourceInitializationError: ", "log driver splunk is not supported"},
	{"'image': 'app:1', 'systemControls': [{'namespace': 'net.core.somaxconn', 'value': '1'}]",
	 NULL, "ResourceInitializationError: ", "systemControls is not supported"},
};

static void says_why_a_task_did_not_start(void **state)
{
	struct runner_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		AUTO_FREE char *definition = xstrfmt(
			"{'containerDefinitions': [{'name': 'web', %s}]}", failures[i].container);

		run_task(f, definition, failures[i].settings);
		AUTO_JSON *task = await_status(f, "STOPPED");
		const char *reason = aws_text(task, "stoppedReason");

		assert_text(task, "stopCode", "TaskFailedToStart");
		if (!str_starts(reason, failures[i].reason) || !strstr(reason, failures[i].says))
			fail_msg("\"%s\" does not begin with \"%s\" or hold \"%s\"", reason,
				 failures[i].reason, failures[i].says);
		assert_int_equal(exit_code_of(task, "web"), -1);
		assert_null(json_object_get(task, "startedAt"));
	}
}

/* The image's command, its environment, ECS's, the definition's, and what RunTask overrides. */
static void gives_a_container_what_is_defined(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f, ONE("'image': 'app:1', " LOG), NULL);
	AUTO_JSON *plain = await_status(f, "STOPPED");
	AUTO_FREE char *said = log_of(f, "web");

	assert_exit(plain, "web", 0);
	assert_string_equal(said, "the image's command\n");

	run_task(f,
		 ONE("'image': 'app:1', 'entryPoint': ['/bin/sh', '-c'], 'command': ['exit 9'], "
		     "'environment': [{'name': 'A', 'value': 'defined'}, {'name': 'B', 'value': "
		     "'defined'}], 'workingDirectory': '/home', " LOG),
		 "{'overrides': {'containerOverrides': [{'name': 'web', 'command': ['echo $A $B "
		 "$FROM_IMAGE $AWS_REGION $AWS_DEFAULT_REGION $AWS_EXECUTION_ENV; pwd'], "
		 "'environment': [{'name': 'B', 'value': 'overridden'}]}]}}");
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");

	assert_exit(task, "web", 0);
	assert_string_equal(log,
			    "defined overridden yes eu-west-1 eu-west-1 AWS_ECS_FARGATE\n/home\n");
}

static void stops_everything_at_the_end(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f, ONE(SHELL("exec sleep 1000")), NULL);
	json_decref(await_status(f, "RUNNING"));

	runner_stop_all(f->runner, "The local target was stopped.", NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "web", 128 + 15);
	assert_text(task, "stopCode", "TerminationNotice");
	assert_text(task, "stoppedReason", "The local target was stopped.");
}

/* A registry that never answers, and nobody who ends the pull. */
struct stuck_pull {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool began, over, was_told;
};

static int pull_stuck(void *arg, const char *name, const struct platform *platform,
		      const struct cancel *cancel, struct image **out, struct error *err)
{
	struct stuck_pull *p = arg;

	(void)name;
	(void)platform;
	(void)out;
	pthread_mutex_lock(&p->lock);
	p->began = true;
	pthread_cond_broadcast(&p->changed);
	while (!p->over)
		pthread_cond_wait(&p->changed, &p->lock);
	p->was_told = cancel_requested(cancel);
	pthread_mutex_unlock(&p->lock);
	return error_set(err, ERROR_CANCELLED, "cancelled");
}

static void set_over(struct stuck_pull *p)
{
	pthread_mutex_lock(&p->lock);
	p->over = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void stops_without_waiting_for_a_pull(void **state)
{
	struct runner_fixture *f = *state;
	struct stuck_pull p = {.lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER};

	f->images.pull = pull_stuck;
	f->images.arg = &p;
	run_task(f, ONE("'image': 'registry.test/app:1'"), NULL);
	pthread_mutex_lock(&p.lock);
	while (!p.began)
		pthread_cond_wait(&p.changed, &p.lock);
	pthread_mutex_unlock(&p.lock);
	stop_task(f);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_text(task, "stopCode", "UserInitiated");
	assert_text(task, "stoppedReason", "Enough.");
	assert_text(container_of(task, "web"), "lastStatus", "STOPPED");
	assert_null(json_object_get(container_of(task, "web"), "reason"));
	assert_int_equal(exit_code_of(task, "web"), -1);
	assert_null(json_object_get(task, "pullStoppedAt"));
	set_over(&p);
	/* Waits for the thread that pulled. */
	runner_free(take_ptr(f->runner));
	assert_true(p.was_told);
}

static void makes_a_log_group_when_asked_to(void **state)
{
	struct runner_fixture *f = *state;
	const json_t *group;

	run_task(f,
		 ONE("'image': 'app:1', 'logConfiguration': {'logDriver': 'awslogs', 'options': {"
		     "'awslogs-group': '/new', 'awslogs-stream-prefix': 'app', "
		     "'awslogs-create-group': 'true', 'awslogs-datetime-format': '%Y'}}"),
		 NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	const json_t *notes = json_object_get(json_object_get(task, "slipway"), "notes");
	size_t last = json_array_size(notes) - 1;

	assert_exit(task, "web", 0);
	assert_text(task, "stopCode", "EssentialContainerExited");
	assert_non_null(strstr(task_json_string(json_array_get(notes, last)),
			       "awslogs-datetime-format has no effect"));
	state_lock(f->state);
	group = json_object_get(state_get(f->state, STATE_LOG_GROUPS, "/new"), "logGroup");
	assert_text(group, "logGroupArn", "arn:aws:logs:eu-west-1:000000000000:log-group:/new");
	state_unlock(f->state);
}

static void a_second_signal_makes_an_end_of_waiting(void **state)
{
	struct runner_fixture *f = *state;
	struct cancel cancel = {.signal = 15, .count = 2, .wake_fd = -1};
	int64_t before;

	run_task(
		f,
		ONE(SHELL(
			"trap \\\"\\\" TERM; echo up; while :; do sleep 0.05; done") ", 'stopTimeout': 100"),
		NULL);
	json_decref(await_status(f, "RUNNING"));
	before = time_monotonic_ns();
	runner_stop_all(f->runner, "The local target was stopped.", &cancel);
	assert_true(time_monotonic_ns() - before < 30000000000ll);
	AUTO_JSON *task = await_status(f, "STOPPED");

	/* Whether the trap was set or not. */
	assert_true(exit_code_of(task, "web") == 137 || exit_code_of(task, "web") == 143);
}

static json_t *metadata_of(struct runner_fixture *f, const char *path, int wanted)
{
	AUTO_FREE char *text = NULL;
	int status = 0;
	json_t *out;

	runner_metadata(f->runner, f->task, path, &status, &text);
	if (status != wanted)
		fail_msg("%s: %d", path, status);
	must(json_parse(&out, text, strlen(text), path, &must_err));
	return out;
}

static void answers_metadata_and_measures(void **state)
{
	struct runner_fixture *f = *state;
	struct runner_usage usage = {0};

	run_task(f, ONE(SHELL("while :; do :; done") ", 'cpu': 128, 'memory': 64"), NULL);
	AUTO_JSON *running = await_status(f, "RUNNING");
	const char *id = aws_text(container_of(running, "web"), "runtimeId");
	AUTO_FREE char *own = xstrfmt("/v4/%s", id), *task_path = xstrfmt("/v4/%s/task", id);
	AUTO_FREE char *stats_path = xstrfmt("/v4/%s/stats", id);
	AUTO_FREE char *all_path = xstrfmt("/v4/%s/task/stats", id);
	AUTO_JSON *container = metadata_of(f, own, 200);
	AUTO_JSON *task = metadata_of(f, task_path, 200);

	assert_text(container, "DockerId", id);
	assert_text(container, "KnownStatus", "RUNNING");
	assert_text(container, "Image", "app:1");
	assert_int_equal(task_json_int(json_object_get(container, "Limits"), "CPU", 0), 128);
	assert_int_equal(task_json_int(json_object_get(container, "Limits"), "Memory", 0), 64);
	assert_text(json_object_get(container, "Labels"),
		    "com.amazonaws.ecs.task-definition-family", "app");
	assert_text(task, "Family", "app");
	assert_text(task, "Revision", "1");
	assert_text(task, "KnownStatus", "RUNNING");
	assert_int_equal(json_array_size(json_object_get(task, "Containers")), 1);
	json_decref(metadata_of(f, "/v4/other", 404));
	json_decref(metadata_of(f, "/v2/credentials/0", 404));
	json_decref(metadata_of(f, "/", 404));
	for (int i = 0; i < 500 && usage.cpu_ns < 50000000; i++) {
		usleep(20000);
		assert_true(runner_task_usage(f->runner, f->task, &usage));
	}
	assert_true(usage.cpu_ns >= 50000000);
	assert_true(usage.memory_bytes > 100000);
	AUTO_JSON *stats = metadata_of(f, stats_path, 200);
	AUTO_JSON *all = metadata_of(f, all_path, 200);
	const json_t *cpu = json_object_get(json_object_get(stats, "cpu_stats"), "cpu_usage");

	assert_true(task_json_int(cpu, "total_usage", 0) >= usage.cpu_ns);
	assert_non_null(json_object_get(all, id));
	assert_false(runner_task_usage(f->runner, "nothing", &usage));
}

/* As after kill -9 of the process: the document says that it runs, nobody runs it, and a process may live on. */
static void marks_tasks_of_a_dead_process(void **state)
{
	struct runner_fixture *f = *state;
	AUTO_FREE char *left = NULL;
	int status;
	pid_t pid;

	run_task(f, ONE(SHELL("exec sleep 1000")), NULL);
	AUTO_JSON *running = await_status(f, "RUNNING");

	runner_free(take_ptr(f->runner));
	json_decref(await_status(f, "STOPPED"));
	pid = fork();
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	state_lock(f->state);
	json_object_set_new(json_object_get(running, "slipway"), "processes",
			    json_pack("[o, {s:i, s:i, s:s}]", process_mark(pid), "pid",
				      (int)getpid(), "start", 1, "boot", "another"));
	must(state_put(f->state, STATE_TASKS, f->task, json_incref(running), &must_err));
	state_unlock(f->state);
	left = xstrfmt("%s/tasks/%s/volumes", f->folder, f->task);
	must(fs_mkdir_p(left, 0700, &must_err));
	fixture_open_runner(f);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == 9);
	assert_text(task, "stopCode", "TerminationNotice");
	assert_text(task, "stoppedReason",
		    "The local target ended while this task ran, and its processes with it.");
	assert_text(container_of(task, "web"), "lastStatus", "STOPPED");
	assert_int_equal(exit_code_of(task, "web"), -1);
	assert_int_equal(access(left, F_OK), -1);
}

static const struct CMUnitTest tests[] = {
	R(makes_a_log_group_when_asked_to),  R(a_second_signal_makes_an_end_of_waiting),
	R(answers_metadata_and_measures),    R(marks_tasks_of_a_dead_process),
	R(runs_a_task_to_its_end),           R(stops_a_task_that_is_asked_to),
	R(stops_without_waiting_for_a_pull), R(kills_what_does_not_end),
	R(says_why_a_task_did_not_start),    R(gives_a_container_what_is_defined),
	R(stops_everything_at_the_end),
};
SANDBOX_TEST_MAIN(tests)
