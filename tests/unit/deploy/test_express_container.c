#include "deploy/express_container.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/unit/base/testing.h"

static int make(const char *text, int64_t port, json_t **out, struct error *err)
{
	const struct deploy_target t = {.app = "web"};
	AUTO_JSON *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	return express_container_make(&t, j, port, out, err);
}

/* Members as ExpressGatewayContainer calls them (ECS API Reference). */
static void test_whole(void **state)
{
	static const char text[] =
		"{\"containerDefinitions\":[{\"name\":\"web\",\"image\":\"i@sha256:1\",\"essential\":true,"
		"\"portMappings\":[{\"containerPort\":3000,\"protocol\":\"tcp\"}],\"command\":[\"serve\"],"
		"\"environment\":[{\"name\":\"A\",\"value\":\"b\"}],\"entryPoint\":[],\"mountPoints\":[],"
		"\"secrets\":[{\"name\":\"S\",\"valueFrom\":\"arn\"}],\"logConfiguration\":{"
		"\"logDriver\":\"awslogs\",\"options\":{\"awslogs-group\":\"/ecs/web\","
		"\"awslogs-stream-prefix\":\"run\"}}}]}";
	AUTO_JSON *made = NULL;
	AUTO(strbuf) written = STRBUF_INIT;

	(void)state;
	assert_int_equal(make(text, 0, &made, NULL), 0);
	json_write(made, &written);
	assert_string_equal(
		written.buf,
		"{\"image\":\"i@sha256:1\",\"containerPort\":3000,\"awsLogsConfiguration\":{"
		"\"logGroup\":\"/ecs/web\",\"logStreamPrefix\":\"run\"},\"command\":[\"serve\"],"
		"\"environment\":[{\"name\":\"A\",\"value\":\"b\"}],"
		"\"secrets\":[{\"name\":\"S\",\"valueFrom\":\"arn\"}]}");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int64_t port;
		enum error_kind kind;
		const char *word;
	} rows[] = {
		{"{\"containerDefinitions\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", 0,
		 ERROR_UNSUPPORTED, "one container"},
		{"{\"containerDefinitions\":[{\"name\":\"a\",\"entryPoint\":[\"x\"]}]}", 80,
		 ERROR_UNSUPPORTED, "entryPoint"},
		{"{\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"i\"}]}", 0, ERROR_USAGE,
		 "--port"},
		{"{\"containerDefinitions\":[{\"name\":\"a\",\"portMappings\":[{\"containerPort\":53,"
		 "\"protocol\":\"udp\"}]}]}",
		 0, ERROR_UNSUPPORTED, "UDP"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		json_t *made = NULL;

		assert_int_equal(make(rows[i].text, rows[i].port, &made, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_non_null(strstr(err.message, rows[i].word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
