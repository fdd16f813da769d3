#include "builder/base_image.h"

#include <string.h>

#include "base/alloc.h"
#include "builder/cache.h"

#define FETCHES 4 /* layers at the same time */

void base_images_init(struct base_images *b, struct named_contexts *contexts)
{
	*b = (struct base_images){.contexts = contexts};
	pthread_mutex_init(&b->lock, NULL);
}

static void base_image_free(struct base_image *i)
{
	if (!i)
		return;
	free(i->key);
	free(i->name);
	image_ref_release(&i->ref);
	image_free(i->image);
	stack_release(&i->stack);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

CLEANUP_FREE(base_image)

void base_images_release(struct base_images *b)
{
	if (!b->contexts)
		return;
	for (size_t i = 0; i < b->n; i++)
		base_image_free(b->items[i]);
	free(b->items);
	pthread_mutex_destroy(&b->lock);
}

static struct base_image *base_image_new(struct named_contexts *c)
{
	struct base_image *i = xcalloc(1, sizeof(*i));

	i->options = c->options;
	i->store = c->store;
	pthread_mutex_init(&i->lock, NULL);
	stack_init(&i->stack, c->store);
	i->stack.base = i;
	return i;
}

/* For another platform: what its registry said then holds for the whole build, even when the tag moves meanwhile. */
static bool was_asked(const struct base_images *b, const struct image_ref *ref)
{
	for (size_t i = 0; i < b->n; i++)
		if (!b->items[i]->from_layout && image_ref_equal(&b->items[i]->ref, ref))
			return true;
	return false;
}

static int resolve_remote(const struct base_images *b, struct base_image *i,
			  const struct platform *platform, struct descriptor *chosen,
			  struct error *err)
{
	const struct build_options *o = i->options;
	AUTO_FREE char *name = image_ref_full(&i->ref);
	AUTO(error) local = ERROR_INIT;
	int step, result;

	if (!o->images.resolve)
		return error_set(err, ERROR_UNSUPPORTED, "%s: this build has no source of images",
				 name);
	step = report_step_begin(o->reporter, "[internal] load metadata for %s", name);
	result = o->images.resolve(o->images.arg, &i->ref, platform,
				   o->pull && !was_asked(b, &i->ref), chosen, &local);
	report_step_end(o->reporter, step, result < 0 ? STEP_STATUS_FAILED : STEP_STATUS_DONE,
			result < 0 ? &local : NULL);
	if (result < 0)
		return error_move(err, &local);
	return 0;
}

/* The one image that name means, as a manifest in the store. */
static int find_manifest(struct base_images *b, struct base_image *i, const char *name,
			 const struct platform *platform, struct descriptor *chosen,
			 struct error *err)
{
	struct named_context *nc = named_context_find(b->contexts, name, platform);

	if (nc && nc->kind == NAMED_LAYOUT) {
		i->from_layout = true;
		i->name = xstrdup(name);
		return named_context_import(b->contexts, nc, platform, chosen, err);
	}
	if (nc)
		image_ref_copy(&i->ref, &nc->ref);
	else if (image_ref_parse(&i->ref, name, err) < 0)
		return -1;
	if (resolve_remote(b, i, platform, chosen, err) < 0)
		return -1;
	i->name = image_ref_full(&i->ref);
	return 0;
}

static int load(struct base_images *b, struct base_image *i, const char *name,
		const struct platform *platform, struct error *err)
{
	AUTO(descriptor) chosen = {.size = 0};
	const struct image *image;
	char *full;

	if (find_manifest(b, i, name, platform, &chosen, err) < 0 ||
	    image_load(&i->image, i->store, &chosen, platform, err) < 0)
		return error_wrap(err, "image %s", name);
	image = i->image;
	cache_put_base(i->store, &image->descriptor.digest);
	for (size_t l = 0; l < image->manifest.n_layers; l++)
		stack_push(&i->stack, &image->manifest.layers[l], &image->config.diff_ids[l]);
	if (!strchr(i->name, '@')) {
		full = xstrfmt("%s@%s", i->name, image->descriptor.digest.text);
		free(i->name);
		i->name = full;
	}
	return 0;
}

static int get(struct base_images *b, const char *name, const char *key,
	       const struct platform *platform, struct base_image **out, struct error *err)
{
	AUTO_PTR(base_image) made = NULL;

	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->items[i]->key, key) == 0) {
			*out = b->items[i];
			return 0;
		}
	made = base_image_new(b->contexts);
	made->key = xstrdup(key);
	if (load(b, made, name, platform, err) < 0)
		return -1;
	GROW(b->items, b->n + 1, b->cap);
	*out = b->items[b->n++] = take_ptr(made);
	return 0;
}

