#include "local/ecs_definition.h"

#include <string.h>

#include "base/alloc.h"
#include "deploy/lint.h"
#include "deploy/task_json.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/vpc.h"

#define CODE "ClientException"

static bool asks_fargate(const json_t *input)
{
	return ecs_has_text(json_object_get(input, "requiresCompatibilities"), "FARGATE");
}

/* The first thing wrong by the rules of deploy/lint.h; NULL: nothing. Unknown members and words, which lint lets pass with a warning, ECS refuses. */
static const struct lint_finding *first_refusal(const struct lint_findings *found)
{
	for (size_t i = 0; i < found->n; i++) {
		const struct lint_finding *f = &found->items[i];

		if (f->level == LINT_ERROR || strcmp(f->rule, "unknown-field") == 0 ||
		    strcmp(f->rule, "value") == 0)
			return f;
	}
	return NULL;
}

static void lint(const json_t *input, struct lint_findings *out)
{
	struct task_definition td = {.json = (json_t *)(uintptr_t)input};

	lint_definition(&td, &(struct lint_options){.role_follows = false}, out);
}

static int check_by_rules(struct api_call *c, const json_t *input)
{
	AUTO(lint_findings) found = {0};
	const struct lint_finding *f;

	lint(input, &found);
	f = first_refusal(&found);
	if (!f)
		return 0;
	if (strcmp(f->rule, "unknown-field") == 0)
		return api_error(c, "InvalidParameterException",
				 "Unknown parameter in input: \"%s\": %s", f->place, f->message);
	if (strcmp(f->rule, "type") == 0)
		return api_error(c, "SerializationException", "%s: %s", f->place, f->message);
	return api_error(c, CODE, "%s%s%s", f->place, *f->place ? ": " : "", f->message);
}

static int check_containers(struct api_call *c, const json_t *input)
{
	json_t *containers = json_object_get(input, "containerDefinitions"), *one;
	bool essential = false;
	size_t i;

	json_array_foreach (containers, i, one) {
		if (!*ecs_text(one, "name") || !*ecs_text(one, "image"))
			return api_error(c, CODE,
					 "Container.name and Container.image should not be null or "
					 "empty.");
		essential |= !json_is_false(json_object_get(one, "essential"));
	}
	if (!essential)
		return api_error(c, CODE, "At least one container must be marked as essential.");
	return 0;
}

static int check_fargate_container(struct api_call *c, const json_t *input, const json_t *one)
{
	const json_t *log = json_object_get(one, "logConfiguration"), *port;
	bool awslogs = ecs_is(log, "logDriver", "awslogs");
	size_t i;

	if (json_is_true(json_object_get(one, "privileged")))
		return api_error(c, CODE,
				 "Tasks using the Fargate launch type do not support privileged.");
	json_array_foreach (json_object_get(one, "portMappings"), i, port) {
		int64_t inside = task_json_int(port, "containerPort", 0);

		if (task_json_int(port, "hostPort", inside) != inside)
			return api_error(c, CODE,
					 "When networkMode=awsvpc, the host ports and container "
					 "ports in port mappings must match.");
	}
	if (!*ecs_text(input, "executionRoleArn")) {
		if (strstr(ecs_text(one, "image"), ".dkr.ecr."))
			return api_error(c, CODE,
					 "Fargate requires task definition to have execution role "
					 "ARN to support ECR images.");
		if (awslogs)
			return api_error(c, CODE,
					 "Fargate requires task definition to have execution role "
					 "ARN to support log driver awslogs.");
	}
	if (awslogs && !json_object_get(json_object_get(log, "options"), "awslogs-stream-prefix"))
		return api_error(c, CODE,
				 "Log driver awslogs requires options: awslogs-stream-prefix");
	return 0;
}

