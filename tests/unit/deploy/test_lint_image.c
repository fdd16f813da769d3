#include "task_fixture.h"

#include "deploy/lint.h"

#define GIB (1ll << 30)
#define TASK(task, container)                                                                                         \
	"{'family':'a','requiresCompatibilities':['FARGATE'],'networkMode':'awsvpc','cpu':'256','memory':'512'," task \
	"'containerDefinitions':[{'name':'web','image':'a'" container "}]}"
#define EC2 \
	"{'family':'a','requiresCompatibilities':['EC2'],'containerDefinitions':[{'name':'web','image':'a'}]}"
#define ARM     "'runtimePlatform':{'cpuArchitecture':'ARM64'},"
#define PORT(n) ",'portMappings':[{'containerPort':" n "}]"
#define SHELL   ",'healthCheck':{'command':['CMD-SHELL','true']}"

/* An image that nothing is wrong with. */
static const struct image_facts fine = {
	.tree_known = true,
	.uncompressed = 100,
	.compressed = 10,
	.has_shell = true,
	.user_known = true,
	.program = {.state = PROGRAM_OK, .name = (char[]){"app"}, .path = (char[]){"/app"}},
};

struct row {
	const char *rule; /* NULL: nothing is found */
	const char *task;
	const char *place, *says;
	/* How the image differs from a fine one for amd64 that exposes nothing. */
	const char *arch, *exposes;
	struct image_program program;
	int64_t uncompressed, compressed;
	bool no_shell, no_user, no_tree;
};

static const struct row rows[] = {
	{.rule = NULL, .task = TASK("", "")},
	{.rule = "image-architecture",
	 .task = TASK("", ""),
	 .arch = "arm64",
	 .place = "runtimePlatform.cpuArchitecture",
	 .says = "would run on X86_64 (the default)"},
	{.rule = "image-architecture",
	 .task = TASK(ARM, ""),
	 .place = "runtimePlatform.cpuArchitecture",
	 .says = "the image is for amd64 and the task would run on ARM64"},
	{.rule = NULL, .task = TASK(ARM, ""), .arch = "arm64"},
	{.rule = "image-architecture",
	 .task = TASK("'runtimePlatform':{'operatingSystemFamily':'WINDOWS_SERVER_2022_CORE'},",
		      ""),
	 .place = "runtimePlatform.operatingSystemFamily",
	 .says = "the image is for Linux"},
	{.rule = NULL, .task = TASK("'runtimePlatform':{'operatingSystemFamily':'LINUX'},", "")},
	{.rule = "image-program",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_NONE},
	 .place = "containerDefinitions[web]",
	 .says = "what to run"},
	{.rule = "image-program",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_MISSING, .name = (char[]){"gone"}},
	 .place = "containerDefinitions[web]",
	 .says = "\"gone\", which the image is to run, is in no folder of its PATH"},
	{.rule = "image-program",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_MISSING, .name = (char[]){"/gone"}},
	 .place = "containerDefinitions[web]",
	 .says = "the image has no /gone"},
	{.rule = "image-program",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_NOT_EXECUTABLE,
		     .name = (char[]){"x"},
		     .path = (char[]){"/bin/x"}},
	 .place = "containerDefinitions[web]",
	 .says = "/bin/x, which the image is to run, is not executable"},
	{.rule = "image-interpreter",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_OK,
		     .name = (char[]){"x"},
		     .path = (char[]){"/bin/x"},
		     .interpreter = (char[]){"/bin/bash"}},
	 .place = "containerDefinitions[web]",
	 .says = "/bin/x is a script for /bin/bash, which the image lacks"},
	{.rule = "image-interpreter",
	 .task = TASK("", ""),
	 .program = {.state = PROGRAM_OK,
		     .name = (char[]){"x"},
		     .path = (char[]){"/bin/x"},
		     .crlf = true},
	 .place = "containerDefinitions[web]",
	 .says = "carriage return"},
	{.rule = "image-port",
	 .task = TASK("", PORT("80")),
	 .exposes = "3000/tcp",
	 .place = "containerDefinitions[web].portMappings[0]",
	 .says = "the image exposes 3000/tcp, not 80/tcp"},
	{.rule = "image-port",
	 .task = TASK("", ""),
	 .exposes = "3000/tcp",
	 .place = "containerDefinitions[web]",
	 .says = "no port is mapped"},
	{.rule = NULL, .task = TASK("", PORT("3000")), .exposes = "3000/tcp"},
	{.rule = NULL, .task = TASK("", PORT("3000"))},
	{.rule = "image-disk",
	 .task = TASK("", ""),
	 .uncompressed = 15 * GIB,
	 .compressed = 5 * GIB + 1,
	 .place = "ephemeralStorage",
	 .says = "takes 20.0 GiB, the task has 20: set sizeInGiB"},
	{.rule = "image-disk",
	 .task = TASK("", ""),
	 .uncompressed = 15 * GIB,
	 .compressed = 2 * GIB,
	 .place = "ephemeralStorage",
	 .says = "little is left"},
	{.rule = NULL,
	 .task = TASK("'ephemeralStorage':{'sizeInGiB':30},", ""),
	 .uncompressed = 15 * GIB,
	 .compressed = 6 * GIB},
	{.rule = NULL, .task = EC2, .uncompressed = 500 * GIB},
	{.rule = "image-shell",
	 .task = TASK("", SHELL),
	 .no_shell = true,
	 .place = "containerDefinitions[web].healthCheck.command",
	 .says = "CMD-SHELL needs /bin/sh"},
	{.rule = NULL,
	 .task = TASK("", ",'healthCheck':{'command':['CMD','true']}"),
	 .no_shell = true},
	{.rule = NULL, .task = TASK("", SHELL)},
	{.rule = "image-user",
	 .task = TASK("", ",'user':'web'"),
	 .no_user = true,
	 .place = "containerDefinitions[web].user",
	 .says = "user web is not in the image's /etc/passwd"},
	{.rule = NULL, .task = TASK("", ",'user':'web'")},
	/* Of layers that are not here nothing is said. */
	{.rule = NULL,
	 .task = TASK("", SHELL),
	 .no_tree = true,
	 .no_shell = true,
	 .no_user = true,
	 .uncompressed = 500 * GIB,
	 .program = {.state = PROGRAM_UNKNOWN}},
};

