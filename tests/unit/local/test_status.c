/* What the status page is told, held against documents as the ECS API has them. */
#include "local/status.h"

#include "tests/unit/base/scratch.h"

static struct state *state;

static int open_state(void **unused)
{
	static int n;

	(void)unused;
	AUTO_FREE char *name = xstrfmt("state%d", n++);

	assert_ok(state_open(&state, in_scratch(name), err));
	state_lock(state);
	return 0;
}

static int close_state(void **unused)
{
	(void)unused;
	state_unlock(state);
	state_free(state);
	return 0;
}

/* Quotes of text are ' here. */
static void put(const char *kind, const char *key, const char *text)
{
	AUTO_FREE char *quoted = xstrdup(text);
	json_t *document;

	for (char *p = quoted; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	assert_ok(json_parse(&document, quoted, strlen(quoted), key, err));
	assert_ok(state_put(state, kind, key, document, err));
}

/* What json names by "clusters.0.services.0.name". */
static const json_t *at(const json_t *json, const char *path)
{
	AUTO(strlist) parts = STRLIST_INIT;

	strlist_split(&parts, path, '.');
	for (size_t i = 0; i < parts.n; i++)
		json = json_is_array(json)
			       ? json_array_get(json, (size_t)strtol(parts.items[i], NULL, 10))
			       : json_object_get(json, parts.items[i]);
	return json;
}

#define assert_text(json, path, text) assert_string_equal(json_string_value(at(json, path)), text)
#define assert_number(json, path, n)  assert_int_equal(json_integer_value(at(json, path)), n)

static void test_nothing(void **unused)
{
	AUTO_JSON *out = status_document(state);

	(void)unused;
	assert_int_equal(json_array_size(at(out, "clusters")), 0);
	assert_true(json_is_array(at(out, "clusters")));
}

static void put_cluster(const char *name, const char *status)
{
	AUTO_FREE char *text = xstrfmt(
		"{'clusterName': '%s', 'status': '%s', 'clusterArn': 'arn:aws:ecs:us-east-1:"
		"000000000000:cluster/%s'}",
		name, status, name);

	put(STATE_CLUSTERS, name, text);
}

static void put_service(const char *cluster, const char *name, const char *status)
{
	AUTO_FREE char *key = xstrfmt("%s/%s", cluster, name);
	AUTO_FREE char *text = xstrfmt(
		"{'serviceName': '%s', 'status': '%s', 'desiredCount': 2, 'runningCount': 1,"
		" 'pendingCount': 1, 'roleArn': 'not shown',"
		" 'taskDefinition': 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3',"
		" 'deployments': [{'id': 'ecs-svc/1', 'status': 'PRIMARY', 'rolloutState': 'IN_PROGRESS',"
		" 'desiredCount': 2, 'runningCount': 1, 'pendingCount': 1, 'failedTasks': 4,"
		" 'taskDefinition': 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:4'}],"
		" 'events': [{'id': 'e2', 'createdAt': 2.5, 'message': '<b>second</b>'},"
		" {'id': 'e1', 'createdAt': 1.5, 'message': 'first'}],"
		" 'slipway': {'cluster': '%s', 'address': '127.65.0.1', 'secretPlan': 1,"
		" 'ports': [{'containerPort': 80, 'hostPort': 8080}]}}",
		name, status, cluster);

	put(STATE_SERVICES, key, text);
}

static void test_services(void **unused)
{
	(void)unused;
	put_cluster("default", "ACTIVE");
	put_cluster("old", "INACTIVE");
	put_service("default", "web", "ACTIVE");
	put_service("default", "api", "DRAINING");
	put_service("default", "gone", "INACTIVE");
	put(STATE_SCALABLE_TARGETS, "service/default/web",
	    "{'ResourceId': 'service/default/web', 'MinCapacity': 1, 'MaxCapacity': 4}");
	AUTO_JSON *out = status_document(state);

	assert_int_equal(json_array_size(at(out, "clusters")), 1);
	assert_text(out, "clusters.0.name", "default");
	assert_int_equal(json_array_size(at(out, "clusters.0.services")), 2);
	assert_text(out, "clusters.0.services.0.serviceName", "api");
	assert_text(out, "clusters.0.services.0.status", "DRAINING");
	assert_null(at(out, "clusters.0.services.0.scaling"));
	assert_text(out, "clusters.0.services.1.serviceName", "web");
	assert_text(out, "clusters.0.services.1.definition", "web:3");
	assert_text(out, "clusters.0.services.1.address", "127.65.0.1");
	assert_number(out, "clusters.0.services.1.ports.0.hostPort", 8080);
	assert_number(out, "clusters.0.services.1.desiredCount", 2);
	assert_number(out, "clusters.0.services.1.scaling.MaxCapacity", 4);
	assert_text(out, "clusters.0.services.1.deployments.0.definition", "web:4");
	assert_text(out, "clusters.0.services.1.deployments.0.rolloutState", "IN_PROGRESS");
	assert_number(out, "clusters.0.services.1.deployments.0.failedTasks", 4);
	assert_text(out, "clusters.0.services.1.events.0.message", "<b>second</b>");
	/* What is private of the document, or of no use, stays out. */
	assert_null(at(out, "clusters.0.services.1.slipway"));
	assert_null(at(out, "clusters.0.services.1.roleArn"));
}

#define ID "00000000000000000000000000000001"

static void put_definition(const char *log)
{
	AUTO_FREE char *text = xstrfmt(
		"{'taskDefinition': {'family': 'web', 'revision': 3, 'containerDefinitions': ["
		"{'name': 'side', 'image': 'x'}, {'name': 'app', 'image': 'web:1',"
		" 'environment': [{'name': 'PASSWORD', 'value': 'hunter2'}]%s}]}}",
		log);

	put(STATE_TASK_DEFINITIONS, "web:3", text);
}

static void put_task(const char *id, const char *status, double at)
{
	AUTO_FREE char *text = xstrfmt(
		"{'taskArn': 'arn:aws:ecs:us-east-1:000000000000:task/default/%s', 'lastStatus': '%s',"
		" 'taskDefinitionArn': 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3',"
		" 'createdAt': %f, 'stoppedAt': %f, 'stopCode': 'EssentialContainerExited',"
		" 'overrides': {'containerOverrides': [{'environment': [{'value': 'hunter3'}]}]},"
		" 'containers': [{'name': 'app', 'image': 'web:1', 'exitCode': 137, 'reason': 'killed', 'runtimeId': 'aabbcc',"
		" 'imageDigest': 'sha256:aa'}, {'name': 'side', 'image': 'x', 'exitCode': null}],"
		" 'slipway': {'cluster': 'default', 'service': 'web', 'address': '127.64.0.2',"
		" 'ports': [], 'notes': ['memory limit not enforced'], 'plan': 1}}",
		id, status, at, at);

	put(STATE_TASKS, id, text);
}

static void test_task(void **unused)
{
	(void)unused;
	put_cluster("default", "ACTIVE");
	put_definition(", 'logConfiguration': {'logDriver': 'awslogs', 'options': {'awslogs-group':"
		       " '/ecs/web', 'awslogs-stream-prefix': 'ecs', 'awslogs-region': 'r'}}");
	put_task(ID, "RUNNING", 5);
	AUTO_JSON *out = status_document(state);
	AUTO(strbuf) text = STRBUF_INIT;

	assert_text(out, "clusters.0.tasks.0.id", ID);
	assert_text(out, "clusters.0.tasks.0.service", "web");
	assert_text(out, "clusters.0.tasks.0.definition", "web:3");
	assert_text(out, "clusters.0.tasks.0.address", "127.64.0.2");
	assert_text(out, "clusters.0.tasks.0.notes.0", "memory limit not enforced");
	assert_number(out, "clusters.0.tasks.0.containers.0.exitCode", 137);
	assert_text(out, "clusters.0.tasks.0.containers.0.log.group", "/ecs/web");
	assert_text(out, "clusters.0.tasks.0.containers.0.log.stream", "ecs/app/" ID);
	assert_null(at(out, "clusters.0.tasks.0.containers.1.log"));
	assert_null(at(out, "clusters.0.tasks.0.containers.1.exitCode"));
	put_definition(
		", 'logConfiguration': {'logDriver': 'awslogs', 'options': {'awslogs-group': 'g'}}");
	AUTO_JSON *bare = status_document(state);

	assert_text(bare, "clusters.0.tasks.0.containers.0.log.stream", "aabbcc");
	/* Environments may be secret. */
	json_write(out, &text);
	assert_null(strstr(text.buf, "hunter"));
	assert_null(strstr(text.buf, "\"plan\""));
}

static void test_logs_elsewhere(void **unused)
{
	static const char *const rows[] = {
		"",
		", 'logConfiguration': {'logDriver': 'json-file'}",
		", 'logConfiguration': {'logDriver': 'awslogs', 'options': {}}",
		(", 'logConfiguration': {'logDriver': 'splunk', 'options': {'awslogs-group': 'g',"
		 " 'awslogs-stream-prefix': 'p'}}"),
	};

	(void)unused;
	put_cluster("default", "ACTIVE");
	put_task(ID, "RUNNING", 5);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_definition(rows[i]);
		AUTO_JSON *out = status_document(state);

		assert_text(out, "clusters.0.tasks.0.containers.0.name", "app");
		assert_null(at(out, "clusters.0.tasks.0.containers.0.log"));
	}
}

