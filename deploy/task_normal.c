#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/task_compare.h"
#include "deploy/task_json.h"

/*
 * What ECS fills in or leaves out when nothing is said (ECS API Reference, the "default" of each field). A value that
 * is its default is taken off. below: the field that holds the object, "" the task.
 */
struct default_value {
	const char *below, *field;
	const char *text; /* NULL: number or flag */
	int64_t number;
};

static const struct default_value defaults[] = {
	{"", "networkMode", "bridge", 0},
	{"", "enableFaultInjection", NULL, 0},
	{"runtimePlatform", "cpuArchitecture", "X86_64", 0},
	{"runtimePlatform", "operatingSystemFamily", "LINUX", 0},
	{"ephemeralStorage", "sizeInGiB", NULL, 20},
	{"containerDefinitions", "cpu", NULL, 0},
	{"containerDefinitions", "essential", NULL, 1},
	{"containerDefinitions", "privileged", NULL, 0},
	{"containerDefinitions", "readonlyRootFilesystem", NULL, 0},
	{"containerDefinitions", "disableNetworking", NULL, 0},
	{"containerDefinitions", "interactive", NULL, 0},
	{"containerDefinitions", "pseudoTerminal", NULL, 0},
	{"containerDefinitions", "versionConsistency", "enabled", 0},
	{"environment", "value", "", 0},
	{"portMappings", "protocol", "tcp", 0},
	{"portMappings", "hostPort", NULL, 0},
	{"mountPoints", "readOnly", NULL, 0},
	{"volumesFrom", "readOnly", NULL, 0},
	{"linuxParameters", "initProcessEnabled", NULL, 0},
	{"restartPolicy", "restartAttemptPeriod", NULL, 300},
	{"healthCheck", "interval", NULL, 30},
	{"healthCheck", "timeout", NULL, 5},
	{"healthCheck", "retries", NULL, 3},
	{"healthCheck", "startPeriod", NULL, 0},
	{"volumes", "configuredAtLaunch", NULL, 0},
	{"dockerVolumeConfiguration", "scope", "task", 0},
	{"dockerVolumeConfiguration", "autoprovision", NULL, 0},
	{"dockerVolumeConfiguration", "driver", "local", 0},
	{"efsVolumeConfiguration", "rootDirectory", "/", 0},
	{"efsVolumeConfiguration", "transitEncryption", "DISABLED", 0},
	{"authorizationConfig", "iam", "DISABLED", 0},
};

/* Lists that are sets: of command, entryPoint, environmentFiles, DNS servers and of what is not known the order means something. */
static const char *const sets[] = {
	"containerDefinitions",
	"volumes",
	"placementConstraints",
	"requiresCompatibilities",
	"environment",
	"secrets",
	"secretOptions",
	"portMappings",
	"mountPoints",
	"volumesFrom",
	"ulimits",
	"dependsOn",
	"systemControls",
	"extraHosts",
	"resourceRequirements",
	"links",
	"add",
	"drop",
	"devices",
	"permissions",
	"properties",
	"mountOptions",
	"inferenceAccelerators",
	"dockerSecurityOptions",
	"ignoredExitCodes",
	"tmpfs",
};

static bool is_default(const struct default_value *d, const json_t *value)
{
	if (d->text)
		return json_is_string(value) && strcmp(json_string_value(value), d->text) == 0;
	if (json_is_boolean(value))
		return json_is_true(value) == (d->number != 0);
	return json_is_integer(value) && json_integer_value(value) == d->number;
}

static bool is_empty(const json_t *value)
{
	return json_is_null(value) || (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By their bytes: members with the same content come to the same place on both sides. */
static json_t *sorted(json_t *list)
{
	AUTO(strlist) texts = STRLIST_INIT;
	json_t *result = json_array(), *value;
	size_t i;

	json_array_foreach (list, i, value) {
		AUTO_FREE char *text = json_dumps(value,
						  JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);

		strlist_add(&texts, text ? text : "");
	}
	if (texts.n)
		qsort(texts.items, texts.n, sizeof(*texts.items), compare_texts);
	for (i = 0; i < texts.n; i++)
		json_array_append_new(result, json_loads(texts.items[i], JSON_DECODE_ANY, NULL));
	return result;
}

static json_t *normal(const json_t *value, const char *field);

static json_t *normal_list(const json_t *list, const char *field)
{
	AUTO_JSON *plain = json_array();
	size_t i;
	json_t *value;

	json_array_foreach (list, i, value)
		json_array_append_new(plain, normal(value, field));
	return str_in(field, sets, ARRAY_SIZE(sets)) ? sorted(plain) : json_incref(plain);
}

static json_t *normal_object(const json_t *object, const char *field)
{
	json_t *result = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		json_t *mine = normal(value, key);
		bool drop = is_empty(mine);

		for (size_t i = 0; !drop && i < ARRAY_SIZE(defaults); i++)
			drop = strcmp(defaults[i].below, field) == 0 &&
			       strcmp(defaults[i].field, key) == 0 &&
			       is_default(&defaults[i], mine);
		if (!drop)
			json_object_set(result, key, mine);
		json_decref(mine);
	}
	return result;
}

static json_t *normal(const json_t *value, const char *field)
{
	if (json_is_array(value))
		return normal_list(value, field);
	if (json_is_object(value))
		return normal_object(value, field);
	return json_deep_copy(value);
}

/* With a network of the task's own, or the host's, the port outside is the one inside. */
static void drop_same_ports(json_t *task)
{
	const char *mode = aws_text(task, "networkMode");
	size_t i, k;
	json_t *c, *port;

	if (strcmp(mode, "awsvpc") != 0 && strcmp(mode, "host") != 0)
		return;
	json_array_foreach (json_object_get(task, "containerDefinitions"), i, c)
		json_array_foreach (json_object_get(c, "portMappings"), k, port)
			if (task_json_int(port, "hostPort", 0) ==
			    task_json_int(port, "containerPort", -1))
				json_object_del(port, "hostPort");
}

static void plain_size(json_t *task, const char *key, int64_t (*read)(const char *))
{
	const char *text = aws_text(task, key);
	int64_t units = read(text);

	if (units > 0) {
		AUTO_FREE char *number = xstrfmt("%lld", (long long)units);

		json_object_set_new(task, key, json_string(number));
	}
}

json_t *task_definition_normal(const struct task_definition *td)
{
	AUTO_JSON *task = json_deep_copy(td->json);

	task_definition_strip(task);
	json_object_del(task, "tags");
	plain_size(task, "cpu", task_json_cpu);
	plain_size(task, "memory", task_json_memory);
	drop_same_ports(task);
	return normal(task, "");
}
