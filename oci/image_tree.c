#include "oci/image_tree.h"

#include "oci/layer_index.h"

int image_tree(struct tree **out, struct store *s, const struct image *image, struct error *err)
{
	AUTO_PTR(tree) tree = tree_new();

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		if (layer_index_ensure(s, &image->manifest.layers[i], &image->config.diff_ids[i],
				       err) < 0 ||
		    tree_add_layer(tree, s, &image->config.diff_ids[i], err) < 0)
			return -1;
	*out = take_ptr(tree);
	return 0;
}
