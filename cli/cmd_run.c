#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "cli/cmd.h"
#include "cli/env_options.h"
#include "cli/step_options.h"
#include "oci/image_tree.h"
#include "oci/layout.h"
#include "sandbox/emulator.h"
#include "sandbox/rootfs.h"

static const struct command_usage usage = {
	.name = "run",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Run an image's command in a sandbox",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.stop_at_first = true,
};

/* docker's exit code when the tool itself failed */
#define EXIT_OURS 125

struct run_options {
	struct strlist publish, env, env_files, volumes, add_hosts, ulimits;
	const char *shm_size, *entrypoint, *user, *workdir, *network, *hostname, *platform, *pull;
	bool interactive, tty, readonly, rm, has_entrypoint;
};

struct run_plan {
	struct strlist argv, env;
	struct sandbox_port *ports;
	struct sandbox_mount *mounts;
	struct strlist texts; /* owns what mounts and ports point at */
	struct strlist hosts;
	struct sandbox_limit *limits;
	int64_t shm_size;
	size_t n_ports, n_mounts, n_limits;
};

static void run_plan_release(struct run_plan *p)
{
	strlist_release(&p->argv);
	strlist_release(&p->env);
	strlist_release(&p->texts);
	strlist_release(&p->hosts);
	free(p->limits);
	free(p->ports);
	free(p->mounts);
}

static void run_options_release(struct run_options *o)
{
	strlist_release(&o->publish);
	strlist_release(&o->env);
	strlist_release(&o->env_files);
	strlist_release(&o->volumes);
	strlist_release(&o->add_hosts);
	strlist_release(&o->ulimits);
}
CLEANUP_RELEASE(run_plan)
CLEANUP_RELEASE(run_options)

static int parse_port_number(const char *text, uint16_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > 65535)
		return -1;
	*out = (uint16_t)value;
	return 0;
}

/* [[IP:]HOST:]CONTAINER[/tcp] */
static int add_port(struct run_plan *p, const char *text, struct error *err)
{
	AUTO_FREE char *copy = xstrdup(text);
	struct sandbox_port *port = &p->ports[p->n_ports];
	char *protocol = strrchr(copy, '/');
	char *container, *host;

	if (protocol && strcmp(protocol, "/tcp") != 0)
		return error_set(err, ERROR_UNSUPPORTED, "-p %s: only tcp ports can be published",
				 text);
	if (protocol)
		*protocol = '\0';
	container = strrchr(copy, ':');
	if (container)
		*container++ = '\0';
	else
		container = copy;
	*port = (struct sandbox_port){0};
	if (parse_port_number(container, &port->container_port) < 0 || port->container_port == 0)
		return error_set(err, ERROR_USAGE, "-p %s: invalid container port \"%s\"", text,
				 container);
	if (container != copy) {
		host = strrchr(copy, ':');
		if (host)
			*host++ = '\0';
		if (*(host ? host : copy) &&
		    parse_port_number(host ? host : copy, &port->host_port) < 0)
			return error_set(err, ERROR_USAGE, "-p %s: invalid host port \"%s\"", text,
					 host ? host : copy);
		if (host && *copy != '[' && strchr(copy, ':'))
			return error_set(err, ERROR_USAGE, "-p %s: want [IP:][HOST:]PORT", text);
		if (host) {
			strlist_add(&p->texts, copy);
			port->host_ip = p->texts.items[p->texts.n - 1];
		}
	}
	p->n_ports++;
	return 0;
}

