/*
 * From repository to repository: the documents come whole, with every platform and attestation, and go on as they are, so digests
 * stay. Blobs are mounted where source and destination are one registry; others are sent on while they still come in.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "registry/blobs.h"
#include "registry/documents.h"
#include "registry/manifests.h"
#include "registry/sources.h"

static void add_sources(struct registry_client *c, struct store *s, const struct image_ref *ref,
			const struct manifest *m)
{
	sources_add(c, s, &m->config.digest, ref);
	for (size_t i = 0; i < m->n_layers; i++)
		if (!blob_is_foreign(&m->layers[i]))
			sources_add(c, s, &m->layers[i].digest, ref);
}

struct tree_fetch {
	struct registry_client *client;
	struct store *store;
	const struct image_ref *ref;
	struct strmap seen;
};

static int fetch_tree(struct tree_fetch *t, const struct digest *d, int depth,
		      struct descriptor *out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};
	AUTO(manifest) m = {0};

	if (depth >= LIMIT_INDEX_DEPTH)
		return error_set(err, ERROR_CORRUPT, "index %s: indexes are nested deeper than %d",
				 d->text, LIMIT_INDEX_DEPTH);
	if (!digest_set_add(&t->seen, d))
		return 0;
	if (documents_fetch(t->client, t->store, t->ref, d, out, &text, err) < 0)
		return -1;
	if (!manifest_is_index(text.buf, text.len, out->media_type)) {
		if (manifest_parse(&m, text.buf, text.len, out->media_type, d->text, err) < 0)
			return -1;
		add_sources(t->client, t->store, t->ref, &m);
		return 0;
	}
	if (image_index_parse(&index, text.buf, text.len, out->media_type, d->text, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		AUTO(descriptor) child = {0};

		if (fetch_tree(t, &index.manifests[i].digest, depth + 1, &child, err) < 0)
			return -1;
	}
	return 0;
}

int registry_fetch_tree(struct registry_client *c, struct store *s, const struct image_ref *from,
			struct descriptor *top, struct error *err)
{
	struct tree_fetch t = {.client = c, .store = s, .ref = from};
	struct digest digest;
	int fetched;

	if (documents_find(c, from, &digest, err) < 0)
		return -1;
	fetched = fetch_tree(&t, &digest, 0, top, err);
	strmap_release(&t.seen);
	return fetched;
}

int registry_copy(struct registry_client *c, struct store *s, const struct image_ref *from,
		  const struct image_ref *to, struct push_result *out, struct error *err)
{
	AUTO(descriptor) top = {0};

	if (registry_fetch_tree(c, s, from, &top, err) < 0)
		return -1;
	if (digest_is_set(&to->digest) && !digest_equal(&to->digest, &top.digest))
		return error_set(err, ERROR_USAGE,
				 "the destination names %s, and the source is %s: give it a tag "
				 "or nothing",
				 to->digest.text, top.digest.text);
	return registry_hand_on(c, s, to, &top, out, err);
}
