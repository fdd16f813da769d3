#include "registry/documents.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "registry/endpoints.h"
#include "registry/manifests.h"

static int resolve_at(void *arg, struct registry_client *c, const struct image_ref *ref,
		      struct error *err)
{
	struct descriptor *out = arg;
	const char *reference = manifest_reference(ref);
	const struct digest *expected = digest_is_set(&ref->digest) ? &ref->digest : NULL;
	AUTO(descriptor) found = {0};
	AUTO(strbuf) text = STRBUF_INIT;
	int status;

	if (manifest_head(c, ref, reference, RIGHT_PULL, &found, &status, err) < 0)
		return -1;
	if (status == 200 && digest_is_set(&found.digest) && found.size >= 0 && found.media_type &&
	    (!expected || digest_equal(expected, &found.digest))) {
		descriptor_release(out);
		*out = found;
		found = (struct descriptor){0};
		return 0;
	}
	/* GET tells what HEAD left out, and why it was refused. */
	return manifest_get(c, ref, reference, expected, out, &text, err);
}

int registry_resolve(struct registry_client *c, const struct image_ref *ref, struct descriptor *out,
		     struct error *err)
{
	return endpoints_try(c, ref, digest_is_set(&ref->digest), resolve_at, out, err);
}

/* The bytes of a manifest or index from the store, where they are, with their media type. */
static int read_stored(struct store *s, const struct digest *d, struct descriptor *out,
		       struct strbuf *text, struct error *err)
{
	AUTO_FREE char *type = NULL;

	if (store_read_blob(s, d, -1, text, LIMIT_MANIFEST_BYTES, err) < 0 ||
	    manifest_check(text->buf, text->len, NULL, d->text, &type, err) < 0)
		return -1;
	descriptor_set(out, type, d, (int64_t)text->len);
	return 0;
}

/* As a blob of exactly this digest, whichever its algorithm. */
static int store_manifest(struct store *s, const struct descriptor *d, const struct strbuf *text,
			  struct error *err)
{
	AUTO_PTR(ingest) in = NULL;

	if (ingest_begin(&in, s, &d->digest, err) < 0)
		return -1;
	if (ingest_is_present(in))
		return 0;
	if (ingest_size(in) > 0 && ingest_restart(in, err) < 0)
		return -1;
	if (sink_write(ingest_sink(in), text->buf, text->len, err) < 0)
		return -1;
	return ingest_commit(in, NULL, d->size, err);
}

struct document {
	const struct digest *digest;
	struct descriptor *out;
	struct strbuf *text;
};

static int get_at(void *arg, struct registry_client *c, const struct image_ref *ref,
		  struct error *err)
{
	struct document *d = arg;

	return manifest_get(c, ref, d->digest->text, d->digest, d->out, d->text, err);
}

int documents_fetch(struct registry_client *c, struct store *s, const struct image_ref *ref,
		    const struct digest *d, struct descriptor *out, struct strbuf *text,
		    struct error *err)
{
	struct document document = {.digest = d, .out = out, .text = text};
	AUTO(error) damaged = ERROR_INIT;

	/* A stored one that turns out damaged is quarantined by the look, and fetched. */
	if (store_touch(s, d, -1) && read_stored(s, d, out, text, &damaged) == 0)
		return 0;
	if (endpoints_try(c, ref, true, get_at, &document, err) < 0)
		return -1;
	return store_manifest(s, out, text, err);
}

int documents_find(struct registry_client *c, const struct image_ref *ref, struct digest *out,
		   struct error *err)
{
	AUTO(descriptor) found = {0};

	*out = ref->digest;
	if (digest_is_set(&ref->digest))
		return 0;
	if (registry_resolve(c, ref, &found, err) < 0)
		return -1;
	*out = found.digest;
	return 0;
}
