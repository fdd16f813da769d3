/*
 * The least IAM policy for what a deploy calls (IAM User Guide, JSON policy elements; Service Authorization Reference for the actions,
 * their resources and conditions). One table holds which call needs which action on what.
 */
#pragma once

#include "deploy/target.h"

struct deploy_policy {
	const char *repository; /* NULL: the app's name */
	const char *log_group;  /* NULL: /ecs/APP */
	const char *service;    /* NULL: the app's name */
	const char *execution_role,
		*task_role; /* name or ARN of ones that are there; NULL: slipway's own */
	const struct strlist
		*task_policies; /* ARNs that are attached to a task role; others are files */
	bool no_create;         /* all is there */
	bool secrets;           /* the task reads some */
	bool lb, express, scale;
	bool operate; /* ps, logs, stop, scale, rollback, task describe */
	bool destroy;
};

/*
 * The policy document; json_decref(). Of the target app, cluster, account, region and partition are read; an account or region of "*"
 * stands for any.
 */
json_t *deploy_policy_write(const struct deploy_target *t, const struct deploy_policy *p);
