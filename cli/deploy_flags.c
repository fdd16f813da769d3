#include "cli/deploy_flags.h"

#include <string.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "cli/deploy_config.h"
#include "cli/local_target.h"
#include "cli/verb.h"
#include "deploy/cluster.h"
#include "deploy/ecr_repository.h"
#include "deploy/log_group.h"
#include "oci/reference.h"

#define DEFAULT_TIMEOUT   "15m"
#define DEFAULT_RETENTION 30
#define DEFAULT_FAILURES  2

static const struct command_usage usage = {
	.name = "deploy",
	.args = "[OPTIONS] CONTEXT|IMAGE",
	.summary = "Build an image, push it, and run it on ECS as a task or a service",
	.min_args = 1,
	.max_args = 1,
};

void deploy_flags_release(struct deploy_flags *f)
{
	struct strlist *const lists[] = {&f->task_policies, &f->subnets, &f->security_groups,
					 &f->config};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_release(lists[i]);
	build_flags_release(&f->build);
	task_flags_release(&f->task_flags);
}

#define MAX_MORE_ROWS 24

/* The flags of build that a deploy has too. */
static size_t build_rows(struct build_flags *b, struct app *a, struct option out[MAX_MORE_ROWS])
{
	const struct option rows[] = {
		{0, "build-arg", OPTION_LIST, "NAME[=VALUE]", "Set an ARG", &b->args},
		{0, "build-context", OPTION_LIST, "NAME=SOURCE", "A further context, as of build",
		 &b->contexts},
		{0, "build-secret", OPTION_LIST, "id=ID[,src=FILE|,env=NAME]",
		 "A secret for RUN --mount=type=secret, as build's --secret", &b->secrets},
		{0, "cache-from", OPTION_LIST, "SPEC", "Use a cache, as of build", &b->cache_from},
		{0, "cache-to", OPTION_LIST, "SPEC", "Write a cache, as of build", &b->cache_to},
		{'f', "file", OPTION_STRING, "PATH", "The Dockerfile (default CONTEXT/Dockerfile)",
		 &b->file},
		OPTION_ROW_INSECURE(a),
		{0, "label", OPTION_LIST, "NAME=VALUE", "Set a label of the image", &b->labels},
		OPTION_ROW_MIRROR(a),
		{0, "no-cache", OPTION_FLAG, NULL, "Do not use the build cache", &b->no_cache},
		{0, "platform", OPTION_LIST, "OS/ARCH", "Build for this platform", &b->platforms},
		OPTION_ROW_PROGRESS(b->progress),
		{0, "pull", OPTION_FLAG, NULL, "Ask the registry for newer base images", &b->pull},
		{0, "ssh", OPTION_LIST, "default|ID[=SOCKET|KEY]", "An SSH agent, as of build",
		 &b->steps.ssh},
		{0, "target", OPTION_STRING, "STAGE", "Stop at this stage", &b->target},
	};

	_Static_assert(ARRAY_SIZE(rows) <= MAX_MORE_ROWS, "room for all rows");
	memcpy(out, rows, sizeof(rows));
	return ARRAY_SIZE(rows);
}

/* What a service has and a task has not. */
static size_t service_rows(struct deploy_flags *f, struct option out[MAX_MORE_ROWS])
{
	const struct option rows[] = {
		{0, "certificate", OPTION_STRING, "ARN", "With --lb: listen on 443 with it",
		 &f->certificate},
		{0, "cpu-target", OPTION_INT, "PERCENT", "With --scale: the CPU use to hold (60)",
		 &f->cpu_target},
		{0, "desired-count", OPTION_INT, "N", "Tasks of the service", &f->desired_count},
		{0, "express", OPTION_FLAG, NULL,
		 "As an ECS Express service: load balancer, TLS and scaling by AWS", &f->express},
		{0, "force-new-deployment", OPTION_FLAG, NULL,
		 "Replace the service's tasks although nothing differs", &f->force},
		{0, "health-path", OPTION_STRING, "PATH",
		 "What --lb and --express ask for to see that it is healthy (default /)",
		 &f->health_path},
		{0, "lb", OPTION_FLAG, NULL, "Put the service behind an application load balancer",
		 &f->lb},
		{0, "max-failures", OPTION_INT, "N",
		 "Take a deployment back after N tasks died alike (default 2; 0: leave it to ECS)",
		 &f->max_failures},
		{0, "scale", OPTION_STRING, "MIN..MAX", "Scale the service by its CPU use",
		 &f->scale},
		{0, "service", OPTION_STRING, "NAME", "Create or update this service", &f->service},
	};

	_Static_assert(ARRAY_SIZE(rows) <= MAX_MORE_ROWS, "room for all rows");
	memcpy(out, rows, sizeof(rows));
	return ARRAY_SIZE(rows);
}

