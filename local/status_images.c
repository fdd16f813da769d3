#include "local/status_images.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/time.h"
#include "oci/manifest.h"
#include "oci/repository.h"

#define TICK_NS 20000000 /* files that change within it may show the same time */

struct found {
	struct digest digest;
	int64_t since;
	struct strlist tags;
	bool is_part; /* of an index */
};

struct repository {
	struct store *store;
	const char *name;
	struct found *items;
	size_t n, cap;
};

static void repository_release(struct repository *r)
{
	for (size_t i = 0; i < r->n; i++)
		strlist_release(&r->items[i].tags);
	free(r->items);
}
CLEANUP_RELEASE(repository)

char *status_images_tag(struct store *s, const struct strlist *repositories)
{
	struct sha256 h = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	sha256_init(&h);
	for (size_t i = 0; i < repositories->n; i++) {
		const int64_t changed = repository_changed_ns(s, repositories->items[i]);
		const int64_t now = time_now_ns();

		sha256_frame_str(&h, repositories->items[i]);
		/* The next change may come within the same tick of the file system's clock. */
		sha256_frame_int(&h, now - changed < TICK_NS ? now : changed);
	}
	sha256_final_hex(&h, hex);
	sha256_release(&h);
	return xstrfmt("\"%.32s\"", hex);
}

static int add_found(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	struct repository *r = arg;

	(void)err;
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->items = xreallocarray(r->items, r->cap, sizeof(*r->items));
	}
	r->items[r->n++] = (struct found){.digest = *d, .since = since};
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct found *left = a, *right = b;

	return strcmp(left->digest.text, right->digest.text);
}

static int by_age(const void *a, const void *b)
{
	const struct found *left = a, *right = b;

	if (left->since != right->since)
		return left->since < right->since ? 1 : -1;
	return by_digest(a, b);
}

static struct found *find(struct repository *r, const struct digest *d)
{
	struct found key = {.digest = *d};

	return r->n ? bsearch(&key, r->items, r->n, sizeof(*r->items), by_digest) : NULL;
}

static int add_tags(struct repository *r, struct error *err)
{
	AUTO(strlist) tags = STRLIST_INIT;

	if (repository_tags(r->store, r->name, &tags, err) < 0)
		return -1;
	strlist_sort(&tags);
	for (size_t i = 0; i < tags.n; i++) {
		struct digest d;
		struct found *f = NULL;

		/* One that goes meanwhile is not there. */
		if (repository_resolve(r->store, r->name, tags.items[i], &d, NULL) == 0)
			f = find(r, &d);
		if (f)
			strlist_add(&f->tags, tags.items[i]);
	}
	return 0;
}

static int64_t size_of(struct repository *r, const struct digest *d, bool mark);

static int64_t size_of_index(struct repository *r, const struct strbuf *text, bool mark)
{
	AUTO(image_index) index = {0};
	int64_t size = 0;

	if (image_index_parse(&index, text->buf, text->len, NULL, "index", NULL) < 0)
		return 0;
	for (size_t i = 0; i < index.n_manifests; i++) {
		struct found *f = find(r, &index.manifests[i].digest);

		if (f && mark)
			f->is_part = true;
		else if (f)
			size += size_of(r, &f->digest, false);
	}
	return size;
}

/* mark: what an index names is marked so, instead; an index in an index counts for nothing. */
static int64_t size_of(struct repository *r, const struct digest *d, bool mark)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(manifest) m = {0};
	int64_t size;

	if (store_read_blob(r->store, d, -1, &text, LIMIT_MANIFEST_BYTES, NULL) < 0)
		return 0;
	if (manifest_is_index(text.buf, text.len, NULL))
		return size_of_index(r, &text, mark);
	if (mark || manifest_parse(&m, text.buf, text.len, NULL, "manifest", NULL) < 0)
		return 0;
	size = m.config.size;
	for (size_t i = 0; i < m.n_layers; i++)
		size += m.layers[i].size;
	return size;
}

static json_t *describe(const struct found *f, int64_t size)
{
	return json_pack("{s:s, s:o, s:I, s:I}", "digest", f->digest.text, "tags",
			 json_from_strlist(&f->tags), "size", (json_int_t)size, "pushedAt",
			 (json_int_t)f->since);
}

/* Of the newest: items in the order of digests still, as find() needs them. */
static json_t *list_images(struct repository *r, size_t *left_out)
{
	struct found *shown = xcalloc(r->n + 1, sizeof(*shown));
	json_t *list = json_array();
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		size_of(r, &r->items[i].digest, true);
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].tags.n || !r->items[i].is_part)
			shown[n++] = r->items[i];
	qsort(shown, n, sizeof(*shown), by_age);
	for (size_t i = 0; i < n && i < STATUS_IMAGES; i++)
		json_array_append_new(list,
				      describe(&shown[i], size_of(r, &shown[i].digest, false)));
	*left_out = n - json_array_size(list);
	free(shown);
	return list;
}

static json_t *pick_repository(struct store *s, const char *name, struct error *err)
{
	AUTO(repository) r = {.store = s, .name = name};
	size_t left_out;
	json_t *images;

	if (repository_exists(s, name)) {
		if (repository_each_link(s, name, "manifests", add_found, &r, err) < 0)
			return NULL;
		if (r.n)
			qsort(r.items, r.n, sizeof(*r.items), by_digest);
		if (add_tags(&r, err) < 0)
			return NULL;
	}
	images = list_images(&r, &left_out);
	return json_pack("{s:s, s:o, s:I}", "name", name, "images", images, "leftOut",
			 (json_int_t)left_out);
}

json_t *status_images(struct store *s, const struct strlist *repositories, struct error *err)
{
	AUTO_JSON *list = json_array();

	for (size_t i = 0; i < repositories->n; i++) {
		json_t *one = pick_repository(s, repositories->items[i], err);

		if (!one)
			return NULL;
		json_array_append_new(list, one);
	}
	return json_pack("{s:O}", "repositories", list);
}
