/* What the parts of cache_remote share. */
#pragma once

#include <pthread.h>

#include "builder/cache_document.h"
#include "builder/cache_remote.h"
#include "oci/image.h"

/* At a time, of caches and of layers. */
#define REMOTE_TRANSFERS 4

/* What a source has for one of the platforms; what is for all of them is the first one's. */
struct remote_cache {
	struct remote_caches *all;
	const struct cache_source *source;
	const struct platform *platform; /* NULL: the host's */
	bool ready;                      /* loaded, and not given up */
	bool doubted; /* a layer was missing: others are looked for before they count as hits */
	struct image *image;
	struct cache_document doc;
};

/* A layer that some step took. */
struct remote_hit {
	struct remote_cache *cache;
	struct cache_record record;
	char quick[SHA256_HEX_SIZE];
	char kind[16];
	pthread_mutex_t work; /* held while it is brought: who else needs it waits */
	bool settled;         /* here, and what its record says */
};

struct remote_caches {
	struct store *store;
	const struct build_options *options;
	struct remote_cache *items; /* one source's stand together */
	size_t n, n_platforms;
	pthread_mutex_t lock;
	bool loaded;
	struct remote_hit **hits;
	size_t n_hits, cap_hits;
	struct strlist banned; /* digests */
	size_t losses;
	bool lost;
};

/* Loads what is not loaded yet, with the lock held: who asks meanwhile waits for the answer. */
void remote_caches_load(struct remote_caches *r);
