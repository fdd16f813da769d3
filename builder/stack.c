#include "builder/stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/base_image.h"
#include "builder/cache_remote.h"
#include "oci/layer_index.h"

void stack_init(struct stack *k, struct store *s)
{
	*k = (struct stack){.store = s};
	pthread_mutex_init(&k->lock, NULL);
}

void stack_release(struct stack *k)
{
	if (!k || !k->store)
		return;
	for (size_t i = 0; i < k->n; i++)
		descriptor_release(&k->layers[i]);
	free(k->layers);
	free(k->diff_ids);
	free(k->chains);
	tree_free(k->tree);
	pthread_mutex_destroy(&k->lock);
	*k = (struct stack){.store = NULL};
}

void stack_copy(struct stack *dst, const struct stack *src)
{
	dst->base = src->base;
	dst->remote = src->remote ? src->remote : dst->remote;
	for (size_t i = 0; i < src->n; i++)
		stack_push(dst, &src->layers[i], &src->diff_ids[i]);
}

void stack_push(struct stack *k, const struct descriptor *layer, const struct digest *diff_id)
{
	struct digest chain = *stack_chain(k);

	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 16;
		k->layers = xreallocarray(k->layers, k->cap, sizeof(*k->layers));
		k->diff_ids = xreallocarray(k->diff_ids, k->cap, sizeof(*k->diff_ids));
		k->chains = xreallocarray(k->chains, k->cap, sizeof(*k->chains));
	}
	digest_chain(&chain, diff_id);
	k->layers[k->n] = (struct descriptor){.size = 0};
	descriptor_copy(&k->layers[k->n], layer);
	k->diff_ids[k->n] = *diff_id;
	k->chains[k->n] = chain;
	k->n++;
}

const struct digest *stack_chain(const struct stack *k)
{
	static const struct digest none;

	return k->n ? &k->chains[k->n - 1] : &none;
}

int stack_fetch(struct stack *k, struct error *err)
{
	if (k->base && base_image_fetch(k->base, err) < 0)
		return -1;
	return remote_caches_fetch(k->remote, k->layers, k->n, err);
}

static bool can_fetch(const struct stack *k)
{
	return k->base || k->remote;
}

/*
 * Extracting layers makes their indexes on the way, so that a base that steps will run on is decompressed once. What goes wrong
 * is told by who cannot do without.
 */
static void extract_ahead(struct stack *k)
{
	AUTO_FREE struct rootfs_layer *layers = stack_rootfs(k);
	AUTO_PTR(rootfs) fs = NULL;
	AUTO(error) ignored = ERROR_INIT;

	if (stack_fetch(k, &ignored) == 0 &&
	    rootfs_open(&fs, k->sandbox, layers, k->n, &ignored) == 0)
		(void)rootfs_prepare(fs, &ignored);
}

static int ensure_index(struct stack *k, size_t i, struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (k->sandbox && !layer_index_exists(k->store, &k->diff_ids[i]))
		extract_ahead(k);
	if (layer_index_ensure(k->store, &k->layers[i], &k->diff_ids[i], &local) == 0)
		return 0;
	if (local.kind != ERROR_NOT_FOUND || !can_fetch(k))
		return error_move(err, &local);
	if (stack_fetch(k, err) < 0)
		return -1;
	return layer_index_ensure(k->store, &k->layers[i], &k->diff_ids[i], err);
}

static int grow_tree(struct stack *k, struct error *err)
{
	if (!k->tree)
		k->tree = tree_new();
	for (size_t i = tree_layers(k->tree); i < k->n; i++) {
		if (ensure_index(k, i, err) < 0 ||
		    tree_add_layer(k->tree, k->store, &k->diff_ids[i], err) < 0) {
			/* A layer that is half applied must not be seen. */
			tree_free(take_ptr(k->tree));
			return error_wrap(err, "read layer %zu of %zu (%s)", i + 1, k->n,
					  k->layers[i].digest.text);
		}
	}
	return 0;
}

int stack_tree(struct stack *k, struct tree **out, struct error *err)
{
	int result;

	pthread_mutex_lock(&k->lock);
	result = grow_tree(k, err);
	*out = k->tree;
	pthread_mutex_unlock(&k->lock);
	return result;
}

int stack_view(struct stack *k, struct copy_image *out, struct error *err)
{
	struct tree *tree;

	if (stack_tree(k, &tree, err) < 0)
		return -1;
	*out = (struct copy_image){
		.tree = tree, .layers = k->layers, .diff_ids = k->diff_ids, .n_layers = k->n};
	return 0;
}

struct rootfs_layer *stack_rootfs(struct stack *k)
{
	struct rootfs_layer *list = xcalloc(k->n + 1, sizeof(*list));

	for (size_t i = 0; i < k->n; i++)
		list[i] = (struct rootfs_layer){.descriptor = &k->layers[i],
						.diff_id = &k->diff_ids[i]};
	return list;
}

int stack_read_file(struct stack *k, const char *path, size_t limit, struct strbuf *out,
		    struct error *err)
{
	struct copy_image view;
	const struct tree_node *node;
	AUTO(error) local = ERROR_INIT;

	if (stack_view(k, &view, err) < 0)
		return -1;
	node = tree_lookup(view.tree, path, true);
	if (!node || node->type != ENTRY_FILE)
		return error_set(err, ERROR_NOT_FOUND, "%s: no such file in the image", path);
	/* Small files are remembered by content: the layer is needed only the first time. */
	if (spool_read_small(k->store, view.tree, view.layers, view.diff_ids, view.n_layers, path,
			     limit, out, &local) == 0)
		return 0;
	if (local.kind != ERROR_NOT_FOUND || !can_fetch(k))
		return error_move(err, &local);
	if (stack_fetch(k, err) < 0)
		return -1;
	strbuf_reset(out);
	return spool_read_small(k->store, view.tree, view.layers, view.diff_ids, view.n_layers,
				path, limit, out, err);
}
