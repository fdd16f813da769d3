/*
 * The caches of one build: what --cache-from names becomes the builder's cache_sources, and what it collects is written to
 * where --cache-to says.
 *
 *	build_caches_parse(&caches, &from, &to, err);
 *	build_caches_start(&caches, app, &options, ..., err);     before build_run()
 *	build_caches_write(&caches, &image->config.platform, err); when all else is done
 *
 * Nothing of this may fail a build or hold it up for long: the registries are spoken to with little patience.
 */
#pragma once

#include "cli/app.h"
#include "cli/cache_spec.h"

struct cache_end;

struct build_caches {
	struct app *app;
	struct cache_spec_list from, to;
	struct cache_end *ends; /* one a source */
	struct cache_source *sources;
	struct cache_export *export;
	const struct image_ref *push; /* names that the result is pushed to */
	size_t n_push;
};

/* ERROR_USAGE, ERROR_UNSUPPORTED. */
int build_caches_parse(struct build_caches *c, const struct strlist *from, const struct strlist *to,
		       struct error *err);
/*
 * Fills o's caches, cache_export, inline_cache, and lazy: unless needs_layers, layers that were not needed stay in their
 * registry. push: where the image is going to be pushed. c and push must live as long as o.
 */
int build_caches_start(struct build_caches *c, struct app *a, struct build_options *o,
		       bool needs_layers, const struct image_ref *push, size_t n_push,
		       struct error *err);
/* A failure is a warning unless ignore-error=false was given, or the user cancelled. */
int build_caches_write(struct build_caches *c, const struct platform *platform, struct error *err);
void build_caches_release(struct build_caches *c);

CLEANUP_RELEASE(build_caches)
