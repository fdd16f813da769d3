#include "base/strmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* FNV-1a. Keys chosen to collide cost time only, and maps are small: limits bound their source. */
static size_t hash_key(const char *key)
{
	uint64_t h = 14695981039346656037ull;

	for (const unsigned char *p = (const unsigned char *)key; *p; p++)
		h = (h ^ *p) * 1099511628211ull;
	return (size_t)(h ^ h >> 32);
}

void strmap_release(struct strmap *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->entries[i].key);
		free(m->entries[i].value);
	}
	free(m->entries);
	free(m->slots);
}

void strmap_clear(struct strmap *m)
{
	strmap_release(m);
	*m = (struct strmap)STRMAP_INIT;
}

/* The slot that holds key, or the free one where it belongs; there is always a free one. */
static size_t find_slot(const struct strmap *m, const char *key)
{
	size_t mask = m->n_slots - 1;
	size_t slot = hash_key(key) & mask;

	while (m->slots[slot] && strcmp(m->entries[m->slots[slot] - 1].key, key) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

static void rebuild_slots(struct strmap *m)
{
	memset(m->slots, 0, m->n_slots * sizeof(*m->slots));
	for (size_t i = 0; i < m->n; i++)
		m->slots[find_slot(m, m->entries[i].key)] = i + 1;
}

static struct strmap_entry *find_entry(const struct strmap *m, const char *key)
{
	size_t slot;

	if (!m->n)
		return NULL;
	slot = find_slot(m, key);
	return m->slots[slot] ? &m->entries[m->slots[slot] - 1] : NULL;
}

void strmap_set(struct strmap *m, const char *key, const char *value)
{
	struct strmap_entry *entry = find_entry(m, key);
	char *copy = xstrdup_null(value);

	if (entry) {
		free(entry->value);
		entry->value = copy;
		return;
	}
	GROW(m->entries, m->n + 1, m->cap);
	m->entries[m->n++] = (struct strmap_entry){.key = xstrdup(key), .value = copy};
	if (m->n * 2 > m->n_slots) {
		m->n_slots = m->n_slots ? m->n_slots * 2 : 16;
		m->slots = xreallocarray(m->slots, m->n_slots, sizeof(*m->slots));
		rebuild_slots(m);
	} else {
		m->slots[find_slot(m, key)] = m->n;
	}
}

const char *strmap_get(const struct strmap *m, const char *key)
{
	const struct strmap_entry *entry = find_entry(m, key);

	return entry ? entry->value : NULL;
}

bool strmap_has(const struct strmap *m, const char *key)
{
	return find_entry(m, key) != NULL;
}

void strmap_remove(struct strmap *m, const char *key)
{
	struct strmap_entry *entry = find_entry(m, key);
	size_t at;

	if (!entry)
		return;
	at = (size_t)(entry - m->entries);
	free(entry->key);
	free(entry->value);
	memmove(entry, entry + 1, (m->n - at - 1) * sizeof(*entry));
	m->n--;
	rebuild_slots(m);
}

void strmap_copy(struct strmap *dst, const struct strmap *src)
{
	if (dst == src)
		return;
	for (size_t i = 0; i < src->n; i++)
		strmap_set(dst, src->entries[i].key, src->entries[i].value);
}

static bool same_value(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool strmap_equal(const struct strmap *a, const struct strmap *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct strmap_entry *other = find_entry(b, a->entries[i].key);

		if (!other || !same_value(a->entries[i].value, other->value))
			return false;
	}
	return true;
}

void strmap_from_env(struct strmap *m, const struct strlist *env)
{
	for (size_t i = 0; i < env->n; i++) {
		const char *item = env->items[i];
		const char *eq = strchr(item, '=');
		AUTO_FREE char *key = eq ? xstrndup(item, (size_t)(eq - item)) : xstrdup(item);

		strmap_set(m, key, eq ? eq + 1 : "");
	}
}

void strmap_to_env(const struct strmap *m, struct strlist *env)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].value)
			strlist_addf(env, "%s=%s", m->entries[i].key, m->entries[i].value);
}

static int compare_order(const void *a, const void *b, void *map)
{
	const struct strmap *m = map;

	return strcmp(m->entries[*(const size_t *)a].key, m->entries[*(const size_t *)b].key);
}

void strmap_sorted(const struct strmap *m, size_t *idx)
{
	for (size_t i = 0; i < m->n; i++)
		idx[i] = i;
	if (m->n > 1)
		qsort_r(idx, m->n, sizeof(*idx), compare_order, (void *)(uintptr_t)m);
}
