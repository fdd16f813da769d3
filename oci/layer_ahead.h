/*
 * A source read ahead by a thread of its own, so that inflating and hashing overlap with what is done to the bytes.
 * Blocks are handed out in order and in place.
 */
#pragma once

#include <stdbool.h>

#include "base/sink.h"

struct ahead;
/* threaded false: each block is read when it is asked for. from is used by one thread at a time, until ahead_stop(). */
struct ahead *ahead_new(struct source *from, bool threaded);
/* The next bytes, valid until the next call; 0: end, for good; -1: the source's error. */
int64_t ahead_next(struct ahead *a, const void **data, struct error *err);
/* The source is no longer used when it returns; ahead_next() must not be called any more. */
void ahead_stop(struct ahead *a);
void ahead_free(struct ahead *a); /* stops */
