/* Task metadata endpoint version 4 and credentials: ECS Developer Guide, "Amazon ECS task metadata endpoint version 4 for Fargate". */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/task_json.h"
#include "local/local.h"
#include "local/runner_private.h"
#include "local/session.h"

#define MIB                 ((int64_t)1 << 20)
#define CREDENTIALS_SECONDS (6 * 3600)
#define CREDENTIALS_PATH    "/v2/credentials/"

static void set_time(json_t *out, const char *key, int64_t ns)
{
	char text[TIME_TEXT_SIZE];

	if (!ns)
		return;
	time_format(ns / 1000000000, ns % 1000000000, text);
	json_object_set_new(out, key, json_string(text));
}

static void set_text(json_t *out, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(out, key, json_text(text));
}

static json_t *labels_of(const struct container *c, const json_t *task)
{
	json_t *out = json_object_get(c->plan->definition, "dockerLabels");
	AUTO_FREE char *revision = xstrfmt("%lld", (long long)c->task->plan.revision);

	out = out ? json_deep_copy(out) : json_object();
	set_text(out, "com.amazonaws.ecs.cluster", aws_text(task, "clusterArn"));
	set_text(out, "com.amazonaws.ecs.container-name", c->plan->name);
	set_text(out, "com.amazonaws.ecs.task-arn", aws_text(task, "taskArn"));
	set_text(out, "com.amazonaws.ecs.task-definition-family", c->task->plan.family);
	set_text(out, "com.amazonaws.ecs.task-definition-version", revision);
	return out;
}

static const char *detail(const json_t *task, const char *name)
{
	const json_t *attachment = json_array_get(json_object_get(task, "attachments"), 0), *item;
	size_t i;

	json_array_foreach (json_object_get(attachment, "details"), i, item)
		if (strcmp(aws_text(item, "name"), name) == 0)
			return aws_text(item, "value");
	return "";
}

static json_t *networks_of(const json_t *task)
{
	const char *address = detail(task, "privateIPv4Address");
	json_t *network = json_pack("{s:s, s:[], s:i}", "NetworkMode", "awsvpc", "IPv4Addresses",
				    "AttachmentIndex", 0);

	if (*address)
		json_array_append_new(json_object_get(network, "IPv4Addresses"),
				      json_string(address));
	set_text(network, "MACAddress", detail(task, "macAddress"));
	set_text(network, "PrivateDNSName", detail(task, "privateDnsName"));
	return json_pack("[o]", network);
}

/* asker: the container that asks runs, though that may not have been noticed yet. */
static json_t *container_metadata(const struct container *c, const json_t *task,
				  const struct container *asker)
{
	const json_t *log = json_object_get(c->plan->definition, "logConfiguration");
	const json_t *shown = container_named(json_object_get(task, "containers"), c->plan->name);
	json_t *out = json_object();

	set_text(out, "DockerId", c->id);
	set_text(out, "Name", c->plan->name);
	set_text(out, "DockerName", c->plan->name);
	set_text(out, "Image", c->plan->image);
	set_text(out, "ImageID", c->digest);
	json_object_set_new(out, "Labels", labels_of(c, task));
	set_text(out, "DesiredStatus", aws_text(task, "desiredStatus"));
	set_text(out, "KnownStatus",
		 c == asker && c->state == CONTAINER_STARTING ? "RUNNING" : container_status(c));
	if (c->state == CONTAINER_STOPPED && c->has_exit_code)
		json_object_set_new(out, "ExitCode", json_integer(c->exit_code));
	json_object_set_new(out, "Limits", json_pack("{s:I}", "CPU", (json_int_t)c->plan->cpu));
	if (c->plan->memory > 0)
		json_object_set_new(json_object_get(out, "Limits"), "Memory",
				    json_integer(c->plan->memory / MIB));
	set_time(out, "CreatedAt", c->task->pull_stopped);
	set_time(out, "StartedAt", c->started_at);
	set_time(out, "FinishedAt", c->finished_at);
	set_text(out, "Type", "NORMAL");
	if (c->plan->health.command.n > 0)
		json_object_set_new(out, "Health",
				    json_pack("{s:s}", "status", container_health_name(c->health)));
	set_text(out, "LogDriver", aws_text(log, "logDriver"));
	if (json_object_get(log, "options"))
		json_object_set(out, "LogOptions", json_object_get(log, "options"));
	set_text(out, "ContainerARN", aws_text(shown, "containerArn"));
	json_object_set_new(out, "Networks", networks_of(task));
	set_text(out, "Snapshotter", "overlayfs");
	if (c->n_restarts > 0)
		json_object_set_new(out, "RestartCount", json_integer(c->n_restarts));
	return out;
}

