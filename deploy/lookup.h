/*
 * Services and tasks by what people call them: a service by its name or ARN, a task by its ARN, its id or the beginning of that, or by
 * the family of its task definition (which is the app's name). What is missing or ambiguous is answered with what there is.
 */
#pragma once

#include "deploy/target.h"

/* The part of a task's id that people see and type. */
#define TASK_ID_SHOWN 12

enum task_state { TASKS_RUNNING = 1, TASKS_STOPPED = 2, TASKS_ALL = 3 };

/* Which tasks; NULL: any. */
struct task_filter {
	const char *service, *family;
	enum task_state state; /* ECS remembers stopped ones for about an hour */
};

/* A new array of what DescribeTasks says of them, the newest first; tasks that vanish meanwhile are left out. */
int lookup_tasks(const struct deploy_target *t, const struct task_filter *filter, json_t **tasks,
		 struct error *err);
/*
 * *service NULL: there is no such service, or it is INACTIVE. Otherwise a new reference to what DescribeServices says, with its
 * tags. *has_cluster false: not even the cluster is there, which is no error.
 */
int lookup_service_if_any(const struct deploy_target *t, const char *name, json_t **service,
			  bool *has_cluster, struct error *err);
/* The same; a missing cluster is ERROR_NOT_FOUND that names those there are. */
int lookup_service(const struct deploy_target *t, const char *name, json_t **service,
		   struct error *err);
/* As lookup_service(); ERROR_NOT_FOUND that names the services there are. */
int lookup_need_service(const struct deploy_target *t, const char *name, json_t **service,
			struct error *err);
/*
 * A task in that state; TASKS_ALL: by family the newest. ERROR_NOT_FOUND, or ERROR_USAGE when the beginning of an id is that of several,
 * or several of the family run.
 */
int lookup_task(const struct deploy_target *t, const char *word, enum task_state state,
		json_t **task, struct error *err);
/* A service, else a task: one of them is set. Errors as both. */
int lookup_any(const struct deploy_target *t, const char *word, enum task_state state,
	       json_t **service, json_t **task, struct error *err);
/* Was the task found by its family's name? */
bool lookup_is_family(const json_t *task, const char *word);
/* A view; "" for none. */
const char *lookup_task_id(const json_t *task);
/* The cluster that a task's or service's ARN names; NULL: it names none. free(). */
char *lookup_cluster_of(const char *word);