static int parse(struct deploy_flags *f, struct app *a, int argc, char **argv, struct strlist *args,
		 struct error *err)
{
	const struct option options[] = {
		OPTION_ROWS_TASK(f->task_flags),
		{0, "assign-public-ip", OPTION_STRING, "auto|enabled|disabled",
		 "Give tasks a public address (default: what the subnets' routes need)",
		 &f->public_ip_text},
		{0, "cluster", OPTION_STRING, "NAME",
		 "Cluster (default \"default\"); made when missing", &f->cluster},
		{0, "container-insights", OPTION_FLAG, NULL,
		 "Turn on CloudWatch Container Insights in a cluster that is made", &f->insights},
		{0, "create-default-vpc", OPTION_FLAG, NULL,
		 "Make the region's default VPC when it has none", &f->create_default_vpc},
		{0, "detach", OPTION_FLAG, NULL, "Do not wait for it to run", &f->detach},
		{0, "dry-run", OPTION_FLAG, NULL,
		 "Build and show the plan; push and change nothing", &f->dry_run},
		{0, "enable-execute-command", OPTION_FLAG, NULL, "Allow ECS Exec", &f->enable_exec},
		{0, "json", OPTION_FLAG, NULL, "Print the result as a JSON object", &f->json},
		{0, "log-retention", OPTION_INT, "DAYS",
		 "Of a log group that is made (default 30; 0: for ever)", &f->log_retention},
		{0, "no-create", OPTION_FLAG, NULL, "Make nothing that is missing at AWS",
		 &f->no_create},
		OPTION_ROWS_AWS(a),
		{0, "repository", OPTION_STRING, "NAME",
		 "ECR repository (default: the name); made when missing", &f->repository},
		{0, "output-env", OPTION_STRING, "FILE",
		 "Write SLIPWAY_IMAGE, _DIGEST, _URL ... here, for a CI's next job",
		 &f->output_env},
		{0, "role", OPTION_STRING, "ARN",
		 "Take this role first, in CI with the job's identity token", &a->aws_flags.role},
		{0, "security-groups", OPTION_LIST, "ID[,ID]",
		 "Security groups (default: one is made that opens the ports)",
		 &f->security_groups},
		{0, "subnets", OPTION_LIST, "ID[,ID]", "Subnets (default: the default VPC's)",
		 &f->subnets},
		{'t', "tag", OPTION_STRING, "TAG",
		 "Tag in the repository (default: sha- and the digest's beginning)", &f->tag},
		{0, "task", OPTION_FLAG, NULL,
		 "Run one task (the default unless a service of the name exists)", &f->task},
		{0, "task-policy", OPTION_LIST, "ARN|FILE",
		 "Policy for the app's own calls to AWS: a task role is made with it",
		 &f->task_policies},
		{0, "timeout", OPTION_STRING, "DURATION",
		 "How long to wait (default " DEFAULT_TIMEOUT ")", &f->timeout},
		{0, "wait", OPTION_FLAG, NULL,
		 "Of a task: wait for its end, show its log, and exit with its code", &f->wait},
	};

	struct option all[ARRAY_SIZE(options) + 2 * MAX_MORE_ROWS];
	size_t n = ARRAY_SIZE(options);

	memcpy(all, options, sizeof(options));
	n += service_rows(f, all + n);
	n += build_rows(&f->build, a, all + n);
	f->build.timestamp = -1;
	f->desired_count = f->log_retention = f->max_failures = -1;
	return options_parse(&usage, all, n, argc, argv, args, err);
}

static int split_ids(struct strlist *list, const char *flag, const char *prefix, struct error *err)
{
	AUTO(strlist) all = STRLIST_INIT;

	for (size_t i = 0; i < list->n; i++)
		strlist_split(&all, list->items[i], ',');
	for (size_t i = 0; i < all.n; i++)
		if (!str_starts(all.items[i], prefix))
			return error_set(err, ERROR_USAGE, "--%s: \"%s\" is no ID such as %s0a1b2c",
					 flag, all.items[i], prefix);
	strlist_release(list);
	*list = all;
	all = (struct strlist)STRLIST_INIT;
	return 0;
}

/* Flags that contradict each other. */
static int check_together(const struct deploy_flags *f, struct error *err)
{
	const struct {
		bool both;
		const char *text;
	} rows[] = {
		{f->task && f->service, "--task and --service exclude each other"},
		{f->task && f->scale, "--scale is of a service, not of --task"},
		{f->task && f->lb, "--lb is of a service, not of --task"},
		{f->task && f->express, "--express is a service, not a --task"},
		{f->task && f->desired_count >= 0,
		 "--desired-count is of a service, not of --task"},
		{f->lb && f->express, "--lb and --express exclude each other"},
		{f->wait && f->detach, "--wait and --detach exclude each other"},
		{f->express && f->on_instances, "--express runs on Fargate alone"},
		{f->express && f->task_flags.file,
		 "--express makes its own task definition: --task-definition does not go with it"},
		{f->certificate && !f->lb, "--certificate needs --lb"},
		{f->cpu_target && !f->scale && !f->express, "--cpu-target needs --scale"},
		{f->cpu_target < 0 || f->cpu_target > 100,
		 "--cpu-target is a percentage, 1 to 100"},
		{f->desired_count < -1, "--desired-count cannot be negative"},
		{f->max_failures < -1, "--max-failures cannot be negative"},
		{f->build.platforms.n > 1, "deploy builds for one platform: give one --platform"},
		{f->build.platforms.n == 1 && strchr(f->build.platforms.items[0], ','),
		 "deploy builds for one platform: give one --platform"},
		{f->health_path && f->health_path[0] != '/', "--health-path begins with /"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].both)
			return error_set(err, ERROR_USAGE, "%s", rows[i].text);
	return 0;
}

