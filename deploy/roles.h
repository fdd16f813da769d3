/*
 * The two roles of a task: ECS itself takes the execution role, to pull the image, write logs and read secrets; the containers have the
 * task role, for the app's own calls (ECS Developer Guide, task execution IAM role, task IAM role).
 */
#pragma once

#include "deploy/role.h"

enum task_role_origin {
	TASK_ROLE_NONE,
	TASK_ROLE_GIVEN,  /* named by the user: never changed */
	TASK_ROLE_SHARED, /* ecsTaskExecutionRole, which the console makes: never changed */
	TASK_ROLE_APP,    /* slipway-APP-execution, slipway-APP-task */
};

struct task_role {
	enum task_role_origin origin;
	bool found;
	bool owned; /* of TASK_ROLE_APP: else it is not changed either */
	char *name;
	char *arn;             /* also while it is missing; NULL: the task has none */
	struct strlist attach; /* ARNs of policies that it lacks */
	json_t *put;           /* inline policies that it lacks or that differ: name to document */
	struct strlist drop;   /* inline policies of slipway's that are not wanted any more */
};

void task_role_release(struct task_role *r);
/*
 * given: ARN or name, NULL: ecsTaskExecutionRole when it is there, trusts ECS, and no secrets are wanted, else slipway-APP-execution.
 * secrets: valueFrom of the task's secrets. ERROR_NOT_FOUND for a given name that does not exist, ERROR_DENIED with what to ask for.
 */
int execution_role_find(const struct deploy_target *t, const char *given,
			const struct strlist *secrets, struct task_role *out, struct error *err);
/* policies: ARNs, and files of policy documents. Without given and policies the task has none. */
int task_role_find(const struct deploy_target *t, const char *given, const struct strlist *policies,
		   struct task_role *out, struct error *err);
/* Makes what find found missing. */
int task_role_make(const struct deploy_target *t, struct task_role *r, struct error *err);
/* Has make anything to do? */
bool task_role_is_ready(const struct task_role *r);
/* What make is about to do, a line each, beginning with "+ ", "~ " or "= ". what: "execution role". */
void task_role_plan(const struct task_role *r, const char *what, struct strlist *lines);
/* A policy that lets exactly these secrets be read; NULL without any. A new reference. */
json_t *secrets_policy(const struct deploy_target *t, const struct strlist *secrets);

CLEANUP_RELEASE(task_role)
