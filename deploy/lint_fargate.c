/* What Fargate takes, and what only container instances need. */
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

/* ECS Developer Guide, Task CPU and memory on Fargate: MiB from least to most in steps. */
struct size_row {
	int64_t cpu, least, most, step;
};

static const struct size_row sizes[] = {
	{256, 512, 512, 512},       {256, 1024, 2048, 1024},      {512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},   {2048, 4096, 16384, 1024},    {4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192},
};

static bool size_is_known(int64_t cpu, int64_t memory)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i].cpu == cpu && memory >= sizes[i].least && memory <= sizes[i].most &&
		    (memory - sizes[i].least) % sizes[i].step == 0)
			return true;
	return false;
}

/* "512, 1024 to 2048 in steps of 1024": what there is for so much CPU; "" when the table has no such row. */
static void memories_for(int64_t cpu, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct size_row *r = &sizes[i];

		if (r->cpu != cpu)
			continue;
		strbuf_puts(out, out->len ? ", " : "");
		if (r->least == r->most)
			strbuf_printf(out, "%lld", (long long)r->least);
		else
			strbuf_printf(out, "%lld to %lld in steps of %lld", (long long)r->least,
				      (long long)r->most, (long long)r->step);
	}
}

static void check_pair(struct lint *l, int64_t cpu, int64_t memory)
{
	const struct size_row *last = &sizes[ARRAY_SIZE(sizes) - 1];
	AUTO(strbuf) there = STRBUF_INIT;

	if (size_is_known(cpu, memory))
		return;
	if (cpu > last->cpu) {
		lint_say_as(l, LINT_WARNING, LINT_AT(&lint_top, "cpu"),
			    "%lld units of CPU are more than the %lld that are known to exist on "
			    "Fargate",
			    (long long)cpu, (long long)last->cpu);
		return;
	}
	memories_for(cpu, &there);
	if (there.len)
		lint_say(l, LINT_AT(&lint_top, "memory"),
			 "with %lld units of CPU Fargate has no %lld MiB of memory: there are %s",
			 (long long)cpu, (long long)memory, there.buf);
	else
		lint_say(l, LINT_AT(&lint_top, "cpu"),
			 "Fargate has no %lld units of CPU: there are 256, 512, 1024, 2048, 4096, "
			 "8192 and 16384",
			 (long long)cpu);
}

static void task_size(struct lint *l)
{
	static const char *const keys[] = {"cpu", "memory"};
	int64_t units[2] = {0, 0};

	for (size_t i = 0; i < 2; i++) {
		const char *text = aws_text(l->td->json, keys[i]);

		units[i] = i ? task_json_memory(text) : task_json_cpu(text);
		if (!*text && l->fargate)
			lint_say(l, LINT_AT(&lint_top, keys[i]),
				 "Fargate needs the task's %s, as in \"%s\"", keys[i],
				 i ? "512" : "256");
		else if (*text && units[i] <= 0)
			lint_say(l, LINT_AT(&lint_top, keys[i]),
				 "\"%s\" cannot be read: %s is expected", text,
				 i ? "MiB (\"512\") or \"1 GB\""
				   : "units (\"256\") or \".25 vCPU\"");
	}
	if (l->fargate && units[0] > 0 && units[1] > 0)
		check_pair(l, units[0], units[1]);
}

static void network(struct lint *l)
{
	if (l->fargate && !l->own_network)
		lint_say(l, LINT_AT(&lint_top, "networkMode"),
			 "on Fargate it has to be \"awsvpc\"");
}

static void storage(struct lint *l)
{
	json_t *storage = json_object_get(l->td->json, "ephemeralStorage");
	int64_t size = task_json_int(storage, "sizeInGiB", 21);
	const struct lint_place *at = LINT_AT(&lint_top, "ephemeralStorage");

	if (storage && !l->fargate)
		lint_say_as(l, LINT_WARNING, at, "only Fargate has ephemeral storage to choose");
	else if (size < 21 || size > 200)
		lint_say(l, LINT_AT(at, "sizeInGiB"),
			 "%lld: Fargate takes 21 to 200 GiB (20 without this field)",
			 (long long)size);
}

/* Set to something: false and empty lists ask for nothing. */
static bool is_set(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value) && !json_is_false(value) &&
	       !(json_is_array(value) && !json_array_size(value));
}

