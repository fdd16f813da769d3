/*
 * What other machines' caches know (--cache-from), while a build runs. Nothing is asked before a step misses here; then all
 * caches are loaded at once, each with the patience of its cache_source. A cache that cannot be had is said so once, and
 * is no error.
 *
 * A hit gives a descriptor: the layer comes when somebody needs its bytes. When it cannot be had after all, or is not what
 * the record says, the steps that counted on it have to be carried out: the layer is banned, whoever needed it gets
 * ERROR_CANCELLED, and build_run() starts over, where everything else is a hit by then.
 */
#pragma once

#include "builder/build.h"
#include "builder/cache.h"

struct remote_caches;
/* NULL when the build has no caches, or must not look into any; all functions take that. */
struct remote_caches *remote_caches_new(struct store *s, const struct build_options *o);
void remote_caches_free(struct remote_caches *r);

/*
 * The record of a key; quick ("" or another key of the step) is remembered with it. *from: the cache's name, a view. Any
 * thread, as all below.
 */
bool remote_caches_find(struct remote_caches *r, const char *key, const char *quick,
			struct cache_record *out, const char **from);
bool remote_caches_find_created(struct remote_caches *r, const char *key, int64_t *created);
/* Brings those of the layers that were hits and are missing. ERROR_CANCELLED: see above. */
int remote_caches_fetch(struct remote_caches *r, const struct descriptor *layers, size_t n,
			struct error *err);
/* For the result of a lazy build: hits need not come when their place holds them, or the cache still has them. */
int remote_caches_settle(struct remote_caches *r, const struct descriptor *layers, size_t n,
			 struct error *err);
/* Was a layer lost since the last call? Then the build starts over. */
bool remote_caches_start_over(struct remote_caches *r);

CLEANUP_FREE(remote_caches)
