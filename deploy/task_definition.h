/*
 * A task definition: the body of ECS RegisterTaskDefinition (ECS API Reference), kept as JSON, so that every field of a file survives
 * with its value, name and order, also one that slipway does not know.
 *
 *	task_definition_read(&td, text, len, "task.json", err)          AWS's own JSON: a request, or what describe-task-definition says
 *	task_definition_put_image(&td, NULL, "app", image, err)
 * or
 *	task_definition_make(&td, &options, &image->config, image, &notes, err)
 * then
 *	lint_definition() (deploy/lint.h), task_definition_equal() (deploy/task_compare.h), and td.json as the parameters of the call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "oci/config.h"

/* ECS takes 64 KiB without blanks; up to here it is lint that says so. */
#define LIMIT_TASK_DEFINITION_BYTES (256u << 10)

struct task_definition {
	json_t *json; /* an object: the parameters of RegisterTaskDefinition */
	char *where;  /* the file's name for messages; NULL: made from image and flags */
	char *text;   /* the file's text, for line numbers; NULL without a file */
};

void task_definition_release(struct task_definition *td);
/*
 * Parses a request of RegisterTaskDefinition, or an answer of DescribeTaskDefinition or RegisterTaskDefinition: "taskDefinition" is
 * unwrapped, "tags" beside it are kept, fields that only answers have are dropped. cpu and memory of the task become texts, as
 * the API has them. ERROR_SYNTAX when it is no JSON object.
 */
int task_definition_read(struct task_definition *out, const char *text, size_t len,
			 const char *where, struct error *err);
/* The same from JSON at hand, an answer's "taskDefinition" (a copy is made). */
void task_definition_from_json(struct task_definition *out, const json_t *json);
/* Takes off what only answers have: taskDefinitionArn, revision, status, requiresAttributes, compatibilities, registeredAt ... */
void task_definition_strip(json_t *json);
/*
 * Puts the image into one container and changes nothing else. container NULL: the only one, else the one called app (may be NULL),
 * else the only essential one. ERROR_NOT_FOUND lists the names there are.
 */
int task_definition_put_image(struct task_definition *td, const char *container, const char *app,
			      const char *image, struct error *err);
/* Which container that is: an object, a view. */
int task_definition_choose(const struct task_definition *td, const char *container, const char *app,
			   json_t **out, struct error *err);

/* Views; "" where a field is missing or no text. */
const char *task_definition_family(const struct task_definition *td);
/* The array of container definitions, or NULL. */
json_t *task_definition_containers(const struct task_definition *td);
/* Runs on Fargate: requiresCompatibilities says so. */
bool task_definition_is_fargate(const struct task_definition *td);
/* Container ports of all containers, "3000/tcp", each once, in order: what a security group opens. */
void task_definition_ports(const struct task_definition *td, struct strlist *out);
/* awslogs-group of each container that has one, each once. */
void task_definition_log_groups(const struct task_definition *td, struct strlist *out);
/* valueFrom of all secrets (log options' and registry credentials included), each once: what the execution role must read. */
void task_definition_secrets(const struct task_definition *td, struct strlist *out);
/* Why an execution role is needed (an image at ECR, awslogs on Fargate, secrets): a static text, or NULL when it is not. */
const char *task_definition_needs_execution_role(const struct task_definition *td);
/* Sets executionRoleArn or taskRoleArn (field) unless the task definition has one. */
void task_definition_default(struct task_definition *td, const char *field, const char *value);

CLEANUP_RELEASE(task_definition)
