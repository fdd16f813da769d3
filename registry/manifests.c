#include "registry/manifests.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "registry/remote_error.h"
#include "registry/request.h"

#define ACCEPT                                                                    \
	"Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST \
	", " MEDIA_DOCKER_MANIFEST

/* A request for a manifest: what its parts point to lives as long as this. */
struct manifest_request {
	struct registry_request request;
	struct strlist scopes, headers;
	char *path, *what;
};

static void manifest_request_init(struct manifest_request *m, struct registry_client *c,
				  const struct image_ref *ref, const char *reference,
				  const char *verb, const char *method, enum manifest_right right)
{
	*m = (struct manifest_request){0};
	if (right == RIGHT_PUSH)
		auth_scope_push(&m->scopes, ref->path);
	else if (right == RIGHT_DELETE)
		auth_scope_delete(&m->scopes, ref->path);
	else
		auth_scope_pull(&m->scopes, ref->path);
	m->path = xstrfmt("/v2/%s/manifests/%s", ref->path, reference);
	m->what = xstrfmt("%s %s/%s%s%s", verb, ref->host, ref->path,
			  strchr(reference, ':') ? "@" : ":", reference);
	m->request = (struct registry_request){
		.host = client_host(c, ref),
		.what = m->what,
		.path = m->path,
		.need = {.repository = ref->path, .scopes = &m->scopes},
		.http = {.method = method, .headers = &m->headers, .body_len = -1},
	};
}

static void manifest_request_release(struct manifest_request *m)
{
	strlist_release(&m->scopes);
	strlist_release(&m->headers);
	free(m->path);
	free(m->what);
}
CLEANUP_RELEASE(manifest_request)

const char *manifest_reference(const struct image_ref *ref)
{
	if (digest_is_set(&ref->digest))
		return ref->digest.text;
	return ref->tag ? ref->tag : "latest";
}

/* Content-Type without parameters; free() */
static char *media_type_of(const struct http_response *res)
{
	const char *value = http_header_get(res, "Content-Type", 0);
	AUTO(strbuf) type = STRBUF_INIT;

	if (!value)
		return NULL;
	strbuf_add(&type, value, strcspn(value, ";"));
	strbuf_trim(&type);
	return type.len ? strbuf_detach(&type, NULL) : NULL;
}

int manifest_head(struct registry_client *c, const struct image_ref *ref, const char *reference,
		  enum manifest_right right, struct descriptor *out, int *status, struct error *err)
{
	AUTO(manifest_request) m;
	AUTO(http_response) res = {0};
	AUTO(error) no_digest = ERROR_INIT;
	const char *digest;

	manifest_request_init(&m, c, ref, reference, "look up", "HEAD", right);
	strlist_add(&m.headers, ACCEPT);
	if (registry_send(&m.request, &res, NULL, err) < 0)
		return -1;
	*status = res.status;
	if (res.status != 200)
		return 0;
	descriptor_release(out);
	out->media_type = media_type_of(&res);
	out->size = http_parse_bytes(http_header_get(&res, "Content-Length", 0));
	digest = http_header_get(&res, "Docker-Content-Digest", 0);
	if (digest && digest_parse(&out->digest, digest, &no_digest) < 0)
		out->digest = (struct digest){0};
	return 0;
}

static bool is_manifest_type(const char *type)
{
	return media_is_manifest(type) || media_is_index(type);
}

int manifest_check(const char *text, size_t len, const char *media_type, const char *where,
		   char **found_type, struct error *err)
{
	AUTO(manifest) manifest = {0};
	AUTO(image_index) index = {0};
	const char *type;

	/* "application/json" and the like say nothing; schema 1 is told apart by the parser. */
	if (media_type && !is_manifest_type(media_type) && !strstr(media_type, "manifest.v1+"))
		media_type = NULL;
	if (manifest_is_index(text, len, media_type)) {
		if (image_index_parse(&index, text, len, media_type, where, err) < 0)
			return -1;
		type = index.media_type ? index.media_type : MEDIA_OCI_INDEX;
	} else {
		if (manifest_parse(&manifest, text, len, media_type, where, err) < 0)
			return -1;
		type = manifest.media_type ? manifest.media_type : MEDIA_OCI_MANIFEST;
	}
	*found_type = xstrdup(media_type ? media_type : type);
	return 0;
}

static struct digest hash(const struct digest *as, const struct strbuf *text)
{
	AUTO(digester) d = {0};

	digester_init(&d, as);
	digester_update(&d, text->buf, text->len);
	return digester_final(&d);
}

static int mismatch(const char *what, const struct digest *expected, const struct digest *got,
		    struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: the content has the digest %s, not %s", what,
			 got->text, expected->text);
}

