/* The second part of a deploy: make what is missing, push, register, run. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/deploy_job.h"
#include "deploy/task_compare.h"
#include "deploy/task_register.h"
#include "deploy/task_run.h"

/* How long a task may take before the load balancer's view of it counts. */
#define BALANCER_GRACE_SECONDS 60
/* A role that was just made is not known everywhere at once, which ECS says by letting tasks die: so long it gets. */
#define ROLE_SETTLES_NS (10 * INT64_C(1000000000))
#define MAX_ROLE_PAUSES 4

static void add_plan_of_image(const struct deploy_job *j, struct strlist *lines)
{
	const struct image *image = j->image.image;
	AUTO_FREE char *platform = platform_format(&image->config.platform);
	int64_t size = 0;

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		size += image->manifest.layers[i].size;
	strlist_addf(lines, "%c image %s (%s, %lld MB)", j->image.remote ? '=' : '+', j->image_name,
		     platform, (long long)(size + 999999) / 1000000);
}

static void add_plan_of_definition(const struct deploy_job *j, struct strlist *lines)
{
	AUTO(strlist) changes = STRLIST_INIT;

	if (j->definition_arn) {
		strlist_addf(lines, "= task definition %s", path_base(j->definition_arn));
	} else {
		strlist_addf(lines, "+ register task definition %s",
			     task_definition_family(&j->definition));
	}
	if (!j->running.json ||
	    (j->definition_arn && strcmp(j->definition_arn, j->running_arn) == 0))
		return;
	task_definition_diff(&j->running, &j->definition, &changes);
	if (changes.n)
		strlist_addf(lines, "  what changes from %s:", path_base(j->running_arn));
	for (size_t i = 0; i < changes.n; i++)
		strlist_addf(lines, "    %s", changes.items[i]);
	if (j->image_changes.n)
		strlist_add(lines, "  what changes in the image:");
	for (size_t i = 0; i < j->image_changes.n; i++)
		strlist_addf(lines, "    %s", j->image_changes.items[i]);
}

/* NULL: the task has no network of its own. */
static json_t *make_network(const struct deploy_job *j)
{
	return j->wanted.no_network ? NULL : network_configuration(&j->resources.network);
}

/* The container that the load balancer sends to: the one with the image, its first TCP port. */
static struct load_balancer_wanted wanted_balancer(const struct deploy_job *j,
						   const json_t *network)
{
	struct load_balancer_wanted w = {
		.network = network,
		.health_path = j->flags->health_path,
		.certificate = j->flags->certificate,
	};
	json_t *container, *mapping;
	size_t i;

	if (task_definition_choose(&j->definition, j->flags->task_flags.container, j->name,
				   &container, NULL) < 0)
		return w;
	w.container = aws_text(container, "name");
	json_array_foreach (json_object_get(container, "portMappings"), i, mapping)
		if (!w.port && strcmp(aws_text(mapping, "protocol"), "udp") != 0)
			w.port = aws_int(mapping, "containerPort");
	return w;
}

void deploy_job_plan(const struct deploy_job *j, struct strlist *lines)
{
	add_plan_of_image(j, lines);
	resources_plan(&j->resources, &j->wanted, lines);
	add_plan_of_definition(j, lines);
	if (j->flags->lb) {
		AUTO_JSON *network = make_network(j);
		const struct load_balancer_wanted wanted = wanted_balancer(j, network);

		load_balancer_plan(&j->lb, &wanted, lines);
	}
	if (!j->service_name)
		strlist_addf(lines, "+ run a task on cluster %s", j->target.cluster);
	else
		strlist_addf(lines, "%c %s %sservice %s%s", j->service ? '~' : '+',
			     j->service ? "update" : "create", j->flags->express ? "Express " : "",
			     j->service_name, j->flags->scale ? ", scaled by its CPU" : "");
}