static void check_row(const struct row *r)
{
	AUTO(task_definition) td = task_of(r->task);
	AUTO(lint_findings) found = {.items = NULL};
	AUTO(image_config) config = {.has_cmd = false};
	struct image_facts facts = fine; /* views: nothing is released */

	image_config_init(&config);
	config.platform.arch = xstrdup(r->arch ? r->arch : "amd64");
	if (r->exposes)
		image_config_add_port(&config, r->exposes);
	facts.config = &config;
	if (r->program.state != PROGRAM_UNKNOWN || r->no_tree)
		facts.program = r->program;
	facts.uncompressed = r->uncompressed ? r->uncompressed : facts.uncompressed;
	facts.compressed = r->compressed ? r->compressed : facts.compressed;
	facts.has_shell = !r->no_shell;
	facts.user_known = !r->no_user;
	facts.tree_known = !r->no_tree;
	lint_image(&td, json_array_get(task_definition_containers(&td), 0), &facts, &found);
	for (size_t i = 0; i < found.n; i++)
		if (!r->rule || found.n != 1 || strcmp(found.items[i].rule, r->rule) != 0 ||
		    strcmp(found.items[i].place, r->place) != 0 ||
		    !strstr(found.items[i].message, r->says))
			fail_msg("row %td: %s: %s [%s]", r - rows, found.items[i].place,
				 found.items[i].message, found.items[i].rule);
	if (!found.n && r->rule)
		fail_msg("row %td: %s is not found", r - rows, r->rule);
}

static void each_rule_finds_its_fault_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_finds_its_fault_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
