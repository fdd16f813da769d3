/* What containers say of each other: order of start, volumes, ports, log routers. */
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

static const json_t *container_called(const struct lint *l, const char *name, size_t *index)
{
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(l->td), i, c)
		if (strcmp(aws_text(c, "name"), name) == 0) {
			*index = i;
			return c;
		}
	return NULL;
}

static void one_dependency(struct lint *l, const json_t *c, const json_t *need,
			   const struct lint_place *at)
{
	const char *name = aws_text(need, "containerName"), *when = aws_text(need, "condition");
	size_t index;
	const json_t *other = container_called(l, name, &index);

	if (!other)
		lint_say(l, at, "there is no container \"%s\"", name);
	else if (other == c)
		lint_say(l, at, "a container cannot wait for itself");
	else if (strcmp(when, "HEALTHY") == 0 && !json_object_get(other, "healthCheck"))
		lint_say(
			l, at,
			"\"%s\" has no healthCheck, so it never gets HEALTHY: give it one, or wait "
			"for START",
			name);
	else if ((strcmp(when, "COMPLETE") == 0 || strcmp(when, "SUCCESS") == 0) &&
		 !json_is_false(json_object_get(other, "essential")))
		lint_say(l, at,
			 "\"%s\" is essential, so the task ends with it: condition %s needs "
			 "\"essential\": false there",
			 name, when);
}

static void depends_on(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *need;
	size_t i;

	json_array_foreach (json_object_get(c, "dependsOn"), i, need)
		one_dependency(l, c, need, LINT_IN(LINT_AT(at, "dependsOn"), i, NULL));
}

/* Whether following dependsOn from container at leads to goal; seen is as long as the list of containers. */
static bool leads_to(const struct lint *l, size_t at, size_t goal, bool *seen)
{
	const json_t *c = json_array_get(task_definition_containers(l->td), at);
	json_t *need;
	size_t i, next;

	json_array_foreach (json_object_get(c, "dependsOn"), i, need) {
		if (!container_called(l, aws_text(need, "containerName"), &next))
			continue;
		if (next == goal)
			return true;
		if (!seen[next]) {
			seen[next] = true;
			if (leads_to(l, next, goal, seen))
				return true;
		}
	}
	return false;
}

static void cycles(struct lint *l)
{
	json_t *list = task_definition_containers(l->td), *c;
	size_t i;

	/* More containers are refused by another rule; the walk stays short. */
	if (json_array_size(list) > 100)
		return;
	json_array_foreach (list, i, c) {
		bool seen[100] = {false};

		if (leads_to(l, i, i, seen)) {
			lint_say(
				l, LINT_AT(LINT_CONTAINER(i, aws_text(c, "name")), "dependsOn"),
				"the container waits for itself, through others: none of them would "
				"start");
			return;
		}
	}
}

static void mounts(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *mount, *volume;
	size_t i, k;

	json_array_foreach (json_object_get(c, "mountPoints"), i, mount) {
		const char *name = aws_text(mount, "sourceVolume");
		const struct lint_place *here = LINT_IN(LINT_AT(at, "mountPoints"), i, NULL);
		bool found = false;

		json_array_foreach (json_object_get(l->td->json, "volumes"), k, volume)
			found |= strcmp(aws_text(volume, "name"), name) == 0;
		if (*name && !found)
			lint_say(l, here, "there is no volume \"%s\" among the task's volumes",
				 name);
		if (*aws_text(mount, "containerPath") != '/')
			lint_say(l, here, "containerPath has to begin with /");
	}
	json_array_foreach (json_object_get(c, "volumesFrom"), i, mount) {
		const char *name = aws_text(mount, "sourceContainer");

		const json_t *other = container_called(l, name, &k);

		if (!other || other == c)
			lint_say(l, LINT_IN(LINT_AT(at, "volumesFrom"), i, NULL),
				 other ? "container \"%s\" has its own volumes already"
				       : "there is no container \"%s\"",
				 name);
	}
}

/* Containers of a task share its address, or the host's: who maps a port has it alone. 0: any port. */
static int64_t port_outside(const struct lint *l, const json_t *port)
{
	bool shared = l->own_network || strcmp(l->network_mode, "host") == 0;

	return task_json_int(port, shared ? "containerPort" : "hostPort", 0);
}

static void taken_ports(struct lint *l)
{
	AUTO(strlist) seen = STRLIST_INIT;
	json_t *c, *port;
	size_t i, k;

	json_array_foreach (task_definition_containers(l->td), i, c)
		json_array_foreach (json_object_get(c, "portMappings"), k, port) {
			int64_t number = port_outside(l, port);
			const char *protocol = aws_text(port, "protocol");
			AUTO_FREE char *text = xstrfmt("%lld/%s", (long long)number,
						       *protocol ? protocol : "tcp");

			if (number > 0 && strlist_has(&seen, text))
				lint_say(l,
					 LINT_IN(LINT_AT(LINT_CONTAINER(i, aws_text(c, "name")),
							 "portMappings"),
						 k, NULL),
					 "port %s is taken by another mapping of the task", text);
			strlist_add(&seen, text);
		}
}

static void log_router(struct lint *l)
{
	json_t *list = task_definition_containers(l->td), *c;
	size_t i, routers = 0;

	json_array_foreach (list, i, c)
		routers += json_object_get(c, "firelensConfiguration") != NULL;
	json_array_foreach (list, i, c) {
		const json_t *log = json_object_get(c, "logConfiguration");

		if (strcmp(aws_text(log, "logDriver"), "awsfirelens") == 0 && routers != 1)
			lint_say(
				l,
				LINT_AT(LINT_CONTAINER(i, aws_text(c, "name")), "logConfiguration"),
				"awsfirelens needs one container with a firelensConfiguration; "
				"there are %zu",
				routers);
	}
}

const struct lint_rule lint_rules_links[] = {
	{"depends-on", LINT_ERROR, NULL, depends_on},
	{"depends-on-cycle", LINT_ERROR, cycles, NULL},
	{"mount", LINT_ERROR, NULL, mounts},
	{"port-taken", LINT_ERROR, taken_ports, NULL},
	{"log-router", LINT_ERROR, log_router, NULL},
	{NULL, LINT_ERROR, NULL, NULL},
};
