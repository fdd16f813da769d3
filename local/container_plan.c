#include "local/container_plan.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "deploy/task_json.h"
#include "sandbox/capability.h"
#include "sandbox/resource_limit.h"

#define MIB ((int64_t)1 << 20)

/* Seconds, where the definition is silent: ECS API Reference, HealthCheck, ContainerDefinition, ContainerRestartPolicy. */
#define STOP_TIMEOUT    30
#define HEALTH_INTERVAL 30
#define HEALTH_TIMEOUT  5
#define HEALTH_RETRIES  3
#define RESTART_PERIOD  300

#define OPEN_FILES      65535

/* What a container here has no way to have. */
static const struct {
	const char *member, *why;
} refused[] = {
	{"environmentFiles", "they are read from S3, which a local target has not"},
	{"firelensConfiguration", "there is no log router here"},
	{"privileged", "containers of awsvpc tasks have no such rights"},
	{"links", "containers of a task share localhost"},
	{"resourceRequirements", "there are no accelerators here"},
	{"credentialSpecs", "they are for Windows"},
	{"systemControls", "kernel parameters are this machine's"},
};

static bool is_given(const json_t *value)
{
	return value && !json_is_null(value) && !json_is_false(value) &&
	       !(json_is_array(value) && json_array_size(value) == 0);
}

static int refuse_what_is_not_here(const struct container_plan *c, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (is_given(json_object_get(c->definition, refused[i].member)))
			return error_set(
				err, ERROR_UNSUPPORTED,
				"container \"%s\": %s is not supported by the local target: %s",
				c->name, refused[i].member, refused[i].why);
	return 0;
}

/* NULL for what is absent or empty. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = aws_text(object, key);

	return *text ? text : NULL;
}

static void add_texts(struct strlist *out, const json_t *array)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		strlist_add(out, task_json_string(item));
}

static void add_pairs(struct strmap *out, const json_t *array)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		strmap_set(out, aws_text(item, "name"), aws_text(item, "value"));
}

static void read_command(struct container_plan *c, const json_t *override)
{
	const json_t *entrypoint = json_object_get(c->definition, "entryPoint");
	const json_t *command = json_object_get(override, "command");

	if (!is_given(command))
		command = json_object_get(c->definition, "command");
	c->has_entrypoint = is_given(entrypoint);
	c->has_command = is_given(command);
	add_texts(&c->entrypoint, entrypoint);
	add_texts(&c->command, command);
}

/* Fargate's (ECS API Reference, Ulimit), as far as this machine goes; the target's own is another one, for its connections. */
static void limit_open_files(struct container_plan *c)
{
	struct sandbox_limit *l = &c->limits[c->n_limits];
	struct rlimit own;

	for (size_t i = 0; i < c->n_limits; i++)
		if (c->limits[i].resource == RLIMIT_NOFILE)
			return;
	resource_limit_find(l, "nofile");
	l->hard = OPEN_FILES;
	if (getrlimit(RLIMIT_NOFILE, &own) == 0 && own.rlim_max < l->hard)
		l->hard = own.rlim_max;
	l->soft = l->hard;
	c->n_limits++;
}

static int read_limits(struct container_plan *c, struct error *err)
{
	const json_t *list = json_object_get(c->definition, "ulimits"), *item;
	size_t i;

	c->limits = xcalloc(json_array_size(list) + 1, sizeof(*c->limits));
	json_array_foreach (list, i, item) {
		struct sandbox_limit *l = &c->limits[c->n_limits];
		int64_t soft = task_json_int(item, "softLimit", -1);
		int64_t hard = task_json_int(item, "hardLimit", -1);

		if (!resource_limit_find(l, aws_text(item, "name")))
			return error_set(err, ERROR_UNSUPPORTED,
					 "container \"%s\": there is no limit \"%s\"", c->name,
					 aws_text(item, "name"));
		l->soft = soft < 0 ? RLIM_INFINITY : (uint64_t)soft;
		l->hard = hard < 0 ? RLIM_INFINITY : (uint64_t)hard;
		c->n_limits++;
	}
	limit_open_files(c);
	return 0;
}

static int read_capabilities(struct container_plan *c, const json_t *list, uint64_t *out,
			     struct error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (!capability_add(out, task_json_string(item)))
			return error_set(err, ERROR_UNSUPPORTED,
					 "container \"%s\": there is no capability \"%s\"", c->name,
					 task_json_string(item));
	return 0;
}

struct mount_plan *container_plan_mount(struct container_plan *c)
{
	c->mounts = xreallocarray(c->mounts, c->n_mounts + 1, sizeof(*c->mounts));
	c->mounts[c->n_mounts] = (struct mount_plan){0};
	return &c->mounts[c->n_mounts++];
}

/* "ro" alone changes what we do; sizes come apart from the options. */
static bool has_option(const json_t *options, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (options, i, item)
		if (strcmp(task_json_string(item), name) == 0)
			return true;
	return false;
}

static int read_linux_parameters(struct container_plan *c, struct error *err)
{
	const json_t *parameters = json_object_get(c->definition, "linuxParameters"), *item;
	const json_t *capabilities = json_object_get(parameters, "capabilities");
	size_t i;

	json_array_foreach (json_object_get(parameters, "tmpfs"), i, item) {
		struct mount_plan *m = container_plan_mount(c);

		m->target = aws_text(item, "containerPath");
		m->size = task_json_int(item, "size", 0) * MIB;
		m->readonly = has_option(json_object_get(item, "mountOptions"), "ro");
	}
	if (is_given(json_object_get(parameters, "devices")))
		return error_set(
			err, ERROR_UNSUPPORTED,
			"container \"%s\": linuxParameters.devices is not supported by the "
			"local target: this machine's devices are not a task's",
			c->name);
	c->shm_size = task_json_int(parameters, "sharedMemorySize", 0) * MIB;
	if (read_capabilities(c, json_object_get(capabilities, "add"), &c->add_caps, err) < 0)
		return -1;
	if (c->add_caps & ~(1ull << CAP_SYS_PTRACE))
		return error_set(
			err, ERROR_UNSUPPORTED,
			"container \"%s\": of capabilities only SYS_PTRACE can be added, as on Fargate",
			c->name);
	return read_capabilities(c, json_object_get(capabilities, "drop"), &c->drop_caps, err);
}

