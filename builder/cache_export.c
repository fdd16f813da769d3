#include "builder/cache_export.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/cache_document.h"

struct exported {
	int target, stage, number;
	bool on_target;
	struct cache_entry entry; /* its layer is not set */
	struct descriptor layer;
	struct digest diff_id;
};

struct cache_export {
	pthread_mutex_t lock;
	struct exported *items;
	size_t n, cap;
	struct cache_document images; /* only its images */
};

struct cache_export *cache_export_new(void)
{
	struct cache_export *e = xcalloc(1, sizeof(*e));

	pthread_mutex_init(&e->lock, NULL);
	return e;
}

void cache_export_clear(struct cache_export *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++)
		descriptor_release(&e->items[i].layer);
	e->n = 0;
	e->images.n_images = 0;
	pthread_mutex_unlock(&e->lock);
}

void cache_export_free(struct cache_export *e)
{
	if (!e)
		return;
	cache_export_clear(e);
	free(e->items);
	cache_document_release(&e->images);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* With the lock held. Two stages may have the same step. */
static struct exported *find(struct cache_export *e, const struct cache_export_step *step)
{
	const struct cache_record *r = step->record;

	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->items[i].entry.key, r->key) == 0 &&
		    strcmp(e->items[i].entry.quick, step->quick) == 0 &&
		    digest_equal(&e->items[i].layer.digest, &r->layer.descriptor.digest))
			return &e->items[i];
	return NULL;
}

static bool is_before(const struct cache_export_step *a, const struct exported *b)
{
	if (a->target != b->target)
		return a->target < b->target;
	return a->stage < b->stage || (a->stage == b->stage && a->number < b->number);
}

static void set_hex(char out[SHA256_HEX_SIZE], const char *text)
{
	memcpy(out, text, strnlen(text, SHA256_HEX_SIZE - 1));
}

/* With the lock held. */
static void drop(struct cache_export *e, struct exported *x)
{
	size_t at = (size_t)(x - e->items);

	descriptor_release(&x->layer);
	memmove(x, x + 1, (e->n - at - 1) * sizeof(*x));
	e->n--;
}

/* With the lock held. */
static void insert(struct cache_export *e, const struct cache_export_step *step, bool on_target)
{
	const struct cache_record *r = step->record;
	struct exported *x;
	size_t at = 0;

	GROW(e->items, e->n + 1, e->cap);
	/* Stages end in any order, and the bytes must not depend on it. */
	while (at < e->n && !is_before(step, &e->items[at]))
		at++;
	x = &e->items[at];
	memmove(x + 1, x, (e->n - at) * sizeof(*x));
	e->n++;
	*x = (struct exported){.target = step->target,
			       .stage = step->stage,
			       .number = step->number,
			       .on_target = on_target};
	x->entry.created = r->created > 0 ? r->created : 0;
	x->entry.uncompressed = r->layer.uncompressed;
	x->entry.one_owner = r->one_owner;
	set_hex(x->entry.key, r->key);
	set_hex(x->entry.quick, step->quick);
	memcpy(x->entry.kind, step->kind, strnlen(step->kind, sizeof(x->entry.kind) - 1));
	descriptor_set(&x->layer, media_to_oci(r->layer.descriptor.media_type),
		       &r->layer.descriptor.digest, r->layer.descriptor.size);
	x->diff_id = r->layer.diff_id;
}

void cache_export_add(struct cache_export *e, const struct cache_export_step *step)
{
	struct exported *x;
	bool on_target;

	if (!e || (!step->record->key[0] && !*step->quick))
		return;
	on_target = step->on_target;
	pthread_mutex_lock(&e->lock);
	x = find(e, step);
	if (x)
		on_target |= x->on_target;
	if (x && !is_before(step, x)) {
		x->on_target = on_target;
	} else {
		if (x)
			drop(e, x);
		insert(e, step, on_target);
	}
	pthread_mutex_unlock(&e->lock);
}

void cache_export_add_image(struct cache_export *e, const char *key, int64_t created)
{
	if (!e || created < 0)
		return;
	pthread_mutex_lock(&e->lock);
	cache_document_add_image(&e->images, key, created);
	pthread_mutex_unlock(&e->lock);
}

static size_t find_layer(const struct manifest *m, const struct digest *d)
{
	size_t i = 0;

	while (i < m->n_layers && !digest_equal(&m->layers[i].digest, d))
		i++;
	return i;
}

static void add_layer(struct image *image, const struct exported *x)
{
	AUTO_FREE char *what = xstrfmt("slipway cache: %s", x->entry.kind);
	char created[TIME_TEXT_SIZE];

	time_format(x->entry.created, 0, created);
	manifest_add_layer(&image->manifest, &x->layer);
	image_config_add_layer(&image->config, &x->diff_id);
	image_config_add_history(&image->config, created, what, NULL, false);
	if (!image->config.created || strcmp(image->config.created, created) < 0) {
		free(image->config.created);
		image->config.created = xstrdup(created);
	}
}

static void add_images(const struct cache_export *e, struct cache_document *doc)
{
	for (size_t i = 0; i < e->images.n_images; i++)
		cache_document_add_image(doc, e->images.images[i].key, e->images.images[i].created);
}

static void add_record(struct cache_document *doc, const struct exported *x, size_t layer)
{
	struct cache_entry entry = x->entry;

	entry.layer = layer;
	cache_document_add(doc, &entry);
}

/* With the lock held. */
static void fill(const struct cache_export *e, bool max, struct image *image)
{
	AUTO(cache_document) doc = {.n = 0};

	for (size_t i = 0; i < e->n; i++) {
		const struct exported *x = &e->items[i];
		size_t layer = find_layer(&image->manifest, &x->layer.digest);

		if (!max && !x->on_target)
			continue;
		if (layer == image->manifest.n_layers)
			add_layer(image, x);
		add_record(&doc, x, layer);
	}
	add_images(e, &doc);
	cache_document_attach(&doc, &image->config);
}

int cache_export_image(struct cache_export *e, struct store *s, const struct platform *platform,
		       bool max, struct image **out, struct error *err)
{
	AUTO_PTR(image) image = image_new();

	*out = NULL;
	platform_copy(&image->config.platform, platform);
	pthread_mutex_lock(&e->lock);
	fill(e, max, image);
	pthread_mutex_unlock(&e->lock);
	if (!image->manifest.n_layers)
		return 0;
	if (image_save(image, s, err) < 0)
		return -1;
	*out = take_ptr(image);
	return 0;
}

void cache_export_attach(struct cache_export *e, struct image *image)
{
	AUTO(cache_document) doc = {.n = 0};

	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->n; i++) {
		size_t layer = find_layer(&image->manifest, &e->items[i].layer.digest);

		if (layer < image->manifest.n_layers)
			add_record(&doc, &e->items[i], layer);
	}
	add_images(e, &doc);
	pthread_mutex_unlock(&e->lock);
	cache_document_attach(&doc, &image->config);
}
