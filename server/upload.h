/*
 * Upload sessions of the embedded registry. A session is a file in the store's ingest/, so that it outlives the process; the
 * sessions last used are kept open too, which spares hashing their bytes again at the end.
 */
#pragma once

#include "base/log.h"
#include "oci/ingest.h"

#define UPLOAD_ID_SIZE 33

struct uploads;

/* One session, taken by one request. */
struct upload {
	char id[UPLOAD_ID_SIZE]; /* 128 random bits */
	struct ingest *ingest;
	char *name; /* of the file: it holds the repository's hash, so that a session serves its repository alone */
	int64_t used_ns;
};

/* most: how many may be unfinished at a time. */
int uploads_new(struct uploads **out, struct store *s, size_t most, struct error *err);
void uploads_free(struct uploads *u);
/* A new session. ERROR_UNSUPPORTED when too many are open. */
int uploads_begin(struct uploads *u, const char *repository, struct upload **out,
		  struct error *err);
/* ERROR_NOT_FOUND; ERROR_SYSTEM with number EWOULDBLOCK while another request has it. */
int uploads_take(struct uploads *u, const char *repository, const char *id, struct upload **out,
		 struct error *err);
/* Its bytes so far, also while another request has it; -1: no such session. */
int64_t uploads_size(struct uploads *u, const char *repository, const char *id);
/* The request is over, the session goes on. */
void uploads_park(struct uploads *u, struct upload *upload);
/*
 * To be called now and then: closes what nobody has gone on with for 10 minutes, and every 10 minutes removes the sessions that nobody has for a
 * day. now_ns: of time_monotonic_ns(); now: seconds since 1970.
 */
void uploads_look(struct uploads *u, int64_t now_ns, int64_t now);
/* The session is over; what it had is removed unless it was committed. */
void uploads_end(struct uploads *u, struct upload *upload);

CLEANUP_FREE(uploads)
