/* slipway local: the local target, started, stopped, looked at and used by others. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/aws.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/json_print.h"
#include "cli/local_target.h"
#include "cli/subcommand.h"
#include "local/local.h"
#include "oci/repository.h"

/* A task has at most 120 s to end (ECS's stopTimeout). */
#define STOP_MS 150000
#define KILL_MS 5000

static int pull(void *arg, const char *name, const struct platform *platform,
		const struct cancel *cancel, struct image **out, struct error *err)
{
	return app_need_image(arg, name, platform, cancel, out, err);
}

/* The signal that ends the target is not one for its tasks, which are stopped in order. */
static int open_sandbox(struct app *a, struct error *err)
{
	const struct sandbox_options o = {
		.reporter = a->reporter,
		.mode = a->env.sandbox_mode,
		.storage = a->env.sandbox_storage,
		.helper_env = a->env.envp,
	};

	return a->sandbox ? 0 : sandbox_open(&a->sandbox, a->store, &o, err);
}

/* In the foreground: until a signal. The first line on standard output tells where it answers. */
static int serve(struct app *a, const struct local_start *s, struct error *err)
{
	AUTO_FREE char *folder = local_target_folder(a);
	struct local_options o = {
		.folder = folder,
		.images = {.pull = pull, .arg = a},
		.port = s->port_given ? s->port : LOCAL_DEFAULT_PORT,
		.region = s->region,
		.no_auth = s->no_auth,
		.settle_ms = a->env.settle_ms,
		.reporter = a->reporter,
	};
	struct local *l;
	int r;

	if (app_store(a, err) < 0 || open_sandbox(a, err) < 0)
		return -1;
	/* No lease for as long as it runs: prune may work meanwhile, and what runs has its own. */
	lease_free(a->lease);
	a->lease = NULL;
	o.store = a->store;
	o.images.store = a->store;
	o.sandbox = a->sandbox;
	if (local_open(&l, &o, err) < 0)
		return -1;
	r = local_endpoint_write(folder, l->port, l->region, l->access_key, l->secret_key, err);
	if (r == 0) {
		printf("listening on http://127.0.0.1:%d\n", l->port);
		fflush(stdout);
		local_serve(l, a->cancel);
		local_endpoint_remove(folder);
	}
	local_close(l);
	return r;
}

static void print_where(const struct app *a, const struct local_endpoint *e)
{
	printf("%-12s %s\n", "endpoint", e->url);
	printf("%-12s %s\n", "registry", e->registry);
	printf("%-12s %s\n", "status page", e->page);
	printf("%-12s %s\n", "account", LOCAL_ACCOUNT);
	printf("%-12s %s\n", "region", e->region);
	printf("%-12s %d\n", "process", (int)e->pid);
	printf("%-12s %s/local\n", "state", a->env.root);
}

