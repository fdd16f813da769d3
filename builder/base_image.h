/*
 * Images that a build uses: FROM, COPY --from and mounts. A name is resolved once a build, to one digest for all its
 * uses; layers come only when somebody needs their bytes.
 */
#pragma once

#include "builder/named_context.h"
#include "builder/stack.h"
#include "oci/image.h"

struct base_image {
	const struct build_options *options;
	struct store *store;
	char *key;  /* the full name and the platform */
	char *name; /* for messages: "docker.io/library/debian:12@sha256:.." */
	struct image_ref ref;
	bool from_layout;
	struct image *image;
	struct stack stack; /* as a source */
	pthread_mutex_t lock;
	bool complete; /* every blob is in the store */
};

struct base_images {
	struct named_contexts *contexts;
	pthread_mutex_t lock;
	struct base_image **items;
	size_t n, cap;
};

void base_images_init(struct base_images *b, struct named_contexts *contexts);
void base_images_release(struct base_images *b);
/* Not for the name of a context that is files. The result lives as long as b. Any thread. */
int base_image_get(struct base_images *b, const char *name, const struct platform *platform,
		   struct base_image **out, struct error *err);
/* Brings the layers that are missing. Any thread. */
int base_image_fetch(struct base_image *i, struct error *err);
/* Are all layers in the store? */
bool base_image_is_complete(struct base_image *i);
