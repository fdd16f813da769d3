/*
 * One deploy from its flags to what runs: everything that is to be done is found out first, and nothing is changed before the plan is
 * known.
 *
 *	deploy_job_init(&job, app, &flags);
 *	deploy_job_prepare(&job, argument, err);    who we are, lint, build, what is there
 *	deploy_job_plan(&job, &lines);              what for
 *	deploy_job_apply(&job, err);                create what is missing, push, register
 *	deploy_job_start(&job, err);                run the task, create or update the service
 *	deploy_job_wait(&job, err);                 job.outcome, job.summary, job.addresses
 */
#pragma once

#include "cli/deploy_image.h"
#include "deploy/express.h"
#include "deploy/follow.h"
#include "deploy/load_balancer.h"
#include "deploy/resources.h"

struct deploy_job {
	struct app *app;
	const struct deploy_flags *flags;
	struct deploy_target target;
	char *name; /* of the app */
	struct deploy_image image;
	char *image_name; /* HOST/PATH@DIGEST */

	struct task_definition definition; /* as it is going to be registered */
	bool adopted;                      /* it began as that of a service that others made */
	char *repository;                  /* PATH at ECR to push to */
	struct strlist notes;              /* what of the image has no counterpart there */
	struct strlist ports, secrets;     /* of the definition */
	char *log_group;                   /* that the definition writes to; NULL: none */
	char *definition_arn;              /* of the revision in use; NULL: not registered yet */
	struct task_definition running;    /* what runs, or is registered; json NULL: nothing */
	char *running_arn;
	struct strlist
		image_changes; /* from the image that runs; nothing: it is the same, or none runs */

	struct resources_wanted wanted;
	struct resources resources;
	int64_t made_at; /* when they were made, by time_monotonic_ns() */
	struct strlist service_subnets, service_groups; /* of the service that is there */
	json_t *service;                                /* that is there; NULL: none */
	char *service_name;                             /* NULL: a task is run */
	bool scales;                                    /* its count follows its CPU */
	bool has_lb; /* it stands behind slipway's load balancer, or is going to */
	struct load_balancer lb;
	struct express express; /* with --express */
	struct service_rollout rollout;

	json_t *task; /* that was started, or one of the service's */
	int64_t deadline;
	enum deploy_outcome outcome;
	char *summary; /* of a failure */
	int exit_code; /* with --wait: of the container, or as docker run would end; -1: none */
	struct strlist addresses; /* "http://192.0.2.1:3000" */
};

void deploy_job_init(struct deploy_job *j, struct app *a, const struct deploy_flags *f);
void deploy_job_release(struct deploy_job *j);
/* Changes nothing. Lint's findings are told as they are found; its errors are ERROR_USAGE. */
int deploy_job_prepare(struct deploy_job *j, const char *argument, struct error *err);
/* Lines "+ made", "~ changed", "= there", for people. */
void deploy_job_plan(const struct deploy_job *j, struct strlist *lines);
int deploy_job_apply(struct deploy_job *j, struct error *err);
/* Creates or updates the service with what stands before it, or starts the task. */
int deploy_job_start(struct deploy_job *j, struct error *err);
/* ERROR_CANCELLED: what was started runs on. */
int deploy_job_wait(struct deploy_job *j, struct error *err);

CLEANUP_RELEASE(deploy_job)
