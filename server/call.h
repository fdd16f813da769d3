/* One request to the embedded registry, and what the files of its API share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "net/server.h"
#include "oci/ingest.h"
#include "oci/lease.h"
#include "oci/repository.h"
#include "server/registry_server.h"
#include "server/route.h"
#include "server/upload.h"

struct registry_server {
	struct registry_server_options options;
	struct uploads *uploads;
	struct ecr *ecr;        /* with its quirks */
	int serving;            /* descriptor of repository_serve() */
	atomic_size_t buffered; /* bytes of manifests that are coming */
	pthread_mutex_t
		manifest_lock; /* one at a time is read: its JSON takes many times its bytes */
};

struct call;
/* What a method does at an endpoint; each member may be NULL. */
struct endpoint {
	enum route_kind kind;
	const char *method;
	void (*begin)(struct call *c);
	void (*body)(struct call *c, const void *data, size_t len);
	void (*end)(struct call *c);
};
extern const struct endpoint endpoints[]; /* ends with a NULL method */

struct call {
	struct registry_server *server;
	struct server_request *request;
	struct route route;
	const struct endpoint *endpoint;
	struct lease *lease;    /* while something may be linked */
	struct strbuf body;     /* a manifest */
	struct upload *upload;  /* that takes the body */
	bool is_known;          /* to its client: it can go on with it */
	int64_t upload_start;   /* its size when the body began */
	int64_t chunk_length;   /* by Content-Range; -1: it did not say */
	bool is_final;          /* the body ends the upload */
	struct digest promised; /* what it then is */
};

static inline struct store *call_store(const struct call *c)
{
	return c->server->options.store;
}
const char *call_query(const struct call *c, const char *name); /* NULL: absent */

/* ---- answers (server/reply.c) ---- */

/* {"errors":[{"code","message","detail"}]} (distribution-spec 1.1, Error Codes). */
void reply_error(struct call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* An error of ours: 500, or what its kind says. Tells the log. */
void reply_failure(struct call *c, const struct error *err);
void reply_empty(struct call *c, int status);
void reply_json(struct call *c, int status, const char *media_type, const json_t *j);
void reply_name_unknown(struct call *c);
/* "Docker-Content-Digest" */
void reply_digest(struct call *c, const struct digest *d);
/* n and last of lists: false, and answered, when n is no number. *n is -1 when absent. */
bool reply_page(struct call *c, int64_t *n, const char **last);
/* Link: <...&last=LAST>; rel="next" */
void reply_next(struct call *c, int64_t n, const char *last);

/* ---- the API ---- */

void api_blob_get(struct call *c);
void api_blob_delete(struct call *c);
void api_upload_post(struct call *c);
void api_upload_patch(struct call *c);
void api_upload_put(struct call *c);
void api_upload_body(struct call *c, const void *data, size_t len);
void api_upload_end(struct call *c);
void api_upload_get(struct call *c);
void api_upload_delete(struct call *c);
void api_manifest_get(struct call *c);
void api_manifest_put(struct call *c);
void api_manifest_body(struct call *c, const void *data, size_t len);
void api_manifest_put_end(struct call *c);
void api_manifest_delete(struct call *c);
void api_tags_get(struct call *c);
void api_catalog_get(struct call *c);
void api_referrers_get(struct call *c);