/* HOST:CONTAINER[:ro|rw] */
static int add_volume(struct run_plan *p, const char *text, struct error *err)
{
	AUTO(strlist) parts = STRLIST_INIT;
	struct sandbox_mount *mount = &p->mounts[p->n_mounts];
	bool readonly = false;

	strlist_split(&parts, text, ':');
	if (parts.n == 3 && strcmp(parts.items[2], "ro") == 0)
		readonly = true;
	else if (parts.n == 3 && strcmp(parts.items[2], "rw") != 0)
		return error_set(err, ERROR_USAGE, "-v %s: unknown option \"%s\": ro or rw", text,
				 parts.items[2]);
	if (parts.n < 2 || parts.n > 3)
		return error_set(err, ERROR_USAGE, "-v %s: want HOST_PATH:PATH[:ro]", text);
	if (parts.items[0][0] != '/' && parts.items[0][0] != '.')
		return error_set(err, ERROR_UNSUPPORTED,
				 "-v %s: named volumes do not exist here; give a path (./%s)", text,
				 parts.items[0]);
	if (!path_is_absolute(parts.items[1]))
		return error_set(err, ERROR_USAGE, "-v %s: \"%s\" is not an absolute path", text,
				 parts.items[1]);
	AUTO_FREE char *source = realpath(parts.items[0], NULL);

	if (!source)
		return error_errno(err, "-v %s: open %s", text, parts.items[0]);
	strlist_add(&p->texts, source);
	strlist_add(&p->texts, parts.items[1]);
	*mount = (struct sandbox_mount){
		.kind = SANDBOX_MOUNT_HOST,
		.source_dir = p->texts.items[p->texts.n - 2],
		.target = p->texts.items[p->texts.n - 1],
		.readonly = readonly,
	};
	p->n_mounts++;
	return 0;
}

