/* Manifests and indexes: pulling and deleting (OCI distribution-spec 1.1, Pulling manifests, Deleting tags, Deleting Manifests). */
#include "base/alloc.h"
#include "base/limits.h"
#include "server/call.h"
#include "server/document.h"

static void unknown(struct call *c)
{
	if (!repository_exists(call_store(c), c->route.repository))
		reply_name_unknown(c);
	else
		reply_error(c, 404, "MANIFEST_UNKNOWN", "%s is not in the repository %s",
			    c->route.reference, c->route.repository);
}

/* The digest of the path, or what its tag stands for. False, and answered, when there is none. */
static bool resolve(struct call *c, struct digest *d)
{
	AUTO(error) err = ERROR_INIT;

	*d = c->route.digest;
	if (digest_is_set(d) || repository_resolve(call_store(c), c->route.repository,
						   c->route.reference, d, &err) == 0)
		return true;
	if (err.kind == ERROR_NOT_FOUND)
		unknown(c);
	else
		reply_failure(c, &err);
	return false;
}

void api_manifest_get(struct call *c)
{
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) type = STRBUF_INIT;
	struct digest d;
	int64_t size;
	int fd;

	if (!resolve(c, &d))
		return;
	/* What is damaged is set aside, and then missing. */
	if (repository_manifest(call_store(c), c->route.repository, &d, &type, &err) < 0 ||
	    store_verify_blob(call_store(c), &d, -1, &err) < 0 ||
	    store_open_blob(call_store(c), &d, -1, &fd, &size, &err) < 0) {
		if (err.kind == ERROR_NOT_FOUND || err.kind == ERROR_CORRUPT)
			unknown(c);
		else
			reply_failure(c, &err);
		return;
	}
	reply_digest(c, &d);
	server_add_headerf(c->request, "ETag", "\"%s\"", d.text);
	server_add_header(c->request, "Content-Type", type.buf);
	server_answer_file(c->request, 200, fd, 0, size);
}

static int delete_reference(struct call *c, struct error *err)
{
	struct store *s = call_store(c);
	AUTO_FD int lock = -1;

	if (!repository_exists(s, c->route.repository))
		return error_set(err, ERROR_NOT_FOUND, "no such repository");
	if (repository_lock(s, c->route.repository, &lock, err) < 0)
		return -1;
	if (!digest_is_set(&c->route.digest))
		return repository_untag(s, c->route.repository, c->route.reference, err);
	return document_unlink(s, c->route.repository, &c->route.digest, err);
}

void api_manifest_delete(struct call *c)
{
	AUTO(error) err = ERROR_INIT;

	if (delete_reference(c, &err) == 0)
		reply_empty(c, 202);
	else if (err.kind == ERROR_NOT_FOUND)
		unknown(c);
	else
		reply_failure(c, &err);
}
