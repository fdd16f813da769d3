#include "builder/cache_remote_private.h"

static int check_layers(const struct remote_cache *c, struct error *err)
{
	for (size_t i = 0; i < c->doc.n; i++) {
		const struct descriptor *d = &c->image->manifest.layers[c->doc.entries[i].layer];

		if (!media_is_layer(d->media_type) || d->urls.n)
			return error_set(err, ERROR_CORRUPT, "%s is no layer that can be used",
					 d->digest.text);
	}
	return 0;
}

static int read_cache(struct remote_cache *c, struct error *err)
{
	AUTO(descriptor) found = {.size = 0};

	if (c->source->load(c->source->arg, c->platform, &found, err) < 0)
		return -1;
	if (image_load(&c->image, c->all->store, &found, c->platform, err) < 0 ||
	    cache_document_read(&c->doc, &c->image->config, c->image->manifest.config.digest.text,
				err) < 0)
		return -1;
	return check_layers(c, err);
}

/* An image for several platforms (type=inline) has records in each of its configurations. */
static bool read_platforms(struct remote_cache *first, struct error *err)
{
	bool ready = false;

	for (size_t i = 0; i < first->all->n_platforms; i++) {
		struct remote_cache *c = &first[i];

		c->ready = read_cache(c, i ? NULL : err) == 0;
		ready |= c->ready;
		/* It is time-boxed once, not once a platform. */
		if (!i && !c->ready && err->kind != ERROR_NOT_FOUND)
			break;
		if (i && c->image && first->image &&
		    digest_equal(&c->image->descriptor.digest, &first->image->descriptor.digest)) {
			c->ready = false;
			break;
		}
	}
	return ready;
}

/* Whatever is wrong with a cache is told, and no more. */
static int load_one(void *arg, struct error *unused)
{
	struct remote_cache *c = arg;
	const struct build_options *o = c->all->options;
	AUTO(error) why = ERROR_INIT;
	int step = report_step_begin(o->reporter, "[internal] import cache from %s",
				     c->source->name);
	bool ready = read_platforms(c, &why);

	(void)unused;
	if (!ready && why.kind == ERROR_NOT_FOUND && !c->image)
		report_step_note(o->reporter, step, "there is no cache yet");
	else if (!ready && !cancel_requested(o->cancel))
		report_log(o->reporter, LOG_WARNING, "cache %s: %s; the build goes on without it",
			   c->source->name, why.message);
	report_step_end(o->reporter, step, ready ? STEP_STATUS_DONE : STEP_STATUS_CANCELLED, NULL);
	return 0;
}

void remote_caches_load(struct remote_caches *r)
{
	AUTO_PTR(pool) pool = NULL;
	size_t sources = r->n / r->n_platforms;
	struct group group;

	if (r->loaded)
		return;
	r->loaded = true;
	if (sources == 1) {
		load_one(&r->items[0], NULL);
		return;
	}
	pool = pool_new(sources < REMOTE_TRANSFERS ? sources : REMOTE_TRANSFERS);
	group_init(&group, pool);
	for (size_t i = 0; i < r->n; i += r->n_platforms)
		group_run(&group, load_one, &r->items[i]);
	group_wait(&group, NULL);
}