static int check_fargate_size(struct api_call *c, const json_t *input)
{
	int64_t cpu = task_json_cpu(ecs_text(input, "cpu"));
	int64_t memory = task_json_memory(ecs_text(input, "memory"));
	AUTO(lint_findings) found = {0};

	if (!*ecs_text(input, "cpu") || !*ecs_text(input, "memory"))
		return api_error(c, CODE,
				 "Fargate requires that '%s' be defined at the task level.",
				 *ecs_text(input, "cpu") ? "memory" : "cpu");
	if (cpu <= 0 || memory <= 0)
		return api_error(c, CODE,
				 "Invalid '%s' setting for task. For more information, see the "
				 "Troubleshooting section of the Amazon ECS Developer Guide.",
				 cpu <= 0 ? "cpu" : "memory");
	lint(input, &found);
	for (size_t i = 0; i < found.n; i++)
		if (strcmp(found.items[i].rule, "task-size") == 0 &&
		    found.items[i].level == LINT_ERROR)
			return api_error(c, CODE,
					 "No Fargate configuration exists for given values: %lld "
					 "CPU, %lld memory. See the Amazon ECS documentation for "
					 "the valid values.",
					 (long long)cpu, (long long)memory);
	return 0;
}

static int check_fargate(struct api_call *c, const json_t *input)
{
	json_t *one;
	size_t i;

	if (!ecs_is(input, "networkMode", "awsvpc"))
		return api_error(c, CODE, "Fargate only supports network mode 'awsvpc'.");
	if (check_fargate_size(c, input) < 0)
		return -1;
	json_array_foreach (json_object_get(input, "containerDefinitions"), i, one)
		if (check_fargate_container(c, input, one) < 0)
			return -1;
	return 0;
}

int ecs_definition_check(struct api_call *c, const json_t *input)
{
	static const char *const roles[] = {"taskRoleArn", "executionRoleArn"};

	if (!ecs_name_is_valid(ecs_text(input, "family")))
		return api_error(c, CODE, "Family contains invalid characters.");
	if (ecs_check_tags(c, json_object_get(input, "tags")) < 0 || check_containers(c, input) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		const char *role = ecs_text(input, roles[i]);

		if (*role && !strstr(role, ":role/"))
			return api_error(c, CODE, "Role is not valid");
	}
	if (asks_fargate(input) && check_fargate(c, input) < 0)
		return -1;
	return check_by_rules(c, input);
}

static void set_default(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key))
		json_decref(value);
	else
		json_object_set_new(object, key, value);
}

static void complete_ports(json_t *container, bool awsvpc)
{
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(container, "portMappings"), i, port) {
		json_t *inside = json_object_get(port, "containerPort");

		set_default(port, "protocol", json_string("tcp"));
		if (inside)
			set_default(port, "hostPort",
				    awsvpc ? json_incref(inside) : json_integer(0));
	}
}

/* What DescribeTaskDefinition shows where nothing was said. */
static json_t *stored_container(const json_t *given, bool awsvpc)
{
	static const char *const lists[] = {"portMappings", "environment", "mountPoints",
					    "volumesFrom", "systemControls"};
	json_t *c = json_deep_copy(given), *check, *log, *mount;
	size_t i;

	set_default(c, "cpu", json_integer(0));
	set_default(c, "essential", json_true());
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		set_default(c, lists[i], json_array());
	complete_ports(c, awsvpc);
	check = json_object_get(c, "healthCheck");
	if (check) {
		set_default(check, "interval", json_integer(30));
		set_default(check, "timeout", json_integer(5));
		set_default(check, "retries", json_integer(3));
	}
	log = json_object_get(c, "logConfiguration");
	if (log) {
		set_default(log, "options", json_object());
		set_default(log, "secretOptions", json_array());
	}
	json_array_foreach (json_object_get(c, "mountPoints"), i, mount)
		set_default(mount, "readOnly", json_false());
	return c;
}

static bool fits_fargate(const json_t *input)
{
	AUTO_JSON *as_fargate = json_copy((json_t *)(uintptr_t)input);
	AUTO(lint_findings) found = {0};

	json_object_set_new(as_fargate, "requiresCompatibilities", json_pack("[s]", "FARGATE"));
	lint(as_fargate, &found);
	return found.n_errors == 0;
}

