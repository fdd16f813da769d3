/* slipway repo: the repositories of an account at ECR. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/subcommand.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "deploy/ecr_repository.h"

/* countNumber of a lifecycle policy. */
#define MAX_KEPT INT64_C(2147483647)

static int create(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "repo create",
		.args = "[OPTIONS] NAME",
		.summary = "Make a repository at ECR",
		.min_args = 1,
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	AUTO(ecr_repository) repository = {0};
	struct ecr_repository_options o = {0};
	int64_t keep = -1;
	bool made = false;
	struct option options[] = {
		OPTION_ROWS_AWS(a),
		{0, "immutable-tags", OPTION_FLAG, NULL, "Never move a tag", &o.immutable_tags},
		{0, "keep-last", OPTION_INT, "N", "Let ECR delete all but the newest N images",
		 &keep},
		{0, "no-scan", OPTION_FLAG, NULL, "Do not scan images when they are pushed",
		 &o.no_scan},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (keep == 0 || keep < -1 || keep > MAX_KEPT)
		return error_set(err, ERROR_USAGE, "invalid --keep-last: 1 or more is expected");
	o.keep_last = keep < 0 ? 0 : keep;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	v.target.app = args.items[0];
	if (ecr_repository_check_name(args.items[0], err) < 0 ||
	    deploy_target_identify(&v.target, err) < 0 ||
	    ecr_repository_make(&v.target, args.items[0], &o, &repository, &made, err) < 0)
		return verb_end(a, -1, err);
	if (!made)
		report_log(a->reporter, LOG_INFO,
			   "the repository %s is there already, and is left as it is",
			   repository.name);
	printf("%s\n", repository.uri);
	return 0;
}

static void print_repositories(const struct ecr_repository *all, size_t n)
{
	AUTO(table) table = {.columns = 4};

	table_add(&table, (const char *const[]){"REPOSITORY", "TAGS", "CREATED", "ADDRESS"});
	for (size_t i = 0; i < n; i++) {
		const struct ecr_repository *one = &all[i];
		bool immutable = strcmp(one->mutability, "IMMUTABLE") == 0;
		char ago[TIME_TEXT_SIZE] = "";

		if (one->created)
			time_format_ago(time_now() - one->created, ago);
		table_add(&table,
			  (const char *const[]){one->name, immutable ? "immutable" : "mutable", ago,
						one->uri});
	}
	table_print(&table);
}

static int list(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "repo list",
		.args = "[OPTIONS]",
		.summary = "List the repositories of an account at ECR",
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	struct ecr_repository *all = NULL;
	size_t n = 0;
	bool quiet = false;
	struct option options[] = {
		OPTION_ROWS_AWS(a),
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the names", &quiet},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	if (deploy_target_identify(&v.target, err) < 0 ||
	    ecr_repository_list(&v.target, &all, &n, err) < 0)
		return verb_end(a, -1, err);
	if (quiet)
		for (size_t i = 0; i < n; i++)
			printf("%s\n", all[i].name);
	else
		print_repositories(all, n);
	ecr_repositories_free(all, n);
	return 0;
}

static int delete (struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "repo delete",
		.args = "[OPTIONS] NAME...",
		.summary = "Delete repositories at ECR",
		.min_args = 1,
		.max_args = SIZE_MAX,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	bool force = false;
	struct option options[] = {
		OPTION_ROWS_AWS(a),
		{'f', "force", OPTION_FLAG, NULL, "Also with images in them", &force},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	if (deploy_target_identify(&v.target, err) < 0)
		return verb_end(a, -1, err);
	for (size_t i = 0; i < args.n; i++) {
		bool not_empty = false;

		if (ecr_repository_check_name(args.items[i], err) < 0)
			return -1;
		if (ecr_repository_delete(&v.target, args.items[i], force, &not_empty, err) < 0) {
			if (not_empty)
				error_hint(err, "--force deletes it with its images");
			return verb_end(a, -1, err);
		}
		printf("%s\n", args.items[i]);
	}
	return 0;
}

int cmd_repo(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand commands_of[] = {
		{"create", "Make a repository at ECR", create},
		{"delete", "Delete repositories at ECR", delete},
		{"list", "List the repositories of an account at ECR", list},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "repo", "Make, list and delete repositories at ECR", commands_of,
			      argc, argv, err);
}
