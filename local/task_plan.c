#include "local/task_plan.h"

#include <string.h>

#include "base/alloc.h"
#include "deploy/task_json.h"

#define MIB ((int64_t)1 << 20)

static const char *const volume_kinds[] = {
	"efsVolumeConfiguration",
	"dockerVolumeConfiguration",
	"fsxWindowsFileServerVolumeConfiguration",
	"s3filesVolumeConfiguration",
};

static int read_volumes(struct task_plan *p, struct error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(p->definition, "volumes"), i, item) {
		const char *name = aws_text(item, "name");

		for (size_t k = 0; k < ARRAY_SIZE(volume_kinds); k++)
			if (json_is_object(json_object_get(item, volume_kinds[k])))
				return error_set(
					err, ERROR_UNSUPPORTED,
					"volume \"%s\": %s is not supported by the local target: "
					"it has volumes that live as long as their task",
					name, volume_kinds[k]);
		if (*aws_text(json_object_get(item, "host"), "sourcePath"))
			return error_set(err, ERROR_UNSUPPORTED,
					 "volume \"%s\": host.sourcePath is not supported: a task "
					 "has no folder of this machine",
					 name);
		if (json_is_true(json_object_get(item, "configuredAtLaunch")))
			return error_set(err, ERROR_UNSUPPORTED,
					 "volume \"%s\": configuredAtLaunch (EBS) is not supported "
					 "by the local target",
					 name);
		strlist_add(&p->volumes, name);
	}
	return 0;
}

static const struct container_plan *find(const struct task_plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_containers; i++)
		if (strcmp(p->containers[i].name, name) == 0)
			return &p->containers[i];
	return NULL;
}

static const char *const conditions[] = {"START", "COMPLETE", "SUCCESS", "HEALTHY"};

static int read_needs(struct task_plan *p, struct container_plan *c, struct error *err)
{
	const json_t *list = json_object_get(c->definition, "dependsOn"), *item;
	size_t i, k = 0;

	c->needs = xcalloc(json_array_size(list) + 1, sizeof(*c->needs));
	json_array_foreach (list, i, item) {
		const char *name = aws_text(item, "containerName");
		const char *condition = aws_text(item, "condition");
		const struct container_plan *other = find(p, name);

		for (k = 0; k < ARRAY_SIZE(conditions); k++)
			if (strcmp(conditions[k], condition) == 0)
				break;
		if (!other || k == ARRAY_SIZE(conditions))
			return error_set(err, ERROR_SYNTAX,
					 "container \"%s\": dependsOn \"%s\" %s names nothing",
					 c->name, name, condition);
		if (k == CONDITION_HEALTHY && other->health.command.n == 0)
			return error_set(err, ERROR_SYNTAX,
					 "container \"%s\": dependsOn \"%s\" HEALTHY: that has no "
					 "healthCheck",
					 c->name, name);
		c->needs[c->n_needs++] = (struct container_need){(size_t)(other - p->containers),
								 (enum container_condition)k};
	}
	return 0;
}

/* A wait for itself, by whatever way, would never end. seen: those that were looked at, in vain. */
static bool waits_for(const struct task_plan *p, size_t from, size_t wanted, bool *seen)
{
	const struct container_plan *c = &p->containers[from];

	seen[from] = true;
	for (size_t i = 0; i < c->n_needs; i++) {
		size_t next = c->needs[i].container;

		if (next == wanted || (!seen[next] && waits_for(p, next, wanted, seen)))
			return true;
	}
	return false;
}

static int check_order(const struct task_plan *p, struct error *err)
{
	for (size_t i = 0; i < p->n_containers; i++) {
		AUTO_FREE bool *seen = xcalloc(p->n_containers, sizeof(*seen));

		if (waits_for(p, i, i, seen))
			return error_set(err, ERROR_SYNTAX,
					 "container \"%s\": its dependsOn comes back to itself",
					 p->containers[i].name);
	}
	return 0;
}