/* It carries the app's tags unless it has tags of its own. */
static int register_definition(struct deploy_job *j, struct error *err)
{
	bool made;

	if (!json_object_get(j->definition.json, "tags"))
		json_object_set_new(j->definition.json, "tags",
				    deploy_target_tags(&j->target, "key", "value"));
	if (task_definition_register(&j->target, &j->definition, &j->definition_arn, &made, err) <
	    0)
		return -1;
	if (made)
		report_log(j->app->reporter, LOG_INFO, "registered %s",
			   path_base(j->definition_arn));
	return 0;
}

int deploy_job_apply(struct deploy_job *j, struct error *err)
{
	if (j->flags->no_create && resources_refuse_missing(&j->resources, &j->wanted, err) < 0)
		return -1;
	if (resources_make(&j->target, &j->wanted, &j->resources, err) < 0)
		return -1;
	j->made_at = time_monotonic_ns();
	if (deploy_image_push(&j->image, j->app, j->resources.repository.uri, j->flags->tag, err) <
	    0)
		return -1;
	/* Express Mode makes a task definition of its own. */
	return j->definition_arn || j->flags->express ? 0 : register_definition(j, err);
}

static int start_balancer(struct deploy_job *j, json_t *network, struct error *err)
{
	const struct load_balancer_wanted wanted = wanted_balancer(j, network);

	if (!j->flags->lb)
		return 0;
	if (!wanted.port)
		return error_set(err, ERROR_USAGE,
				 "--lb needs a TCP port of the container: give --port");
	return load_balancer_make(&j->target, &wanted, &j->lb, err);
}

static int start_express(struct deploy_job *j, json_t *network, struct error *err)
{
	const struct express_wanted wanted = {
		.name = j->service_name,
		.definition = j->definition.json,
		.health_path = j->flags->health_path,
		.scale = j->flags->scale ? &j->flags->scaling : NULL,
		.network = network,
	};

	return express_apply(&j->target, &wanted, &j->express, err);
}

static int start_service(struct deploy_job *j, json_t *network, struct error *err)
{
	const struct deploy_flags *f = j->flags;
	struct service_change change = {
		.name = j->service_name,
		.definition = j->definition_arn,
		.launch_type = f->on_instances ? "EC2" : "FARGATE",
		.network = network,
		.desired_count = f->desired_count,
		.scaled_by_itself = j->scales,
		.grace_seconds = f->lb ? BALANCER_GRACE_SECONDS : -1,
		.max_failures = f->max_failures,
		.enable_exec = f->enable_exec,
		.force = f->force,
	};

	if (start_balancer(j, network, err) < 0)
		return -1;
	change.load_balancers = f->lb ? j->lb.members : NULL;
	if (!j->service && f->scale && f->desired_count < 0)
		change.desired_count = f->scaling.min;
	if (service_apply(&j->target, &change, j->service, &j->rollout, err) < 0)
		return error_wrap(err, "%s the service %s", j->service ? "update" : "create",
				  j->service_name);
	return f->scale ? scaling_apply(&j->target, j->service_name, &f->scaling, err) : 0;
}

static int start_task(struct deploy_job *j, json_t *network, struct error *err)
{
	const struct task_run run = {
		.definition = j->definition_arn,
		.launch_type = j->flags->on_instances ? "EC2" : "FARGATE",
		.network = network,
		.enable_exec = j->flags->enable_exec,
	};

	return task_run(&j->target, &run, &j->task, err);
}

static int let_role_settle(const struct deploy_job *j, struct error *err)
{
	int64_t end = j->made_at + ROLE_SETTLES_NS;

	for (int i = 0; j->resources.made_role && i < MAX_ROLE_PAUSES && time_monotonic_ns() < end;
	     i++)
		if (deploy_target_pause(&j->target, 0, err) < 0)
			return -1;
	return 0;
}

int deploy_job_start(struct deploy_job *j, struct error *err)
{
	AUTO_JSON *network = make_network(j);

	if (let_role_settle(j, err) < 0)
		return -1;
	j->deadline = time_monotonic_ns() + j->flags->timeout_ns;
	if (j->flags->express)
		return start_express(j, network, err);
	return j->service_name ? start_service(j, network, err) : start_task(j, network, err);
}