static void drop_nulls(json_t *value)
{
	const char *key;
	void *next;
	json_t *one;
	size_t i;

	json_object_foreach_safe(value, next, key, one)
	{
		if (json_is_null(one))
			json_object_del(value, key);
		else
			drop_nulls(one);
	}
	json_array_foreach (value, i, one)
		drop_nulls(one);
}

static void set_units(json_t *stored, const char *key, int64_t units)
{
	AUTO_FREE char *text = xstrfmt("%lld", (long long)units);

	if (*ecs_text(stored, key) && units > 0)
		json_object_set_new(stored, key, json_string(text));
}

json_t *ecs_definition_stored(const json_t *input)
{
	json_t *out = json_deep_copy(input), *containers = json_array(), *one;
	bool fargate = fits_fargate(input);
	size_t i;

	drop_nulls(out);
	json_object_del(out, "tags");
	set_default(out, "networkMode", json_string("bridge"));
	set_default(out, "volumes", json_array());
	set_default(out, "placementConstraints", json_array());
	set_default(out, "enableFaultInjection", json_false());
	set_units(out, "cpu", task_json_cpu(ecs_text(out, "cpu")));
	set_units(out, "memory", task_json_memory(ecs_text(out, "memory")));
	json_array_foreach (json_object_get(out, "containerDefinitions"), i, one)
		json_array_append_new(containers,
				      stored_container(one, ecs_is(out, "networkMode", "awsvpc")));
	json_object_set_new(out, "containerDefinitions", containers);
	json_object_set_new(out, "compatibilities",
			    fargate ? json_pack("[s, s]", "EC2", "FARGATE")
				    : json_pack("[s, s]", "EXTERNAL", "EC2"));
	json_object_set_new(out, "requiresAttributes",
			    json_pack("[{s:s}]", "name",
				      "com.amazonaws.ecs.capability.docker-remote-api.1.18"));
	return out;
}

static int check_role(struct api_call *c, const char *arn)
{
	const char *name = strstr(arn, ":role/");

	/* IAM's own come into being with what needs them, and are in no list. */
	if (!*arn || strstr(arn, ":role/aws-service-role/"))
		return 0;
	if (name && state_get(c->local->state, STATE_ROLES, ecs_task_id(name)))
		return 0;
	return api_error(c, CODE,
			 "ECS was unable to assume the role '%s' that was provided for this task. "
			 "Please verify that the role being passed has the proper trust "
			 "relationship and permissions and that your IAM user has permissions to "
			 "pass this role.",
			 arn);
}

static int check_network(struct api_call *c, const json_t *definition, const json_t *settings)
{
	const json_t *network = json_object_get(settings, "networkConfiguration");
	const json_t *vpc = json_object_get(network, "awsvpcConfiguration"), *one;
	size_t i;

	if (ecs_check_object(c, network, "networkConfiguration", "awsvpcConfiguration:o") < 0 ||
	    ecs_check_object(c, vpc, "awsvpcConfiguration",
			     "subnets:t! securityGroups:t assignPublicIp:s") < 0 ||
	    ecs_check_word(c, "assignPublicIp", ecs_text(vpc, "assignPublicIp"),
			   "ENABLED DISABLED") < 0)
		return -1;
	if (!ecs_is(definition, "networkMode", "awsvpc"))
		return api_error(c, "UnsupportedFeatureException",
				 "networkMode %s needs container instances: the local target runs "
				 "tasks with networkMode awsvpc alone, each with an address of its "
				 "own.",
				 ecs_text(definition, "networkMode"));
	if (!vpc)
		return api_error(c, "InvalidParameterException",
				 "Network Configuration must be provided when networkMode 'awsvpc' "
				 "is specified.");
	json_array_foreach (json_object_get(vpc, "subnets"), i, one)
		if (!vpc_zone(json_string_value(one)))
			return api_error(
				c, "InvalidParameterException",
				"Error retrieving subnet information for [%s]: The subnet ID '%s' "
				"does not exist (ErrorCode: InvalidSubnetID.NotFound)",
				json_string_value(one), json_string_value(one));
	json_array_foreach (json_object_get(vpc, "securityGroups"), i, one)
		if (!state_get(c->local->state, STATE_SECURITY_GROUPS, json_string_value(one)))
			return api_error(
				c, "InvalidParameterException",
				"Error retrieving security group information for %s: (ErrorCode: "
				"InvalidGroup.NotFound, ErrorMessage: The security group '%s' does "
				"not exist)",
				json_string_value(one), json_string_value(one));
	return 0;
}