/* "debian" and "docker.io/library/debian:latest" are one image. */
static char *make_key(const char *name, const struct platform *platform)
{
	AUTO_FREE char *on = platform_format(platform);
	AUTO(image_ref) ref = {.host = NULL};
	AUTO_FREE char *full = image_ref_parse(&ref, name, NULL) == 0 ? image_ref_full(&ref)
								      : xstrdup(name);

	return xstrfmt("%s %s", on, full);
}

int base_image_get(struct base_images *b, const char *name, const struct platform *platform,
		   struct base_image **out, struct error *err)
{
	AUTO_FREE char *key = make_key(name, platform);
	int result;

	pthread_mutex_lock(&b->lock);
	result = get(b, name, key, platform, out, err);
	pthread_mutex_unlock(&b->lock);
	return result;
}

struct fetch_job {
	struct base_image *image;
	size_t layer;
};

static int fetch_layer(void *arg, struct error *err)
{
	const struct fetch_job *job = arg;
	struct base_image *i = job->image;
	const struct build_options *o = i->options;
	const struct descriptor *layer = &i->stack.layers[job->layer];
	AUTO(error) local = ERROR_INIT;
	char digest[24];
	int step, result;

	if (cancel_check(o->cancel, err) < 0)
		return -1;
	digest_short(&layer->digest, digest);
	step = report_step_begin(o->reporter, "[internal] fetch layer %s of %s", digest, i->name);
	result = o->images.fetch(o->images.arg, &i->ref, layer, step, &local);
	if (result < 0)
		error_wrap(&local, "fetch layer %s of %s", layer->digest.text, i->name);
	report_step_end(o->reporter, step, result < 0 ? STEP_STATUS_FAILED : STEP_STATUS_DONE,
			result < 0 ? &local : NULL);
	return result < 0 ? error_move(err, &local) : 0;
}

/* With the lock held. */
static bool is_complete(struct base_image *i)
{
	size_t missing;

	if (!i->complete)
		i->complete = image_complete(i->image, i->store, &missing);
	return i->complete;
}

bool base_image_is_complete(struct base_image *i)
{
	bool complete;

	pthread_mutex_lock(&i->lock);
	complete = is_complete(i);
	pthread_mutex_unlock(&i->lock);
	return complete;
}

/* The same blob twice in one image is fetched once. */
static bool is_repeated(const struct stack *k, size_t layer)
{
	for (size_t i = 0; i < layer; i++)
		if (digest_equal(&k->layers[i].digest, &k->layers[layer].digest))
			return true;
	return false;
}

static int fetch_missing(struct base_image *i, struct error *err)
{
	const struct stack *k = &i->stack;
	AUTO_PTR(pool) pool = NULL;
	AUTO_FREE struct fetch_job *jobs = xcalloc(k->n + 1, sizeof(*jobs));
	struct group group;

	if (i->from_layout || !i->options->images.fetch)
		return error_set(err, ERROR_NOT_FOUND, "a layer of %s is no longer in the store",
				 i->name);
	/* A pool of its own: these jobs wait for a network, and the stages wait for them. */
	pool = pool_new(FETCHES);
	group_init(&group, pool);
	for (size_t l = 0; l < k->n; l++) {
		if (store_has(i->store, &k->layers[l].digest, k->layers[l].size) ||
		    is_repeated(k, l))
			continue;
		jobs[l] = (struct fetch_job){.image = i, .layer = l};
		group_run(&group, fetch_layer, &jobs[l]);
	}
	return group_wait(&group, err);
}

int base_image_fetch(struct base_image *i, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&i->lock);
	if (!is_complete(i)) {
		result = fetch_missing(i, err);
		i->complete = result == 0;
	}
	pthread_mutex_unlock(&i->lock);
	return result;
}