/* Image environment, then -e in order; "-e NAME" takes the value from here. */
static void make_env(struct app *a, struct run_plan *p, const struct image_config *config,
		     const struct run_options *o)
{
	AUTO(strmap) env = STRMAP_INIT;

	strmap_from_env(&env, &config->env);
	if (!strmap_has(&env, "PATH"))
		strmap_set(&env, "PATH",
			   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (o->tty && !strmap_has(&env, "TERM"))
		strmap_set(&env, "TERM", "xterm");
	env_options_set(&env, &o->env, &a->env);
	strmap_to_env(&env, &p->env);
}

static int make_argv(struct run_plan *p, const struct image_config *config,
		     const struct run_options *o, const struct strlist *args, struct error *err)
{
	if (o->entrypoint) {
		if (*o->entrypoint)
			strlist_add(&p->argv, o->entrypoint);
	} else {
		strlist_copy(&p->argv, &config->entrypoint);
	}
	if (args->n > 1)
		for (size_t i = 1; i < args->n; i++)
			strlist_add(&p->argv, args->items[i]);
	else if (!o->entrypoint)
		strlist_copy(&p->argv, &config->cmd);
	if (!p->argv.n)
		return error_set(
			err, ERROR_USAGE,
			"no command: the image has no ENTRYPOINT or CMD; give one after its name");
	return 0;
}

static int choose_network(const struct run_options *o, enum sandbox_network *out, struct error *err)
{
	const char *name = o->network;

	if (o->publish.n && name && strcmp(name, "bridge") != 0 && strcmp(name, "default") != 0)
		return error_set(err, ERROR_USAGE, "-p and --network %s exclude each other", name);
	if (o->publish.n)
		*out = SANDBOX_NETWORK_PORTS;
	else if (!name || strcmp(name, "host") == 0 || strcmp(name, "default") == 0)
		*out = SANDBOX_NETWORK_HOST;
	else if (strcmp(name, "none") == 0)
		*out = SANDBOX_NETWORK_NONE;
	else
		return error_set(err, ERROR_UNSUPPORTED,
				 "--network %s: only host and none exist here", name);
	return 0;
}

static void on_started(void *arg, pid_t pid)
{
	struct app *a = arg;

	report_log(a->reporter, LOG_DEBUG, "started, process %d", (int)pid);
}

/* An emulator that has to be in the image. */
static bool has_interpreter(struct app *a, const struct image *image, const char *path)
{
	AUTO_PTR(tree) tree = NULL;

	return image_tree(&tree, a->store, image, NULL) == 0 && tree_lookup(tree, path, true);
}

/* As docker, a warning: what a configuration says of its programs may be wrong. */
static void warn_platform(struct app *a, const struct image *image)
{
	const struct platform *p = &image->config.platform;
	AUTO_FREE char *problem = NULL, *remedy = NULL, *wanted = platform_format(p);
	AUTO_FREE char *here = NULL;
	AUTO(platform) host = {0};
	AUTO(emulator) e;
	bool in_image;

	platform_host(&host);
	here = platform_format(&host);
	emulator_find(&e, p, EMULATOR_BINFMT);
	in_image = e.state == EMULATOR_IN_IMAGE && has_interpreter(a, image, e.interpreter);
	problem = emulator_problem(&e, p, in_image, &remedy);
	if (problem)
		report_log(a->reporter, LOG_WARNING,
			   "the image is for %s: this machine is %s, and %s%s%s", wanted, here,
			   problem, remedy ? "; " : "", remedy ? remedy : "");
}

static int run_image(struct app *a, const struct image *image, const struct run_options *o,
		     struct run_plan *p, int *status, struct error *err)
{
	AUTO_FREE struct rootfs_layer *layers = xcalloc(image->manifest.n_layers + 1,
							sizeof(*layers));
	AUTO_PTR(rootfs) fs = NULL;
	struct run_result result = {0};
	struct run_spec spec = {
		.argv = p->argv.items,
		.env = p->env.items,
		.cwd = o->workdir ? o->workdir : image->config.working_dir,
		.user = o->user              ? o->user
			: image->config.user ? image->config.user
					     : "",
		.hostname = o->hostname ? o->hostname : "slipway",
		.add_hosts = &p->hosts,
		.limits = p->limits,
		.n_limits = p->n_limits,
		.shm_size = p->shm_size,
		.ports = p->ports,
		.n_ports = p->n_ports,
		.mounts = p->mounts,
		.n_mounts = p->n_mounts,
		.readonly_root = o->readonly,
		.tty = o->tty,
		.stdin_fd = o->interactive ? STDIN_FILENO : -1,
		.pass_fds = true,
		.pass_signals = true,
		.started = on_started,
		.arg = a,
	};

	if (choose_network(o, &spec.network, err) < 0 || app_sandbox(a, err) < 0)
		return -1;
	warn_platform(a, image);
	if (spec.network == SANDBOX_NETWORK_PORTS)
		report_log(
			a->reporter, LOG_INFO,
			"Published ports: the container has a network of its own and cannot reach out; "
			"for that use --network host without -p");
	for (size_t i = 0; i < image->manifest.n_layers; i++)
		layers[i] = (struct rootfs_layer){&image->manifest.layers[i],
						  &image->config.diff_ids[i]};
	if (rootfs_open(&fs, a->sandbox, layers, image->manifest.n_layers, err) < 0)
		return -1;
	terminal_finish(a->terminal);
	if (rootfs_run(fs, &spec, &result, err) < 0)
		return -1;
	if (result.oom)
		report_log(a->reporter, LOG_WARNING, "the container failed: %s",
			   oom_text(result.oom));
	*status = result.status;
	return 0;
}

/* A container with a network of its own has no way to this machine. */
static int check_hosts(const struct run_options *o, struct error *err)
{
	const bool own = o->publish.n || (o->network && strcmp(o->network, "none") == 0);

	for (size_t i = 0; own && i < o->add_hosts.n; i++)
		if (str_ends(o->add_hosts.items[i], "host-gateway"))
			return error_set(
				err, ERROR_UNSUPPORTED,
				"--add-host %s: only with --network host: the container has "
				"a network of its own that leads nowhere",
				o->add_hosts.items[i]);
	return 0;
}

static int add_surroundings(const struct run_options *o, struct run_plan *p, struct error *err)
{
	if (check_hosts(o, err) < 0)
		return -1;
	for (size_t i = 0; i < o->add_hosts.n; i++)
		if (add_host_parse(&p->hosts, o->add_hosts.items[i], err) < 0)
			return -1;
	if (limits_parse(&p->limits, &p->n_limits, &o->ulimits, err) < 0)
		return -1;
	return o->shm_size ? shm_size_parse(&p->shm_size, o->shm_size, err) : 0;
}

static int prepare(struct app *a, struct run_options *o, const struct strlist *args,
		   struct run_plan *p, struct image **image, struct error *err)
{
	AUTO(platform) platform = {0};

	if (o->platform && platform_parse(&platform, o->platform, err) < 0)
		return -1;
	if (env_options_read(&o->env, &o->env_files, err) < 0)
		return -1;
	p->ports = xcalloc(o->publish.n + 1, sizeof(*p->ports));
	p->mounts = xcalloc(o->volumes.n + 1, sizeof(*p->mounts));
	for (size_t i = 0; i < o->publish.n; i++)
		if (add_port(p, o->publish.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < o->volumes.n; i++)
		if (add_volume(p, o->volumes.items[i], err) < 0)
			return -1;
	if (add_surroundings(o, p, err) < 0)
		return -1;
	if (app_need_image(a, args->items[0], o->platform ? &platform : NULL, NULL, image, err) < 0)
		return -1;
	make_env(a, p, &(*image)->config, o);
	return make_argv(p, &(*image)->config, o, args, err);
}

int cmd_run(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(run_options) o = {0};
	AUTO(run_plan) plan = {0};
	AUTO_PTR(image) image = NULL;
	int status = 0;
	struct option options[] = {
		{0, "add-host", OPTION_LIST, "HOST:IP",
		 "Add a line to /etc/hosts; IP host-gateway is this machine", &o.add_hosts},
		{'e', "env", OPTION_LIST, "NAME[=VALUE]", "Set an environment variable", &o.env},
		{0, "env-file", OPTION_LIST, "FILE", "Read NAME=VALUE lines from a file",
		 &o.env_files},
		{0, "entrypoint", OPTION_STRING, "COMMAND", "Replace the image's ENTRYPOINT",
		 &o.entrypoint},
		{'h', "hostname", OPTION_STRING, "NAME", "Host name of the container", &o.hostname},
		{'i', "interactive", OPTION_FLAG, NULL, "Pass standard input to the command",
		 &o.interactive},
		OPTION_ROW_INSECURE(a),
		OPTION_ROW_MIRROR(a),
		{0, "network", OPTION_STRING, "KIND", "host (default without -p) or none",
		 &o.network},
		{'p', "publish", OPTION_LIST, "[IP:][HOST:]PORT",
		 "Publish a port of the container, on 127.0.0.1 unless IP is given", &o.publish},
		{0, "platform", OPTION_STRING, "OS/ARCH", "Choose this platform", &o.platform},
		{0, "read-only", OPTION_FLAG, NULL, "Mount the root read-only", &o.readonly},
		{0, "rm", OPTION_FLAG, NULL, "Accepted: nothing is ever left of a container",
		 &o.rm},
		{0, "shm-size", OPTION_STRING, "BYTES", "Size of /dev/shm (64m)", &o.shm_size},
		{'t', "tty", OPTION_FLAG, NULL, "Give the command a terminal", &o.tty},
		{0, "ulimit", OPTION_LIST, "NAME=SOFT[:HARD]",
		 "A resource limit, as in nofile=1024:4096", &o.ulimits},
		{'u', "user", OPTION_STRING, "USER[:GROUP]", "Run as this user", &o.user},
		{'v', "volume", OPTION_LIST, "HOST:PATH[:ro]", "Mount a host path", &o.volumes},
		{'w', "workdir", OPTION_STRING, "PATH", "Working folder", &o.workdir},
		{'d', "detach", OPTION_REFUSED, NULL,
		 "there is no daemon that could keep it; start it in the background with & or a "
		 "service manager",
		 NULL},
		{0, "name", OPTION_REFUSED, NULL,
		 "containers have no names, nothing is left of one", NULL},
		{0, "mount", OPTION_REFUSED, NULL, "use -v HOST:PATH[:ro]", NULL},
		{0, "privileged", OPTION_REFUSED, NULL, "the sandbox has no more rights to give",
		 NULL},
		{0, "restart", OPTION_REFUSED, NULL,
		 "there is no daemon that could do it; use a service manager", NULL},
		{'m', "memory", OPTION_REFUSED, NULL,
		 "slipway sets no limits; use systemd-run or ulimit", NULL},
		{0, "cpus", OPTION_REFUSED, NULL,
		 "slipway sets no limits; use systemd-run or taskset", NULL},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed > 0)
		return 0;
	if (parsed == 0 && prepare(a, &o, &args, &plan, &image, err) == 0 &&
	    run_image(a, image, &o, &plan, &status, err) == 0)
		return status;
	if (err->kind == ERROR_CANCELLED)
		return -1;
	/* Wrong usage too, as docker has it: 2 could be the command's own. */
	app_print_error(a, err);
	return err->kind == ERROR_STEP && err->status ? err->status : EXIT_OURS;
}