static int read_volumes_from(struct task_plan *p, struct container_plan *c, struct error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(c->definition, "volumesFrom"), i, item) {
		const struct container_plan *other = find(p, aws_text(item, "sourceContainer"));

		if (!other || other == c)
			return error_set(err, ERROR_SYNTAX,
					 "container \"%s\": volumesFrom \"%s\": there is no other "
					 "container of that name",
					 c->name, aws_text(item, "sourceContainer"));
		for (size_t k = 0; k < other->n_mounts; k++) {
			struct mount_plan *m;

			if (!other->mounts[k].volume)
				continue;
			m = container_plan_mount(c);
			*m = other->mounts[k];
			m->readonly |= json_is_true(json_object_get(item, "readOnly"));
		}
	}
	return 0;
}

static int check_mounts(const struct task_plan *p, const struct container_plan *c,
			struct error *err)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].volume && !strlist_has(&p->volumes, c->mounts[i].volume))
			return error_set(err, ERROR_SYNTAX,
					 "container \"%s\": there is no volume \"%s\"", c->name,
					 c->mounts[i].volume);
	return 0;
}

static int read_containers(struct task_plan *p, struct error *err)
{
	const json_t *list = json_object_get(p->definition, "containerDefinitions"), *item;
	const json_t *overrides = json_object_get(p->overrides, "containerOverrides");
	size_t i;

	p->containers = xcalloc(json_array_size(list) + 1, sizeof(*p->containers));
	json_array_foreach (list, i, item) {
		struct container_plan *c = &p->containers[p->n_containers++];

		c->definition = item;
		if (container_plan_make(c, container_named(overrides, aws_text(item, "name")),
					err) < 0)
			return -1;
	}
	for (i = 0; i < p->n_containers; i++)
		if (read_needs(p, &p->containers[i], err) < 0 ||
		    read_volumes_from(p, &p->containers[i], err) < 0 ||
		    check_mounts(p, &p->containers[i], err) < 0)
			return -1;
	return check_order(p, err);
}

/* Overridden or defined; NULL: neither. */
static const char *either(const struct task_plan *p, const char *key)
{
	const char *text = aws_text(p->overrides, key);

	if (!*text)
		text = aws_text(p->definition, key);
	return *text ? text : NULL;
}

static void read_size(struct task_plan *p)
{
	const char *cpu = either(p, "cpu"), *memory = either(p, "memory");
	int64_t units = cpu ? task_json_cpu(cpu) : 0, mib = memory ? task_json_memory(memory) : 0;

	p->cpu = units > 0 ? units : 0;
	p->memory = mib > 0 ? mib * MIB : 0;
}

int task_plan_make(struct task_plan *out, const json_t *definition, const json_t *overrides,
		   struct error *err)
{
	const json_t *platform;
	const char *architecture;

	out->definition = json_deep_copy(definition);
	out->overrides = overrides ? json_deep_copy(overrides) : json_object();
	out->family = aws_text(out->definition, "family");
	out->revision = task_json_int(out->definition, "revision", 0);
	out->task_role = either(out, "taskRoleArn");
	platform = json_object_get(out->definition, "runtimePlatform");
	architecture = aws_text(platform, "cpuArchitecture");
	if (*architecture)
		out->architecture = strcmp(architecture, "ARM64") == 0 ? "arm64" : "amd64";
	read_size(out);
	if (*aws_text(out->definition, "pidMode"))
		return error_set(err, ERROR_UNSUPPORTED,
				 "pidMode is not supported by the local target: containers have "
				 "process ids of their own");
	if (read_volumes(out, err) < 0 || read_containers(out, err) < 0)
		return -1;
	return 0;
}

void task_plan_release(struct task_plan *p)
{
	for (size_t i = 0; i < p->n_containers; i++)
		container_plan_release(&p->containers[i]);
	free(p->containers);
	strlist_release(&p->volumes);
	json_decref(p->definition);
	json_decref(p->overrides);
}
