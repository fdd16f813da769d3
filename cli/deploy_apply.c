/* The second half of a deploy: make what is missing, push, register, run, wait. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/deploy_job.h"
#include "deploy/address.h"
#include "deploy/explain.h"
#include "deploy/logs.h"
#include "deploy/task_compare.h"
#include "deploy/task_register.h"
#include "deploy/task_run.h"

/* How long a task may take before the load balancer's view of it counts. */
#define BALANCER_GRACE_SECONDS 60

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
		strlist_addf(lines, "= task definition %s", arn_name(j->definition_arn));
	} else {
		strlist_addf(lines, "+ register task definition %s",
			     task_definition_family(&j->definition));
	}
	if (!j->running.json ||
	    (j->definition_arn && strcmp(j->definition_arn, j->running_arn) == 0))
		return;
	task_definition_diff(&j->running, &j->definition, &changes);
	if (changes.n)
		strlist_addf(lines, "  what changes from %s:", arn_name(j->running_arn));
	for (size_t i = 0; i < changes.n; i++)
		strlist_addf(lines, "    %s", changes.items[i]);
	if (j->image_changes.n)
		strlist_add(lines, "  what changes in the image:");
	for (size_t i = 0; i < j->image_changes.n; i++)
		strlist_addf(lines, "    %s", j->image_changes.items[i]);
}

/* NULL: the task has no network of its own. */
static json_t *network_configuration(const struct deploy_job *j)
{
	const struct network *n = &j->resources.network;

	if (j->wanted.no_network)
		return NULL;
	return json_pack("{s:{s:o, s:o, s:s}}", "awsvpcConfiguration", "subnets",
			 json_from_strlist(&n->subnets), "securityGroups",
			 json_from_strlist(&n->security_groups), "assignPublicIp",
			 n->public_ip ? "ENABLED" : "DISABLED");
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
	json_array_foreach(json_object_get(container, "portMappings"), i,
			   mapping) if (!w.port &&
					strcmp(aws_text(mapping, "protocol"), "udp") != 0)
		w.port = aws_int(mapping, "containerPort");
	return w;
}

void deploy_job_plan(const struct deploy_job *j, struct strlist *lines)
{
	add_plan_of_image(j, lines);
	resources_plan(&j->resources, &j->wanted, lines);
	add_plan_of_definition(j, lines);
	if (j->flags->lb) {
		AUTO_JSON *network = network_configuration(j);
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
			   arn_name(j->definition_arn));
	return 0;
}

