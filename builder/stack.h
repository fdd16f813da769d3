/*
 * The layers under a step: descriptors, diff IDs and ChainIDs of a stage as it grows, or of an image that is a source; and,
 * made only when somebody asks, their merged view. Building with every step cached never asks.
 */
#pragma once

#include <pthread.h>

#include "builder/copy.h"
#include "sandbox/rootfs.h"

struct base_image;
struct remote_caches;
struct sandbox;

struct stack {
	struct store *store;
	struct base_image
		*base; /* brings the first layers when they are missing; NULL: none can be */
	struct remote_caches *remote; /* brings layers of cached steps; NULL: all are here */
	struct sandbox *sandbox;      /* steps will run on these layers in it; NULL: none will */
	struct descriptor *layers;
	struct digest *diff_ids, *chains;
	size_t n, cap;
	pthread_mutex_t lock; /* of tree */
	struct tree *tree;
};

void stack_init(struct stack *k, struct store *s);
void stack_release(struct stack *k);
/* Layers alone; dst is initialised and empty. */
void stack_copy(struct stack *dst, const struct stack *src);
void stack_push(struct stack *k, const struct descriptor *layer, const struct digest *diff_id);
/* ChainID of all layers; unset without any. */
const struct digest *stack_chain(const struct stack *k);

/* Every blob into the store. */
int stack_fetch(struct stack *k, struct error *err);
/* The merged view; blobs are fetched only when their index is missing. Any thread. */
int stack_tree(struct stack *k, struct tree **out, struct error *err);
/* As a source or destination of copy.h; out is a view. */
int stack_view(struct stack *k, struct copy_image *out, struct error *err);
/* For the sandbox; free(), valid as long as no layer is added. */
struct rootfs_layer *stack_rootfs(struct stack *k);
/* One file of the image, links followed. ERROR_NOT_FOUND. */
int stack_read_file(struct stack *k, const char *path, size_t limit, struct strbuf *out,
		    struct error *err);

CLEANUP_RELEASE(stack)
