/*
 * The report of a failure: the cause in its first line, then what AWS says, each container's end, its last log lines, the newest
 * events, where to look on, and what to try.
 */
#pragma once

#include "deploy/target.h"
#include "deploy/task_end.h"

/*
 * task: stopped, as DescribeTasks says it; events: of the service, newest first (NULL: none). end (may be NULL) is filled as
 * task_end_read() does. What cannot be read (logs without permission) is said in its place; only ERROR_CANCELLED ends it.
 */
int explain_task(const struct deploy_target *t, const json_t *task, const json_t *events,
		 struct task_end *end, struct strbuf *out, struct error *err);
/* The newest events of a service, oldest first, one a line; since: those created before are left out (seconds since 1970). */
void explain_events(const json_t *events, double since, struct strbuf *out);
/* The page of the console that shows the task; free(). */
char *explain_console_url(const struct deploy_target *t, const char *task_arn);
/* The task definition by its ARN or family; a new reference in *out. */
int describe_definition(const struct deploy_target *t, const char *name, json_t **out,
			struct error *err);
