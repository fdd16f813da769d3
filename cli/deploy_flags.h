/* The options of deploy: its own, and those of build that a deploy needs. */
#pragma once

#include "cli/build_flags.h"
#include "deploy/network.h"
#include "deploy/task_make.h"

struct deploy_flags {
	struct build_flags build; /* its secrets are --build-secret */
	const char *cluster, *service, *name, *repository, *tag;
	const char *task_definition, *container;
	const char *cpu, *memory, *entrypoint, *command, *task_role, *execution_role;
	const char *launch_type, *scale, *health_path, *certificate;
	const char *public_ip_text, *timeout, *log_group;
	struct strlist ports, env, env_files, secrets, task_policies, subnets, security_groups;
	int64_t desired_count, cpu_target, log_retention, ephemeral_storage, max_failures;
	bool task, lb, express, insights, wait, detach, dry_run, no_create, json, enable_exec,
		force;
	bool create_default_vpc;
	/* read from the texts above */
	enum public_ip public_ip;
	int64_t timeout_ns;
	int64_t scale_min, scale_max; /* 0: no --scale */
	bool on_instances;            /* launch type EC2 */
	struct task_options
		options; /* of the task definition; name and region are the caller's to set */
	/* slipway.json beside the Dockerfile: its flags, as words of a command line */
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
