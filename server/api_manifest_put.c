/* Manifests and indexes: pushing (OCI distribution-spec 1.1, Pushing Manifests, Pushing Manifests with Subject). */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/reference.h"
#include "server/call.h"
#include "server/document.h"
#include "server/ecr.h"

/* All that are coming at one moment. */
#define BUFFERED_LIMIT (32u << 20)

static void refuse_size(struct call *c)
{
	reply_error(c, 413, "SIZE_INVALID", "a manifest has at most %u bytes",
		    LIMIT_PUSHED_MANIFEST);
}

void api_manifest_put(struct call *c)
{
	const char *text = call_query(c, "digest");

	if (server_request_length(c->request) > LIMIT_PUSHED_MANIFEST) {
		refuse_size(c);
		return;
	}
	for (size_t i = 0; i < c->route.tags.n; i++)
		if (image_ref_check_tag(c->route.tags.items[i])) {
			reply_error(c, 400, "TAG_INVALID", "\"%.200s\" is no tag",
				    c->route.tags.items[i]);
			return;
		}
	c->promised = c->route.digest;
	if (!text || digest_is_set(&c->promised))
		return;
	if (digest_parse(&c->promised, text, NULL) < 0)
		reply_error(c, 400, "DIGEST_INVALID", "\"%.200s\" is no digest", text);
}

void api_manifest_body(struct call *c, const void *data, size_t len)
{
	if (c->body.len + len > LIMIT_PUSHED_MANIFEST) {
		refuse_size(c);
		return;
	}
	if (atomic_fetch_add(&c->server->buffered, len) + len > BUFFERED_LIMIT) {
		atomic_fetch_sub(&c->server->buffered, len);
		server_add_header(c->request, "Retry-After", "1");
		reply_error(c, 429, "TOOMANYREQUESTS", "too many manifests are coming at once");
		return;
	}
	strbuf_add(&c->body, data, len);
}

static void refuse_digest(struct call *c, const struct digest *is)
{
	reply_error(c, 400, "DIGEST_INVALID", "the manifest has the digest %s, not %s", is->text,
		    c->promised.text);
}

/* The digest of what came, by the algorithm that was promised. */
static struct digest hash_body(struct call *c)
{
	AUTO(digester) digester;

	digester_init(&digester, digest_is_set(&c->promised) ? &c->promised : NULL);
	digester_update(&digester, c->body.buf, c->body.len);
	return digester_final(&digester);
}

/* A blob, or of an index a manifest, that must be in this repository already. */
static bool check_reference(struct call *c, const struct descriptor *d, bool is_manifest)
{
	const char *name = c->route.repository;
	AUTO(strbuf) type = STRBUF_INIT;
	bool here = is_manifest ? repository_manifest(call_store(c), name, &d->digest, &type,
						      NULL) == 0 &&
					  store_has(call_store(c), &d->digest, -1)
				: repository_has_blob(call_store(c), name, &d->digest);

	if (here && store_has(call_store(c), &d->digest, d->size))
		return true;
	if (here)
		reply_error(c, 400, "SIZE_INVALID", "%s has not the %lld bytes of its descriptor",
			    d->digest.text, (long long)d->size);
	else
		reply_error(c, 404, "MANIFEST_BLOB_UNKNOWN",
			    "%s %s is not in the repository %s; push it first",
			    is_manifest ? "manifest" : "blob", d->digest.text, name);
	return false;
}

static bool check_references(struct call *c, const struct document *doc)
{
	/* An index may list other things than manifests: BuildKit's cache does. Those are blobs. */
	for (size_t i = 0; i < doc->index.n_manifests; i++)
		if (!check_reference(c, &doc->index.manifests[i],
				     document_is_manifest(&doc->index.manifests[i])))
			return false;
	if (doc->is_index)
		return true;
	if (!check_reference(c, &doc->manifest.config, false))
		return false;
	for (size_t i = 0; i < doc->manifest.n_layers; i++)
		if (!media_is_foreign(doc->manifest.layers[i].media_type) &&
		    !check_reference(c, &doc->manifest.layers[i], false))
			return false;
	return true;
}

static bool is_immutable(const struct call *c, const char *tag)
{
	const struct registry_server_options *o = &c->server->options;

	return o->is_immutable && o->is_immutable(o->immutable_arg, c->route.repository, tag);
}

/* Those of the request that may not be moved. Whoever knows has a lock of its own: not to be asked with that of the repository held. */
static void find_immutable(const struct call *c, struct strlist *tags)
{
	for (size_t i = 0; i < c->route.tags.n; i++)
		if (is_immutable(c, c->route.tags.items[i]))
			strlist_add(tags, c->route.tags.items[i]);
	if (!digest_is_set(&c->route.digest) && is_immutable(c, c->route.reference))
		strlist_add(tags, c->route.reference);
}

/* ECR's own words. */
static bool check_immutable(struct call *c, const char *tag, const struct strlist *immutable,
			    const struct digest *d)
{
	const struct registry_server_options *o = &c->server->options;
	bool strict = strlist_has(immutable, tag);
	struct digest now;

	if ((!o->immutable_tags && !strict) ||
	    repository_resolve(call_store(c), c->route.repository, tag, &now, NULL) < 0 ||
	    (!o->ecr_quirks && !strict && digest_equal(&now, d)))
		return true;
	reply_error(c, 400, "TAG_INVALID",
		    "The image tag '%s' already exists in the '%s' repository and cannot be "
		    "overwritten because the tag is immutable.",
		    tag, c->route.repository);
	return false;
}

