/*
 * Random inputs of keys with fixed seeds, and what must hold of them: two keys are equal exactly when what they are made of
 * reads the same in a notation of the test's own. The full count with SLIPWAY_SOAK in the environment.
 */
#pragma once

#include "build_fixture.h"

/* xorshift64* */
struct dice {
	uint64_t state;
};

static inline uint64_t roll(struct dice *d, uint64_t sides)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return (d->state * 0x2545f4914f6cdd1dull >> 33) % sides;
}

static inline size_t sample_count(size_t small, size_t full)
{
	return getenv("SLIPWAY_SOAK") ? full : small;
}

struct sampled {
	char key[SHA256_HEX_SIZE];
	char *notation;
};

struct sample {
	struct sampled *items;
	size_t n, cap;
};

static inline void sample_add(struct sample *s, const char key[SHA256_HEX_SIZE],
			      struct strbuf *notation)
{
	struct sampled *one;

	GROW(s->items, s->n + 1, s->cap);
	one = &s->items[s->n++];
	memcpy(one->key, key, SHA256_HEX_SIZE);
	one->notation = strbuf_detach(notation, NULL);
}

static inline int compare_sampled(const void *a, const void *b)
{
	const struct sampled *x = a, *y = b;
	int order = strcmp(x->notation, y->notation);

	return order ? order : strcmp(x->key, y->key);
}

static inline int compare_sampled_keys(const void *a, const void *b)
{
	return strcmp(((const struct sampled *)a)->key, ((const struct sampled *)b)->key);
}

/* Checks all pairs; *n_equal: how many neighbours were equal, so that a test sees that there were some. */
static inline void sample_check(struct sample *s, size_t *n_equal)
{
	*n_equal = 0;
	qsort(s->items, s->n, sizeof(*s->items), compare_sampled);
	for (size_t i = 1; i < s->n; i++) {
		const struct sampled *a = &s->items[i - 1], *b = &s->items[i];

		if (strcmp(a->notation, b->notation) != 0)
			continue;
		++*n_equal;
		if (strcmp(a->key, b->key) != 0)
			fail_msg("equal input, other keys: %s", a->notation);
	}
	qsort(s->items, s->n, sizeof(*s->items), compare_sampled_keys);
	for (size_t i = 1; i < s->n; i++) {
		const struct sampled *a = &s->items[i - 1], *b = &s->items[i];

		if (strcmp(a->key, b->key) == 0 && strcmp(a->notation, b->notation) != 0)
			fail_msg("one key for\n%s\nand\n%s", a->notation, b->notation);
	}
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].notation);
	s->n = 0;
}

static inline void sample_release(struct sample *s)
{
	free(s->items);
}
