/* The first part of a deploy: what is asked for, what is there, and whether it can work. */
#include <stdlib.h>
#include <string.h>

#include "aws/ecr.h"
#include "base/alloc.h"
#include "base/path.h"
#include "cli/deploy_job.h"
#include "cli/image_changes.h"
#include "cli/local_target.h"
#include "deploy/lint.h"
#include "deploy/task_compare.h"
#include "deploy/task_json.h"
#include "deploy/task_register.h"

#define SERVICE_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define NO_DIGEST          "sha256:0000000000000000000000000000000000000000000000000000000000000000"

void deploy_job_init(struct deploy_job *j, struct app *a, const struct deploy_flags *f)
{
	*j = (struct deploy_job){.app = a, .flags = f, .exit_code = -1};
	deploy_image_init(&j->image);
	j->target = (struct deploy_target){
		.aws = aws_login_aws(a->aws),
		.reporter = a->reporter,
		.cancel = a->cancel,
		.cluster = f->cluster,
		.local = local_target_page(a),
		.poll_ms = a->env.poll_ms,
	};
}

void deploy_job_release(struct deploy_job *j)
{
	struct strlist *const lists[] = {&j->image_changes, &j->notes,           &j->ports,
					 &j->secrets,       &j->service_subnets, &j->service_groups,
					 &j->addresses};
	char *const texts[] = {j->repository,     j->name,        j->image_name,   j->log_group,
			       j->definition_arn, j->running_arn, j->service_name, j->summary};

	deploy_target_release(&j->target);
	deploy_image_release(&j->image);
	task_definition_release(&j->definition);
	task_definition_release(&j->running);
	resources_release(&j->resources);
	load_balancer_release(&j->lb);
	express_release(&j->express);
	service_rollout_release(&j->rollout);
	json_decref(j->service);
	json_decref(j->task);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_release(lists[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
}

static int find_name(struct deploy_job *j, const char *argument, struct error *err)
{
	const char *family = j->definition.json ? task_definition_family(&j->definition) : "";

	if (j->flags->task_flags.options.name)
		j->name = xstrdup(j->flags->task_flags.options.name);
	else if (*family)
		j->name = xstrdup(family);
	else
		j->name = deploy_image_name(argument);
	if (!j->name)
		return error_set(err, ERROR_USAGE, "%s suggests no name for the app: give --name",
				 argument);
	j->target.app = j->name;
	return 0;
}

/* The definition with this image; config NULL: the image is not known yet. */
static int make_definition(struct deploy_job *j, const struct image_config *config,
			   const char *image, struct error *err)
{
	const struct deploy_flags *f = j->flags;
	struct task_options options = f->task_flags.options; /* its lists stay the flags' */

	options.name = j->name;
	options.region = j->target.region;
	options.task_role = options.execution_role = NULL;
	strlist_release(&j->notes);
	j->notes = (struct strlist)STRLIST_INIT;
	if (!f->task_flags.file && !j->adopted) {
		task_definition_release(&j->definition);
		j->definition = (struct task_definition){0};
		return task_definition_make(&j->definition, &options, config, image, &j->notes,
					    err);
	}
	if (task_definition_apply(&j->definition, f->task_flags.container, &options, err) < 0)
		return -1;
	return task_definition_put_image(&j->definition, f->task_flags.container, j->name, image,
					 err);
}

static int tell_findings(struct deploy_job *j, const struct lint_findings *found, struct error *err)
{
	terminal_finish(j->app->terminal);
	return task_print_findings(found, &j->definition, err);
}

/* What ECR calls the repository, before it was asked. */
static char *likely_repository(const struct deploy_job *j)
{
	return xstrfmt("%s.dkr.ecr.%s.%s/%s", j->target.account, j->target.region,
		       aws_region_suffix(j->target.region), j->repository);
}

/* PATH of an image in this account and region's ECR; NULL: it is elsewhere. */
static char *path_at_ecr(const struct deploy_job *j, const char *image)
{
	AUTO(image_ref) ref = {0};
	struct ecr_host host;

	if (image_ref_parse(&ref, image, NULL) < 0)
		return NULL;
	if (j->app->aws_flags.local && local_target_is_registry(j->app, ref.host))
		return xstrdup(ref.path);
	if (!ecr_host_parse(&host, ref.host) || strcmp(host.account, j->target.account) != 0 ||
	    strcmp(host.region, j->target.region) != 0)
		return NULL;
	return xstrdup(ref.path);
}

/*
 * A service that others made (by hand, by Terraform) keeps its task definition and its repository: the image changes, and what flags
 * say.
 */
static int adopt(struct deploy_job *j, struct error *err)
{
	const struct deploy_flags *f = j->flags;
	AUTO_FREE char *arn = NULL;
	json_t *container;

	if (j->service && !f->task_flags.file && !f->express &&
	    !deploy_target_owns(&j->target, json_object_get(j->service, "tags"))) {
		if (task_definition_describe(&j->target, aws_text(j->service, "taskDefinition"),
					     &j->definition, &arn, err) < 0)
			return -1;
		j->adopted = j->definition.json != NULL;
	}
	if (f->repository)
		j->repository = xstrdup(f->repository);
	if (!j->adopted)
		return 0;
	report_log(
		j->app->reporter, LOG_INFO,
		"the service %s was not made by slipway: its task definition %s stays, but for the "
		"image and what flags say",
		j->service_name, path_base(arn));
	if (task_definition_choose(&j->definition, f->task_flags.container, j->name, &container,
				   err) < 0)
		return -1;
	if (!j->repository)
		j->repository = path_at_ecr(j, aws_text(container, "image"));
	return 0;
}

/* What can be judged before the build. */
static int lint_offline(struct deploy_job *j, struct error *err)
{
	AUTO(lint_findings) found = {0};
	AUTO_FREE char *repository = likely_repository(j);
	AUTO_FREE char *image = xstrfmt("%s@" NO_DIGEST, repository);

	if (make_definition(j, NULL, image, err) < 0)
		return -1;
	lint_definition(&j->definition, &(struct lint_options){.role_follows = true}, &found);
	return tell_findings(j, &found, err);
}

static void take_words(const json_t *container, const char *key, struct strlist *out)
{
	json_t *word;
	size_t i;

	json_array_foreach (json_object_get(container, key), i, word)
		if (json_is_string(word))
			strlist_add(out, json_string_value(word));
}

static const char *text_or_null(const json_t *container, const char *key)
{
	const char *text = aws_text(container, key);

	return *text ? text : NULL;
}

/* The image against the container that runs it. */
static int lint_with_image(struct deploy_job *j, struct error *err)
{
	AUTO(lint_findings) found = {0};
	json_t *container;

	if (task_definition_choose(&j->definition, j->flags->task_flags.container, j->name,
				   &container, err) < 0 ||
	    lint_image_in(&j->definition, container, j->app->store, j->image.image, &found, err) <
		    0)
		return -1;
	return tell_findings(j, &found, err);
}

/* With --lb, and of a service that has it already. */
static int find_load_balancer(struct deploy_job *j, struct error *err)
{
	j->has_lb = j->flags->lb ||
		    json_array_size(json_object_get(j->service, "loadBalancers")) > 0;
	return j->has_lb ? load_balancer_find(&j->target, &j->lb, err) : 0;
}

/* --service, or what only a service can have, or one of that name that is there. */
static int find_service(struct deploy_job *j, struct error *err)
{
	const struct deploy_flags *f = j->flags;
	const char *name = f->service ? f->service : j->name;
	const char *controller;
	bool wanted = f->service || f->scale || f->lb || f->express || f->desired_count >= 0 ||
		      f->force;

	/* A name that no service can have is told by lint. */
	if (f->task || name[strspn(name, SERVICE_NAME_CHARS)])
		return 0;
	if (service_find(&j->target, name, &j->service, err) < 0)
		return -1;
	if (wanted || j->service)
		j->service_name = xstrdup(name);
	controller = aws_text(json_object_get(j->service, "deploymentController"), "type");
	if (*controller && strcmp(controller, "ECS") != 0)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"the service %s has the deployment controller %s: only services that "
			"ECS itself deploys are supported",
			name, controller);
	j->scales = f->scale != NULL;
	if (j->service && !j->scales && !f->express &&
	    scaling_find(&j->target, name, &j->scales, NULL, err) < 0)
		return -1;
	if (j->scales && f->desired_count >= 0)
		report_log(j->app->reporter, LOG_WARNING,
			   "the service %s scales by itself: --desired-count is not sent", name);
	return find_load_balancer(j, err);
}

static json_t *awsvpc_of(const json_t *service)
{
	return json_object_get(json_object_get(service, "networkConfiguration"),
			       "awsvpcConfiguration");
}

/* A service keeps its network unless flags say otherwise. */
static void keep_network(struct deploy_job *j)
{
	const struct deploy_flags *f = j->flags;
	struct network_wanted *n = &j->wanted.network;
	json_t *current = awsvpc_of(j->service);

	if (!current)
		return;
	take_words(current, "subnets", &j->service_subnets);
	take_words(current, "securityGroups", &j->service_groups);
	if (!f->subnets.n)
		n->subnets = &j->service_subnets;
	if (!f->public_ip_text && !f->subnets.n)
		n->public_ip = strcmp(aws_text(current, "assignPublicIp"), "ENABLED") == 0
				       ? PUBLIC_IP_ENABLED
				       : PUBLIC_IP_DISABLED;
}

static void want_resources(struct deploy_job *j)
{
	const struct deploy_flags *f = j->flags;
	const struct task_options *o = &f->task_flags.options;
	AUTO(strlist) groups = STRLIST_INIT;
	const char *role = text_or_null(j->definition.json, "executionRoleArn");
	const char *task_role = text_or_null(j->definition.json, "taskRoleArn");

	task_definition_ports(&j->definition, &j->ports);
	task_definition_secrets(&j->definition, &j->secrets);
	task_definition_log_groups(&j->definition, &groups);
	if (groups.n)
		j->log_group = xstrdup(groups.items[0]);
	j->wanted = (struct resources_wanted){
		.repository = j->image.remote ? NULL : j->repository,
		.log_group = j->log_group,
		.retention_days = f->log_retention,
		.insights = f->insights,
		.on_instances = f->on_instances,
		.no_execution_role = !o->execution_role && !role &&
				     !task_definition_needs_execution_role(&j->definition),
		.execution_role = o->execution_role ? o->execution_role : role,
		.task_role = o->task_role ? o->task_role : task_role,
		.task_policies = &f->task_policies,
		.secrets = &j->secrets,
		.no_network = strcmp(aws_text(j->definition.json, "networkMode"), "awsvpc") != 0,
		.network =
			{
				.subnets = &f->subnets,
				.security_groups = &f->security_groups,
				.ports = &j->ports,
				.public_ip = f->public_ip,
				.create_default_vpc = f->create_default_vpc,
			},
	};
	keep_network(j);
}

static int find_resources(struct deploy_job *j, struct error *err)
{
	struct network_wanted *n = &j->wanted.network;
	const struct network *found = &j->resources.network;

	want_resources(j);
	if (resources_find(&j->target, &j->wanted, &j->resources, err) < 0)
		return -1;
	if (!j->service_groups.n || n->security_groups->n ||
	    (found->group.found && strlist_has(&j->service_groups, found->group.id)))
		return 0;
	/* The service has groups of others: they stay. */
	n->security_groups = &j->service_groups;
	return resources_find_network(&j->target, &j->wanted, &j->resources, err);
}

static void set_role(struct deploy_job *j, const char *field, const char *flag, const char *arn)
{
	if (flag && arn)
		json_object_set_new(j->definition.json, field, json_string(arn));
	else if (arn)
		task_definition_default(&j->definition, field, arn);
}

/* A revision that is the same as ours is not registered again. */
static int compare(struct deploy_job *j, const char *name, struct error *err)
{
	AUTO(task_definition) there = {.json = NULL};
	AUTO_FREE char *arn = NULL;

	if (task_definition_describe(&j->target, name, &there, &arn, err) < 0)
		return -1;
	if (!there.json)
		return 0;
	if (!j->definition_arn && task_definition_equal(&there, &j->definition))
		j->definition_arn = xstrdup(arn);
	if (!j->running.json) {
		j->running = there;
		there = (struct task_definition){.json = NULL};
		j->running_arn = take_ptr(arn);
	}
	return 0;
}

/* What the service runs; then the newest of the family, which a rollback may have left behind. */
static int find_running(struct deploy_job *j, struct error *err)
{
	const char *of_service = j->service ? aws_text(j->service, "taskDefinition") : "";

	if (*of_service && compare(j, of_service, err) < 0)
		return -1;
	return j->definition_arn ? 0 : compare(j, task_definition_family(&j->definition), err);
}

/* What the container runs now, by its image's name; "" when there is none. */
static const char *running_image(const struct deploy_job *j, struct error *err)
{
	json_t *mine;

	if (task_definition_choose(&j->definition, j->flags->task_flags.container, j->name, &mine,
				   err) < 0)
		return NULL;
	return aws_text(
		container_named(task_definition_containers(&j->running), aws_text(mine, "name")),
		"image");
}

/* For the plan alone: that it cannot be told is no reason not to deploy. */
/* Where the image can be fetched from: names at ECR mean, with --local, the registry of this machine. free() */
static char *place_of(const struct deploy_job *j, const char *name)
{
	AUTO_FREE char *registry = local_target_registry(j->app);
	AUTO_FREE char *path = registry ? path_at_ecr(j, name) : NULL;
	const char *digest = strchr(name, '@');

	return path && digest ? xstrfmt("%s/%s%s", registry, path, digest) : xstrdup(name);
}

static int find_image_changes(struct deploy_job *j, struct error *err)
{
	const struct image *now = j->image.image;
	AUTO_FREE char *place = NULL;
	AUTO_PTR(image) old = NULL;
	AUTO(error) why = ERROR_INIT;
	const char *name = running_image(j, err);

	if (!name)
		return -1;
	if (!*name || strcmp(name, j->image_name) == 0)
		return 0;
	place = place_of(j, name);
	if (image_changes_find(j->app, place, &now->config.platform, true, &old, &why) == 0 &&
	    old && image_changes_list(j->app, old, now, &j->image_changes, &why) == 0)
		return 0;
	if (why.kind == ERROR_CANCELLED)
		return error_move(err, &why);
	strlist_addf(&j->image_changes, "not known: %.*s",
		     why.message ? (int)strcspn(why.message, "\n") : 0,
		     why.message ? why.message : "");
	return 0;
}

static int finish_definition(struct deploy_job *j, struct error *err)
{
	const struct task_options *o = &j->flags->task_flags.options;
	const struct resources *r = &j->resources;
	AUTO_FREE char *repository = NULL;
	AUTO(lint_findings) found = {0};

	/*
	 * The local target has another port after a restart, perhaps: a definition names the image as at ECR, which it takes for its
	 * own.
	 */
	if (j->app->aws_flags.local)
		repository = likely_repository(j);
	j->image_name = deploy_image_reference(&j->image,
					       repository ? repository : r->repository.uri);
	if (make_definition(j, &j->image.image->config, j->image_name, err) < 0)
		return -1;
	set_role(j, "executionRoleArn", o->execution_role, r->execution_role.arn);
	set_role(j, "taskRoleArn", o->task_role, r->task_role.arn);
	lint_definition(&j->definition, &(struct lint_options){0}, &found);
	return found.n_errors ? tell_findings(j, &found, err) : 0;
}

int deploy_job_prepare(struct deploy_job *j, const char *argument, struct error *err)
{
	AUTO_FREE char *repository = NULL, *image = NULL;

	if (deploy_target_identify(&j->target, err) < 0)
		return -1;
	report_log(j->app->reporter, LOG_INFO, "account %s in %s, as %s", j->target.account,
		   j->target.region, path_base(j->target.caller));
	if (j->flags->task_flags.file &&
	    task_read_file(&j->definition, j->flags->task_flags.file, err) < 0)
		return -1;
	if (find_name(j, argument, err) < 0 || find_service(j, err) < 0 || adopt(j, err) < 0)
		return -1;
	if (!j->repository)
		j->repository = xstrdup(j->name);
	if (deploy_image_is_context(argument) && ecr_repository_check_name(j->repository, err) < 0)
		return error_hint(err, "give --repository, or another --name");
	if (lint_offline(j, err) < 0 ||
	    deploy_image_get(&j->image, j->app, j->flags, argument, err) < 0)
		return -1;
	repository = likely_repository(j);
	image = deploy_image_reference(&j->image, repository);
	if (make_definition(j, &j->image.image->config, image, err) < 0 ||
	    lint_with_image(j, err) < 0 || find_resources(j, err) < 0 ||
	    finish_definition(j, err) < 0)
		return -1;
	for (size_t i = 0; i < j->notes.n; i++)
		report_log(j->app->reporter, LOG_INFO, "%s", j->notes.items[i]);
	return find_running(j, err) < 0 ? -1 : find_image_changes(j, err);
}
