/* What ECS stores and answers (a revision registered with the least, as DescribeTaskDefinition shows it in AWS's own examples). */
#include "task_fixture.h"

#include "deploy/task_compare.h"

#define TASK(task, container)                                                  \
	"{'family':'a','networkMode':'awsvpc','cpu':'256','memory':'512'" task \
	",'containerDefinitions':[{'name':'web','image':'a'" container "}]}"
#define BRIDGE(container) \
	"{'family':'a','containerDefinitions':[{'name':'web','image':'a'" container "}]}"

struct row {
	const char *one, *other;
	bool same;
};

static const struct row rows[] = {
	/* An answer beside what was registered. */
	{"{'family':'sleep360','containerDefinitions':[{'name':'sleep','image':'busybox','command':['sleep','360'],'cpu':10,'memory':10}]}",
	 "{'taskDefinitionArn':'arn:aws:ecs:us-east-1:1:task-definition/sleep360:1','revision':1,'status':'ACTIVE','family':'sleep360',"
	 "'requiresAttributes':[],'compatibilities':['EC2'],'registeredAt':1.5,'registeredBy':'x','placementConstraints':[],'volumes':[],"
	 "'containerDefinitions':[{'environment':[],'name':'sleep','mountPoints':[],'image':'busybox','cpu':10,'portMappings':[],"
	 "'command':['sleep','360'],'memory':10,'essential':true,'volumesFrom':[],'systemControls':[]}]}",
	 true},
	{TASK("", ",'portMappings':[{'containerPort':80}]"),
	 TASK("", ",'cpu':0,'portMappings':[{'containerPort':80,'hostPort':80,'protocol':'tcp'}]"),
	 true},
	{BRIDGE(",'portMappings':[{'containerPort':80}]"),
	 BRIDGE(",'portMappings':[{'containerPort':80,'hostPort':0}]"), true},
	{BRIDGE(",'portMappings':[{'containerPort':80}]"),
	 BRIDGE(",'portMappings':[{'containerPort':80,'hostPort':80}]"), false},
	{TASK("", ",'portMappings':[{'containerPort':80}]"),
	 TASK("", ",'portMappings':[{'containerPort':80,'protocol':'udp'}]"), false},
	{TASK("", ",'environment':[{'name':'A','value':'1'},{'name':'B','value':'2'}]"),
	 TASK("", ",'environment':[{'name':'B','value':'2'},{'value':'1','name':'A'}]"), true},
	{TASK("", ",'environment':[{'name':'A','value':''}]"),
	 TASK("", ",'environment':[{'name':'A'}]"), true},
	{TASK("", ",'environment':[{'name':'A','value':''}]"), TASK("", ""), false},
	{TASK("", ",'environment':[{'name':'A','value':'1'}]"),
	 TASK("", ",'environment':[{'name':'A','value':'2'}]"), false},
	{TASK("", ",'command':['a','b']"), TASK("", ",'command':['b','a']"), false},
	{TASK("", ",'command':[]"), TASK("", ""), true},
	{TASK("", ",'dnsServers':['a','b']"), TASK("", ",'dnsServers':['b','a']"), false},
	{TASK("", ",'environmentFiles':[{'value':'a'},{'value':'b'}]"),
	 TASK("", ",'environmentFiles':[{'value':'b'},{'value':'a'}]"), false},
	{TASK("", ",'essential':true"), TASK("", ""), true},
	{TASK("", ",'essential':false"), TASK("", ""), false},
	{TASK("", ",'healthCheck':{'command':['CMD','a']}"),
	 TASK("", ",'healthCheck':{'command':['CMD','a'],'interval':30,'timeout':5,'retries':3}"),
	 true},
	{TASK("", ",'healthCheck':{'command':['CMD','a']}"),
	 TASK("", ",'healthCheck':{'command':['CMD','a'],'timeout':6}"), false},
	{TASK("", ",'secrets':[{'name':'A','valueFrom':'1'},{'name':'B','valueFrom':'2'}]"),
	 TASK("", ",'secrets':[{'name':'B','valueFrom':'2'},{'name':'A','valueFrom':'1'}]"), true},
	{TASK("",
	      ",'dependsOn':[{'containerName':'x','condition':'START'},{'containerName':'y','condition':'START'}]"),
	 TASK("",
	      ",'dependsOn':[{'containerName':'y','condition':'START'},{'containerName':'x','condition':'START'}]"),
	 true},
	{TASK("", ",'logConfiguration':{'logDriver':'awslogs','options':{'a':'1','b':'2'}}"),
	 TASK("",
	      ",'logConfiguration':{'logDriver':'awslogs','options':{'b':'2','a':'1'},'secretOptions':[]}"),
	 true},
	{TASK(",'volumes':[{'name':'v'}]", ""), TASK(",'volumes':[{'name':'v','host':{}}]", ""),
	 true},
	{TASK(",'runtimePlatform':{'cpuArchitecture':'X86_64','operatingSystemFamily':'LINUX'}",
	      ""),
	 TASK("", ""), true},
	{TASK(",'runtimePlatform':{'cpuArchitecture':'ARM64'}", ""), TASK("", ""), false},
	{TASK(",'tags':[{'key':'a','value':'b'}]", ""), TASK("", ""), true},
	{TASK(",'executionRoleArn':'run'", ""),
	 TASK(",'executionRoleArn':'arn:aws:iam::1:role/run'", ""), true},
	{TASK(",'executionRoleArn':'run'", ""),
	 TASK(",'executionRoleArn':'arn:aws:iam::1:role/other'", ""), false},
	{TASK(",'taskRoleArn':'arn:aws:iam::1:role/path/run'", ""),
	 TASK(",'taskRoleArn':'run'", ""), true},
	{"{'family':'a','cpu':'.5 vCPU','memory':'1GB'}",
	 "{'family':'a','cpu':'512','memory':'1024'}", true},
	{"{'family':'a','cpu':512}", "{'family':'a','cpu':'512'}", true},
	{TASK(",'future':[1,2]", ""), TASK(",'future':[1,2]", ""), true},
	{TASK(",'future':[1,2]", ""), TASK(",'future':[2,1]", ""), false},
	{TASK(",'future':0", ""), TASK("", ""), false},
	{"{'family':'a','containerDefinitions':[{'name':'x','image':'1'},{'name':'y','image':'2'}]}",
	 "{'family':'a','containerDefinitions':[{'name':'y','image':'2'},{'name':'x','image':'1'}]}",
	 true},
	{"{'family':'a','requiresCompatibilities':['EC2','FARGATE']}",
	 "{'family':'a','requiresCompatibilities':['FARGATE','EC2']}", true},
};

