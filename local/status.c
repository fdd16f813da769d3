#include "local/status.h"

#include <string.h>

#include "base/alloc.h"
#include "local/ecs_input.h"
#include "local/ecs_task.h"
#include "local/status_task.h"

static json_t *pick_deployment(const json_t *deployment)
{
	static const char *const names[] = {"id",
					    "status",
					    "rolloutState",
					    "rolloutStateReason",
					    "desiredCount",
					    "pendingCount",
					    "runningCount",
					    "failedTasks",
					    "createdAt",
					    "updatedAt",
					    NULL};
	json_t *out = status_pick(deployment, names);

	status_set_definition(out, deployment, "taskDefinition");
	return out;
}

static json_t *pick_event(const json_t *event)
{
	static const char *const names[] = {"id", "createdAt", "message", NULL};

	return status_pick(event, names);
}

static json_t *pick_first(const json_t *array, size_t limit, json_t *(*pick)(const json_t *))
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(array) && i < limit; i++)
		json_array_append_new(out, pick(json_array_get(array, i)));
	return out;
}

/* How far a scaling policy may move the service's count. */
static void set_scaling(struct state *s, json_t *out, const json_t *service, const char *cluster)
{
	static const char *const names[] = {"MinCapacity", "MaxCapacity", NULL};
	AUTO_FREE char *resource = xstrfmt("service/%s/%s", cluster,
					   ecs_text(service, "serviceName"));
	json_t *target = state_get(s, STATE_SCALABLE_TARGETS, resource);

	if (target)
		json_object_set_new(out, "scaling", status_pick(target, names));
}

static json_t *pick_service(struct state *s, const json_t *service, const char *cluster)
{
	static const char *const names[] = {
		"serviceName",  "status",       "launchType", "desiredCount",
		"pendingCount", "runningCount", "createdAt",  NULL};
	json_t *out = status_pick(service, names);

	status_set_definition(out, service, "taskDefinition");
	status_set_address(out, service);
	set_scaling(s, out, service, cluster);
	json_object_set_new(
		out, "deployments",
		pick_first(json_object_get(service, "deployments"), SIZE_MAX, pick_deployment));
	json_object_set_new(
		out, "events",
		pick_first(json_object_get(service, "events"), STATUS_EVENTS, pick_event));
	return out;
}

/* Documents of the cluster, in an order of their own. */
struct sorted {
	const json_t **items;
	size_t n;
};

static void sorted_release(struct sorted *s)
{
	free(s->items);
}
CLEANUP_RELEASE(sorted)

static void sort_of_cluster(struct sorted *out, json_t *all, const char *cluster,
			    int (*compare)(const void *, const void *))
{
	const char *key;
	json_t *document;

	out->items = xcalloc(json_object_size(all) + 1, sizeof(*out->items));
	out->n = 0;
	json_object_foreach (all, key, document) {
		if (strcmp(ecs_task_cluster(document), cluster) == 0)
			out->items[out->n++] = document;
	}
	qsort(out->items, out->n, sizeof(*out->items), compare);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(ecs_text(*(const json_t *const *)a, "serviceName"),
		      ecs_text(*(const json_t *const *)b, "serviceName"));
}

static int by_age(const void *a, const void *b)
{
	const json_t *left = *(const json_t *const *)a, *right = *(const json_t *const *)b;
	const char *time = ecs_task_is_stopped(left) ? "stoppedAt" : "createdAt";
	double l, r;

	if (ecs_task_is_stopped(left) != ecs_task_is_stopped(right))
		return ecs_task_is_stopped(left) ? 1 : -1;
	l = json_number_value(json_object_get(left, time));
	r = json_number_value(json_object_get(right, time));
	return l < r ? 1 : l > r ? -1 : 0;
}

static json_t *list_services(struct state *s, const char *cluster)
{
	json_t *out = json_array();
	AUTO(sorted) services = {0};

	sort_of_cluster(&services, state_all(s, STATE_SERVICES), cluster, by_name);
	for (size_t i = 0; i < services.n; i++)
		if (!ecs_is(services.items[i], "status", "INACTIVE"))
			json_array_append_new(out, pick_service(s, services.items[i], cluster));
	return out;
}

/* Fills in tasks, and how many were stopped or left out. */
static void set_tasks(struct state *s, json_t *out, const char *cluster)
{
	json_t *list = json_array();
	size_t n_running = 0, n_stopped = 0;
	AUTO(sorted) tasks = {0};

	sort_of_cluster(&tasks, state_all(s, STATE_TASKS), cluster, by_age);
	for (size_t i = 0; i < tasks.n; i++) {
		bool stopped = ecs_task_is_stopped(tasks.items[i]);
		size_t n = stopped ? n_stopped++ : n_running++;

		if (n < (stopped ? STATUS_STOPPED_TASKS : STATUS_RUNNING_TASKS))
			json_array_append_new(list, status_task(s, tasks.items[i]));
	}
	json_object_set_new(out, "tasksLeftOut",
			    json_integer((json_int_t)(tasks.n - json_array_size(list))));
	json_object_set_new(out, "stopped", json_integer((json_int_t)n_stopped));
	json_object_set_new(out, "tasks", list);
}

static json_t *pick_cluster(struct state *s, const char *name, const json_t *cluster)
{
	static const char *const names[] = {"status", NULL};
	json_t *out = status_pick(cluster, names);

	json_object_set_new(out, "name", json_text(name));
	json_object_set_new(out, "services", list_services(s, name));
	set_tasks(s, out, name);
	return out;
}

json_t *status_document(struct state *s)
{
	json_t *out = json_object(), *clusters = json_array(), *cluster;
	const char *name;

	json_object_foreach (state_all(s, STATE_CLUSTERS), name, cluster)
		if (!ecs_is(cluster, "status", "INACTIVE"))
			json_array_append_new(clusters, pick_cluster(s, name, cluster));
	json_object_set_new(out, "clusters", clusters);
	return out;
}
