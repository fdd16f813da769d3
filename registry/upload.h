/*
 * One blob on its way to a repository, for the files that share the work: upload.c finds out whether it has to be sent,
 * upload_session.c sends it whole, upload_chunks.c in pieces where something in between refuses large requests.
 */
#pragma once

#include "registry/blobs.h"
#include "registry/request.h"

struct upload {
	const struct blob_job *job;
	struct registry_host *host;
	struct strlist scopes;
	char *what;
	int fd;                    /* of all bytes; -1 while they come */
	struct incoming *incoming; /* upload_source.c */
	bool sent;                 /* done: what passes through need not stay */
	struct digester digester;  /* of what has been given to the connection */
	int64_t hashed, said;
	int64_t base; /* of the blob: where the request under way begins */
	bool corrupt;
};

/* A request with the rights of the push; its parts are views into u. */
struct registry_request upload_request(const struct upload *u, const char *method,
				       const char *path);
/* HEAD. What has another size than the blob is not taken for it. */
int upload_is_present(const struct upload *u, bool *present, struct error *err);

/* A new session (POST); *final is the URL that answered. Makes a repository that is missing. */
int upload_open(const struct upload *u, struct http_response *res, struct url *final,
		struct error *err);
/* Where the session goes on: Location, seen from the URL that answered (distribution-spec 1.1, Pushing blobs). */
int upload_locate(const struct upload *u, const struct http_response *res, const struct url *final,
		  struct url *out, struct error *err);
/* Adds "digest=" to the session's own query, which stays as it is. */
void upload_add_digest(const struct upload *u, struct url *session);
/* The answer to the last request of a session. */
int upload_check_stored(const struct upload *u, const struct http_response *res, struct error *err);
/* DELETE of a session that is not going to end otherwise, also when the user has cancelled: two seconds, no failure. */
void upload_abandon(const struct upload *u, const struct url *session);
/* The registry has lost the session, or will not go on with it. */
bool upload_is_lost(const struct http_response *res);
/* For http_request.on_progress. */
int upload_on_progress(void *upload, int64_t sent, int64_t received, struct error *err);

/* The bytes: from the store, or as they come from where they are known to be. Waits for the first of them. */
int upload_source_open(struct upload *u, struct error *err);
void upload_source_close(struct upload *u);
/* For http_request.read_body while u->incoming is set. */
int64_t upload_source_read(void *upload, int64_t at, void *buffer, size_t room, struct error *err);
/* Until all are here, and right: u->fd is set. */
int upload_source_whole(struct upload *u, struct error *err);
/*
 * After a request that failed: -1 when the source has, which is final; 1 when wrong bytes came from it, and now the right ones are
 * here; 0: it was not the source.
 */
int upload_source_judge(struct upload *u, struct error *err);

/*
 * All bytes, until they are there. *session (its scheme set) is a session that a refused mount has opened; it is used up.
 * The digest of what is sent is verified before the last byte goes out.
 */
int upload_send(struct upload *u, struct url *session, struct http_response *res,
		struct error *err);
/*
 * The same with PATCH requests of at most the host's chunk_bytes, which shrink while they are refused for their size (413). *stuck: the
 * registry takes the pieces, but does not go on from piece to piece: nothing is stored.
 */
int upload_send_chunks(struct upload *u, struct http_response *res, bool *stuck, struct error *err);
