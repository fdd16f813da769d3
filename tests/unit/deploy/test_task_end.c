/* Tasks as DescribeTasks shows them in AWS's guide of stopped task errors. */
#include "deploy/task_end.h"

#include "deploy/hints.h"
#include "tests/unit/base/testing.h"

static json_t *parse(const char *text)
{
	json_t *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "sample", NULL), 0);
	return j;
}

static const struct {
	const char *task, *definition;
	const char *cause;
	int exit_code;
	bool succeeded;
} rows[] = {
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"web\",\"exitCode\":1}]}",
	 "{}", "container \"web\" exited with code 1", 1, false},
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"web\",\"exitCode\":0}]}",
	 "{}", "container \"web\" exited with code 0", 0, true},
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"web\",\"exitCode\":137,\"reason\":\"OutOfMemoryError: Container killed "
	 "due to memory usage\"}]}",
	 "{}", "container \"web\" exited with code 137 (out of memory)", 137, false},
	/* the second was killed because the first had ended */
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"proxy\",\"exitCode\":143},{\"name\":\"web\",\"exitCode\":3}]}",
	 "{}", "container \"web\" exited with code 3", 3, false},
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"job\",\"exitCode\":0},{\"name\":\"proxy\",\"exitCode\":137}]}",
	 "{}", "container \"job\" exited with code 0", 0, true},
	/* one that is not essential may end as it likes */
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"init\",\"exitCode\":9},{\"name\":\"web\",\"exitCode\":0}]}",
	 "{\"containerDefinitions\":[{\"name\":\"init\",\"essential\":false},{\"name\":\"web\"}]}",
	 "container \"web\" exited with code 0", 0, true},
	/* without an exit code it never ran (ecspresso 534) */
	{"{\"stopCode\":\"EssentialContainerExited\",\"stoppedReason\":\"Essential container in task exited\","
	 "\"containers\":[{\"name\":\"web\"}]}",
	 "{}", "the task was stopped: Essential container in task exited", -1, false},
	{"{\"stopCode\":\"TaskFailedToStart\",\"stoppedReason\":\"CannotPullContainerError: not found\","
	 "\"containers\":[{\"name\":\"web\"}]}",
	 "{}", "the task could not start: CannotPullContainerError: not found", -1, false},
	{"{\"stopCode\":\"ServiceSchedulerInitiated\",\"stoppedReason\":\"Task failed container health checks\","
	 "\"containers\":[{\"name\":\"web\",\"exitCode\":143,\"healthStatus\":\"UNHEALTHY\"}]}",
	 "{}", "the task was stopped: Task failed container health checks", 143, false},
	{"{\"containers\":[]}", "{}", "the task stopped without saying why", -1, false},
};

static void test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON *task = parse(rows[i].task), *definition = parse(rows[i].definition);
		AUTO(task_end) end = {.exit_code = -1};

		task_end_read(&end, task, definition);
		assert_string_equal(end.cause, rows[i].cause);
		assert_int_equal(end.exit_code, rows[i].exit_code);
		assert_int_equal(end.succeeded, rows[i].succeeded);
		assert_true(task_end_equal(&end, &end) || !end.reason);
	}
}

static void test_which_ends_are_equal(void **state)
{
	AUTO_JSON *one = parse(rows[0].task), *other = parse(rows[2].task);
	AUTO_JSON *pull = parse(rows[7].task);
	AUTO_JSON *pull2 = parse(
		"{\"stopCode\":\"TaskFailedToStart\",\"stoppedReason\":"
		"\"CannotPullContainerError: i/o timeout, id 7\",\"containers\":[]}");
	AUTO_JSON *secret = parse("{\"stopCode\":\"TaskFailedToStart\",\"stoppedReason\":"
				  "\"ResourceInitializationError: x\",\"containers\":[]}");
	AUTO(task_end) a = {0}, b = {0};

	(void)state;
	task_end_read(&a, one, NULL);
	task_end_read(&b, other, NULL);
	assert_false(task_end_equal(&a, &b));
	task_end_read(&a, pull, NULL);
	task_end_read(&b, pull2, NULL);
	assert_true(task_end_equal(&a, &b));
	task_end_read(&b, secret, NULL);
	assert_false(task_end_equal(&a, &b));
}

