/* Images by ID, as docker takes them: a digest or the first digits of one, of a manifest or of a config. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "oci/layout.h"

#define SHORTEST_ID 4

struct id_search {
	struct store *store;
	const char *prefix; /* hex digits */
	struct image_index found;
	struct strmap seen;
};

static bool id_fits(const struct id_search *q, const struct digest *d)
{
	return strncmp(digest_hex(d), q->prefix, strlen(q->prefix)) == 0;
}

static void add_found(struct id_search *q, const struct descriptor *d)
{
	for (size_t i = 0; i < q->found.n_manifests; i++)
		if (digest_equal(&q->found.manifests[i].digest, &d->digest))
			return;
	image_index_add(&q->found, d);
}

/* What cannot be read has no ID to be found by: fsck is the place to say so. */
static void search(struct id_search *q, const struct descriptor *d, int depth)
{
	AUTO(strbuf) text = STRBUF_INIT;

	/* The members of an index that were never fetched are no images of this store. */
	bool is_here = store_has(q->store, &d->digest, d->size);

	if (id_fits(q, &d->digest) && (is_here || depth == 0))
		add_found(q, d);
	if (!digest_set_add(&q->seen, &d->digest) || !is_here || depth > LIMIT_INDEX_DEPTH ||
	    d->artifact_type ||
	    store_read_blob(q->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, NULL) < 0)
		return;
	if (manifest_is_index(text.buf, text.len, d->media_type)) {
		AUTO(image_index) inner = {0};

		if (image_index_parse(&inner, text.buf, text.len, d->media_type, d->digest.text,
				      NULL) < 0)
			return;
		for (size_t i = 0; i < inner.n_manifests; i++)
			search(q, &inner.manifests[i], depth + 1);
		return;
	}
	AUTO(manifest) m = {0};

	if (manifest_parse(&m, text.buf, text.len, d->media_type, d->digest.text, NULL) == 0 &&
	    id_fits(q, &m.config.digest))
		add_found(q, d);
}

static int find_id(struct store *s, const char *text, struct descriptor *out, struct error *err)
{
	bool has_algorithm = str_starts(text, "sha256:") || str_starts(text, "sha512:");
	const char *hex = has_algorithm ? strchr(text, ':') + 1 : text;
	struct id_search q = {.store = s, .prefix = hex};
	AUTO(image_index) index = {0};
	size_t len = strspn(hex, "0123456789abcdef");
	int result = 0;

	if (len < SHORTEST_ID || hex[len])
		return error_set(err, ERROR_NOT_FOUND, "image %s is not in the store %s", text,
				 store_root(s));
	if (layout_read(s, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++)
		search(&q, &index.manifests[i], 0);
	if (q.found.n_manifests == 1)
		descriptor_copy(out, &q.found.manifests[0]);
	else if (q.found.n_manifests == 0)
		result = error_set(err, ERROR_NOT_FOUND,
				   "no image in the store %s has a name or ID %s", store_root(s),
				   text);
	else
		result = error_set(err, ERROR_USAGE, "the ID %s fits %zu images: give more digits",
				   text, q.found.n_manifests);
	image_index_release(&q.found);
	strmap_release(&q.seen);
	return result;
}

int layout_find_text(struct store *s, const char *name_or_id, struct descriptor *out,
		     struct error *err)
{
	AUTO(error) by_name = ERROR_INIT;
	AUTO(image_ref) ref = {0};
	struct digest d;

	if (digest_parse(&d, name_or_id, NULL) < 0 &&
	    image_ref_parse(&ref, name_or_id, &by_name) == 0) {
		if (layout_find(s, &ref, out, &by_name) == 0)
			return 0;
		if (by_name.kind != ERROR_NOT_FOUND)
			return error_move(err, &by_name);
	}
	/* A name that is no ID is reported as a name, with what is wrong with it. */
	if (by_name.kind == ERROR_USAGE &&
	    strspn(name_or_id, "0123456789abcdef") != strlen(name_or_id))
		return error_move(err, &by_name);
	return find_id(s, name_or_id, out, err);
}
