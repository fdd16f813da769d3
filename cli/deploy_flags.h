/* The options of deploy: its own, and those of build that a deploy needs. */
#pragma once

#include "cli/build_flags.h"
#include "cli/task_flags.h"
#include "deploy/network.h"
#include "deploy/scaling.h"

struct deploy_flags {
	struct build_flags build; /* its secrets are --build-secret */
	struct task_flags task_flags;
	const char *cluster, *service, *repository, *tag;
	const char *scale, *health_path, *certificate, *public_ip_text, *timeout;
	const char *output_env; /* a file; NULL: none */
	struct strlist task_policies, subnets, security_groups;
	int64_t desired_count, cpu_target, log_retention, max_failures;
	bool task, lb, express, insights, wait, detach, dry_run, no_create, json, enable_exec,
		force;
	bool create_default_vpc;
	/* read from the texts above */
	enum public_ip public_ip;
	int64_t timeout_ns;
	struct scaling scaling; /* of --scale and --cpu-target */
	bool on_instances;      /* launch type EC2 */
	/* slipway.json in the context: its flags, as words of a command line */
	struct strlist config;
};

void deploy_flags_release(struct deploy_flags *f);
/*
 * As options_parse(); args: the context or image. f is initialised to zero. Whatever can be judged without AWS and without the
 * image is judged: ERROR_USAGE.
 */
int deploy_flags_parse(struct deploy_flags *f, struct app *a, int argc, char **argv,
		       struct strlist *args, struct error *err);

CLEANUP_RELEASE(deploy_flags)
