/* A task definition from an image and what flags say: the Fargate form unless another launch type is asked for. */
#pragma once

#include "deploy/task_definition.h"

enum task_launch { TASK_FARGATE, TASK_EC2 };

/* What flags say; zeroed: nothing. Texts are views of the caller's; NULL: not given. */
struct task_options {
	const char *name; /* family and container; required for task_definition_make() */
	enum task_launch launch;
	const char *cpu, *memory; /* "256", ".5 vCPU"; "512", "1 GB"; default 256 and 512 */
	struct strlist
		ports; /* "3000", "53/udp", on EC2 also "80:3000"; none: what the image exposes */
	struct strmap env;     /* in the order given */
	struct strmap secrets; /* NAME -> ARN, or name of an SSM parameter */
	struct strlist entrypoint, command;
	bool has_entrypoint, has_command;
	const char *task_role, *execution_role; /* ARNs or names */
	const char *region;                     /* of the logs */
	const char *log_group;                  /* default /ecs/NAME */
	int64_t ephemeral_storage;              /* GiB; 0: not given */
	struct strmap tags;
};

void task_options_release(struct task_options *o);
/*
 * config: the image's, NULL when it is not known yet (nothing is taken over then). image: what the task pulls. notes: lines about what
 * of the image has no counterpart or was changed, for people. ERROR_USAGE for a flag that cannot be read.
 */
int task_definition_make(struct task_definition *out, const struct task_options *o,
			 const struct image_config *config, const char *image,
			 struct strlist *notes, struct error *err);
/*
 * Lays the flags that were given over a task definition that was read: sizes, roles, storage and tags on the task, the rest on the
 * container (chosen as task_definition_choose() does). What no flag says stays as it is.
 */
int task_definition_apply(struct task_definition *td, const char *container,
			  const struct task_options *o, struct error *err);
/*
 * A name for family, container and what hangs on them, from a folder's or a repository's: what is no letter, digit, - or _ becomes
 * "-", at both ends nothing; "app" when nothing is left. free()
 */
char *task_name_valid(const char *text);
/*
 * HEALTHCHECK as ECS has it, json_decref(); NULL when the image has none. NONE becomes command ["NONE"]. Times are
 * whole seconds within ECS's ranges; what had to be changed is a note.
 */
json_t *task_health_check(const struct image_config *config, struct strlist *notes);

CLEANUP_RELEASE(task_options)
