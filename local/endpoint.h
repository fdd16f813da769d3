/*
 * How commands find the local target that runs on a state folder: a small file, readable by its owner alone, that the target writes when
 * it answers.
 *
 *	FOLDER/target.json     {"process", "port", "region", "accessKey", "secretKey"}; process_mark.h
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"

struct local_endpoint {
	pid_t pid;
	int port;
	char *url;      /* "http://127.0.0.1:4599" */
	char *registry; /* "127.0.0.1:4599" */
	char *page;     /* the status page with its key; secret */
	char *region, *access_key;
	char *secret_key; /* secret */
};

/* Says that this process answers on the port. */
int local_endpoint_write(const char *folder, int port, const char *region, const char *access_key,
			 const char *secret_key, struct error *err);
/* *running false: none does, *out is empty. A file of a process that is gone, or of an earlier boot, says nothing. */
int local_endpoint_find(struct local_endpoint *out, const char *folder, bool *running,
			struct error *err);
void local_endpoint_remove(const char *folder);
/*
 * Sends the signal and waits at most timeout_ms for the process to be gone. *gone tells whether it is. A process that took over its number
 * is left alone. ERROR_CANCELLED: the wait was.
 */
int local_endpoint_signal(const struct local_endpoint *e, const char *folder, int number,
			  const struct cancel *cancel, int timeout_ms, bool *gone,
			  struct error *err);
void local_endpoint_release(struct local_endpoint *e);

CLEANUP_RELEASE(local_endpoint)