static void test_many_tasks(void **unused)
{
	(void)unused;
	put_cluster("default", "ACTIVE");
	for (int i = 0; i < STATUS_STOPPED_TASKS + 5; i++) {
		AUTO_FREE char *id = xstrfmt("%032d", i + 100);

		put_task(id, "STOPPED", i);
	}
	put_task(ID, "RUNNING", 1);
	put_task("00000000000000000000000000000002", "PENDING", 2);
	AUTO_JSON *out = status_document(state);
	AUTO_FREE char *newest = xstrfmt("%032d", STATUS_STOPPED_TASKS + 5 - 1 + 100);

	assert_int_equal(json_array_size(at(out, "clusters.0.tasks")), STATUS_STOPPED_TASKS + 2);
	assert_text(out, "clusters.0.tasks.0.lastStatus", "PENDING");
	assert_text(out, "clusters.0.tasks.1.id", ID);
	assert_text(out, "clusters.0.tasks.2.id", newest);
	assert_number(out, "clusters.0.stopped", STATUS_STOPPED_TASKS + 5);
	assert_number(out, "clusters.0.tasksLeftOut", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, open_state, close_state),
		cmocka_unit_test_setup_teardown(test_services, open_state, close_state),
		cmocka_unit_test_setup_teardown(test_task, open_state, close_state),
		cmocka_unit_test_setup_teardown(test_logs_elsewhere, open_state, close_state),
		cmocka_unit_test_setup_teardown(test_many_tasks, open_state, close_state),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
