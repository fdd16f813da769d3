/* Blobs: pushing in one request, in two, in chunks, or by mounting (OCI distribution-spec 1.1, Pushing blobs). */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "server/call.h"
#include "server/ecr.h"
#include "server/range.h"

static bool is_ecr(const struct call *c)
{
	return c->server->options.ecr_quirks;
}

static void add_location(struct call *c, const char *id)
{
	server_add_headerf(c->request, "Location", "/v2/%s/blobs/uploads/%s", c->route.repository,
			   id);
	server_add_header(c->request, "Docker-Upload-UUID", id);
	c->is_known = true;
}

/* "0-END" has no form for nothing: clients know that a session without bytes says 0-0. */
static void add_range(struct call *c, int64_t size)
{
	server_add_headerf(c->request, "Range", "0-%lld", (long long)(size > 0 ? size - 1 : 0));
}

static void reply_session(struct call *c, int status, const char *id, int64_t size)
{
	add_location(c, id);
	add_range(c, size);
	reply_empty(c, status);
}

static void reply_created(struct call *c, const struct digest *d)
{
	server_add_headerf(c->request, "Location", "/v2/%s/blobs/%s", c->route.repository, d->text);
	reply_digest(c, d);
	reply_empty(c, 201);
}

static void reply_unknown_upload(struct call *c)
{
	reply_error(c, 404, "BLOB_UPLOAD_UNKNOWN",
		    "there is no upload %s to the repository %s; begin a new one",
		    c->route.reference, c->route.repository);
}

/* From here until the answer prune keeps away. */
static bool take_lease(struct call *c)
{
	AUTO(error) err = ERROR_INIT;

	if (c->lease || lease_take(&c->lease, call_store(c), &err) == 0)
		return true;
	reply_failure(c, &err);
	return false;
}

static void link_blob(struct call *c, const struct digest *d)
{
	AUTO(error) err = ERROR_INIT;

	if (repository_link_blob(call_store(c), c->route.repository, d, &err) < 0)
		reply_failure(c, &err);
	else
		reply_created(c, d);
}

/* The digest of a query parameter: false, and answered, when it is none. */
static bool parse_digest(struct call *c, const char *text, struct digest *out)
{
	if (digest_parse(out, text, NULL) == 0)
		return true;
	reply_error(c, 400, "DIGEST_INVALID",
		    "\"%.200s\" is no digest: sha256: or sha512: and hex digits", text);
	return false;
}

/* Does the blob come from another repository? True: answered. */
static bool mount(struct call *c)
{
	const char *mount = call_query(c, "mount"), *from = call_query(c, "from");
	AUTO_FREE char *found = NULL;
	struct digest d;

	if (!mount || is_ecr(c))
		return false;
	if (!parse_digest(c, mount, &d) || !take_lease(c))
		return true;
	if (from ? !repository_is_name(from) || !repository_has_blob(call_store(c), from, &d)
		 : !c->server->options.lends_store &&
			    !repository_find_blob(call_store(c), &d, &found))
		return false;
	if (!store_touch(call_store(c), &d, -1))
		return false;
	link_blob(c, &d);
	return true;
}

/* The body that comes is to have this digest. */
static bool expect(struct call *c, const struct digest *d)
{
	AUTO(error) err = ERROR_INIT;

	c->promised = *d;
	c->is_final = true;
	if (ingest_expect(c->upload->ingest, d, &err) == 0)
		return true;
	reply_failure(c, &err);
	return false;
}

/* Takes the session of the path; answers when that does not go. */
static bool take_session(struct call *c)
{
	AUTO(error) err = ERROR_INIT;

	c->is_known = true;
	if (uploads_take(c->server->uploads, c->route.repository, c->route.reference, &c->upload,
			 &err) == 0)
		return true;
	if (err.kind == ERROR_NOT_FOUND)
		reply_unknown_upload(c);
	else if (err.number == EWOULDBLOCK)
		reply_error(c, 409, "BLOB_UPLOAD_INVALID",
			    "another request is writing to this upload");
	else
		reply_failure(c, &err);
	return false;
}

static void refuse_range(struct call *c, int64_t first)
{
	int64_t size = ingest_size(c->upload->ingest);

	add_location(c, c->upload->id);
	add_range(c, size);
	if (is_ecr(c))
		reply_error(c, 416, "BLOB_UPLOAD_INVALID",
			    "First byte of the layer part is %lld instead of %lld",
			    (long long)first, (long long)size);
	else
		reply_error(c, 416, "BLOB_UPLOAD_INVALID",
			    "the chunk begins at byte %lld, and %lld bytes are here",
			    (long long)first, (long long)size);
}

static int64_t most_bytes(const struct call *c)
{
	return is_ecr(c) ? ECR_LAYER_BYTES : LIMIT_BLOB_BYTES;
}

static void refuse_size(struct call *c)
{
	reply_error(c, 413, "SIZE_INVALID", "a blob has at most %lld bytes",
		    (long long)most_bytes(c));
}

