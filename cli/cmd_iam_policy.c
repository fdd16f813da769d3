#include <stdio.h>
#include <string.h>

#include "aws/iam_policy.h"
#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "iam-policy",
	.args = "push [OPTIONS] NAME...",
	.summary = "Print the least IAM policy that pushing to ECR needs",
	.min_args = 2,
	.max_args = SIZE_MAX,
};

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

int cmd_iam_policy(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
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
	if (strcmp(args.items[0], "push") != 0)
		return error_set(err, ERROR_USAGE, "\"slipway iam-policy %s\": only push is known",
				 args.items[0]);
	for (size_t i = 1; i < args.n; i++)
		if (add_name(&policy, args.items[i], err) < 0)
			return -1;
	document = iam_policy_push_write(&policy);
	json_write_pretty(document, &text);
	fputs(text.buf, stdout);
	return 0;
}