/* The bytes against what was asked for and what the registry itself says of them. */
static int verify(const struct manifest_request *m, const struct http_response *res,
		  const struct digest *expected, struct digest *out, struct error *err)
{
	const char *header = http_header_get(res, "Docker-Content-Digest", 0);
	struct digest said = {0};
	AUTO(error) ignored = ERROR_INIT;

	if (header && digest_parse(&said, header, &ignored) < 0)
		said = (struct digest){0};
	if (!expected && digest_is_set(&said))
		expected = &said;
	*out = hash(expected, &res->body);
	if (expected && !digest_equal(out, expected))
		return mismatch(m->what, expected, out, err);
	if (digest_is_set(&said) && digest_is_sha512(&said) == digest_is_sha512(out) &&
	    !digest_equal(&said, out))
		return mismatch(m->what, &said, out, err);
	return 0;
}

static int get(struct registry_client *c, const struct image_ref *ref, const char *reference,
	       const struct digest *expected, struct descriptor *out, struct strbuf *text,
	       char **etag, struct error *err)
{
	AUTO(manifest_request) m;
	AUTO(http_response) res = {0};
	AUTO_FREE char *said_type = NULL;
	AUTO_FREE char *type = NULL;
	struct digest digest;

	manifest_request_init(&m, c, ref, reference, "pull", "GET", RIGHT_PULL);
	strlist_add(&m.headers, ACCEPT);
	m.request.http.body_limit = LIMIT_MANIFEST_BYTES;
	if (registry_send(&m.request, &res, NULL, err) < 0)
		return -1;
	if (res.status != 200)
		return remote_error(err, m.what, ref->host, &res);
	said_type = media_type_of(&res);
	if (verify(&m, &res, expected, &digest, err) < 0 ||
	    manifest_check(res.body.buf, res.body.len, said_type, m.what, &type, err) < 0)
		return -1;
	descriptor_set(out, type, &digest, (int64_t)res.body.len);
	strbuf_reset(text);
	strbuf_add(text, res.body.buf, res.body.len);
	if (etag)
		*etag = xstrdup_null(http_header_get(&res, "ETag", 0));
	return 0;
}

int manifest_get(struct registry_client *c, const struct image_ref *ref, const char *reference,
		 const struct digest *expected, struct descriptor *out, struct strbuf *text,
		 struct error *err)
{
	return get(c, ref, reference, expected, out, text, NULL, err);
}

int manifest_get_now(struct registry_client *c, const struct image_ref *ref, const char *tag,
		     struct descriptor *out, struct strbuf *text, char **etag, struct error *err)
{
	*etag = NULL;
	return get(c, ref, tag, NULL, out, text, etag, err);
}

/* An immutable tag refuses any PUT, also of what it names already. */
static bool names_already(struct registry_client *c, const struct image_ref *ref,
			  const char *reference, const struct descriptor *d)
{
	AUTO(descriptor) now = {0};
	AUTO(error) ignored = ERROR_INIT;
	int status;

	return manifest_head(c, ref, reference, RIGHT_PUSH, &now, &status, &ignored) == 0 &&
	       status == 200 && digest_equal(&now.digest, &d->digest);
}

static int check_put(const struct manifest_request *m, const struct http_response *res,
		     const struct digest *put, struct error *err)
{
	const char *header = http_header_get(res, "Docker-Content-Digest", 0);
	AUTO(error) ignored = ERROR_INIT;
	struct digest said;

	if (header && digest_parse(&said, header, &ignored) == 0 &&
	    digest_is_sha512(&said) == digest_is_sha512(put) && !digest_equal(&said, put))
		return mismatch(m->what, put, &said, err);
	return 0;
}

int manifest_put(struct registry_client *c, const struct image_ref *ref, struct manifest_put *p,
		 struct error *err)
{
	AUTO(manifest_request) m;
	AUTO(http_response) res = {0};

	manifest_request_init(&m, c, ref, p->reference, "push", "PUT", RIGHT_PUSH);
	strlist_addf(&m.headers, "Content-Type: %s", p->d->media_type);
	if (p->if_match)
		strlist_addf(&m.headers, "If-Match: %s", p->if_match);
	m.request.http.body = p->text->buf;
	m.request.http.body_len = (int64_t)p->text->len;
	m.request.step = p->step;
	if (registry_send(&m.request, &res, NULL, err) < 0)
		return -1;
	p->overtaken = p->if_match && res.status == 412;
	if (p->overtaken || (res.status >= 400 && res.status < 500 && res.status != 401 &&
			     names_already(c, ref, p->reference, p->d)))
		return 0;
	if (res.status < 200 || res.status >= 300)
		return remote_error(err, m.what, ref->host, &res);
	p->subject_noted = http_header_get(&res, "OCI-Subject", 0) != NULL;
	return check_put(&m, &res, &p->d->digest, err);
}

int manifest_delete(struct registry_client *c, const struct image_ref *ref, const char *reference,
		    int *status, struct error *err)
{
	AUTO(manifest_request) m;
	AUTO(http_response) res = {0};

	manifest_request_init(&m, c, ref, reference, "delete", "DELETE", RIGHT_DELETE);
	if (registry_send(&m.request, &res, NULL, err) < 0)
		return -1;
	*status = res.status;
	/* Whether tags can be deleted at all is the caller's question. */
	if ((res.status >= 200 && res.status < 300) || res.status == 400 || res.status == 405)
		return 0;
	return remote_error(err, m.what, ref->host, &res);
}
