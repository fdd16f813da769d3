/* slipway cluster: the ECS clusters of a region. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "cli/subcommand.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "deploy/cluster.h"

static int create(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "cluster create",
		.args = "[OPTIONS] NAME",
		.summary = "Make an ECS cluster for Fargate",
		.min_args = 1,
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	AUTO(cluster) c = {0};
	bool insights = false;
	struct option options[] = {
		OPTION_ROWS_AWS(a),
		{0, "container-insights", OPTION_FLAG, NULL,
		 "Let CloudWatch collect metrics of its tasks (it costs)", &insights},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	v.target.app = args.items[0];
	if (cluster_check_name(args.items[0], err) < 0 ||
	    deploy_target_identify(&v.target, err) < 0 ||
	    cluster_find(&v.target, args.items[0], &c, err) < 0)
		return verb_end(a, -1, err);
	if (c.found)
		report_log(a->reporter, LOG_INFO, "the cluster %s is there already", c.name);
	else if (cluster_make(&v.target, args.items[0], insights, &c, err) < 0)
		return verb_end(a, -1, err);
	printf("%s\n", c.arn);
	return 0;
}

static void print_clusters(const struct cluster *list, size_t n)
{
	AUTO(table) table = {.columns = 6};

	table_add(&table, (const char *const[]){"CLUSTER", "STATUS", "SERVICES", "TASKS",
						"INSTANCES", "INSIGHTS"});
	for (size_t i = 0; i < n; i++) {
		const struct cluster *c = &list[i];
		AUTO_FREE char *services = xstrfmt("%" PRId64, c->services);
		AUTO_FREE char *tasks = xstrfmt("%" PRId64, c->tasks);
		AUTO_FREE char *instances = xstrfmt("%" PRId64, c->instances);

		table_add(&table, (const char *const[]){c->name, c->status, services, tasks,
							instances, c->insights ? "yes" : "no"});
	}
	table_print(&table);
}

static int list(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "cluster list",
		.args = "[OPTIONS]",
		.summary = "List the ECS clusters of a region",
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	struct cluster *clusters = NULL;
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
	v.target.app = "";
	if (deploy_target_identify(&v.target, err) < 0 ||
	    cluster_list(&v.target, &clusters, &n, err) < 0)
		return verb_end(a, -1, err);
	if (quiet)
		for (size_t i = 0; i < n; i++)
			printf("%s\n", clusters[i].name);
	else
		print_clusters(clusters, n);
	clusters_free(clusters, n);
	return 0;
}

static int delete (struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "cluster delete",
		.args = "[OPTIONS] NAME...",
		.summary = "Delete ECS clusters in which nothing runs",
		.min_args = 1,
		.max_args = SIZE_MAX,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	struct option options[] = {
		OPTION_ROWS_AWS(a),
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	if (deploy_target_identify(&v.target, err) < 0)
		return verb_end(a, -1, err);
	for (size_t i = 0; i < args.n; i++) {
		if (cluster_check_name(args.items[i], err) < 0 ||
		    cluster_delete(&v.target, args.items[i], NULL, err) < 0)
			return verb_end(a, -1, err);
		printf("%s\n", args.items[i]);
	}
	return 0;
}

int cmd_cluster(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand commands_of[] = {
		{"create", "Make an ECS cluster for Fargate", create},
		{"delete", "Delete ECS clusters in which nothing runs", delete},
		{"list", "List the ECS clusters of a region", list},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "cluster", "Make, list and delete ECS clusters", commands_of, argc,
			      argv, err);
}
