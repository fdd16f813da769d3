#include "deploy/task_make.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "deploy/task_json.h"

#define DEFAULT_CPU    "256"
#define DEFAULT_MEMORY "512"
/* ECS takes 255 letters; a name also becomes part of others'. */
#define LONGEST_NAME 200

struct port {
	int64_t host, container; /* host -1: not given */
	const char *protocol;    /* "tcp" or "udp" */
};

void task_options_release(struct task_options *o)
{
	strlist_release(&o->ports);
	strmap_release(&o->env);
	strmap_release(&o->secrets);
	strlist_release(&o->entrypoint);
	strlist_release(&o->command);
	strmap_release(&o->tags);
	*o = (struct task_options){.name = NULL};
}

char *task_name_valid(const char *text)
{
	struct strbuf name = STRBUF_LIMIT(LONGEST_NAME);

	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || *text == '_')
			strbuf_putc(&name, *text);
		else if (name.len && name.buf[name.len - 1] != '-')
			strbuf_putc(&name, '-');
	}
	while (name.len && name.buf[name.len - 1] == '-')
		strbuf_truncate(&name, name.len - 1);
	return name.len ? strbuf_detach(&name, NULL) : xstrdup("app");
}

/* 1 to 65535; 0: it is no port. */
static int64_t read_port(const char *s, size_t len)
{
	int64_t n = 0;

	if (!len || len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return 0;
		n = n * 10 + (s[i] - '0');
	}
	return n <= 65535 ? n : 0;
}

/* [HOST:]CONTAINER[/tcp|udp] */
static bool port_parse(struct port *out, const char *text)
{
	const char *slash = strchr(text, '/'), *colon = strchr(text, ':');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	*out = (struct port){.host = -1, .protocol = "tcp"};
	if (slash && strcasecmp(slash + 1, "udp") == 0)
		out->protocol = "udp";
	else if (slash && strcasecmp(slash + 1, "tcp") != 0)
		return false;
	if (colon) {
		out->host = read_port(text, (size_t)(colon - text));
		if (!out->host)
			return false;
		len -= (size_t)(colon + 1 - text);
		text = colon + 1;
	}
	out->container = read_port(text, len);
	return out->container != 0;
}

static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value)) {
		value = make();
		json_object_set_new(object, key, value);
	}
	return value;
}

static json_t *mapping_of(json_t *list, const struct port *p)
{
	size_t i;
	json_t *have;

	json_array_foreach (list, i, have) {
		const char *protocol = aws_text(have, "protocol");

		if (task_json_int(have, "containerPort", 0) == p->container &&
		    strcmp(*protocol ? protocol : "tcp", p->protocol) == 0)
			return have;
	}
	return NULL;
}

static void put_port(json_t *container, const struct port *p)
{
	json_t *list = member(container, "portMappings", json_array);
	json_t *mapping = mapping_of(list, p);

	if (!mapping) {
		mapping = json_object();
		json_object_set_new(mapping, "containerPort", json_integer(p->container));
		json_array_append_new(list, mapping);
		if (p->host > 0)
			json_object_set_new(mapping, "hostPort", json_integer(p->host));
		json_object_set_new(mapping, "protocol", json_string(p->protocol));
	} else if (p->host > 0) {
		json_object_set_new(mapping, "hostPort", json_integer(p->host));
	}
}

static int put_ports(json_t *container, const struct task_options *o, bool awsvpc,
		     struct error *err)
{
	for (size_t i = 0; i < o->ports.n; i++) {
		const char *text = o->ports.items[i];
		struct port p;

		if (!port_parse(&p, text))
			return error_set(
				err, ERROR_USAGE,
				"--port %s: a port from 1 to 65535 is expected, maybe with "
				"/tcp or /udp: 3000, 53/udp",
				text);
		if (awsvpc && p.host > 0 && p.host != p.container)
			return error_set(
				err, ERROR_USAGE,
				"--port %s: a task with an address of its own (awsvpc, as on "
				"Fargate) cannot map port %lld to %lld; let the program listen "
				"on the port that clients use, or put a load balancer before it",
				text, (long long)p.host, (long long)p.container);
		put_port(container, &p);
	}
	return 0;
}