int deploy_job_apply(struct deploy_job *j, struct error *err)
{
	AUTO_FREE char *pushed = NULL;

	if (j->flags->no_create && resources_refuse_missing(&j->resources, &j->wanted, err) < 0)
		return -1;
	if (resources_make(&j->target, &j->wanted, &j->resources, err) < 0 ||
	    deploy_image_push(&j->image, j->app, j->resources.repository.uri, j->flags->tag,
			      &pushed, err) < 0)
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

int deploy_job_start(struct deploy_job *j, struct error *err)
{
	AUTO_JSON *network = network_configuration(j);

	j->deadline = time_monotonic_ns() + j->flags->timeout_ns;
	if (j->flags->express)
		return start_express(j, network, err);
	return j->service_name ? start_service(j, network, err) : start_task(j, network, err);
}

static int find_addresses(struct deploy_job *j, struct error *err)
{
	AUTO(task_address) address = {0};

	if (j->lb.dns) {
		strlist_take(&j->addresses, load_balancer_url(&j->lb));
		return 0;
	}
	if (j->express.url) {
		strlist_add(&j->addresses, j->express.url);
		return 0;
	}
	if (!j->task)
		return 0;
	if (task_address_find(&address, &j->target, j->task, j->definition.json, err) < 0)
		return -1;
	for (size_t i = 0; i < address.ports.n; i++) {
		const char *port = address.ports.items[i];
		const char *host = address.public_ip ? address.public_ip : address.private_ip;
		bool tls = strcmp(port, "443") == 0;

		if (!host)
			continue;
		if (tls || strcmp(port, "80") == 0)
			strlist_addf(&j->addresses, "%s://%s", tls ? "https" : "http", host);
		else
			strlist_addf(&j->addresses, "http://%s:%s", host, port);
	}
	return 0;
}

static int wait_for_service(struct deploy_job *j, struct error *err)
{
	const struct follow_options o = {.deadline = j->deadline,
					 .max_failures = j->flags->max_failures};
	bool ready = true;

	if (service_follow(&j->target, &j->rollout, &o, &j->outcome, &j->summary, err) < 0)
		return -1;
	if (j->outcome != DEPLOY_RUNNING)
		return 0;
	if (j->rollout.unchanged)
		j->outcome = DEPLOY_UNCHANGED;
	if (j->lb.arn && !j->lb.active &&
	    load_balancer_wait(&j->target, &j->lb, j->deadline, &ready, err) < 0)
		return -1;
	if (!ready)
		report_log(j->app->reporter, LOG_WARNING,
			   "the load balancer does not answer yet: it takes some minutes");
	return service_running_task(&j->target, &j->rollout, &j->task, err);
}

/* The report of a task that stopped, and the code that its container gave. */
static int explain_end(struct deploy_job *j, struct error *err)
{
	AUTO(strbuf) report = STRBUF_INIT;
	AUTO(task_end) end = {.exit_code = -1};

	task_end_read(&end, j->task, j->definition.json);
	j->exit_code = task_end_code(&end);
	if (j->outcome != DEPLOY_FAILED)
		return 0;
	if (explain_task(&j->target, j->task, NULL, NULL, &report, err) < 0)
		return -1;
	j->summary = strbuf_detach(&report, NULL);
	return 0;
}

/* The containers' output, told while the task is waited for. */
struct output {
	struct deploy_job *job;
	struct log_places places;
	struct log_reader *reader; /* NULL: nothing was there to read from yet */
	int step;
	bool several; /* containers: each line says whose it is */
};

static void output_release(struct output *o)
{
	log_reader_free(o->reader);
	log_places_release(&o->places);
}
CLEANUP_RELEASE(output)

static int tell_line(void *arg, const struct log_line *l, struct error *err)
{
	struct output *o = arg;
	struct reporter *r = o->job->app->reporter;
	AUTO(strbuf) line = STRBUF_INIT;

	(void)err;
	if (!o->step)
		o->step = report_step_begin(r, "output of the task");
	if (o->several)
		strbuf_printf(&line, "%s: ", l->container);
	strbuf_add(&line, l->text, l->len);
	strbuf_putc(&line, '\n');
	report_step_output(r, o->step, 1, line.buf, line.len);
	return 0;
}

/* A log that cannot be read is no reason to stop waiting. */
static int tell_output(void *arg, const json_t *task, struct error *err)
{
	struct output *o = arg;
	const struct log_range range = {.since_ms = 0};
	AUTO(error) why = ERROR_INIT;

	if (!o->reader) {
		log_places_read(&o->places, o->job->definition.json, task);
		o->several = o->places.n > 1;
		o->reader = log_reader_new(&o->job->target, &o->places, &range);
	}
	if (log_reader_poll(o->reader, tell_line, o, NULL, &why) == 0)
		return 0;
	if (why.kind == ERROR_CANCELLED)
		return error_move(err, &why);
	report_log(o->job->app->reporter, LOG_DEBUG, "%s", why.message);
	return 0;
}

/* What was written last takes a moment to arrive. */
static int tell_rest(struct output *o, const json_t *task, struct error *err)
{
	if (deploy_target_pause(&o->job->target, 0, err) < 0 || tell_output(o, task, err) < 0)
		return -1;
	if (o->step)
		report_step_end(o->job->app->reporter, o->step, STEP_STATUS_DONE, NULL);
	return 0;
}

static int wait_for_task(struct deploy_job *j, struct error *err)
{
	AUTO_FREE char *arn = xstrdup(aws_text(j->task, "taskArn"));
	enum task_until until = j->flags->wait ? TASK_UNTIL_STOPPED : TASK_UNTIL_RUNNING;
	AUTO(output) output = {.job = j};
	const struct task_watcher watcher = {.look = tell_output, .arg = &output};
	json_t *last;

	if (task_wait(&j->target, arn, until, j->deadline, j->flags->wait ? &watcher : NULL, &last,
		      &j->outcome, err) < 0)
		return -1;
	if (j->flags->wait && last && tell_rest(&output, last, err) < 0) {
		json_decref(last);
		return -1;
	}
	if (last) {
		json_decref(j->task);
		j->task = last;
	}
	if (j->outcome == DEPLOY_TIMED_OUT) {
		j->summary = xstrfmt("the task %s is not done in time: it is %s\n", arn_name(arn),
				     last ? aws_text(last, "lastStatus") : "not listed");
		return 0;
	}
	return task_is_stopped(j->task) ? explain_end(j, err) : 0;
}

int deploy_job_wait(struct deploy_job *j, struct error *err)
{
	if (j->flags->express) {
		if (express_wait(&j->target, &j->express, j->deadline, &j->outcome, &j->summary,
				 err) < 0)
			return -1;
	} else if ((j->service_name ? wait_for_service(j, err) : wait_for_task(j, err)) < 0) {
		return -1;
	}
	if (j->outcome == DEPLOY_RUNNING || j->outcome == DEPLOY_UNCHANGED)
		return find_addresses(j, err);
	return 0;
}
