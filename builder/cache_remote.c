#include "builder/cache_remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/cache_remote_private.h"
#include "oci/layer_index.h"
#include "oci/layer_reader.h"

/* A build that was started over so often does without caches. */
#define MAX_LOSSES 3

struct remote_caches *remote_caches_new(struct store *s, const struct build_options *o)
{
	struct remote_caches *r;

	if (!o->n_caches || o->no_cache)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->store = s;
	r->options = o;
	r->n_platforms = o->n_platforms ? o->n_platforms : 1;
	r->n = o->n_caches * r->n_platforms;
	r->items = xcalloc(r->n, sizeof(*r->items));
	for (size_t i = 0; i < r->n; i++)
		r->items[i] = (struct remote_cache){
			.all = r,
			.source = &o->caches[i / r->n_platforms],
			.platform = o->n_platforms ? &o->platforms[i % r->n_platforms] : NULL,
		};
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void remote_caches_free(struct remote_caches *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		image_free(r->items[i].image);
		cache_document_release(&r->items[i].doc);
	}
	for (size_t i = 0; i < r->n_hits; i++) {
		cache_record_release(&r->hits[i]->record);
		pthread_mutex_destroy(&r->hits[i]->work);
		free(r->hits[i]);
	}
	free(r->items);
	free(r->hits);
	strlist_release(&r->banned);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- looking up ---------------------------------------------------------- */

/* With the lock held. */
static void ban(struct remote_caches *r, const struct remote_hit *h, const struct error *why)
{
	const char *digest = h->record.layer.descriptor.digest.text;

	if (strlist_has(&r->banned, digest))
		return;
	strlist_add(&r->banned, digest);
	r->lost = true;
	r->losses++;
	h->cache->doubted = true;
	/* Without it, nothing else of it can be had either. */
	if (why->kind != ERROR_NOT_FOUND && why->kind != ERROR_CORRUPT)
		h->cache->ready = false;
	for (size_t i = 0; r->losses >= MAX_LOSSES && i < r->n; i++)
		r->items[i].ready = false;
	report_log(r->options->reporter, LOG_WARNING,
		   "cache %s: %s; the steps that it stood for are carried out",
		   h->cache->source->name, why->message);
}

/* With the lock held. Was it looked for in vain? */
static bool is_gone(struct remote_cache *c, const struct descriptor *d)
{
	const struct cache_source *s = c->source;
	AUTO(error) why = ERROR_INIT;
	bool there = true;

	if (!c->doubted || !s->check || store_has(c->all->store, &d->digest, d->size))
		return false;
	if (s->check(s->arg, d, &there, &why) < 0) {
		c->ready = false;
		return true;
	}
	return !there;
}

/* With the lock held. */
static struct remote_hit *add_hit(struct remote_cache *c, const struct cache_entry *e,
				  const char *quick)
{
	struct remote_caches *r = c->all;
	const char *digest = c->image->manifest.layers[e->layer].digest.text;
	struct remote_hit *h;
	struct layer *layer;

	/* Of the pass before the build started over. */
	for (size_t i = 0; i < r->n_hits; i++)
		if (r->hits[i]->cache == c && strcmp(r->hits[i]->record.key, e->key) == 0 &&
		    strcmp(r->hits[i]->record.layer.descriptor.digest.text, digest) == 0)
			return r->hits[i];
	h = xcalloc(1, sizeof(*h));
	layer = &h->record.layer;
	h->cache = c;
	pthread_mutex_init(&h->work, NULL);
	descriptor_copy(&layer->descriptor, &c->image->manifest.layers[e->layer]);
	layer->diff_id = c->image->config.diff_ids[e->layer];
	layer->uncompressed = e->uncompressed;
	h->record.created = e->created;
	h->record.one_owner = e->one_owner;
	memcpy(h->record.key, e->key, sizeof(h->record.key));
	memcpy(h->kind, e->kind, sizeof(h->kind));
	memcpy(h->quick, *quick ? quick : e->quick, SHA256_HEX_SIZE);
	GROW(r->hits, r->n_hits + 1, r->cap_hits);
	r->hits[r->n_hits++] = h;
	return h;
}

static struct remote_hit *find_in(struct remote_cache *c, const char *key, const char *quick)
{
	for (size_t i = 0; i < c->doc.n && c->ready; i++) {
		const struct cache_entry *e = &c->doc.entries[i];
		const struct descriptor *d = &c->image->manifest.layers[e->layer];

		if ((strcmp(e->key, key) == 0 || strcmp(e->quick, key) == 0) &&
		    cache_fits(e->one_owner, c->all->options->sandbox) &&
		    !strlist_has(&c->all->banned, d->digest.text) && !is_gone(c, d))
			return add_hit(c, e, quick);
	}
	return NULL;
}

static void copy_record(struct cache_record *out, const struct cache_record *from)
{
	cache_record_release(out);
	*out = (struct cache_record){.created = from->created, .one_owner = from->one_owner};
	descriptor_copy(&out->layer.descriptor, &from->layer.descriptor);
	out->layer.diff_id = from->layer.diff_id;
	out->layer.uncompressed = from->layer.uncompressed;
	memcpy(out->key, from->key, sizeof(out->key));
}

bool remote_caches_find(struct remote_caches *r, const char *key, const char *quick,
			struct cache_record *out, const char **from)
{
	struct remote_hit *h = NULL;

