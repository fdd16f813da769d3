#include "deploy/log_places.h"

#include <string.h>

#include "base/json.h"
#include "tests/unit/base/testing.h"

static const char definition[] =
	"{\"containerDefinitions\":["
	"{\"name\":\"web\",\"logConfiguration\":{\"logDriver\":\"awslogs\",\"options\":{"
	"\"awslogs-group\":\"/ecs/app\",\"awslogs-region\":\"eu-west-1\","
	"\"awslogs-stream-prefix\":\"run\"}}},"
	"{\"name\":\"side\",\"logConfiguration\":{\"logDriver\":\"awsfirelens\"}},"
	"{\"name\":\"plain\",\"logConfiguration\":{\"logDriver\":\"awslogs\",\"options\":{"
	"\"awslogs-group\":\"g\"}}},"
	"{\"name\":\"mute\"}]}";
static const char task_text[] =
	"{\"taskArn\":\"arn:aws:ecs:eu-west-1:1:task/c/0123456789abcdef0123456789abcdef\","
	"\"containers\":[{\"name\":\"plain\",\"runtimeId\":\"9f86d0\"}]}";

static json_t *parse(const char *text)
{
	json_t *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	return j;
}

/* Streams as the awslogs driver names them: amazon-ecs-developerguide, "awslogs-stream-prefix". */
static void test_of_one_task(void **state)
{
	AUTO_JSON *td = parse(definition);
	AUTO_JSON *task = parse(task_text);
	AUTO(log_places) p = {0};

	(void)state;
	log_places_read(&p, td, task);
	assert_int_equal(p.n, 4);
	assert_string_equal(p.items[0].container, "web");
	assert_string_equal(p.items[0].group, "/ecs/app");
	assert_string_equal(p.items[0].region, "eu-west-1");
	assert_string_equal(p.items[0].stream, "run/web/0123456789abcdef0123456789abcdef");
	assert_null(p.items[0].other);
	assert_string_equal(p.items[1].other, "awsfirelens");
	assert_string_equal(p.items[2].stream, "9f86d0");
	assert_null(p.items[2].region);
	assert_string_equal(p.items[3].other, "no log driver");
	assert_ptr_equal(log_places_find(&p, "plain"), &p.items[2]);
	assert_null(log_places_find(&p, "side"));
	assert_null(log_places_find(&p, "none"));
}

static void test_of_all_tasks(void **state)
{
	AUTO_JSON *td = parse(definition);
	AUTO(log_places) p = {0};

	(void)state;
	log_places_read(&p, td, NULL);
	assert_null(p.items[0].stream);
	assert_string_equal(p.items[0].prefix, "run/web/");
	/* streams called by the containers' own ids cannot be told from others */
	assert_non_null(p.items[2].other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_one_task),
		cmocka_unit_test(test_of_all_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
