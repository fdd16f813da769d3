/* Blobs: pulling and deleting (OCI distribution-spec 1.1, Pulling blobs, Deleting Blobs). */
#include <string.h>

#include "base/alloc.h"
#include "server/call.h"
#include "server/range.h"

static void unknown(struct call *c)
{
	reply_error(c, 404, "BLOB_UNKNOWN", "blob %s is not in the repository %s",
		    c->route.digest.text, c->route.repository);
}

/*
 * The Range to be obeyed; NULL: none. Only GET has one (RFC 9110 section 14.2), and only for the bytes that the client has already (If-Range,
 * section 13.1.5: compared exactly).
 */
static const char *asked_range(struct call *c)
{
	const char *condition = server_request_header(c->request, "If-Range");
	AUTO_FREE char *tag = xstrfmt("\"%s\"", c->route.digest.text);

	if (strcmp(server_request_method(c->request), "GET") != 0 ||
	    (condition && strcmp(condition, tag) != 0))
		return NULL;
	return server_request_header(c->request, "Range");
}

static void send_blob(struct call *c, int fd, int64_t size)
{
	const char *range = asked_range(c);
	int64_t first = 0, last = size - 1;
	int status = 200;

	server_add_header(c->request, "Accept-Ranges", "bytes");
	server_add_headerf(c->request, "ETag", "\"%s\"", c->route.digest.text);
	switch (range_parse(range, size, &first, &last)) {
	case RANGE_OUTSIDE:
		close(fd);
		server_add_headerf(c->request, "Content-Range", "bytes */%lld", (long long)size);
		reply_error(c, 416, "RANGE_INVALID", "the blob has %lld bytes", (long long)size);
		return;
	case RANGE_PART:
		status = 206;
		server_add_headerf(c->request, "Content-Range", "bytes %lld-%lld/%lld",
				   (long long)first, (long long)last, (long long)size);
		break;
	case RANGE_WHOLE:
		break;
	}
	reply_digest(c, &c->route.digest);
	server_add_header(c->request, "Content-Type", "application/octet-stream");
	server_answer_file(c->request, status, fd, first, last - first + 1);
}

void api_blob_get(struct call *c)
{
	AUTO(error) err = ERROR_INIT;
	int64_t size;
	int fd;

	if (!repository_has_blob(call_store(c), c->route.repository, &c->route.digest))
		unknown(c);
	else if (store_open_blob(call_store(c), &c->route.digest, -1, &fd, &size, &err) == 0)
		send_blob(c, fd, size);
	else if (err.kind == ERROR_NOT_FOUND)
		unknown(c);
	else
		reply_failure(c, &err);
}

/* Under the repository's lock: a prune or fsck that has seen the link finds it still there. */
static int delete_blob(struct call *c, struct error *err)
{
	AUTO_FD int lock = -1;

	if (!repository_exists(call_store(c), c->route.repository))
		return error_set(err, ERROR_NOT_FOUND, "no such repository");
	if (repository_lock(call_store(c), c->route.repository, &lock, err) < 0)
		return -1;
	return repository_unlink_blob(call_store(c), c->route.repository, &c->route.digest, err);
}

void api_blob_delete(struct call *c)
{
	AUTO(error) err = ERROR_INIT;

	if (c->server->options.ecr_quirks)
		reply_error(c, 405, "UNSUPPORTED", "The operation is unsupported");
	else if (delete_blob(c, &err) == 0)
		reply_empty(c, 202);
	else if (err.kind == ERROR_NOT_FOUND)
		unknown(c);
	else
		reply_failure(c, &err);
}