/* What a build calls --secret is --build-secret here. */
static int check_secrets(const struct deploy_flags *f, struct error *err)
{
	for (size_t i = 0; i < f->task_flags.secrets.n; i++) {
		const char *text = f->task_flags.secrets.items[i];

		if (str_starts(text, "id="))
			return error_set(err, ERROR_USAGE,
					 "--secret %s: a secret of the build is --build-secret %s",
					 text, text);
	}
	return 0;
}

/* Before anything is built: AWS and the registry would refuse them when half is made. */
static int check_names(const struct deploy_flags *f, struct error *err)
{
	const char *why = f->tag ? image_ref_check_tag(f->tag) : NULL;

	if (f->service && deploy_target_check_app(f->service, err) < 0)
		return error_wrap(err, "--service");
	if (!str_starts(f->cluster, "arn:") && strchr(f->cluster, '/'))
		return error_set(err, ERROR_USAGE, "invalid --cluster \"%s\": a name or an ARN",
				 f->cluster);
	if (cluster_check_name(f->cluster, err) < 0)
		return -1;
	if (f->repository && ecr_repository_check_name(f->repository, err) < 0)
		return error_wrap(err, "--repository");
	if (why)
		return error_set(err, ERROR_USAGE, "invalid --tag \"%s\": %s", f->tag, why);
	return 0;
}

static int read_numbers(struct deploy_flags *f, struct error *err)
{
	if (verb_parse_timeout(f->timeout ? f->timeout : DEFAULT_TIMEOUT, &f->timeout_ns, err) < 0)
		return -1;
	if (f->log_retention < 0)
		f->log_retention = DEFAULT_RETENTION;
	if (log_group_check_days(f->log_retention, err) < 0)
		return error_wrap(err, "--log-retention");
	if (f->max_failures < 0)
		f->max_failures = DEFAULT_FAILURES;
	if (f->scale && scaling_parse(f->scale, &f->scaling, err) < 0)
		return error_wrap(err, "--scale");
	f->scaling.cpu_percent = f->cpu_target ? f->cpu_target : SCALING_CPU_DEFAULT;
	if (scaling_check_cpu(f->scaling.cpu_percent, err) < 0)
		return error_wrap(err, "--cpu-target");
	return 0;
}

/* What slipway.json says stands in front of the command line: the last one wins. */
static int add_config(struct deploy_flags *f, struct app *a, int argc, char **argv,
		      struct strlist *args, struct error *err)
{
	AUTO(strlist) words = STRLIST_INIT;
	AUTO_FREE char **all = NULL;
	bool found;
	int n = 0, parsed;

	if (deploy_config_read(&words, args->items[0], &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	deploy_flags_release(f);
	*f = (struct deploy_flags){.config = words};
	words = (struct strlist)STRLIST_INIT;
	strlist_release(args);
	*args = (struct strlist)STRLIST_INIT;
	all = xcalloc(f->config.n + (size_t)argc + 1, sizeof(*all));
	all[n++] = argv[0];
	for (size_t i = 0; i < f->config.n; i++)
		all[n++] = f->config.items[i];
	for (int i = 1; i < argc; i++)
		all[n++] = argv[i];
	parsed = parse(f, a, n, all, args, err);
	return parsed < 0 ? error_wrap(err, "with the flags of %s", DEPLOY_CONFIG) : parsed;
}

/* What the local target has no need of. */
static int check_local(const struct deploy_flags *f, const struct app *a, struct error *err)
{
	const char *flag = f->lb ? "--lb" : f->express ? "--express" : NULL;

	if (!a->aws_flags.local || !flag)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "%s: the local target has none", flag);
	return error_hint(err,
			  "a service has one stable address there, which balances, without it");
}

int deploy_flags_parse(struct deploy_flags *f, struct app *a, int argc, char **argv,
		       struct strlist *args, struct error *err)
{
	int parsed = parse(f, a, argc, argv, args, err);

	if (parsed == 0)
		parsed = add_config(f, a, argc, argv, args, err);
	if (parsed != 0)
		return parsed;
	if (!f->cluster)
		f->cluster = "default";
	if (check_local(f, a, err) < 0 || local_target_use(a, true, err) < 0 ||
	    check_secrets(f, err) < 0 || task_flags_read(&f->task_flags, a, err) < 0)
		return -1;
	f->on_instances = f->task_flags.options.launch == TASK_EC2;
	if ((f->public_ip_text && public_ip_parse(f->public_ip_text, &f->public_ip, err) < 0) ||
	    check_together(f, err) < 0 || check_names(f, err) < 0 || read_numbers(f, err) < 0 ||
	    split_ids(&f->subnets, "subnets", "subnet-", err) < 0)
		return -1;
	return split_ids(&f->security_groups, "security-groups", "sg-", err);
}
