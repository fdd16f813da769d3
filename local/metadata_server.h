/*
 * The small HTTP/1.1 server that tasks find at 169.254.170.2: GET alone, one answer a connection. It needs no thread of its own: who has one polls
 * metadata_server_fd() and calls metadata_server_serve(), which never waits for a client.
 *
 *	metadata_server_open(&m, answer, arg, err);
 *	metadata_server_add(m, task_id, listener);
 *	poll(metadata_server_fd(m), timeout); timeout = metadata_server_serve(m);
 */
#pragma once

#include "base/error.h"

struct metadata_server;

/* Fills an HTTP status and a JSON text (free(); NULL: none). Called by the thread that serves, with no lock held. */
typedef void metadata_answer(void *arg, const char *task_id, const char *path, int *status,
			     char **json);

int metadata_server_open(struct metadata_server **out, metadata_answer *answer, void *arg,
			 struct error *err);
/* Takes the listening socket, which does not block. Any thread may add and remove. */
void metadata_server_add(struct metadata_server *m, const char *task_id, int listener);
/* Its clients are cut off. */
void metadata_server_remove(struct metadata_server *m, const char *task_id);
/* Readable when there is something to serve. */
int metadata_server_fd(const struct metadata_server *m);
/* Returns after how many ms at the latest it is to be called again; -1: at the next event. */
int metadata_server_serve(struct metadata_server *m);
void metadata_server_free(struct metadata_server *m);

CLEANUP_FREE(metadata_server)
