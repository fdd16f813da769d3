/*
 * The output of one container as events of a log stream: a line an event, as the driver awslogs makes them. Memory is fixed: a line longer than
 * an event may be is cut there and goes on in the next.
 */
#pragma once

#include "base/strbuf.h"
#include "local/log_store.h"

#define CONTAINER_LOG_LINE (256u << 10)

struct container_log {
	struct log_store *store; /* NULL: output goes nowhere */
	char *group, *stream;
	struct strbuf parts[2]; /* lines without end yet, of descriptors 1 and 2 */
	bool failed;            /* it was said once */
};

/* The stream that awslogs writes to: PREFIX/CONTAINER/TASK, without a prefix (NULL) that of the container's own id. free() */
char *container_log_stream(const char *prefix, const char *container, const char *task_id,
			   const char *container_id);
/* Makes the stream. */
int container_log_open(struct container_log *l, struct log_store *store, const char *group,
		       const char *stream, struct error *err);
/* ERROR_SYSTEM once when the log cannot be written; output after that may be lost. */
int container_log_write(struct container_log *l, int fd, const char *data, size_t len,
			struct error *err);
/* What is left of lines without end. */
int container_log_finish(struct container_log *l, struct error *err);
void container_log_release(struct container_log *l);

CLEANUP_RELEASE(container_log)
