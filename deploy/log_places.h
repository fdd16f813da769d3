/*
 * Where the lines of a task's containers go, read from the task definition (logConfiguration of awslogs): group and stream are never
 * guessed.
 */
#pragma once

#include "deploy/target.h"

struct log_place {
	char *container;
	char *group;
	char *region; /* NULL: the target's */
	char *stream; /* of one task; NULL: prefix is known alone */
	char *prefix; /* "PREFIX/CONTAINER/": what the streams of all its tasks begin with */
	char *other;  /* why there is nothing to read: "awsfirelens"; the rest is NULL then */
};

struct log_places {
	struct log_place *items;
	size_t n, cap;
};

/*
 * One place a container of the task definition (of ECS's answer or a file), in its order. task: of DescribeTasks, for the streams of
 * that task; NULL: of all tasks, by prefix. With awslogs-stream-prefix a stream is PREFIX/CONTAINER/TASK-ID, else (EC2 only) the
 * container's runtimeId.
 */
void log_places_read(struct log_places *out, const json_t *task_definition, const json_t *task);
void log_places_release(struct log_places *p);
/* Leaves only that container's; false: there is none of the name, and nothing changes. */
bool log_places_keep(struct log_places *p, const char *container);
/* The place of a container that can be read; NULL: there is none. */
const struct log_place *log_places_find(const struct log_places *p, const char *container);

CLEANUP_RELEASE(log_places)
