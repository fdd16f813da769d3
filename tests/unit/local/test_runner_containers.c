/* Several containers of a task, and what a definition gives each. */
#include "tests/unit/local/runner_fixture.h"

#include <sys/resource.h>

#define C(name, script, more) "{'name': '" name "', " SHELL(script) more "}"
#define BOTH(one, other)      "{'containerDefinitions': [" one ", " other "]}"

/* The number that the container said behind the word. */
static double time_of(struct runner_fixture *f, const char *container, const char *word)
{
	AUTO_FREE char *log = log_of(f, container);
	const char *at = strstr(log, word);

	if (!at)
		fail_msg("%s does not say %s: %s", container, word, log);
	return strtod(at + strlen(word), NULL);
}

static void starts_what_depends_on_others_after_them(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f,
		 BOTH(C("web", "busybox cut -d\\\" \\\" -f1 /proc/uptime",
			", 'dependsOn': [{'containerName': 'init', 'condition': 'SUCCESS'}]"),
		      C("init", "busybox sleep 0.5; busybox cut -d\\\" \\\" -f1 /proc/uptime",
			", 'essential': false")),
		 NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "init", 0);
	assert_exit(task, "web", 0);
	assert_true(time_of(f, "web", "") >= time_of(f, "init", ""));
	assert_string_equal(aws_text(task, "stopCode"), "EssentialContainerExited");
}

static void does_not_start_what_depends_on_a_failure(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f,
		 BOTH(C("web", "echo never",
			", 'dependsOn': [{'containerName': 'init', 'condition': 'SUCCESS'}]"),
		      C("init", "exit 4", ", 'essential': false")),
		 NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "init", 4);
	assert_exit(task, "web", -1);
	assert_string_equal(aws_text(task, "stopCode"), "TaskFailedToStart");
	assert_non_null(strstr(aws_text(task, "stoppedReason"), "condition SUCCESS"));
}

/* Whichever of them the definition names first. */
static void gives_up_waiting_after_the_start_timeout(void **state)
{
	struct runner_fixture *f = *state;
	static const char web[] = C(
		"web", "echo never",
		", 'dependsOn': [{'containerName': 'slow', 'condition': 'COMPLETE'}]");
	static const char slow[] = C("slow", "exec busybox sleep 1000",
				     ", 'essential': false, 'startTimeout': 1, 'stopTimeout': 2");

	for (int turned = 0; turned < 2; turned++) {
		AUTO_FREE char *definition = xstrfmt("{'containerDefinitions': [%s, %s]}",
						     turned ? slow : web, turned ? web : slow);

		run_task(f, definition, NULL);
		AUTO_JSON *task = await_status(f, "STOPPED");

		assert_exit(task, "web", -1);
		assert_exit(task, "slow", 143);
		assert_non_null(strstr(aws_text(task, "stoppedReason"),
				       "was not met within its startTimeout of 1 seconds"));
	}
}

/* Asked to end while one waits for another, it shows that it ends. */
static void ends_while_containers_wait(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f,
		 BOTH(C("db", "trap \\\"\\\" TERM; echo ready; while :; do busybox sleep 0.1; done",
			", 'essential': false, 'stopTimeout': 2, 'healthCheck': {'command': "
			"['CMD', 'false'], 'interval': 300}"),
		      C("web", "echo never",
			", 'dependsOn': [{'containerName': 'db', 'condition': 'HEALTHY'}]")),
		 NULL);
	await_word(f, "db", "ready");
	stop_task(f);
	json_decref(await_status(f, "STOPPING"));
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "db", 137);
	assert_exit(task, "web", -1);
}

/* Who needs another ends before it. */
static void stops_in_the_reverse_order(void **state)
{
	struct runner_fixture *f = *state;

	run_task(
		f,
		BOTH(C("web",
		       "trap \\\"busybox sleep 0.3; echo at; busybox cut -d. -f1,2 /proc/uptime; exit "
		       "0\\\" TERM; echo ready; while :; do busybox sleep 0.02; done",
		       ", 'dependsOn': [{'containerName': 'db', 'condition': 'START'}]"),
		     C("db",
		       "trap \\\"echo at; busybox cut -d. -f1,2 /proc/uptime; exit 0\\\" TERM; echo "
		       "ready; while :; do busybox sleep 0.02; done",
		       "")),
		NULL);
	json_decref(await_status(f, "RUNNING"));
	await_word(f, "web", "ready");
	await_word(f, "db", "ready");
	stop_task(f);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "web", 0);
	assert_exit(task, "db", 0);
	assert_true(time_of(f, "web", "at") <= time_of(f, "db", "at"));
}

