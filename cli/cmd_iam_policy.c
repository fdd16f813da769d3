/* slipway iam-policy: what an administrator has to allow. It needs no account and asks nobody. */
#include <stdio.h>
#include <string.h>

#include "aws/iam_policy.h"
#include "base/alloc.h"
#include "cli/json_print.h"
#include "cli/subcommand.h"
#include "cli/verb.h"
#include "deploy/policy.h"

static int add_name(struct iam_policy_push *policy, const char *name, struct error *err)
{
	AUTO(image_ref) ref = {0};
	struct ecr_host host;

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (!ecr_host_parse(&host, ref.host))
		return error_set(err, ERROR_USAGE,
				 "%s is not at ECR: "
				 "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY is expected",
				 name);
	iam_policy_push_add(policy, &host, ref.path);
	return 0;
}

static int push(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "iam-policy push",
		.args = "[OPTIONS] NAME...",
		.summary = "Print the least IAM policy that pushing to ECR needs",
		.min_args = 1,
		.max_args = SIZE_MAX,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(iam_policy_push) policy = {.create = false};
	AUTO_JSON *document = NULL;
	struct option options[] = {
		{0, "create-repo", OPTION_FLAG, NULL, "Also allow making the repositories",
		 &policy.create},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	(void)a;
	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	for (size_t i = 0; i < args.n; i++)
		if (add_name(&policy, args.items[i], err) < 0)
			return -1;
	document = iam_policy_push_write(&policy);
	json_print(document);
	return 0;
}

/* What a policy is about, from flags alone. */
static int fill_target(struct deploy_target *t, const char *name, const char *account,
		       const char *region, struct error *err)
{
	if (!name)
		return error_set(err, ERROR_USAGE,
				 "--name is missing: which app is to be deployed?");
	if (deploy_target_check_app(name, err) < 0)
		return -1;
	if (strcmp(account, "*") != 0 &&
	    (strlen(account) != 12 || account[strspn(account, "0123456789")]))
		return error_set(err, ERROR_USAGE, "invalid --account \"%s\": 12 digits", account);
	if (strcmp(region, "*") != 0 && !aws_region_is_valid(region))
		return error_set(err, ERROR_USAGE, "invalid --region \"%s\"", region);
	t->app = name;
	t->account = xstrdup(account);
	t->region = xstrdup(region);
	t->partition = xstrdup(aws_region_partition(region));
	return 0;
}

static int deploy(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "iam-policy deploy",
		.args = "--name NAME [OPTIONS]",
		.summary = "Print the least IAM policy that deploying an app needs",
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) policies = STRLIST_INIT;
	AUTO(deploy_target) t = {.cluster = "default"};
	struct deploy_policy p = {.task_policies = &policies};
	const char *name = NULL, *account = "*", *region = "*";
	AUTO_JSON *document = NULL;
	struct option options[] = {
		{0, "name", OPTION_STRING, "NAME", "The app, as deploy calls it", &name},
		{0, "account", OPTION_STRING, "ID", "Of this account alone (default: any)",
		 &account},
		{0, "region", OPTION_STRING, "REGION", "In this region alone (default: any)",
		 &region},
		{0, "cluster", OPTION_STRING, "NAME", "ECS cluster (default: \"default\")",
		 &t.cluster},
		{0, "service", OPTION_STRING, "NAME", "Service (default: the app's name)",
		 &p.service},
		{0, "repository", OPTION_STRING, "NAME", "Repository (default: the app's name)",
		 &p.repository},
		{0, "log-group", OPTION_STRING, "NAME", "Log group (default: /ecs/NAME)",
		 &p.log_group},
		{0, "execution-role", OPTION_STRING, "NAME", "A role that is there already",
		 &p.execution_role},
		{0, "task-role", OPTION_STRING, "NAME", "A role that is there already",
		 &p.task_role},
		{0, "task-policy", OPTION_LIST, "ARN|FILE",
		 "A policy of the task role, as of deploy", &policies},
		{0, "secrets", OPTION_FLAG, NULL, "The task reads secrets", &p.secrets},
		{0, "no-create", OPTION_FLAG, NULL, "All that a deploy needs is there already",
		 &p.no_create},
		{0, "lb", OPTION_FLAG, NULL, "With a load balancer", &p.lb},
		{0, "express", OPTION_FLAG, NULL, "With ECS Express Mode", &p.express},
		{0, "scale", OPTION_FLAG, NULL, "With autoscaling", &p.scale},
		{0, "operate", OPTION_FLAG, NULL, "Also ps, logs, stop, scale and rollback",
		 &p.operate},
		{0, "destroy", OPTION_FLAG, NULL, "Also destroy", &p.destroy},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	(void)a;
	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (fill_target(&t, name, account, region, err) < 0)
		return -1;
	document = deploy_policy_write(&t, &p);
	json_print(document);
	return 0;
}

int cmd_iam_policy(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand commands_of[] = {
		{"deploy", "Print the least IAM policy that deploying an app needs", deploy},
		{"push", "Print the least IAM policy that pushing to ECR needs", push},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "iam-policy",
			      "Print the least IAM policy that a push or a deploy needs",
			      commands_of, argc, argv, err);
}