/* If-Match: the tag must still stand for this digest (its ETag), else another push would be lost; If-None-Match: *: for none. */
static bool check_match(struct call *c)
{
	const char *match = server_request_header(c->request, "If-Match");
	const char *none = server_request_header(c->request, "If-None-Match");
	AUTO_FREE char *tag = NULL;
	struct digest now;
	bool is_there;

	if (!match && !none)
		return true;
	is_there = !digest_is_set(&c->route.digest) &&
		   repository_resolve(call_store(c), c->route.repository, c->route.reference, &now,
				      NULL) == 0;
	tag = is_there ? xstrfmt("\"%s\"", now.text) : NULL;
	if ((!match || (is_there && (strcmp(match, "*") == 0 || strcmp(match, tag) == 0))) &&
	    (!none || !is_there || (strcmp(none, "*") != 0 && strcmp(none, tag) != 0)))
		return true;
	reply_error(c, 412, "TAG_INVALID", "the tag %s has been changed in the meantime",
		    c->route.reference);
	return false;
}

static int store_body(struct call *c, const struct digest *d, struct error *err)
{
	AUTO_PTR(ingest) in = NULL;

	if (store_touch(call_store(c), d, (int64_t)c->body.len))
		return 0;
	if (ingest_begin(&in, call_store(c), d, err) < 0)
		return -1;
	if (ingest_is_present(in))
		return 0;
	/* What an attempt of long ago left is not worth to be continued. */
	if ((ingest_size(in) > 0 && ingest_restart(in, err) < 0) ||
	    sink_write(ingest_sink(in), c->body.buf, c->body.len, err) < 0)
		return -1;
	return ingest_commit(in, NULL, (int64_t)c->body.len, err);
}

static int add_tag(struct call *c, const char *tag, const struct digest *d, struct error *err)
{
	if (repository_tag(call_store(c), c->route.repository, tag, d, err) < 0)
		return -1;
	return 0;
}

/* The bytes, the link, the subject's list, and the tags last: each step needs those before it. */
static int link_all(struct call *c, const struct document *doc, const struct digest *d,
		    struct error *err)
{
	struct store *s = call_store(c);
	const char *name = c->route.repository;

	if (store_body(c, d, err) < 0 ||
	    repository_link_manifest(s, name, d, doc->media_type, err) < 0)
		return -1;
	if (digest_is_set(&doc->subject) &&
	    repository_add_referrer(s, name, &doc->subject, d, doc->descriptor.buf, err) < 0)
		return -1;
	for (size_t i = 0; i < c->route.tags.n; i++)
		if (add_tag(c, c->route.tags.items[i], d, err) < 0)
			return -1;
	return digest_is_set(&c->route.digest) ? 0 : add_tag(c, c->route.reference, d, err);
}

static void reply_pushed(struct call *c, const struct document *doc, const struct digest *d)
{
	if (!c->server->options.ecr_quirks)
		server_add_headerf(c->request, "Location", "/v2/%s/manifests/%s",
				   c->route.repository, d->text);
	reply_digest(c, d);
	if (digest_is_set(&doc->subject))
		server_add_header(c->request, "OCI-Subject", doc->subject.text);
	for (size_t i = 0; i < c->route.tags.n; i++)
		server_add_header(c->request, "OCI-Tag", c->route.tags.items[i]);
	reply_empty(c, 201);
}

static bool check_all(struct call *c, const struct document *doc, const struct strlist *immutable,
		      const struct digest *d)
{
	if (!ecr_takes(c, doc) || !check_references(c, doc) || !check_match(c))
		return false;
	for (size_t i = 0; i < c->route.tags.n; i++)
		if (!check_immutable(c, c->route.tags.items[i], immutable, d))
			return false;
	return digest_is_set(&c->route.digest) ||
	       check_immutable(c, c->route.reference, immutable, d);
}

static void push(struct call *c, const struct document *doc, const struct digest *d)
{
	AUTO(strlist) immutable = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_FD int lock = -1;

	find_immutable(c, &immutable);
	if (lease_take(&c->lease, call_store(c), &err) < 0 ||
	    repository_lock(call_store(c), c->route.repository, &lock, &err) < 0) {
		reply_failure(c, &err);
		return;
	}
	if (!check_all(c, doc, &immutable, d))
		return;
	if (link_all(c, doc, d, &err) < 0)
		reply_failure(c, &err);
	else
		reply_pushed(c, doc, d);
}

void api_manifest_put_end(struct call *c)
{
	const char *type = server_request_header(c->request, "Content-Type");
	struct digest d = hash_body(c);
	AUTO(document) doc = {.descriptor = STRBUF_INIT};
	AUTO(error) err = ERROR_INIT;

	if (digest_is_set(&c->promised) && !digest_equal(&d, &c->promised)) {
		refuse_digest(c, &d);
		return;
	}
	pthread_mutex_lock(&c->server->manifest_lock);
	if (document_parse(&doc, &c->body, type, &d, &err) == 0)
		push(c, &doc, &d);
	else
		reply_error(c, 400, "MANIFEST_INVALID", "%s", err.message);
	pthread_mutex_unlock(&c->server->manifest_lock);
}
