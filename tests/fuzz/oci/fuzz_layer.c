/*
 * A layer as it comes from a registry: compressed or not, tar of any kind, whiteouts. Every name that comes out must
 * be clean, and the merged view made of the entries must keep its order, whatever they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/layer_reader.h"
#include "oci/tree.h"
#include "tests/unit/oci/memory_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const struct tree_node *n, unsigned depth)
{
	if (depth > 5000 || n->gone)
		abort();
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++) {
		const struct tree_node *c = n->folder.children[i];

		if (c->parent != n || (i && strcmp(n->folder.children[i - 1]->name, c->name) >= 0))
			abort();
		if (!*c->name || strchr(c->name, '/') || strcmp(c->name, ".") == 0 ||
		    strcmp(c->name, "..") == 0)
			abort();
		check_node(c, depth + 1);
	}
}

static void read_content(struct layer_reader *r, const struct entry *e)
{
	static uint8_t buf[65536];
	int64_t got, total = 0;

	while ((got = layer_reader_read(r, buf, sizeof(buf), NULL)) > 0)
		total += got;
	if (total > e->size)
		abort();
}

static void read_layer(const uint8_t *data, size_t size, bool whiteouts)
{
	struct memory_source m = memory_source(data, size);
	AUTO_PTR(layer_reader) r = NULL;
	AUTO_PTR(tree) t = tree_new();
	const struct entry *e;
	bool usable = true;

	tree_begin_layer(t);
	if (layer_reader_open_source(&r, &m.source, "fuzz", whiteouts, NULL) < 0)
		return;
	while (layer_reader_next(r, &e, NULL) > 0) {
		if (!entry_path_is_clean(e->path) ||
		    (e->type == ENTRY_HARDLINK && !entry_path_is_clean(e->link)) || e->size < 0 ||
		    e->mode > 07777)
			abort();
		if (e->type == ENTRY_FILE && e->size < 1 << 20)
			read_content(r, e);
		usable = usable && tree_put(t, e, NULL, NULL, NULL) == 0;
	}
	check_node(tree_root(t), 0);
}

/* Gives every header its right checksum, or no change to one would be seen behind it. */
static void mend_checksums(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 512 <= size; at += 512) {
		uint8_t *block = data + at;
		char text[8];
		unsigned sum = 0;

		if (memcmp(block + 257, "ustar", 5) != 0)
			continue;
		memset(block + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += block[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(block + 148, text, 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	mend_checksums(copy, size);
	read_layer(copy, size, true);
	read_layer(copy, size, false);
	free(copy);
	read_layer(data, size, true);
	return 0;
}