static void goes_on_without_what_is_not_essential(void **state)
{
	struct runner_fixture *f = *state;

	run_task(f,
		 BOTH(C("web", "busybox sleep 0.5; exit 0", ""),
		      C("side", "exit 9", ", 'essential': false")),
		 NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");

	assert_exit(task, "side", 9);
	assert_exit(task, "web", 0);
	assert_true(json_real_value(json_object_get(task, "startedAt")) > 0);
}

#define CHECK(command, timeout, more)                                                  \
	", 'healthCheck': {'command': " command ", 'interval': 1, 'timeout': " timeout \
	", 'retries': 2" more "}"

#define SEEN ", 'mountPoints': [{'sourceVolume': 'data', 'containerPath': '/seen'}]"

static void checks_health_inside_the_container(void **state)
{
	struct runner_fixture *f = *state;

	run_task(
		f,
		"{'volumes': [{'name': 'data'}], 'containerDefinitions': [" C(
			"web",
			"echo up > /tmp/up; until test -e /seen/by-after; do busybox sleep 0.1; done; busybox rm /tmp/up; exec busybox sleep 1000",
			SEEN CHECK(
				"['CMD-SHELL', 'test -e /tmp/up']", "30",
				"")) ", " C("after",
					    "echo began; echo > /seen/by-after; exec busybox sleep 1000",
					    SEEN
					    ", 'dependsOn': [{'containerName': 'web', 'condition': 'HEALTHY'}]") "]}",
		NULL);
	AUTO_JSON *well = await_health(f, "HEALTHY");
	AUTO_JSON *ill = NULL;

	assert_string_equal(aws_text(container_of(well, "web"), "healthStatus"), "HEALTHY");
	ill = await_health(f, "UNHEALTHY");
	assert_string_equal(aws_text(ill, "lastStatus"), "RUNNING");
	assert_string_equal(aws_text(container_of(ill, "after"), "healthStatus"), "UNKNOWN");
	AUTO_FREE char *log = log_of(f, "after");

	assert_string_equal(log, "began\n");
	stop_task(f);
	json_decref(await_status(f, "STOPPED"));
}

/* A check that hangs counts as one that failed, and not before the start period is over. */
static void a_hanging_check_is_a_failed_one(void **state)
{
	struct runner_fixture *f = *state;
	int64_t before = time_monotonic_ns();

	run_task(f,
		 ONE(SHELL("exec busybox sleep 1000") CHECK("['CMD', 'busybox', 'sleep', '1000']",
							    "1", ", 'startPeriod': 3")),
		 NULL);
	json_decref(await_health(f, "UNHEALTHY"));
	assert_true(time_monotonic_ns() - before > 3000000000ll);
	stop_task(f);
	json_decref(await_status(f, "STOPPED"));
}

#define RESTART(more) ", 'restartPolicy': {'enabled': true, 'restartAttemptPeriod': 1" more "}"

static void restarts_by_the_policy(void **state)
{
	struct runner_fixture *f = *state;

	/* Its files stay; the third time it ends too early. */
	run_task(f,
		 ONE(SHELL("echo x >> /tmp/runs; n=$(busybox wc -l < /tmp/runs); echo run $n; "
			   "test $n -ge 3 || busybox sleep 1.2; exit 5") RESTART("")),
		 NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");

	assert_exit(task, "web", 5);
	assert_int_equal(task_json_int(container_of(task, "web"), "restartCount", 0), 2);
	assert_string_equal(log, "run 1\nrun 2\nrun 3\n");
	run_task(f, ONE(SHELL("busybox sleep 1.2; exit 5") RESTART(", 'ignoredExitCodes': [0, 5]")),
		 NULL);
	AUTO_JSON *ignored = await_status(f, "STOPPED");

	assert_exit(ignored, "web", 5);
	assert_null(json_object_get(container_of(ignored, "web"), "restartCount"));
}

static void shares_volumes(void **state)
{
	struct runner_fixture *f = *state;

	run_task(
		f,
		"{'volumes': [{'name': 'data'}], 'containerDefinitions': ["
		"{'name': 'web', " SHELL(
			"cat /in/word; echo x 2>/dev/null > /in/new || echo readonly") ", 'mountPoints': [{'sourceVolume': 'data', 'containerPath': '/in', 'readOnly': true}], 'dependsOn': [{'containerName': 'init', 'condition': 'SUCCESS'}]}, "
										       "{'name': 'from', " SHELL(
											       "cat /out/word; echo again >> /out/word") ", 'essential': false, 'volumesFrom': [{'sourceContainer': 'init'}], 'dependsOn': [{'containerName': 'init', 'condition': 'SUCCESS'}]}, "
																	 "{'name': 'init', " SHELL(
																		 "echo shared > /out/word") ", 'essential': false, 'mountPoints': [{'sourceVolume': 'data', 'containerPath': '/out'}]}]}",
		NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");
	AUTO_FREE char *folder = xstrfmt("%s/tasks/%s", f->folder, f->task);

	assert_exit(task, "web", 0);
	assert_true(str_starts(log, "shared\n"));
	assert_non_null(strstr(log, "readonly\n"));
	assert_int_equal(access(folder, F_OK), -1);
}

static void limits_what_the_definition_limits(void **state)
{
	struct runner_fixture *f = *state;

	run_task(
		f,
		ONE(SHELL(
			"ulimit -n; echo x 2>/dev/null > /new || echo readonly; echo x > /scratch/new && "
			"busybox df -k /scratch | busybox tail -n 1 | busybox cut -c1-6; grep CapBnd "
			"/proc/self/status; id -u") ", 'readonlyRootFilesystem': true, 'ulimits': [{'name': 'nofile', 'softLimit': 100, 'hardLimit': 200}], 'linuxParameters': {'initProcessEnabled': true, 'tmpfs': [{'containerPath': '/scratch', 'size': 4}], 'capabilities': {'drop': ['ALL']}}"),
		NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web");

	assert_exit(task, "web", 0);
	assert_string_equal(log, "100\nreadonly\ntmpfs \nCapBnd:\t0000000000000000\n0\n");
}

static void opens_as_many_files_as_fargate(void **state)
{
	struct runner_fixture *f = *state;
	struct rlimit own;
	unsigned long long most = 65535;

	run_task(f, ONE(SHELL("ulimit -n; ulimit -H -n")), NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web"), *expected = NULL;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	if (own.rlim_max < most)
		most = own.rlim_max;
	expected = xstrfmt("%llu\n%llu\n", most, most);
	assert_exit(task, "web", 0);
	assert_string_equal(log, expected);
}

static void passes_secrets_and_never_shows_them(void **state)
{
	struct runner_fixture *f = *state;
	const char *arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:db-AbCdEf";

	state_lock(f->state);
	must(state_put(f->state, STATE_PARAMETERS, "/app/token",
		       json_of("{'Value': 'parameter-word'}"), &must_err));
	must(state_put(f->state, STATE_SECRETS, arn,
		       json_of("{'versions': {'v1': {'SecretString': 'old', 'VersionStages': "
			       "['AWSPREVIOUS']}, 'v2': {'SecretString': "
			       "'{\\\"user\\\": \\\"u\\\", \\\"port\\\": 5432}', 'VersionStages': "
			       "['AWSCURRENT']}}}"),
		       &must_err));
	state_unlock(f->state);
	run_task(
		f,
		ONE(SHELL(
			"echo $A $B $C $D $E") ", 'secrets': ["
					       "{'name': 'A', 'valueFrom': '/app/token'}, "
					       "{'name': 'B', 'valueFrom': 'arn:aws:ssm:eu-west-1:000000000000:parameter/app/token'}, "
					       "{'name': 'C', 'valueFrom': 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:db-AbCdEf:user::'}, "
					       "{'name': 'D', 'valueFrom': 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:db-AbCdEf:port::'}, "
					       "{'name': 'E', 'valueFrom': 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:db::AWSPREVIOUS:'}]"),
		NULL);
	AUTO_JSON *task = await_status(f, "STOPPED");
	AUTO_FREE char *log = log_of(f, "web"), *shown = json_dumps(task, 0);

	assert_string_equal(log, "parameter-word parameter-word u 5432 old\n");
	assert_null(strstr(shown, "parameter-word"));
	run_task(
		f,
		ONE(SHELL(
			"exit 0") ", 'secrets': [{'name': 'C', 'valueFrom': "
				  "'arn:aws:secretsmanager:eu-west-1:000000000000:secret:db-AbCdEf:none::'}]"),
		NULL);
	AUTO_JSON *failed = await_status(f, "STOPPED");

	assert_non_null(strstr(aws_text(failed, "stoppedReason"), "did not contain json key none"));
}

static void cuts_long_lines_and_keeps_all(void **state)
{
	struct runner_fixture *f = *state;
	AUTO_FREE char *log = NULL;

	/* 256 KiB and 100 bytes, then a short one. */
	run_task(
		f,
		ONE(SHELL(
			"busybox head -c 262244 /dev/zero | busybox tr \\\\\\\\000 x; echo; echo end")),
		NULL);
	json_decref(await_status(f, "STOPPED"));
	log = log_of(f, "web");
	assert_int_equal(strcspn(log, "\n"), 262144);
	assert_int_equal(strspn(log + 262145, "x"), 100);
	assert_string_equal(log + 262145 + 100, "\nend\n");
}

static bool limits_work(struct runner_fixture *f, const char *limit)
{
	return !strstr(f->base->logged.buf, "are not enforced") ||
	       !strstr(f->base->logged.buf, limit);
}

/* Where control groups are to be had; elsewhere the task says so. */
static void kills_what_takes_more_memory_than_it_has(void **state)
{
	struct runner_fixture *f = *state;
	static const char hog[] = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";
	AUTO_FREE char *own = xstrfmt(
		"{'containerDefinitions': [{'name': 'web', 'image': 'app:1', 'memory': 32, 'command': "
		"['/bin/sh', '-c', '%s']}]}",
		hog);
	AUTO_FREE char *shared = xstrfmt(
		"{'memory': '32', 'cpu': '256', 'containerDefinitions': [{'name': 'web', 'image': "
		"'app:1', 'command': ['/bin/sh', '-c', '%s']}]}",
		hog);
	const char *const definitions[] = {own, shared};

	if (!limits_work(f, "memory")) {
		run_task(
			f,
			"{'memory': '32', 'containerDefinitions': [{'name': 'web', 'image': 'app:1'}]}",
			NULL);
		AUTO_JSON *task = await_status(f, "STOPPED");
		const json_t *notes = json_object_get(json_object_get(task, "slipway"), "notes");

		assert_string_equal(
			task_json_string(json_array_get(notes, 0)),
			"The memory limit is not enforced: this machine lets slipway make "
			"no control group.");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
		run_task(f, definitions[i], NULL);
		AUTO_JSON *task = await_status(f, "STOPPED");

		assert_exit(task, "web", 137);
		assert_string_equal(aws_text(container_of(task, "web"), "reason"),
				    "OutOfMemoryError: Container killed due to memory usage");
		assert_string_equal(aws_text(task, "stoppedReason"),
				    "OutOfMemoryError: Container killed due to memory usage");
		assert_string_equal(aws_text(task, "stopCode"), "EssentialContainerExited");
	}
}

static void gives_a_task_no_more_cpu_than_it_has(void **state)
{
	struct runner_fixture *f = *state;
	struct runner_usage before, after;
	int64_t since;

	if (!limits_work(f, "CPU"))
		skip();
	run_task(f,
		 "{'cpu': '256', 'containerDefinitions': [{'name': 'web', 'image': 'app:1', "
		 "'command': ['/bin/sh', '-c', 'while :; do :; done']}]}",
		 NULL);
	json_decref(await_status(f, "RUNNING"));
	assert_true(runner_task_usage(f->runner, f->task, &before));
	since = time_monotonic_ns();
	usleep(1000000);
	assert_true(runner_task_usage(f->runner, f->task, &after));
	/* A quarter of one, with as much again for the kernel's rounding. */
	assert_true(after.cpu_ns - before.cpu_ns < (time_monotonic_ns() - since) / 2);
	stop_task(f);
	json_decref(await_status(f, "STOPPED"));
}

static const struct CMUnitTest tests[] = {
	R(kills_what_takes_more_memory_than_it_has),
	R(gives_a_task_no_more_cpu_than_it_has),
	R(starts_what_depends_on_others_after_them),
	R(does_not_start_what_depends_on_a_failure),
	R(gives_up_waiting_after_the_start_timeout),
	R(ends_while_containers_wait),
	R(stops_in_the_reverse_order),
	R(goes_on_without_what_is_not_essential),
	R(checks_health_inside_the_container),
	R(a_hanging_check_is_a_failed_one),
	R(restarts_by_the_policy),
	R(shares_volumes),
	R(limits_what_the_definition_limits),
	R(opens_as_many_files_as_fargate),
	R(passes_secrets_and_never_shows_them),
	R(cuts_long_lines_and_keeps_all),
};
SANDBOX_TEST_MAIN(tests)
