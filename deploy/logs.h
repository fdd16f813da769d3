/* What containers wrote to CloudWatch Logs through the awslogs driver. */
#pragma once

#include "deploy/target.h"

/* Where a container of a task writes. */
struct log_place {
	char *group, *stream; /* stream: "PREFIX/CONTAINER/TASKID" */
	char *region;
};

/* Read from the task definition; false: the container does not use awslogs, or without a stream prefix. */
bool log_place_find(struct log_place *out, const json_t *definition, const char *container,
		    const char *task_arn);
void log_place_release(struct log_place *p);
/*
 * Appends the last lines of the stream, each with a newline; a stream that does not exist (yet) has none. Errors as aws_call().
 */
int logs_tail(const struct deploy_target *t, const struct log_place *place, int lines,
	      struct strbuf *out, struct error *err);

CLEANUP_RELEASE(log_place)
