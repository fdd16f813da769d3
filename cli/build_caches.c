#include "cli/build_caches.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/cache_export.h"
#include "oci/layout.h"

#define SECOND_NS     1000000000ll
#define LOAD_TIMEOUT  (10 * SECOND_NS)
#define WRITE_TIMEOUT (600 * SECOND_NS)
/* Of one request: waiting longer costs more than a step is worth. */
#define STALL_MS     10000
#define ANSWER_MS    30000
#define MAX_PAUSE_MS 5000
#define MAX_RETRIES  1

/* A registry as one cache uses it: a client of its own, since time is counted apart. */
struct cache_end {
	struct app *app;
	const struct cache_spec *spec;
	struct cancel cancel;
	struct registry_client *client;
};

int build_caches_parse(struct build_caches *c, const struct strlist *from, const struct strlist *to,
		       struct error *err)
{
	for (size_t i = 0; i < from->n; i++)
		if (cache_spec_add_from(&c->from, from->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < to->n; i++)
		if (cache_spec_add_to(&c->to, to->items[i], err) < 0)
			return -1;
	return 0;
}

static void end_release(struct cache_end *e)
{
	registry_client_free(e->client);
}

static void end_init(struct cache_end *e, struct app *a, const struct cache_spec *spec)
{
	*e = (struct cache_end){.app = a, .spec = spec};
	e->cancel = (struct cancel){.wake_fd = a->cancel->wake_fd, .parent = a->cancel};
}

static int end_open(struct cache_end *e, struct error *err)
{
	int64_t ms = e->spec->timeout_ns / 1000000;
	const struct registry_options limits = {
		.cancel = &e->cancel,
		.max_retries = MAX_RETRIES,
		.max_pause_ms = MAX_PAUSE_MS,
		.stall_timeout_ms = ms && ms < STALL_MS ? (int)ms : STALL_MS,
		.answer_timeout_ms = ANSWER_MS,
	};

	return e->client ? 0 : app_new_registry(e->app, &limits, &e->client, err);
}

static void end_limit(struct cache_end *e, int64_t fallback)
{
	int64_t ns = e->spec->timeout_ns ? e->spec->timeout_ns : fallback;

	e->cancel.deadline_ns = time_monotonic_ns() + ns;
}

/* Was it our own clock that ended the work? */
static int explain_timeout(const struct cache_end *e, int64_t fallback, struct error *local,
			   struct error *err)
{
	int64_t ns = e->spec->timeout_ns ? e->spec->timeout_ns : fallback;
	char text[TIME_TEXT_SIZE];

	if (local->kind != ERROR_CANCELLED || cancel_requested(e->app->cancel))
		return error_move(err, local);
	time_format_duration(ns, text);
	return error_set(err, ERROR_NETWORK, "it took longer than the %s that it may (timeout=)",
			 text);
}

/* ---- reading ------------------------------------------------------------- */

static int load_registry(void *arg, const struct platform *platform, struct descriptor *image,
			 struct error *err)
{
	struct cache_end *e = arg;
	AUTO(descriptor) top = {0};
	AUTO(error) local = ERROR_INIT;
	int result;

	end_limit(e, LOAD_TIMEOUT);
	result = end_open(e, &local);
	if (result == 0)
		result = registry_fetch_documents(e->client, e->app->store, &e->spec->ref, platform,
						  &top, image, &local);
	e->cancel.deadline_ns = 0;
	return result < 0 ? explain_timeout(e, LOAD_TIMEOUT, &local, err) : 0;
}

static int fetch_registry(void *arg, const struct descriptor *layer, int step, struct error *err)
{
	const struct cache_end *e = arg;

	return registry_fetch_blob(e->client, e->app->store, &e->spec->ref, layer, step, err);
}

static int check_registry(void *arg, const struct descriptor *layer, bool *there, struct error *err)
{
	const struct cache_end *e = arg;

	return registry_has_blob(e->client, &e->spec->ref, layer, there, err);
}

static void note_registry(void *arg, const struct descriptor *layer)
{
	const struct cache_end *e = arg;

	registry_note_blob(e->client, e->app->store, &e->spec->ref, layer);
}

static int load_local(void *arg, const struct platform *platform, struct descriptor *image,
		      struct error *err)
{
	const struct cache_end *e = arg;
	const struct cache_spec *s = e->spec;

	return layout_import_documents(e->app->store, s->folder, s->tag, &s->digest, platform,
				       image, err);
}

static int fetch_local(void *arg, const struct descriptor *layer, int step, struct error *err)
{
	const struct cache_end *e = arg;

	(void)step;
	return layout_import_blob(e->app->store, e->spec->folder, layer, err);
}

static struct cache_source make_source(struct cache_end *e)
{
	if (e->spec->kind == CACHE_LOCAL)
		return (struct cache_source){
			.name = e->spec->name, .load = load_local, .fetch = fetch_local, .arg = e};
	return (struct cache_source){.name = e->spec->name,
				     .load = load_registry,
				     .fetch = fetch_registry,
				     .check = check_registry,
				     .note = note_registry,
				     .arg = e};
}

/* With the push's own client: what it finds out of the registry serves the push. */
static bool push_holds(void *arg, const struct descriptor *layer)
{
	const struct build_caches *c = arg;
	bool placed = app_registry(c->app, NULL) == 0;

	for (size_t i = 0; i < c->n_push && placed; i++)
		if (registry_place_blob(c->app->registry, c->app->store, &c->push[i], layer,
					&placed, NULL) < 0)
			return false;
	return placed;
}

static int check_compression(const struct build_caches *c, const struct build_options *o,
			     struct error *err)
{
	for (size_t i = 0; i < c->to.n; i++) {
		const struct cache_spec *s = &c->to.items[i];

		if (!s->has_compression || s->compression == o->compression)
			continue;
		error_set(err, ERROR_UNSUPPORTED,
			  "--cache-to: compression= is not that of the build: layers are written "
			  "as they are");
		return error_hint(err, "give the build --compression as well");
	}
	return 0;
}

int build_caches_start(struct build_caches *c, struct app *a, struct build_options *o,
		       bool needs_layers, const struct image_ref *push, size_t n_push,
		       struct error *err)
{
	bool remote = false;

