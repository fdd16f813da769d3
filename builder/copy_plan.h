/*
 * Where copied files land: the part of the destination's file system that a layer of COPY or ADD will carry, as a tree. Paths
 * resolve in the plan itself and in the merged view below it, links followed inside the root.
 */
#pragma once

#include "oci/tree.h"

enum plan_content {
	PLAN_NO_CONTENT,
	PLAN_CONTEXT, /* path below the context */
	PLAN_IMAGE,   /* a node of the source image */
	PLAN_TEMP,    /* offset in the temporary file */
};

struct plan_node {
	const char *name;
	struct plan_node *parent;
	struct plan_node **children; /* sorted by bytes */
	uint32_t n_children, cap_children;
	uint32_t link_group; /* hard links of one file: same number, not 0 */
	uint8_t type;        /* enum entry_type */
	uint8_t content;     /* enum plan_content */
	uint16_t mode;
	uint32_t uid, gid;
	int64_t mtime, size;
	const char *link;
	struct tree_node *below; /* a folder that is in the image already, or NULL */
	union {
		const char *path;
		struct tree_node *node;
		int64_t offset;
	} from;
	const struct xattr *xattrs; /* of the source image or of below: the tree's */
	uint32_t n_xattrs;
	uint32_t dev_major, dev_minor;
};

struct plan;

struct plan_owner {
	uint32_t uid, gid;
};

/* below NULL: nothing is there, and links are not followed (COPY --link). made: owner of folders that are made, 0755, made_mtime. */
struct plan *plan_new(struct tree *below, struct plan_owner made, int64_t made_mtime);
void plan_free(struct plan *p);
struct plan_node *plan_root(struct plan *p);
size_t plan_count(const struct plan *p);                 /* nodes but the root */
const char *plan_text(struct plan *p, const char *text); /* a copy that lives as long as the plan */

/* Memory that lives as long as the plan, aligned for pointers. */
void *plan_keep(struct plan *p, size_t size);

/* Where a path leads: the folder, the last name in it, and what is there now. */
struct plan_place {
	struct plan_node *dir;
	const char *name; /* lives as long as the plan; "" when the path is the root */
	bool exists, is_dir;
};
/* Folders on the way are made. replace: what is in the way of a folder is replaced by it (archives), else ERROR_SYNTAX. */
int plan_resolve(struct plan *p, const char *path, bool replace, struct plan_place *out,
		 struct error *err);
/* The folder at path, made with its parents when missing. */
int plan_folder(struct plan *p, const char *path, bool replace, struct plan_node **out,
		struct error *err);
/*
 * The node for an entry of that type called name in dir: a new one, or the one that is replaced. A folder over something else, or something
 * else over a folder, is an error unless replace.
 */
int plan_put(struct plan *p, struct plan_node *dir, const char *name, enum entry_type type,
	     bool replace, struct plan_node **out, struct error *err);
char *plan_path(const struct plan_node *n); /* relative; free() */

CLEANUP_FREE(plan)