static void read_mount_points(struct container_plan *c)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(c->definition, "mountPoints"), i, item) {
		struct mount_plan *m = container_plan_mount(c);

		m->volume = aws_text(item, "sourceVolume");
		m->target = aws_text(item, "containerPath");
		m->readonly = json_is_true(json_object_get(item, "readOnly"));
	}
}

static void read_health(struct container_plan *c)
{
	const json_t *check = json_object_get(c->definition, "healthCheck");
	const json_t *command = json_object_get(check, "command");
	const char *first = task_json_string(json_array_get(command, 0));

	if (!*first || strcmp(first, "NONE") == 0)
		return;
	c->health.interval = task_json_int(check, "interval", HEALTH_INTERVAL);
	c->health.timeout = task_json_int(check, "timeout", HEALTH_TIMEOUT);
	c->health.retries = task_json_int(check, "retries", HEALTH_RETRIES);
	c->health.start_period = task_json_int(check, "startPeriod", 0);
	add_texts(&c->health.command, command);
	if (strcmp(first, "CMD-SHELL") == 0) {
		strlist_remove(&c->health.command, 0);
		strlist_insert(&c->health.command, 0, "-c");
		strlist_insert(&c->health.command, 0, "/bin/sh");
	} else if (strcmp(first, "CMD") == 0) {
		strlist_remove(&c->health.command, 0);
	}
}

static void read_restart(struct container_plan *c)
{
	const json_t *policy = json_object_get(c->definition, "restartPolicy"), *item;
	const json_t *codes = json_object_get(policy, "ignoredExitCodes");
	size_t i;

	c->restart.enabled = json_is_true(json_object_get(policy, "enabled"));
	c->restart.period = task_json_int(policy, "restartAttemptPeriod", RESTART_PERIOD);
	c->restart.ignored_codes = xcalloc(json_array_size(codes) + 1, sizeof(int64_t));
	json_array_foreach (codes, i, item)
		c->restart.ignored_codes[c->restart.n_ignored++] = json_integer_value(item);
}

static int read_log(struct container_plan *c, struct error *err)
{
	const json_t *log = json_object_get(c->definition, "logConfiguration");
	const json_t *options = json_object_get(log, "options");
	const char *driver = aws_text(log, "logDriver");

	if (!*driver)
		return 0;
	if (strcmp(driver, "awslogs") != 0)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"container \"%s\": the log driver %s is not supported by the local "
			"target: it has awslogs",
			c->name, driver);
	if (*aws_text(options, "awslogs-multiline-pattern"))
		c->log_unheeded = "awslogs-multiline-pattern";
	else if (*aws_text(options, "awslogs-datetime-format"))
		c->log_unheeded = "awslogs-datetime-format";
	c->log_group = text_of(options, "awslogs-group");
	c->log_prefix = text_of(options, "awslogs-stream-prefix");
	c->log_create_group = strcmp(aws_text(options, "awslogs-create-group"), "true") == 0;
	return 0;
}

static void read_hosts(struct container_plan *c)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(c->definition, "extraHosts"), i, item)
		strlist_addf(&c->hosts, "%s:%s", aws_text(item, "hostname"),
			     aws_text(item, "ipAddress"));
}

int container_plan_make(struct container_plan *c, const json_t *override, struct error *err)
{
	const json_t *essential = json_object_get(c->definition, "essential");

	c->name = aws_text(c->definition, "name");
	c->image = aws_text(c->definition, "image");
	c->essential = !json_is_false(essential);
	c->readonly_root = json_is_true(json_object_get(c->definition, "readonlyRootFilesystem"));
	c->user = text_of(c->definition, "user");
	c->cwd = text_of(c->definition, "workingDirectory");
	c->secrets = json_object_get(c->definition, "secrets");
	c->cpu = task_json_int(override, "cpu", task_json_int(c->definition, "cpu", 0));
	c->memory = task_json_int(override, "memory", task_json_int(c->definition, "memory", 0)) *
		    MIB;
	c->start_timeout = task_json_int(c->definition, "startTimeout", 0);
	c->stop_timeout = task_json_int(c->definition, "stopTimeout", STOP_TIMEOUT);
	add_pairs(&c->env, json_object_get(c->definition, "environment"));
	add_pairs(&c->env, json_object_get(override, "environment"));
	read_command(c, override);
	read_mount_points(c);
	read_health(c);
	read_restart(c);
	read_hosts(c);
	if (refuse_what_is_not_here(c, err) < 0 || read_limits(c, err) < 0 ||
	    read_linux_parameters(c, err) < 0)
		return -1;
	return read_log(c, err);
}

void container_plan_release(struct container_plan *c)
{
	strlist_release(&c->entrypoint);
	strlist_release(&c->command);
	strmap_release(&c->env);
	strlist_release(&c->hosts);
	strlist_release(&c->health.command);
	free(c->restart.ignored_codes);
	free(c->limits);
	free(c->mounts);
	free(c->needs);
}