static void put_exposed(json_t *container, const struct image_config *config, struct strlist *notes)
{
	for (size_t i = 0; i < config->exposed_ports.n; i++) {
		const char *text = config->exposed_ports.items[i];
		struct port p;

		if (port_parse(&p, text) && p.host < 0)
			put_port(container, &p);
		else
			strlist_addf(
				notes,
				"EXPOSE %s of the image is left out: ECS maps single tcp and udp "
				"ports",
				text);
	}
}

/* Sets the entry of that name in a list of {"name": .., field: ..}, or appends it. */
static void put_named(json_t *list, const char *name, const char *field, const char *value)
{
	size_t i;
	json_t *have, *entry;

	json_array_foreach (list, i, have)
		if (strcmp(aws_text(have, "name"), name) == 0) {
			json_object_set_new(have, field, json_text(value));
			return;
		}
	entry = json_object();
	json_object_set_new(entry, "name", json_text(name));
	json_object_set_new(entry, field, json_text(value));
	json_array_append_new(list, entry);
}

static void put_map(json_t *container, const char *key, const struct strmap *map, const char *field)
{
	json_t *list = map->n ? member(container, key, json_array) : NULL;

	for (size_t i = 0; i < map->n; i++)
		put_named(list, map->entries[i].key, field,
			  map->entries[i].value ? map->entries[i].value : "");
}

static void put_logs(json_t *container, const struct task_options *o, const char *group)
{
	json_t *log = json_object(), *options = json_object();

	json_object_set_new(log, "logDriver", json_string("awslogs"));
	json_object_set_new(options, "awslogs-group", json_text(group));
	if (o->region)
		json_object_set_new(options, "awslogs-region", json_text(o->region));
	json_object_set_new(options, "awslogs-stream-prefix",
			    json_text(o->name ? o->name : aws_text(container, "name")));
	json_object_set_new(log, "options", options);
	json_object_set_new(container, "logConfiguration", log);
}

/* cpu or memory of the task: units as ECS reckons them. */
static int put_size(json_t *task, const char *key, const char *text, struct error *err)
{
	bool is_cpu = strcmp(key, "cpu") == 0;
	int64_t units = is_cpu ? task_json_cpu(text) : task_json_memory(text);
	AUTO_FREE char *number = xstrfmt("%lld", (long long)units);

	if (units <= 0)
		return error_set(err, ERROR_USAGE, "--%s %s: %s is expected", key, text,
				 is_cpu ? "CPU units (256 is a quarter of a CPU) or \".25 vCPU\""
					: "MiB (512) or \"1 GB\"");
	json_object_set_new(task, key, json_string(number));
	return 0;
}

/* On container instances sizes are the container's own: integers, memory without which ECS refuses it. */
static int put_sizes(json_t *task, json_t *container, const struct task_options *o,
		     struct error *err)
{
	static const char *const keys[] = {"cpu", "memory"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = i ? o->memory : o->cpu;

		if (!text)
			continue;
		if (put_size(task, keys[i], text, err) < 0)
			return -1;
		if (o->launch == TASK_EC2) {
			int64_t units = i ? task_json_memory(text) : task_json_cpu(text);

			json_object_set_new(container, keys[i], json_integer(units));
			json_object_del(task, keys[i]);
		}
	}
	return 0;
}

static void put_tags(json_t *task, const struct strmap *tags)
{
	json_t *list = tags->n ? member(task, "tags", json_array) : NULL;

	for (size_t i = 0; i < tags->n; i++) {
		const struct strmap_entry *e = &tags->entries[i];
		json_t *have, *found = NULL;
		size_t k;

		json_array_foreach (list, k, have)
			if (strcmp(aws_text(have, "key"), e->key) == 0)
				found = have;
		if (!found) {
			found = json_object();
			json_object_set_new(found, "key", json_text(e->key));
			json_array_append_new(list, found);
		}
		json_object_set_new(found, "value", json_text(e->value ? e->value : ""));
	}
}

static int apply_to(struct task_definition *td, json_t *container, const struct task_options *o,
		    struct error *err)
{
	json_t *task = td->json;
	bool awsvpc = strcmp(aws_text(task, "networkMode"), "awsvpc") == 0;

