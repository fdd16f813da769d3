#include "oci/layer_xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"

#define CAPABILITY_V3_BYTES 24
#define CAPABILITY_V2       2
#define CAPABILITY_V3       3

bool layer_xattr_kept(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return true;
	return str_starts(name, "user.") && name[5] && !str_starts(name, "user.overlay.") &&
	       !str_starts(name, "user.slipway.");
}

bool layer_capability_v2(const void *value, size_t len, uint8_t out[CAPABILITY_V2_BYTES])
{
	const uint8_t *bytes = value;

	if (len != CAPABILITY_V2_BYTES && len != CAPABILITY_V3_BYTES)
		return false;
	/* Little endian: three bytes of flags, then the revision. */
	if (bytes[3] != (len == CAPABILITY_V2_BYTES ? CAPABILITY_V2 : CAPABILITY_V3))
		return false;
	memcpy(out, bytes, CAPABILITY_V2_BYTES);
	out[3] = CAPABILITY_V2;
	return true;
}

/* Into its place by name; the first of two with one name stays, which is the last in the header. */
static void insert(struct layer_xattrs *x, struct entry *e, struct xattr item)
{
	size_t at = e->n_xattrs;

	while (at && strcmp(x->items[at - 1].name, item.name) > 0)
		at--;
	if (at && strcmp(x->items[at - 1].name, item.name) == 0)
		return;
	memmove(&x->items[at + 1], &x->items[at], (e->n_xattrs - at) * sizeof(*x->items));
	x->items[at] = item;
	e->n_xattrs++;
}

int layer_xattrs_read(struct layer_xattrs *x, struct archive_entry *from, struct entry *e)
{
	int n = archive_entry_xattr_reset(from);
	size_t total = 0;
	struct xattr item;

	if (n > LIMIT_XATTRS)
		return -1;
	GROW(x->items, (size_t)n, x->cap);
	while (archive_entry_xattr_next(from, &item.name, &item.value, &item.len) == ARCHIVE_OK) {
		if (!item.name || !layer_xattr_kept(item.name))
			continue;
		total += item.len;
		if (total > LIMIT_XATTR_BYTES)
			return -1;
		if (strcmp(item.name, "security.capability") == 0) {
			if (!layer_capability_v2(item.value, item.len, x->capability))
				continue;
			item.value = x->capability;
			item.len = CAPABILITY_V2_BYTES;
		}
		insert(x, e, item);
	}
	e->xattrs = x->items;
	return 0;
}

void layer_xattrs_release(struct layer_xattrs *x)
{
	free(x->items);
	*x = (struct layer_xattrs){0};
}
