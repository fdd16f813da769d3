/*
 * build --push: layers go to the registries as soon as they are made, while the next steps run. What fails here is silent: the push
 * at the end sends it again, and tells.
 */
#pragma once

#include "cli/app.h"

struct push_ahead;

/* The refs must outlive it. NULL when the registry client cannot be had: the push itself will say why. */
struct push_ahead *push_ahead_start(struct app *a, const struct image_ref *refs, size_t n);
struct layer_sink push_ahead_sink(struct push_ahead *p);
/* Waits for what is under way; abandon: stops it, the build has failed. */
void push_ahead_end(struct push_ahead *p, bool abandon);
