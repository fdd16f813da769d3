/*
 * A map from string to string that keeps the order of insertion; setting an
 * existing key replaces its value in place. Made for environments, labels and
 * annotations: look-up is by hash, iteration is over entries[0..n).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/strlist.h"

struct strmap_entry {
	char *key;
	char *value; /* NULL when set so */
};

struct strmap {
	struct strmap_entry *entries;
	size_t n, cap;
	size_t *slots; /* open addressing: index + 1 into entries */
	size_t n_slots;
};

#define STRMAP_INIT \
	{           \
		0   \
	}

void strmap_release(struct strmap *m);
void strmap_clear(struct strmap *m);
void strmap_set(struct strmap *m, const char *key,
		const char *value); /* copies both; value may be NULL */
const char *strmap_get(const struct strmap *m, const char *key); /* NULL when missing */
bool strmap_has(const struct strmap *m, const char *key);
void strmap_remove(struct strmap *m, const char *key);             /* keeps the order of the rest */
void strmap_copy(struct strmap *dst, const struct strmap *src);    /* sets each entry of src */
bool strmap_equal(const struct strmap *a, const struct strmap *b); /* same entries, any order */
/* "KEY=value" items, as Env of an image config; an item without '=' is a key with value "". */
void strmap_from_env(struct strmap *m, const struct strlist *env);
void strmap_to_env(const struct strmap *m,
		   struct strlist *env); /* entries with a NULL value are left out */
/* Fills idx (n entries, caller's) with the order of the keys by bytes. */
void strmap_sorted(const struct strmap *m, size_t *idx);

CLEANUP_RELEASE(strmap)
