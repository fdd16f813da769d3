/* What the files of a look at one service share. Included by local/reconcile*.c alone. */
#pragma once

#include "local/reconcile.h"

struct service_task {
	char *id;
	json_t *task;
	json_t *deployment; /* in the service; NULL: it is there no more */
	bool live;
	bool settled; /* healthy, and for long enough */
	bool stop;    /* to be asked to stop */
	const char *reason;
};

struct service_look {
	struct reconcile *r;
	const char *cluster, *name; /* views of the service's */
	json_t *service;            /* a copy, to be changed */
	json_t *primary;            /* its first deployment; a view */
	json_t *source;             /* whose tasks start, or NULL: ecs_service_source(); a view */
	struct service_task *tasks;
	size_t n, cap;
	int64_t starts; /* tasks of the source to make */
	bool stops;     /* some of the tasks are asked to stop */
};

/* reconcile_notice.c: what happened since the last look. */
void service_notice(struct service_look *l);
/* reconcile_plan.c: which tasks start and stop, and whether the deployment is complete. */
void service_plan(struct service_look *l);
/* The id of the primary deployment's record that is open, or of the one it rolls back; NULL: none is. */
json_t *service_open_record(const struct service_look *l);