/* As docker run ends: 126 and 127 are runc's refusals. */
/* What ECS says of every failed start; the reason is the container's. */
static void test_the_containers_words_count_when_the_task_has_none(void **state)
{
	AUTO_JSON *task = parse(
		"{\"stopCode\":\"TaskFailedToStart\",\"stoppedReason\":\"Task failed to start\","
		"\"containers\":[{\"name\":\"web\",\"reason\":\"CannotStartContainerError: exec: "
		"\\\"x\\\": executable file not found in $PATH\"}]}");
	AUTO(task_end) end = {.exit_code = -1};

	(void)state;
	task_end_read(&end, task, NULL);
	assert_non_null(strstr(end.cause, "executable file not found"));
	assert_int_equal(task_end_code(&end), 127);
}
static void test_codes(void **state)
{
	static const struct {
		const char *reason;
		int exit_code, code;
	} codes[] = {
		{NULL, 42, 42},
		{"Essential container in task exited", 0, 0},
		{"CannotStartContainerError: runc create failed: unable to start container process: exec: \"web\": "
		 "executable file not found in $PATH: unknown",
		 -1, 127},
		{"CannotStartContainerError: exec: \"/web\": stat /web: no such file or directory: unknown",
		 -1, 127},
		{"CannotStartContainerError: exec: \"/web\": permission denied: unknown", -1, 126},
		{"CannotPullContainerError: permission denied", -1, 125},
		{NULL, -1, 125},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		AUTO_FREE char *reason = codes[i].reason ? xstrdup(codes[i].reason) : NULL;
		const struct task_end end = {.reason = reason, .exit_code = codes[i].exit_code};

		assert_int_equal(task_end_code(&end), codes[i].code);
	}
}

/* The patterns of AWS's messages that the reference lists, each with a word of its hint. */
static void test_hints(void **state)
{
	static const struct {
		const char *reason, *log, *word;
		int code;
	} hints[] = {
		{"CannotPullContainerError: ref x: not found", NULL, "tags", -1},
		{"CannotPullContainerError: manifest unknown", NULL, "tags", -1},
		{"CannotPullContainerError: dial tcp: i/o timeout", NULL, "NAT", -1},
		{"CannotPullContainerError: 403 Forbidden", NULL, "execution role", -1},
		{"CannotPullContainerError: image Manifest does not contain descriptor matching platform "
		 "'linux/amd64'",
		 NULL, "architecture", -1},
		{"ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
		 "retrieval failed: unable to retrieve secret from asm: AccessDeniedException",
		 NULL, "secretsmanager:GetSecretValue", -1},
		{"ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
		 "retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 "
		 "time(s): AccessDeniedException: User: x is not authorized to perform: "
		 "ecr:GetAuthorizationToken on resource: *",
		 NULL, "AmazonECSTaskExecutionRolePolicy", -1},
		{"ResourceInitializationError: unable to pull secrets or registry auth: command failed: "
		 "context deadline exceeded",
		 NULL, "endpoints", -1},
		{"ResourceInitializationError: failed to validate logger args: create stream has been "
		 "retried 1 times: ResourceNotFoundException: The specified log group does not exist.",
		 NULL, "log", -1},
		{"OutOfMemoryError: Container killed due to memory usage", NULL, "--memory", 137},
		{"Task failed ELB health checks in (target-group x)", NULL, "0.0.0.0", -1},
		{"Task failed container health checks", NULL, "command failed", -1},
		{"Capacity is unavailable at this time. Please try again later", NULL, "zones", -1},
		{"You've reached the limit on the number of vCPUs you can run concurrently", NULL,
		 "quota", -1},
		{"ECS was unable to assume the role 'x'", NULL, "ecs-tasks", -1},
		{NULL, "exec /app: exec format error", "architecture", 1},
		{NULL, "ImportError: cannot import name 'url_quote' from 'werkzeug.urls'", "pin",
		 1},
		{"Essential container in task exited", NULL, "segmentation", 139},
		{NULL, NULL, "not found", 127},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		const struct failure_facts facts = {
			.reason = hints[i].reason,
			.log = hints[i].log,
			.exit_code = hints[i].code,
		};
		const char *hint = failure_hint(&facts);

		if (!hint || !strstr(hint, hints[i].word))
			fail_msg("%s: %s", hints[i].reason ? hints[i].reason : hints[i].log,
				 hint ? hint : "no hint");
	}
	assert_null(failure_hint(&(struct failure_facts){.reason = "odd", .exit_code = -1}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_the_containers_words_count_when_the_task_has_none),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_which_ends_are_equal),
		cmocka_unit_test(test_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
