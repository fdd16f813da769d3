#include "deploy/image_look.h"

#include "oci/layer_index.h"
#include "oci/spool.h"

int image_look_layer(struct store *s, const struct image *image, size_t layer, struct error *err)
{
	const struct descriptor *blob = &image->manifest.layers[layer];
	const struct digest *diff_id = &image->config.diff_ids[layer];
	AUTO_PTR(index_reader) there = NULL;

	if (index_reader_open(&there, s, diff_id, NULL) == 0)
		return 1;
	if (!store_has(s, &blob->digest, blob->size))
		return 0;
	return layer_index_ensure(s, blob, diff_id, err) < 0 ? -1 : 1;
}

int image_look_tree(struct tree **out, struct store *s, const struct image *image, size_t from,
		    struct error *err)
{
	AUTO_PTR(tree) tree = tree_new();

	*out = NULL;
	for (size_t i = from; i < image->manifest.n_layers; i++) {
		int found = image_look_layer(s, image, i, err);

		if (found <= 0)
			return found;
		if (tree_add_layer(tree, s, &image->config.diff_ids[i], err) < 0)
			return -1;
	}
	*out = take_ptr(tree);
	return 0;
}

int image_look_file(struct store *s, struct tree *t, const struct image *image, size_t first,
		    const char *path, size_t limit, struct strbuf *out, struct error *err)
{
	const struct tree_node *node = tree_lookup(t, path, true);
	AUTO(error) local = ERROR_INIT;

	if (!node || node->type != ENTRY_FILE || node->file.size > (int64_t)limit ||
	    image->manifest.layers[first + node->layer].size > LOOK_CHEAP_LAYER)
		return 0;
	if (spool_read_small(s, t, image->manifest.layers + first, image->config.diff_ids + first,
			     image->manifest.n_layers - first, path, limit, out, &local) == 0)
		return 1;
	return local.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &local);
}
