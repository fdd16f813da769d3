#include "task_fixture.h"

static void an_answer_is_unwrapped_and_stripped(void **state)
{
	AUTO(task_definition)
	td = task_of(
		"{'taskDefinition': {'taskDefinitionArn': 'arn:aws:ecs:eu-west-1:1:task-definition/a:3',"
		"'containerDefinitions': [{'name': 'web', 'image': 'a', 'cpu': 0}], 'family': 'a',"
		"'revision': 3, 'status': 'ACTIVE', 'requiresAttributes': [{'name': 'x'}],"
		"'compatibilities': ['EC2'], 'registeredAt': 1.5, 'registeredBy': 'arn:b', 'deregisteredAt': 2,"
		"'deleteRequestedAt': 3, 'future': {'z': 1, 'a': [true, null]}}, 'tags': [{'key': 'k'}]}");

	(void)state;
	assert_task(&td,
		    "{'containerDefinitions':[{'name':'web','image':'a','cpu':0}],'family':'a',"
		    "'future':{'z':1,'a':[true,null]},'tags':[{'key':'k'}]}");
	assert_string_equal(task_definition_family(&td), "a");
}

static void sizes_of_the_task_become_texts(void **state)
{
	AUTO(task_definition) td = task_of("{'cpu': 256, 'memory': 512}");

	(void)state;
	assert_task(&td, "{'cpu':'256','memory':'512'}");
}

static void what_is_no_object_is_refused(void **state)
{
	AUTO(task_definition) td = {NULL, NULL, NULL};
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(task_definition_read(&td, "[]", 2, "t.json", &err), -1);
	assert_int_equal(err.kind, ERROR_SYNTAX);
	assert_non_null(strstr(err.message, "t.json: a task definition is a JSON object"));
}

struct put_row {
	const char *containers, *container, *app;
	const char *gets; /* the container; NULL: an error that says ... */
	const char *says;
};

static const struct put_row put_rows[] = {
	{"{'name':'a'}", NULL, "x", "a", NULL},
	{"{'name':'a'},{'name':'x'}", NULL, "x", "x", NULL},
	{"{'name':'a','essential':false},{'name':'b'}", NULL, "x", "b", NULL},
	{"{'name':'a','essential':false},{'name':'b'}", NULL, NULL, "b", NULL},
	{"{'name':'a'},{'name':'b'}", "b", "a", "b", NULL},
	{"{'name':'a'},{'name':'b'}", NULL, "x", NULL,
	 "which container gets the image is not clear (there are: a, b)"},
	{"{'name':'a'},{'name':'b'}", "c", "a", NULL, "no container \"c\" (there are: a, b)"},
	{"{'name':'a'}", "c", NULL, NULL, "no container \"c\" (there are: a)"},
	{"", NULL, NULL, NULL, "containerDefinitions is missing or empty"},
};

static void the_image_goes_into_one_container(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(put_rows); i++) {
		const struct put_row *r = &put_rows[i];
		AUTO(error) err = ERROR_INIT;
		AUTO_FREE char *text = xstrfmt("{'containerDefinitions':[%s]}", r->containers);
		AUTO(task_definition) td = task_of(text);
		int result = task_definition_put_image(&td, r->container, r->app, "new", &err);
		size_t k;
		json_t *c;

		assert_int_equal(result, r->gets ? 0 : -1);
		if (!r->gets && !strstr(err.message, r->says))
			fail_msg("%s: %s", text, err.message);
		json_array_foreach (task_definition_containers(&td), k, c) {
			const char *name = json_string_value(json_object_get(c, "name"));
			bool has = json_object_get(c, "image") != NULL;

			assert_int_equal(has, r->gets && strcmp(name, r->gets) == 0);
		}
	}
}

static void facts_are_read_from_all_containers(void **state)
{
	AUTO(task_definition)
	td = task_of(
		"{'requiresCompatibilities':['FARGATE'],'containerDefinitions':["
		"{'name':'a','image':'public.ecr.aws/x/y','portMappings':[{'containerPort':3000},{'containerPort':53,'protocol':'udp'}],"
		"'logConfiguration':{'logDriver':'awslogs','options':{'awslogs-group':'/ecs/a'}}},"
		"{'name':'b','portMappings':[{'containerPort':3000,'protocol':'tcp'}],"
		"'secrets':[{'name':'S','valueFrom':'arn:s'}],'repositoryCredentials':{'credentialsParameter':'arn:r'},"
		"'logConfiguration':{'logDriver':'splunk','options':{'awslogs-group':'no'},"
		"'secretOptions':[{'name':'t','valueFrom':'arn:t'},{'name':'u','valueFrom':'arn:s'}]}}]}");
	AUTO(strlist) ports = STRLIST_INIT;
	AUTO(strlist) groups = STRLIST_INIT;
	AUTO(strlist) secrets = STRLIST_INIT;

	(void)state;
	task_definition_ports(&td, &ports);
	assert_lines(&ports, "3000/tcp\n53/udp");
	task_definition_log_groups(&td, &groups);
	assert_lines(&groups, "/ecs/a");
	task_definition_secrets(&td, &secrets);
	assert_lines(&secrets, "arn:s\narn:t\narn:r");
	assert_true(task_definition_is_fargate(&td));
}

struct role_row {
	const char *task, *reason;
};

static const struct role_row role_rows[] = {
	{"{'requiresCompatibilities':['FARGATE'],'containerDefinitions':[{'image':'1.dkr.ecr.eu-west-1.amazonaws.com/a'}]}",
	 "an image is at ECR"},
	{"{'requiresCompatibilities':['EC2'],'containerDefinitions':[{'image':'1.dkr.ecr.eu-west-1.amazonaws.com/a'}]}",
	 NULL},
	{"{'requiresCompatibilities':['FARGATE'],'containerDefinitions':[{'image':'docker.io/a.dkr.ecr'}]}",
	 NULL},
	{"{'requiresCompatibilities':['FARGATE'],'containerDefinitions':[{'image':'a','logConfiguration':{'logDriver':'awslogs'}}]}",
	 "it logs to CloudWatch"},
	{"{'containerDefinitions':[{'image':'a','secrets':[{'name':'A','valueFrom':'b'}]}]}",
	 "it has secrets"},
};

static void an_execution_role_is_needed_for_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(role_rows); i++) {
		AUTO(task_definition) td = task_of(role_rows[i].task);
		const char *reason = task_definition_needs_execution_role(&td);

		if (role_rows[i].reason)
			assert_string_equal(reason ? reason : "", role_rows[i].reason);
		else
			assert_null(reason);
	}
}

static void a_default_leaves_what_is_there(void **state)
{
	AUTO(task_definition) td = task_of("{'taskRoleArn':'mine','executionRoleArn':''}");

	(void)state;
	task_definition_default(&td, "taskRoleArn", "other");
	task_definition_default(&td, "executionRoleArn", "new");
	assert_task(&td, "{'taskRoleArn':'mine','executionRoleArn':'new'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_unwrapped_and_stripped),
		cmocka_unit_test(sizes_of_the_task_become_texts),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(the_image_goes_into_one_container),
		cmocka_unit_test(facts_are_read_from_all_containers),
		cmocka_unit_test(an_execution_role_is_needed_for_a_reason),
		cmocka_unit_test(a_default_leaves_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
