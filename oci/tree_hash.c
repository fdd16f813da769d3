#include "oci/tree.h"

/*
 * Every field is framed, so that two trees hash alike only when they are alike. Layers, inodes and sources do not
 * count: the same files may come by another way.
 */
void tree_hash(const struct tree_node *n, struct sha256 *h)
{
	uint32_t n_children = n->type == ENTRY_DIR ? n->folder.n_children : 0;
	struct entry e;

	tree_entry(n, "", &e);
	sha256_frame_int(h, n->type);
	sha256_frame_int(h, n->mode);
	sha256_frame_int(h, n->uid);
	sha256_frame_int(h, n->gid);
	sha256_frame_int(h, e.size);
	sha256_frame_int(h, e.dev_major);
	sha256_frame_int(h, e.dev_minor);
	sha256_frame_str(h, e.link);
	sha256_frame(h, e.content, e.has_content ? SHA256_SIZE : 0);
	sha256_frame_int(h, n->n_xattrs);
	for (uint32_t i = 0; i < n->n_xattrs; i++) {
		sha256_frame_str(h, n->xattrs[i].name);
		sha256_frame(h, n->xattrs[i].value, n->xattrs[i].len);
	}
	sha256_frame_int(h, n_children);
	for (uint32_t i = 0; i < n_children; i++) {
		sha256_frame_str(h, n->folder.children[i]->name);
		tree_hash(n->folder.children[i], h);
	}
}