static json_t *task_metadata(const struct task *t, const json_t *task,
			     const struct container *asker)
{
	json_t *out = json_object(), *containers = json_array(), *limits = json_object();
	AUTO_FREE char *revision = xstrfmt("%lld", (long long)t->plan.revision);

	set_text(out, "Cluster", aws_text(task, "clusterArn"));
	set_text(out, "TaskARN", aws_text(task, "taskArn"));
	set_text(out, "Family", t->plan.family);
	set_text(out, "Revision", revision);
	set_text(out, "DesiredStatus", aws_text(task, "desiredStatus"));
	set_text(out, "KnownStatus", t->status);
	if (t->plan.cpu > 0)
		json_object_set_new(limits, "CPU", json_real((double)t->plan.cpu / 1024));
	if (t->plan.memory > 0)
		json_object_set_new(limits, "Memory", json_integer(t->plan.memory / MIB));
	json_object_set_new(out, "Limits", limits);
	set_time(out, "PullStartedAt", t->pull_started);
	set_time(out, "PullStoppedAt", t->pull_stopped);
	set_text(out, "AvailabilityZone", aws_text(task, "availabilityZone"));
	set_text(out, "LaunchType", aws_text(task, "launchType"));
	for (size_t i = 0; i < t->n_containers; i++)
		json_array_append_new(containers,
				      container_metadata(&t->containers[i], task, asker));
	json_object_set_new(out, "Containers", containers);
	set_text(out, "ServiceName", aws_text(json_object_get(task, "slipway"), "service"));
	json_object_set_new(out, "FaultInjectionEnabled", json_false());
	return out;
}

/* As docker's stats, of what is measured here. */
static json_t *container_stats(struct container *c)
{
	struct runner_usage usage;
	json_t *out = json_object(), *memory;

	if (c->pid <= 0) {
		json_decref(out);
		return json_null();
	}
	container_usage(c, &usage);
	set_time(out, "read", time_now_ns());
	set_text(out, "name", c->plan->name);
	set_text(out, "id", c->id);
	json_object_set_new(out, "cpu_stats",
			    json_pack("{s:{s:I}, s:I}", "cpu_usage", "total_usage",
				      (json_int_t)usage.cpu_ns, "online_cpus",
				      (json_int_t)pool_cpus()));
	memory = json_pack("{s:I}", "usage", (json_int_t)usage.memory_bytes);
	if (c->plan->memory > 0)
		json_object_set_new(memory, "limit", json_integer(c->plan->memory));
	json_object_set_new(out, "memory_stats", memory);
	return out;
}

static json_t *task_stats(struct task *t)
{
	json_t *out = json_object();

	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].id)
			json_object_set_new(out, t->containers[i].id,
					    container_stats(&t->containers[i]));
	return out;
}

static json_t *credentials(const struct task *t, const char *target_key)
{
	int64_t expires = time_now() + CREDENTIALS_SECONDS;
	const char *role = t->plan.task_role;
	AUTO_FREE char *arn = NULL;
	AUTO(session) s = SESSION_INIT;
	char until[TIME_TEXT_SIZE];
	json_t *out;

	/* A definition may name the role alone. */
	arn = xstrfmt("arn:aws:sts::" LOCAL_ACCOUNT ":assumed-role/%s/%s", path_base(role), t->id);
	session_make(&s, target_key, arn, expires);
	time_format(expires, 0, until);
	out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "RoleArn", role, "AccessKeyId", s.access_key,
			"SecretAccessKey", s.secret_key, "Token", s.token, "Expiration", until);
	return out;
}

static struct container *find_container(struct task *t, const char *id, size_t len)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].id && strlen(t->containers[i].id) == len &&
		    strncmp(t->containers[i].id, id, len) == 0)
			return &t->containers[i];
	return NULL;
}

/* With the locks held; NULL: there is nothing at that path. */
static json_t *answer(struct task *t, const json_t *document, const char *target_key,
		      const char *path)
{
	struct container *c;
	size_t len;

	if (str_starts(path, CREDENTIALS_PATH))
		return t->plan.task_role && strcmp(path + strlen(CREDENTIALS_PATH),
						   t->credentials_id) == 0
			       ? credentials(t, target_key)
			       : NULL;
	if (!str_starts(path, "/v4/") && !str_starts(path, "/v3/"))
		return NULL;
	path += strlen("/v4/");
	len = strcspn(path, "/");
	c = find_container(t, path, len);
	path += len;
	if (!c)
		return NULL;
	if (strcmp(path, "") == 0 || strcmp(path, "/") == 0)
		return container_metadata(c, document, c);
	if (strcmp(path, "/task") == 0 || strcmp(path, "/taskWithTags") == 0)
		return task_metadata(t, document, c);
	if (strcmp(path, "/stats") == 0)
		return container_stats(c);
	return strcmp(path, "/task/stats") == 0 ? task_stats(t) : NULL;
}

void runner_metadata(void *arg, const char *task_id, const char *path, int *status, char **json)
{
	struct runner *r = arg;
	AUTO_JSON *document = NULL, *out = NULL;
	AUTO_FREE char *key = NULL;
	struct task *t;

	state_lock(r->o.state);
	document = json_deep_copy(state_get(r->o.state, STATE_TASKS, task_id));
	key = xstrdup(aws_text(state_get(r->o.state, STATE_SETTINGS, "target"), "secretKey"));
	state_unlock(r->o.state);
	pthread_mutex_lock(&r->lock);
	t = runner_find(r, task_id);
	if (t) {
		pthread_mutex_lock(&t->lock);
		out = answer(t, document, key, path);
		pthread_mutex_unlock(&t->lock);
	}
	pthread_mutex_unlock(&r->lock);
	wipe(key, strlen(key));
	*status = out ? 200 : 404;
	if (!out)
		out = json_pack("{s:s}", "message", "The task has nothing at this path.");
	*json = json_dumps(out, JSON_COMPACT | JSON_ENCODE_ANY);
}