static void equal_is_what_ecs_takes_for_equal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(task_definition) one = task_of(rows[i].one);
		AUTO(task_definition) other = task_of(rows[i].other);
		AUTO(strlist) lines = STRLIST_INIT;

		if (task_definition_equal(&one, &other) != rows[i].same ||
		    task_definition_equal(&other, &one) != rows[i].same)
			fail_msg("%s\n%s", rows[i].one, rows[i].other);
		task_definition_diff(&one, &other, &lines);
		if ((lines.n == 0) != rows[i].same)
			fail_msg("%zu lines for\n%s\n%s", lines.n, rows[i].one, rows[i].other);
	}
}

struct diff_row {
	const char *old, *now, *lines;
};

static const struct diff_row diff_rows[] = {
	{TASK("", ""), TASK("", ",'user':'web'"), "+ containerDefinitions[web].user: \"web\""},
	{TASK("", ",'environment':[{'name':'PORT','value':'80'},{'name':'X','value':'1'}]"),
	 TASK("", ",'environment':[{'name':'NEW','value':'y'},{'name':'PORT','value':'81'}]"),
	 "- containerDefinitions[web].environment[PORT]: \"80\"\n+ containerDefinitions[web].environment[PORT]: \"81\"\n"
	 "- containerDefinitions[web].environment[X]: \"1\"\n+ containerDefinitions[web].environment[NEW]: \"y\""},
	{TASK("", ",'command':['a','b']"), TASK("", ",'command':['a','c']"),
	 "- containerDefinitions[web].command: [\"a\", \"b\"]\n+ containerDefinitions[web].command: [\"a\", \"c\"]"},
	{TASK("",
	      ",'logConfiguration':{'logDriver':'splunk','options':{'splunk-token':'s3cret','splunk-url':'u'}}"),
	 TASK("",
	      ",'logConfiguration':{'logDriver':'splunk','options':{'splunk-token':'s4cret','splunk-url':'v'}}"),
	 "- containerDefinitions[web].logConfiguration.options[splunk-token]: (hidden)\n"
	 "+ containerDefinitions[web].logConfiguration.options[splunk-token]: (hidden)\n"
	 "- containerDefinitions[web].logConfiguration.options[splunk-url]: \"u\"\n"
	 "+ containerDefinitions[web].logConfiguration.options[splunk-url]: \"v\""},
	{TASK("", ",'secrets':[{'name':'KEY','valueFrom':'arn:1'}]"),
	 TASK("", ",'secrets':[{'name':'KEY','valueFrom':'arn:2'}]"),
	 "- containerDefinitions[web].secrets[KEY].valueFrom: \"arn:1\"\n+ containerDefinitions[web].secrets[KEY].valueFrom: \"arn:2\""},
	{TASK("", ",'environment':[{'name':'DATABASE_URL','value':'postgres://u:p@h/d'}]"),
	 TASK("", ""), "- containerDefinitions[web].environment[DATABASE_URL]: (hidden)"},
	{TASK("", ",'environment':[{'name':'HOME_URL','value':'https://h:80/a@b'}]"), TASK("", ""),
	 "- containerDefinitions[web].environment[HOME_URL]: \"https://h:80/a@b\""},
	{TASK("", ",'portMappings':[{'containerPort':80},{'containerPort':53,'protocol':'udp'}]"),
	 TASK("", ",'portMappings':[{'containerPort':80,'name':'web'}]"),
	 "- containerDefinitions[web].portMappings[53/udp].containerPort: 53\n- containerDefinitions[web].portMappings[53/udp].protocol: \"udp\"\n"
	 "+ containerDefinitions[web].portMappings[80/tcp].name: \"web\""},
	{TASK("", ",'mountPoints':[{'sourceVolume':'v','containerPath':'/a'}]"),
	 TASK("", ",'mountPoints':[{'sourceVolume':'v','containerPath':'/a','readOnly':true}]"),
	 "+ containerDefinitions[web].mountPoints[/a].readOnly: true"},
	{TASK(",'requiresCompatibilities':['EC2']", ""),
	 TASK(",'requiresCompatibilities':['FARGATE']", ""),
	 "- requiresCompatibilities: [\"EC2\"]\n+ requiresCompatibilities: [\"FARGATE\"]"},
	{TASK("", ",'dependsOn':[{'containerName':'x','condition':'START'}]"),
	 TASK("", ",'dependsOn':[{'containerName':'x','condition':'HEALTHY'}]"),
	 "- containerDefinitions[web].dependsOn[x].condition: \"START\"\n+ containerDefinitions[web].dependsOn[x].condition: \"HEALTHY\""},
};

static void differences_are_named_by_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(diff_rows); i++) {
		AUTO(task_definition) old = task_of(diff_rows[i].old);
		AUTO(task_definition) now = task_of(diff_rows[i].now);
		AUTO(strlist) lines = STRLIST_INIT;

		task_definition_diff(&old, &now, &lines);
		assert_lines(&lines, diff_rows[i].lines);
	}
}

static void names_that_sound_secret(void **state)
{
	static const char *const secret[] = {
		"API_KEY",     "GithubToken",   "DB_PASSWORD", "MYSQL_PWD", "AWS_SECRET_ACCESS_KEY",
		"private_key", "Authorization", "PGPASSWD"};
	static const char *const open[] = {"PORT", "HOME", "LANG", "LOG_LEVEL", "REGION", "BUCKET"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
		assert_true(task_name_is_secret(secret[i]));
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		assert_false(task_name_is_secret(open[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_is_what_ecs_takes_for_equal),
		cmocka_unit_test(differences_are_named_by_their_place),
		cmocka_unit_test(names_that_sound_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