	if (!r)
		return false;
	pthread_mutex_lock(&r->lock);
	remote_caches_load(r);
	for (size_t i = 0; i < r->n && !h; i++)
		h = find_in(&r->items[i], key, quick);
	pthread_mutex_unlock(&r->lock);
	if (!h)
		return false;
	copy_record(out, &h->record);
	*from = h->cache->source->name;
	if (h->cache->source->note)
		h->cache->source->note(h->cache->source->arg, &out->layer.descriptor);
	return true;
}

bool remote_caches_find_created(struct remote_caches *r, const char *key, int64_t *created)
{
	bool found = false;

	if (!r)
		return false;
	pthread_mutex_lock(&r->lock);
	remote_caches_load(r);
	for (size_t i = 0; i < r->n && !found; i++) {
		const struct remote_cache *c = &r->items[i];

		for (size_t k = 0; k < c->doc.n_images && c->ready && !found; k++) {
			found = strcmp(c->doc.images[k].key, key) == 0;
			if (found)
				*created = c->doc.images[k].created;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

/* ---- bringing layers ----------------------------------------------------- */

/* The record's diff ID is only a claim: it went into the keys of the steps above. */
static int verify(struct store *s, const struct layer *layer, struct error *err)
{
	const struct descriptor *d = &layer->descriptor;
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	struct digest known;
	int64_t bytes;
	int more;

	if (layer_meta_get(s, &d->digest, &known, &bytes, NULL) == 0 &&
	    digest_equal(&known, &layer->diff_id))
		return 0;
	if (layer_index_ensure(s, d, &layer->diff_id, err) < 0)
		return -1;
	/* The index may have come from another blob of that diff ID. */
	if (layer_meta_get(s, &d->digest, &known, &bytes, NULL) == 0 &&
	    digest_equal(&known, &layer->diff_id))
		return 0;
	if (layer_reader_open(&reader, s, d, &layer->diff_id, err) < 0)
		return -1;
	while ((more = layer_reader_next(reader, &e, err)) > 0)
		;
	if (more < 0)
		return -1;
	return layer_meta_put(s, &d->digest, &layer->diff_id, layer_reader_bytes(reader), err);
}

static int bring(struct remote_hit *h, struct error *err)
{
	struct remote_caches *r = h->cache->all;
	const struct cache_source *source = h->cache->source;
	const struct descriptor *d = &h->record.layer.descriptor;
	char id[24];
	int step, result;

	if (!store_touch(r->store, &d->digest, d->size)) {
		digest_short(&d->digest, id);
		step = report_step_begin(r->options->reporter,
					 "[internal] fetch layer %s of the cache %s", id,
					 source->name);
		result = source->fetch(source->arg, d, step, err);
		report_step_end(r->options->reporter, step,
				result < 0 ? STEP_STATUS_CANCELLED : STEP_STATUS_DONE, NULL);
		if (result < 0)
			return -1;
	}
	return verify(r->store, &h->record.layer, err);
}

/* From now on the store's own cache knows the step. */
static void keep(struct remote_hit *h)
{
	struct store *s = h->cache->all->store;

	if (h->record.key[0])
		cache_put(s, h->record.key, h->kind, &h->record);
	if (h->quick[0])
		cache_put(s, h->quick, h->kind, &h->record);
}

static int give_up(struct remote_hit *h, const struct error *why, struct error *err)
{
	struct remote_caches *r = h->cache->all;

	if (cancel_check(r->options->cancel, err) < 0)
		return -1;
	pthread_mutex_lock(&r->lock);
	ban(r, h, why);
	pthread_mutex_unlock(&r->lock);
	return error_set(err, ERROR_CANCELLED, "a cached layer is lost: the build starts over");
}

static bool is_settled(struct remote_hit *h)
{
	struct remote_caches *r = h->cache->all;
	bool settled;

	pthread_mutex_lock(&r->lock);
	settled = h->settled;
	pthread_mutex_unlock(&r->lock);
	return settled;
}

static void set_settled(struct remote_hit *h)
{
	struct remote_caches *r = h->cache->all;

	keep(h);
	pthread_mutex_lock(&r->lock);
	h->settled = true;
	pthread_mutex_unlock(&r->lock);
}

static int fetch_job(void *arg, struct error *err)
{
	struct remote_hit *h = arg;
	AUTO(error) why = ERROR_INIT;
	int result = 0;

	pthread_mutex_lock(&h->work);
	if (!is_settled(h)) {
		result = bring(h, &why);
		if (result == 0)
			set_settled(h);
	}
	pthread_mutex_unlock(&h->work);
	return result < 0 ? give_up(h, &why, err) : 0;
}

/* A layer may stay away: where the result goes it is already, or it can be fetched from the cache when it is needed. */
static int settle_job(void *arg, struct error *err)
{
	struct remote_hit *h = arg;
	const struct build_options *o = h->cache->all->options;
	const struct cache_source *source = h->cache->source;
	const struct descriptor *d = &h->record.layer.descriptor;
	AUTO(error) why = ERROR_INIT;
	bool there = false;

	if (store_has(h->cache->all->store, &d->digest, d->size) || !source->check ||
	    (o->place.holds && !o->place.holds(o->place.arg, d)))
		return fetch_job(h, err);
	if (o->place.holds)
		return 0;
	if (source->check(source->arg, d, &there, &why) < 0)
		return give_up(h, &why, err);
	if (there)
		return 0;
	error_set(&why, ERROR_NOT_FOUND, "layer %s is no longer there", d->digest.text);
	return give_up(h, &why, err);
}

static bool is_among(const struct remote_hit *h, const struct descriptor *layers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (digest_equal(&layers[i].digest, &h->record.layer.descriptor.digest))
			return true;
	return false;
}

/* The hits among the layers that are not settled. free() */
static struct remote_hit **choose(struct remote_caches *r, const struct descriptor *layers,
				  size_t n, size_t *n_out)
{
	struct remote_hit **out = xcalloc(r->n_hits + 1, sizeof(struct remote_hit *));

	*n_out = 0;
	for (size_t i = 0; i < r->n_hits; i++) {
		struct remote_hit *h = r->hits[i];

		if (!h->settled && is_among(h, layers, n) &&
		    !strlist_has(&r->banned, h->record.layer.descriptor.digest.text))
			out[(*n_out)++] = h;
	}
	return out;
}

static int each_hit(struct remote_caches *r, const struct descriptor *layers, size_t n,
		    int (*job)(void *arg, struct error *err), struct error *err)
{
	AUTO_FREE struct remote_hit **chosen = NULL;
	AUTO_PTR(pool) pool = NULL;
	struct group group;
	size_t n_chosen;

	if (!r)
		return 0;
	pthread_mutex_lock(&r->lock);
	chosen = choose(r, layers, n, &n_chosen);
	pthread_mutex_unlock(&r->lock);
	if (!n_chosen)
		return 0;
	/* A pool of its own: these jobs wait for a network, and the stages wait for them. */
	pool = pool_new(n_chosen < REMOTE_TRANSFERS ? n_chosen : REMOTE_TRANSFERS);
	group_init(&group, pool);
	for (size_t i = 0; i < n_chosen; i++)
		group_run(&group, job, chosen[i]);
	return group_wait(&group, err);
}

int remote_caches_fetch(struct remote_caches *r, const struct descriptor *layers, size_t n,
			struct error *err)
{
	return each_hit(r, layers, n, fetch_job, err);
}

int remote_caches_settle(struct remote_caches *r, const struct descriptor *layers, size_t n,
			 struct error *err)
{
	return each_hit(r, layers, n, settle_job, err);
}

bool remote_caches_start_over(struct remote_caches *r)
{
	bool lost;

	if (!r)
		return false;
	pthread_mutex_lock(&r->lock);
	lost = r->lost;
	r->lost = false;
	pthread_mutex_unlock(&r->lock);
	return lost;
}