static int check_capacity(struct api_call *c, const json_t *settings)
{
	json_t *strategy = json_object_get(settings, "capacityProviderStrategy"), *one;
	size_t i;

	if (ecs_check_objects(c, strategy, "capacityProviderStrategy",
			      "capacityProvider:s! weight:i base:i") < 0 ||
	    ecs_check_word(c, "launchType", ecs_text(settings, "launchType"),
			   "EC2 FARGATE EXTERNAL MANAGED_INSTANCES") < 0)
		return -1;
	if (*ecs_text(settings, "launchType") && json_array_size(strategy))
		return api_error(c, "InvalidParameterException",
				 "Specifying both a launch type and capacity provider strategy is "
				 "not supported. Remove one and try again.");
	if (ecs_is(settings, "launchType", "EXTERNAL") ||
	    ecs_is(settings, "launchType", "MANAGED_INSTANCES"))
		return api_error(c, "UnsupportedFeatureException",
				 "The launch type %s is not there in the local target, which runs "
				 "tasks as FARGATE does.",
				 ecs_text(settings, "launchType"));
	json_array_foreach (strategy, i, one)
		if (!str_starts(ecs_text(one, "capacityProvider"), "FARGATE"))
			return api_error(c, "InvalidParameterException",
					 "The specified capacity provider '%s' was not found.",
					 ecs_text(one, "capacityProvider"));
	return 0;
}

static int check_platform(struct api_call *c, const char *version)
{
	if (!*version || strcmp(version, "LATEST") == 0 || strcmp(version, "1.4.0") == 0)
		return 0;
	return api_error(c, "PlatformUnknownException", "The platform version %s is not known.",
			 version);
}

/* RunTask may give a task another size. */
static int check_fargate_override(struct api_call *c, const json_t *definition,
				  const json_t *overrides)
{
	json_t *cpu = json_object_get(overrides, "cpu");
	json_t *memory = json_object_get(overrides, "memory");

	if (!cpu && !memory)
		return 0;
	AUTO_JSON *sized = json_deep_copy(definition);

	if (cpu)
		json_object_set(sized, "cpu", cpu);
	if (memory)
		json_object_set(sized, "memory", memory);
	return check_fargate_size(c, sized);
}

int ecs_definition_check_use(struct api_call *c, const json_t *definition, const json_t *settings)
{
	const json_t *overrides = json_object_get(settings, "overrides");
	const char *task_role = ecs_text(overrides, "taskRoleArn");
	const char *execution_role = ecs_text(overrides, "executionRoleArn");
	bool fargate = ecs_is(settings, "launchType", "FARGATE");

	if (check_capacity(c, settings) < 0 || check_network(c, definition, settings) < 0)
		return -1;
	if (fargate && !ecs_has_text(json_object_get(definition, "compatibilities"), "FARGATE"))
		return api_error(c, "InvalidParameterException",
				 "Task definition does not support launch_type FARGATE.");
	if (fargate && check_fargate_override(c, definition, overrides) < 0)
		return -1;
	if (check_platform(c, ecs_text(settings, "platformVersion")) < 0 ||
	    check_role(c, *task_role ? task_role : ecs_text(definition, "taskRoleArn")) < 0)
		return -1;
	return check_role(c, *execution_role ? execution_role
					     : ecs_text(definition, "executionRoleArn"));
}
