/* A function over numbered items, several at a time; the first failure ends the others soon. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

/* Blobs in transfer at once. */
#define PARALLEL_BLOBS 4

/* stop becomes true when another item failed: long work looks at it and ends with any error. */
typedef int parallel_fn(void *arg, size_t i, const atomic_bool *stop, struct error *err);

/* At most PARALLEL_BLOBS at a time on the pool (NULL: one after the other, here). The first error is returned. */
int parallel_run(struct pool *pool, size_t n, parallel_fn *fn, void *arg, struct error *err);
