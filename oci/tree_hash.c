#include "oci/tree.h"

/*
 * Every field is framed, so that two trees hash alike only when they are alike. Layers, inodes and sources do not
 * count: the same files may come by another way.
 */
void tree_hash(const struct tree_node *n, struct sha256 *h)
{
	sha256_frame_int(h, (int64_t)n->type);
	sha256_frame_int(h, n->mode);
	sha256_frame_int(h, n->uid);
	sha256_frame_int(h, n->gid);
	sha256_frame_int(h, n->size);
	sha256_frame_int(h, n->dev_major);
	sha256_frame_int(h, n->dev_minor);
	sha256_frame_str(h, n->link);
	sha256_frame(h, n->content, n->content ? SHA256_SIZE : 0);
	sha256_frame_int(h, n->n_xattrs);
	for (uint32_t i = 0; i < n->n_xattrs; i++) {
		sha256_frame_str(h, n->xattrs[i].name);
		sha256_frame(h, n->xattrs[i].value, n->xattrs[i].len);
	}
	sha256_frame_int(h, n->n_children);
	for (uint32_t i = 0; i < n->n_children; i++) {
		sha256_frame_str(h, n->children[i]->name);
		tree_hash(n->children[i], h);
	}
}
