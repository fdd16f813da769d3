/*
 * Where copied files land: the part of the destination's file system that a layer of COPY or ADD will carry, as a tree. Paths
 * resolve in the plan itself and in the merged view below it, links followed inside the root.
 */
#pragma once

#include "oci/tree.h"

enum plan_content {
	PLAN_NO_CONTENT,
	PLAN_CONTEXT,        /* from.path, below the context */
	PLAN_CONTEXT_FOLDER, /* the file of the node's name in the context's folder from.path */
	PLAN_FETCHED,        /* from.fetched, in a folder that was fetched for a source */
	PLAN_IMAGE,          /* a node of the source image */
	PLAN_TEMP,           /* offset in the temporary file */
	PLAN_OPAQUE,         /* of a folder: hides the one that the image has there */
	PLAN_UNCHANGED,      /* of a folder: as in the image; of interest for what is below it */
};

struct plan_children {
	uint32_t n, cap;
	struct plan_node *items[]; /* sorted by bytes */
};

struct plan_folder_part {
	struct plan_children *children; /* NULL: none */
	struct tree_node *below;        /* the same folder in the image, or NULL */
};

struct plan_fetched {
	size_t source;
	char path[];
};

struct plan_file_part {
	union {
		const char *path;
		const struct plan_fetched *fetched;
		struct tree_node *node;
		int64_t offset;
	} from;
	int64_t size;
};

struct plan_device_part {
	uint32_t major, minor;
};

/* There is one for each copied file, so it is kept small. */
struct plan_node {
	const char *name;
	struct plan_node *parent;
	int64_t mtime;
	const struct xattr *xattrs; /* of the source image or of below: the tree's */
	uint32_t uid, gid;
	uint32_t link_group;    /* hard links of one file: same number, not 0 */
	uint16_t mode : 12;     /* 07777 */
	uint16_t type : 4;      /* enum entry_type */
	uint16_t n_xattrs : 12; /* LIMIT_XATTRS at most */
	uint16_t content : 4;   /* enum plan_content */
	union {                 /* by type */
		struct plan_folder_part folder;
		struct plan_file_part file;
		struct plan_device_part device;
		const char *link;
	};
};

struct plan;

struct plan_owner {
	uint32_t uid, gid;
};

/* below NULL: nothing is there, and links are not followed (COPY --link). made: owner of folders that are made, 0755, made_mtime. */
struct plan *plan_new(struct tree *below, struct plan_owner made, int64_t made_mtime);
void plan_free(struct plan *p);
struct plan_node *plan_root(struct plan *p);
/* The folder gets metadata of its own. */
static inline void plan_touch(struct plan_node *n)
{
	if (n->content == PLAN_UNCHANGED)
		n->content = PLAN_NO_CONTENT;
}
static inline uint32_t plan_n_children(const struct plan_node *n)
{
	return n->type == ENTRY_DIR && n->folder.children ? n->folder.children->n : 0;
}
bool plan_is_written(const struct plan_node *n);         /* or was it only on the way? */
const char *plan_text(struct plan *p, const char *text); /* a copy that lives as long as the plan */
/* Memory that lives as long as the plan, aligned for pointers. */
void *plan_keep(struct plan *p, size_t size);
/* The child of that name, or NULL. */
struct plan_node *plan_child(const struct plan_node *dir, const char *name, size_t len);

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
 * The node for an entry of that type called name (which lives as long as the plan) in dir: a new one, or the one that is replaced. A folder over something else, or something
 * else over a folder, is an error unless replace.
 */
int plan_put(struct plan *p, struct plan_node *dir, const char *name, enum entry_type type,
	     bool replace, struct plan_node **out, struct error *err);
/* Everything that is known of a node but its name, for another node of its type; not for folders. */
void plan_same(struct plan_node *n, const struct plan_node *as);
char *plan_path(const struct plan_node *n); /* relative; free() */

CLEANUP_FREE(plan)