	c->app = a;
	c->push = push;
	c->n_push = n_push;
	if (check_compression(c, o, err) < 0)
		return -1;
	c->ends = xcalloc(c->from.n + 1, sizeof(*c->ends));
	c->sources = xcalloc(c->from.n + 1, sizeof(*c->sources));
	for (size_t i = 0; i < c->from.n; i++) {
		end_init(&c->ends[i], a, &c->from.items[i]);
		c->sources[i] = make_source(&c->ends[i]);
		remote |= c->from.items[i].kind == CACHE_REGISTRY;
	}
	for (size_t i = 0; i < c->to.n; i++)
		o->inline_cache |= c->to.items[i].kind == CACHE_INLINE;
	if (c->to.n || o->inline_cache)
		c->export = cache_export_new();
	o->caches = c->sources;
	o->n_caches = c->from.n;
	o->cache_export = c->export;
	o->lazy = remote && !needs_layers;
	if (n_push)
		o->place = (struct layer_place){.holds = push_holds, .arg = c};
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

/* Layers of hits that no step needed: out of the folders here, and, for a folder, from wherever they are known to be. */
static int gather(const struct build_caches *c, struct cache_end *to, const struct image *image,
		  struct error *err)
{
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		const struct descriptor *d = &image->manifest.layers[i];
		bool there = store_has(c->app->store, &d->digest, d->size);

		for (size_t k = 0; k < c->from.n && !there; k++)
			there = c->from.items[k].kind == CACHE_LOCAL &&
				fetch_local(&c->ends[k], d, 0, NULL) == 0;
	}
	if (to->spec->kind != CACHE_LOCAL || image_complete(image, c->app->store, NULL))
		return 0;
	return registry_fetch_missing(to->client, c->app->store, image, err);
}

static int send(const struct build_caches *c, struct cache_end *to, const struct image *image,
		struct error *err)
{
	struct push_result result = {0};

	if (end_open(to, err) < 0 || gather(c, to, image, err) < 0)
		return -1;
	if (to->spec->kind == CACHE_LOCAL)
		return layout_export(c->app->store, image, to->spec->folder, to->spec->tag, err);
	return registry_push(to->client, c->app->store, &to->spec->ref, &image->descriptor, &result,
			     err);
}

static int write_one(struct build_caches *c, const struct cache_spec *spec,
		     const struct platform *platform, struct error *err)
{
	AUTO_PTR(image) image = NULL;
	AUTO(error) local = ERROR_INIT;
	struct cache_end to;
	int result;

	if (cache_export_image(c->export, c->app->store, platform, spec->max, &image, err) < 0)
		return -1;
	if (!image) {
		report_log(c->app->reporter, LOG_INFO,
			   "cache %s: no step made a layer, nothing is written", spec->name);
		return 0;
	}
	end_init(&to, c->app, spec);
	end_limit(&to, WRITE_TIMEOUT);
	result = send(c, &to, image, &local);
	if (result < 0)
		explain_timeout(&to, WRITE_TIMEOUT, &local, err);
	end_release(&to);
	return result;
}

int build_caches_write(struct build_caches *c, const struct platform *platform, struct error *err)
{
	struct reporter *r = c->app->reporter;

	for (size_t i = 0; i < c->to.n; i++) {
		const struct cache_spec *spec = &c->to.items[i];
		AUTO(error) local = ERROR_INIT;
		int step;

		if (spec->kind == CACHE_INLINE)
			continue;
		step = report_step_begin(r, "exporting cache to %s", spec->name);
		if (write_one(c, spec, platform, &local) == 0) {
			report_step_end(r, step, STEP_STATUS_DONE, NULL);
			continue;
		}
		report_step_end(r, step, STEP_STATUS_CANCELLED, NULL);
		if (cancel_requested(c->app->cancel) || spec->errors_count) {
			error_move(err, &local);
			return error_wrap(err, "cache %s", spec->name);
		}
		report_log(r, LOG_WARNING, "cache %s was not written: %s", spec->name,
			   local.message);
	}
	return 0;
}

void build_caches_release(struct build_caches *c)
{
	for (size_t i = 0; c->ends && i < c->from.n; i++)
		end_release(&c->ends[i]);
	free(c->ends);
	free(c->sources);
	cache_export_free(c->export);
	cache_spec_list_release(&c->from);
	cache_spec_list_release(&c->to);
}
