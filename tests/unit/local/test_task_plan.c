/* What a task definition asks for is refused where it would never come to an end. */
#include "local/task_plan.h"

#include <string.h>

#include "tests/unit/base/testing.h"

static int make(const char *containers, struct error *err)
{
	AUTO_FREE char *text = xstrfmt("{\"family\": \"app\", \"volumes\": [{\"name\": \"v\"}], "
				       "\"containerDefinitions\": [%s]}",
				       containers);
	AUTO_JSON *definition = json_loads(text, 0, NULL);
	AUTO(task_plan) plan = {0};

	assert_non_null(definition);
	return task_plan_make(&plan, definition, NULL, err);
}

#define MOUNTS "\"mountPoints\": [{\"sourceVolume\": \"v\", \"containerPath\": \"/v\"}]"

static void test_volumes_from(void **state)
{
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(make("{\"name\": \"a\", \"image\": \"i\", " MOUNTS "}, "
			      "{\"name\": \"b\", \"image\": \"i\", \"volumesFrom\": "
			      "[{\"sourceContainer\": \"a\"}]}",
			      &err),
			 0);
	assert_int_equal(make("{\"name\": \"a\", \"image\": \"i\", " MOUNTS ", \"volumesFrom\": "
			      "[{\"sourceContainer\": \"a\"}]}",
			      &err),
			 -1);
	assert_non_null(strstr(err.message, "volumesFrom \"a\": there is no other container"));
}

/* Each of the containers but the first names the one before many times: the ways back to the first are more than could be gone. */
static void test_depends_on(void **state)
{
	enum { CONTAINERS = 30, TIMES = 20 };
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < CONTAINERS; i++) {
		strbuf_printf(&text, "%s{\"name\": \"c%d\", \"image\": \"i\", \"dependsOn\": [",
			      i ? ", " : "", i);
		for (int k = 0; i > 0 && k < TIMES; k++)
			strbuf_printf(&text,
				      "%s{\"containerName\": \"c%d\", \"condition\": \"START\"}",
				      k ? ", " : "", i - 1);
		strbuf_puts(&text, "]}");
	}
	assert_int_equal(make(text.buf, &err), 0);
	strbuf_reset(&text);
	strbuf_puts(&text, "{\"name\": \"a\", \"image\": \"i\", \"dependsOn\": "
			   "[{\"containerName\": \"b\", \"condition\": \"START\"}]}, "
			   "{\"name\": \"b\", \"image\": \"i\", \"dependsOn\": "
			   "[{\"containerName\": \"a\", \"condition\": \"START\"}]}");
	assert_int_equal(make(text.buf, &err), -1);
	assert_non_null(strstr(err.message, "its dependsOn comes back to itself"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volumes_from),
		cmocka_unit_test(test_depends_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