static int start_main(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "local start",
		.args = "[OPTIONS]",
		.summary = "Start ECR, ECS and what belongs to them on this machine",
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(local_endpoint) e = {0};
	struct local_start s = {0};
	bool foreground = false;
	int64_t port = -1;
	struct option options[] = {
		{0, "foreground", OPTION_FLAG, NULL, "Stay here until Ctrl-C", &foreground},
		{0, "port", OPTION_INT, "N", "Port on 127.0.0.1 (default 4599; 0: any free one)",
		 &port},
		{0, "region", OPTION_STRING, "REGION", "Region of a new state (default us-east-1)",
		 &s.region},
		{0, "no-auth", OPTION_FLAG, NULL, "Take calls with any key and signature",
		 &s.no_auth},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (port < -1 || port > 65535)
		return error_set(err, ERROR_USAGE, "invalid --port: 0 to 65535");
	if (s.region && !aws_region_is_valid(s.region))
		return error_set(err, ERROR_USAGE, "invalid --region \"%s\"", s.region);
	s.port_given = port >= 0;
	s.port = port >= 0 ? (int)port : 0;
	if (foreground)
		return serve(a, &s, err);
	if (local_target_start(a, &s, &e, err) < 0)
		return -1;
	if (s.port_given && s.port && s.port != e.port)
		return error_set(err, ERROR_DENIED,
				 "a local target runs already, on port %d: stop it first", e.port);
	if (s.region && strcmp(s.region, e.region) != 0)
		return error_set(err, ERROR_DENIED,
				 "the local target of this state folder is in %s: 'slipway local "
				 "reset' makes room for another",
				 e.region);
	print_where(a, &e);
	return 0;
}

/* True: there is none any more. */
static int stop_running(struct app *a, bool *was_running, struct error *err)
{
	AUTO_FREE char *folder = local_target_folder(a);
	AUTO(local_endpoint) e = {0};
	bool gone;

	if (local_endpoint_find(&e, folder, was_running, err) < 0)
		return -1;
	if (!*was_running)
		return 0;
	if (local_endpoint_signal(&e, folder, SIGTERM, a->cancel, STOP_MS, &gone, err) < 0)
		return -1;
	if (!gone) {
		report_log(a->reporter, LOG_WARNING,
			   "the local target did not end within %d s: it is killed",
			   STOP_MS / 1000);
		if (local_endpoint_signal(&e, folder, SIGKILL, a->cancel, KILL_MS, &gone, err) < 0)
			return -1;
	}
	if (!gone)
		return error_set(err, ERROR_SYSTEM, "process %d does not end", (int)e.pid);
	return 0;
}

static int stop_main(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "local stop",
		.args = "",
		.summary = "Stop the local target and its tasks; its state stays",
	};
	AUTO(strlist) args = STRLIST_INIT;
	bool was_running;
	int parsed = options_parse(&usage, NULL, 0, argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (stop_running(a, &was_running, err) < 0)
		return -1;
	puts(was_running ? "stopped" : "no local target was running");
	return 0;
}

static int status_main(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "local status",
		.args = "[OPTIONS]",
		.summary = "Tell whether the local target runs, and where",
	};
	AUTO_FREE char *folder = local_target_folder(a);
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(local_endpoint) e = {0};
	bool running, json = false;
	struct option options[] = {
		{0, "json", OPTION_FLAG, NULL, "Print JSON", &json},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (local_endpoint_find(&e, folder, &running, err) < 0)
		return -1;
	if (json) {
		AUTO_JSON *out = running ? json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:i, s:s}",
						     "running", 1, "endpoint", e.url, "registry",
						     e.registry, "statusPage", e.page, "account",
						     LOCAL_ACCOUNT, "region", e.region, "pid",
						     (int)e.pid, "state", folder)
					 : json_pack("{s:b, s:s}", "running", 0, "state", folder);

		json_print(out);
	} else if (running) {
		print_where(a, &e);
	} else {
		puts("no local target is running ('slipway local start')");
	}
	return running ? 0 : 1;
}

static int env_main(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "local env",
		.args = "[OPTIONS]",
		.summary = "Print what makes AWS's own tools talk to the local target",
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(local_endpoint) e = {0};
	bool json = false;
	struct option options[] = {
		{0, "json", OPTION_FLAG, NULL, "Print JSON instead of lines for a shell", &json},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (local_target_need(a, &e, err) < 0)
		return -1;
	const struct {
		const char *name, *value;
	} variables[] = {
		{"AWS_ENDPOINT_URL", e.url},
		{"AWS_ACCESS_KEY_ID", e.access_key},
		{"AWS_SECRET_ACCESS_KEY", e.secret_key},
		{"AWS_REGION", e.region},
		{"AWS_DEFAULT_REGION", e.region},
	};
	AUTO_JSON *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		json_object_set_new(out, variables[i].name, json_text(variables[i].value));
		if (!json)
			printf("export %s=%s\n", variables[i].name, variables[i].value);
	}
	if (json)
		json_print(out);
	else
		puts("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE");
	return 0;
}

static bool confirmed(const char *folder)
{
	char answer[16];

	printf("Stop every local task and remove all clusters, services, repositories and logs in "
	       "%s? [y/N] ",
	       folder);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int reset(struct app *a, const char *folder, struct error *err)
{
	bool was_running;

	if (stop_running(a, &was_running, err) < 0 || app_store(a, err) < 0 ||
	    local_reset(folder, a->store, err) < 0)
		return -1;
	puts("removed; the images that were pushed here go with 'slipway prune'");
	return 0;
}

static int reset_main(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "local reset",
		.args = "[OPTIONS]",
		.summary = "Stop the local target and forget all it knows",
	};
	AUTO_FREE char *folder = local_target_folder(a);
	AUTO(strlist) args = STRLIST_INIT;
	bool force = false;
	struct option options[] = {
		{'f', "force", OPTION_FLAG, NULL, "Do not ask", &force},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (!force && !isatty(STDIN_FILENO)) {
		error_set(err, ERROR_USAGE, "reset asks on a terminal, and this is none");
		return error_hint(err, "--force answers it");
	}
	if (!force && !confirmed(folder))
		return error_set(err, ERROR_CANCELLED, "nothing was removed");
	return reset(a, folder, err);
}

int cmd_local(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand list[] = {
		{"start", "Start it", start_main},
		{"stop", "Stop it; its state stays", stop_main},
		{"status", "Tell whether it runs, and where", status_main},
		{"env", "Print what makes AWS's own tools talk to it", env_main},
		{"reset", "Stop it and forget all it knows", reset_main},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "local", "ECR and ECS on this machine", list, argc, argv, err);
}