	if (put_sizes(task, container, o, err) < 0 || put_ports(container, o, awsvpc, err) < 0)
		return -1;
	if (o->execution_role)
		json_object_set_new(task, "executionRoleArn", json_text(o->execution_role));
	if (o->task_role)
		json_object_set_new(task, "taskRoleArn", json_text(o->task_role));
	if (o->ephemeral_storage)
		json_object_set_new(
			task, "ephemeralStorage",
			json_pack("{s:I}", "sizeInGiB", (json_int_t)o->ephemeral_storage));
	if (o->has_entrypoint)
		json_object_set_new(container, "entryPoint", json_from_strlist(&o->entrypoint));
	if (o->has_command)
		json_object_set_new(container, "command", json_from_strlist(&o->command));
	put_map(container, "environment", &o->env, "value");
	put_map(container, "secrets", &o->secrets, "valueFrom");
	if (o->log_group)
		put_logs(container, o, o->log_group);
	put_tags(task, &o->tags);
	return 0;
}

int task_definition_apply(struct task_definition *td, const char *container,
			  const struct task_options *o, struct error *err)
{
	json_t *found;

	return task_definition_choose(td, container, o->name, &found, err) < 0
		       ? -1
		       : apply_to(td, found, o, err);
}

/* What ECS calls the image's platform. */
static int put_platform(json_t *task, const struct platform *p, struct error *err)
{
	const char *arch = p->arch ? p->arch : "";
	const char *word = strcmp(arch, "amd64") == 0   ? "X86_64"
			   : strcmp(arch, "arm64") == 0 ? "ARM64"
							: NULL;
	AUTO_FREE char *name = platform_format(p);

	if (!*arch)
		return 0;
	if (!word || (p->os && strcmp(p->os, "linux") != 0)) {
		(void)error_set(err, ERROR_UNSUPPORTED,
				"the image is for %s; ECS runs linux/amd64 and linux/arm64", name);
		return error_hint(err, "build it with --platform linux/amd64 or linux/arm64");
	}
	json_object_set_new(
		task, "runtimePlatform",
		json_pack("{s:s, s:s}", "cpuArchitecture", word, "operatingSystemFamily", "LINUX"));
	return 0;
}

static void add_notes(const struct image_config *config, bool fargate, struct strlist *notes)
{
	if (config->stop_signal)
		strlist_addf(
			notes,
			"STOPSIGNAL %s: a task definition has no field for it; it is taken from "
			"the image",
			config->stop_signal);
	for (size_t i = 0; fargate && i < config->volumes.n; i++)
		strlist_addf(notes, "VOLUME %s: what is written there goes with the task",
			     config->volumes.items[i]);
}

/* The container's order of fields is that of AWS's own examples. */
static json_t *new_container(const struct task_options *o, const char *image)
{
	json_t *container = json_object();

	json_object_set_new(container, "name", json_text(o->name));
	json_object_set_new(container, "image", json_text(image));
	json_object_set_new(container, "essential", json_true());
	return container;
}

static json_t *new_task(const struct task_options *o)
{
	json_t *task = json_object();
	bool fargate = o->launch == TASK_FARGATE;

	json_object_set_new(task, "family", json_text(o->name));
	json_object_set_new(task, "requiresCompatibilities",
			    json_pack("[s]", fargate ? "FARGATE" : "EC2"));
	json_object_set_new(task, "networkMode", json_string(fargate ? "awsvpc" : "bridge"));
	return task;
}

int task_definition_make(struct task_definition *out, const struct task_options *o,
			 const struct image_config *config, const char *image,
			 struct strlist *notes, struct error *err)
{
	AUTO(task_definition) td = {.json = new_task(o)};
	AUTO_JSON *container = new_container(o, image);
	AUTO_FREE char *group = xstrfmt("/ecs/%s", o->name);
	struct task_options all = *o; /* a view: nothing of it is released here */
	json_t *health = NULL;

	all.cpu = o->cpu || o->launch == TASK_EC2 ? o->cpu : DEFAULT_CPU;
	all.memory = o->memory ? o->memory : DEFAULT_MEMORY;
	all.log_group = o->log_group ? o->log_group : group;
	if (config && put_platform(td.json, &config->platform, err) < 0)
		return -1;
	if (apply_to(&td, container, &all, err) < 0)
		return -1;
	if (config && !o->ports.n)
		put_exposed(container, config, notes);
	if (config && (health = task_health_check(config, notes)))
		json_object_set_new(container, "healthCheck", health);
	if (config)
		add_notes(config, o->launch == TASK_FARGATE, notes);
	json_object_set_new(td.json, "containerDefinitions", json_pack("[O]", container));
	*out = td;
	td = (struct task_definition){.json = NULL};
	return 0;
}
