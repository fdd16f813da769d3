/*
 * The folders that a layer's entries go into while it is extracted. Where an entry belongs is known from the merged
 * view, links resolved; here that place is opened, and made where the folder being filled has nothing yet: with the
 * metadata that the merged view has for it. Only oci/extract*.c include this.
 */
#pragma once

#include "oci/extract.h"

struct folders {
	int root; /* the caller's */
	const struct extract_options *o;
	struct tree *below; /* the layers under this one, as they are */
	struct tree *view;  /* the same and what this layer had so far */
	uint16_t layer;     /* this one's number in view */
	struct tree_node *open_node;
	int open_fd; /* of open_node, when that is not NULL */
	struct tree_node **touched;
	size_t n_touched, cap_touched;
};

void folders_init(struct folders *f, int root, struct tree *below, const struct extract_options *o);
void folders_release(struct folders *f);
/* The folder of n as a descriptor of f's, valid until the next call; made when it is missing. */
int folders_open(struct folders *f, struct tree_node *n, int *fd, struct error *err);
/* The open folder may be another one now. */
void folders_forget(struct folders *f);
/* Overlay: nothing of lower layers shows through n, when there is something. */
int folders_make_opaque(struct folders *f, struct tree_node *n, struct error *err);
/* Owner, attributes, mode and times of every folder that was touched, when all is in them. */
int folders_finish(struct folders *f, struct error *err);

/* Removes what stands at dir/name. */
int extract_clear(int dir, const char *name, struct error *err);
/* Notes the owner with the file where it cannot be given to it. */
void extract_mark_owner(const struct extract_options *o, int fd, uid_t uid, gid_t gid);
/* The same for a link, a pipe or what stands for a device, with which device it is. */
void extract_note_owner(const struct extract_options *o, int dir, const char *name,
			const struct entry *e);
/* Attributes of an open file or folder. what names it in messages. */
int extract_set_xattrs(const struct extract_options *o, int fd, const struct xattr *xattrs,
		       size_t n, const char *what, struct error *err);
/* From errno: what was tried on a path of the layer, with what to do about it. */
int extract_failed(const char *tried, const char *path, struct error *err);

CLEANUP_RELEASE(folders)