/* Content-Range of a chunk, where there is one: it follows on what is here, and is as long as the body. */
static bool check_chunk(struct call *c)
{
	const char *text = server_request_header(c->request, "Content-Range");
	int64_t length = server_request_length(c->request);
	int64_t first, last;

	c->upload_start = ingest_size(c->upload->ingest);
	if (c->upload_start + length > most_bytes(c)) {
		refuse_size(c);
		return false;
	}
	if (!text)
		return true;
	if (!range_parse_content(text, &first, &last)) {
		reply_error(c, 400, "BLOB_UPLOAD_INVALID",
			    "Content-Range \"%.60s\" is not of the form FIRST-LAST", text);
		return false;
	}
	if (first != c->upload_start) {
		refuse_range(c, first);
		return false;
	}
	c->chunk_length = last - first + 1;
	if (length >= 0 && length != c->chunk_length) {
		reply_error(c, 400, "SIZE_INVALID",
			    "Content-Range speaks of %lld bytes, Content-Length of %lld",
			    (long long)c->chunk_length, (long long)length);
		return false;
	}
	return true;
}

void api_upload_post(struct call *c)
{
	const char *digest = call_query(c, "digest");
	const char *algorithm = call_query(c, "digest-algorithm");
	AUTO(error) err = ERROR_INIT;
	struct digest d;

	if (mount(c) || (digest && !parse_digest(c, digest, &d)))
		return;
	if (algorithm && strcmp(algorithm, "sha256") != 0 && strcmp(algorithm, "sha512") != 0) {
		reply_error(c, 400, "DIGEST_INVALID", "\"%.40s\" is neither sha256 nor sha512",
			    algorithm);
		return;
	}
	if (uploads_begin(c->server->uploads, c->route.repository, &c->upload, &err) < 0) {
		if (err.kind == ERROR_UNSUPPORTED) {
			server_add_header(c->request, "Retry-After", "60");
			reply_error(c, 429, "TOOMANYREQUESTS", "%s", err.message);
		} else {
			reply_failure(c, &err);
		}
		return;
	}
	if (digest && check_chunk(c))
		expect(c, &d);
}

void api_upload_patch(struct call *c)
{
	if (take_session(c) && check_chunk(c))
		ecr_takes_part_after(c, c->upload_start);
}

void api_upload_put(struct call *c)
{
	const char *text = call_query(c, "digest");
	struct digest d;

	if (!text) {
		reply_error(c, 400, "DIGEST_INVALID", "the query lacks digest=");
		return;
	}
	if (!parse_digest(c, text, &d) || !take_session(c) || !check_chunk(c))
		return;
	if (is_ecr(c) && c->chunk_length < 0 && c->upload_start > 0 &&
	    server_request_length(c->request) != 0)
		refuse_range(c, 0);
	else if (server_request_length(c->request) == 0 || ecr_takes_part_after(c, c->upload_start))
		expect(c, &d);
}

/* The chunk is not what was announced: as if it had never come. */
static void undo_chunk(struct call *c)
{
	AUTO(error) err = ERROR_INIT;

	if (ingest_cut(c->upload->ingest, c->upload_start, &err) < 0) {
		reply_failure(c, &err);
		return;
	}
	reply_error(c, 400, "SIZE_INVALID", "the chunk has not the %lld bytes of its Content-Range",
		    (long long)c->chunk_length);
}

void api_upload_body(struct call *c, const void *data, size_t len)
{
	AUTO(error) err = ERROR_INIT;
	int64_t size = ingest_size(c->upload->ingest);

	/* A POST without digest only begins; the second PATCH to ECR is answered and forgotten. */
	if (!c->is_final && (c->route.kind == ROUTE_UPLOADS || (is_ecr(c) && c->upload_start > 0)))
		return;
	if (size + (int64_t)len > most_bytes(c))
		refuse_size(c);
	else if (c->chunk_length >= 0 && size + (int64_t)len > c->upload_start + c->chunk_length)
		undo_chunk(c);
	else if (sink_write(ingest_sink(c->upload->ingest), data, len, &err) < 0)
		reply_failure(c, &err);
}

static void finish(struct call *c)
{
	AUTO(error) err = ERROR_INIT;
	bool failed;

	if (is_ecr(c) && ingest_size(c->upload->ingest) == 0) {
		reply_error(c, 400, "BLOB_UPLOAD_INVALID",
			    "The upload cannot be completed because it does not have any parts");
		return;
	}
	if (!take_lease(c))
		return;
	failed = ingest_commit(c->upload->ingest, NULL, -1, &err) < 0;
	uploads_end(c->server->uploads, c->upload);
	c->upload = NULL;
	if (!failed)
		link_blob(c, &c->promised);
	else if (err.kind == ERROR_CORRUPT)
		reply_error(c, 400, "DIGEST_INVALID", "%s", err.message);
	else
		reply_failure(c, &err);
}

void api_upload_end(struct call *c)
{
	int64_t size = ingest_size(c->upload->ingest);

	if (c->chunk_length >= 0 && size != c->upload_start + c->chunk_length && !is_ecr(c))
		undo_chunk(c);
	else if (c->is_final)
		finish(c);
	else
		reply_session(c, is_ecr(c) && c->route.kind == ROUTE_UPLOAD ? 201 : 202,
			      c->upload->id, size);
}

void api_upload_get(struct call *c)
{
	int64_t size = uploads_size(c->server->uploads, c->route.repository, c->route.reference);

	if (size < 0)
		reply_unknown_upload(c);
	else
		reply_session(c, 204, c->route.reference, size);
}

void api_upload_delete(struct call *c)
{
	if (!take_session(c))
		return;
	uploads_end(c->server->uploads, c->upload);
	c->upload = NULL;
	reply_empty(c, 204);
}