static void task_fields(struct lint *l)
{
	static const char *const none[] = {"ipcMode", "placementConstraints",
					   "inferenceAccelerators"};
	const json_t *task = l->td->json;
	json_t *v;
	size_t i;

	if (!l->fargate)
		return;
	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (is_set(task, none[i]))
			lint_say(l, LINT_AT(&lint_top, none[i]), "Fargate has no such thing");
	if (strcmp(aws_text(task, "pidMode"), "host") == 0)
		lint_say(l, LINT_AT(&lint_top, "pidMode"), "on Fargate it can only be \"task\"");
	json_array_foreach (json_object_get(task, "volumes"), i, v) {
		const struct lint_place *at = LINT_IN(LINT_AT(&lint_top, "volumes"), i,
						      aws_text(v, "name"));

		if (is_set(v, "dockerVolumeConfiguration") ||
		    is_set(v, "fsxWindowsFileServerVolumeConfiguration") ||
		    *aws_text(json_object_get(v, "host"), "sourcePath"))
			lint_say(l, at,
				 "Fargate has EFS volumes and empty ones (a name alone), no docker "
				 "volumes, FSx or folders of a host");
	}
}

static void linux_parameters(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const none[] = {"devices", "sharedMemorySize", "maxSwap", "swappiness"};
	const json_t *parameters = json_object_get(c, "linuxParameters");
	const json_t *capabilities = json_object_get(parameters, "capabilities");
	const struct lint_place *here = LINT_AT(at, "linuxParameters");
	json_t *word;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (is_set(parameters, none[i]))
			lint_say(l, LINT_AT(here, none[i]), "Fargate has no such thing");
	json_array_foreach (json_object_get(capabilities, "add"), i, word)
		if (strcmp(task_json_string(word), "SYS_PTRACE") != 0)
			lint_say(l, LINT_IN(LINT_AT(LINT_AT(here, "capabilities"), "add"), i, NULL),
				 "%s: Fargate adds SYS_PTRACE alone", task_json_string(word));
}

static void container_fields(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const none[] = {
		"privileged", "links",    "dnsServers",        "dnsSearchDomains",
		"extraHosts", "hostname", "disableNetworking", "dockerSecurityOptions"};
	json_t *item;
	size_t i;

	if (!l->fargate)
		return;
	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (is_set(c, none[i]))
			lint_say(l, LINT_AT(at, none[i]), "Fargate has no such thing");
	json_array_foreach (json_object_get(c, "resourceRequirements"), i, item)
		lint_say(l, LINT_IN(LINT_AT(at, "resourceRequirements"), i, NULL),
			 "Fargate has no %s", aws_text(item, "type"));
	json_array_foreach (json_object_get(c, "ulimits"), i, item)
		if (strcmp(aws_text(item, "name"), "nofile") != 0)
			lint_say_as(l, LINT_WARNING,
				    LINT_IN(LINT_AT(at, "ulimits"), i, aws_text(item, "name")),
				    "on Fargate only nofile can be set");
	linux_parameters(l, c, at);
}

/* A container instance gives a container what it says, so it has to say it, unless the task does. */
static void instance_memory(struct lint *l, const json_t *c, const struct lint_place *at)
{
	int64_t hard = task_json_int(c, "memory", 0),
		soft = task_json_int(c, "memoryReservation", 0);

	if (!l->fargate && !hard && !soft && !*aws_text(l->td->json, "memory"))
		lint_say(
			l, at,
			"on container instances memory (the limit) or memoryReservation is needed, "
			"in MiB");
	if ((hard && hard < 6) || (soft && soft < 6))
		lint_say(l, at, "a container gets at least 6 MiB of memory");
	if (hard && soft > hard)
		lint_say(l, LINT_AT(at, "memoryReservation"),
			 "it is more than memory, the limit of %lld MiB", (long long)hard);
}

static void timeouts(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const keys[] = {"startTimeout", "stopTimeout"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int64_t value = task_json_int(c, keys[i], 2);

		if (value < 2 || (l->fargate && value > 120))
			lint_say(l, LINT_AT(at, keys[i]),
				 l->fargate ? "%lld: Fargate takes 2 to 120 seconds"
					    : "%lld: at least 2 seconds",
				 (long long)value);
	}
}

const struct lint_rule lint_rules_fargate[] = {
	{"task-size", LINT_ERROR, task_size, NULL},
	{"network-mode", LINT_ERROR, network, NULL},
	{"ephemeral-storage", LINT_ERROR, storage, NULL},
	{"not-on-fargate", LINT_ERROR, task_fields, NULL},
	{"not-on-fargate", LINT_ERROR, NULL, container_fields},
	{"container-memory", LINT_ERROR, NULL, instance_memory},
	{"timeout", LINT_ERROR, NULL, timeouts},
	{NULL, LINT_ERROR, NULL, NULL},
};
