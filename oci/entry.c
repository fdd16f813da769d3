#include "oci/entry.h"

#include <string.h>

#include "base/limits.h"

/*
 * A path as a sequence of components, each with a rank inside its folder: the opaque marker
 * of a folder comes first, then whiteouts, then everything else.
 */
enum rank { RANK_END, RANK_OPAQUE, RANK_WHITEOUT, RANK_NAME };

struct component {
	enum rank rank;
	const char *name;
	size_t len;
};

struct walk {
	const char *rest;
	enum entry_type type;
	bool marker_given;
};

static struct component walk_next(struct walk *w)
{
	struct component c = {.rank = RANK_END, .name = w->rest};

	if (!*w->rest) {
		if (w->type == ENTRY_OPAQUE && !w->marker_given) {
			w->marker_given = true;
			c.rank = RANK_OPAQUE;
		}
		return c;
	}
	c.len = strcspn(w->rest, "/");
	w->rest += c.len;
	c.rank = w->type == ENTRY_WHITEOUT && !*w->rest ? RANK_WHITEOUT : RANK_NAME;
	if (*w->rest)
		w->rest++;
	return c;
}

static int component_compare(const struct component *a, const struct component *b)
{
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	order = memcmp(a->name, b->name, shorter);
	if (order || a->len == b->len)
		return order;
	return a->len < b->len ? -1 : 1;
}

int entry_compare(const struct entry *a, const struct entry *b)
{
	struct walk wa = {.rest = a->path, .type = a->type};
	struct walk wb = {.rest = b->path, .type = b->type};

	for (;;) {
		struct component ca = walk_next(&wa), cb = walk_next(&wb);
		int order = component_compare(&ca, &cb);

		if (order || ca.rank == RANK_END)
			return order;
	}
}

static int path_rank(unsigned char c)
{
	if (c == '\0')
		return 0;
	return c == '/' ? 1 : c + 2;
}

int entry_path_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return path_rank((unsigned char)*a) - path_rank((unsigned char)*b);
}

bool entry_path_is_clean(const char *path)
{
	const char *at = path;

	if (!*path)
		return true;
	for (;;) {
		size_t len = strcspn(at, "/");

		if (len == 0 || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += len;
		if (!*at)
			return (size_t)(at - path) <= LIMIT_PATH_BYTES;
		at++;
	}
}
