/*
 * What --cache-to writes: the steps of a build with their layers, as an ordinary image whose configuration has the records
 * (cache_document.h). A build fills it, from any thread; when the build is done it can be made into an image once a mode:
 * min has the layers of the result's own steps, max those of all stages.
 */
#pragma once

#include "builder/cache.h"
#include "oci/image.h"

struct cache_export;
struct cache_export *cache_export_new(void);
void cache_export_free(struct cache_export *e);
/* The build starts over. */
void cache_export_clear(struct cache_export *e);

struct cache_export_step {
	int target, stage, number; /* which platform's, and where it stands in the file */
	bool on_target;            /* part of the result */
	const char *kind;
	const char *quick; /* "": it has none */
	const struct cache_record *record;
};
/* e NULL: nothing is collected. The same step twice is one record, at the first of its places. */
void cache_export_add(struct cache_export *e, const struct cache_export_step *step);
void cache_export_add_image(struct cache_export *e, const char *key, int64_t created);

/*
 * Configuration and manifest into the store; layers may be missing there. *out is NULL when there is nothing to export. Equal
 * builds give equal bytes.
 */
int cache_export_image(struct cache_export *e, struct store *s, const struct platform *platform,
		       bool max, struct image **out, struct error *err);
/* The records of those steps whose layers are the image's own go into its configuration. */
void cache_export_attach(struct cache_export *e, struct image *image);

CLEANUP_FREE(cache_export)
