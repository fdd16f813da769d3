/*
 * The sources of COPY and ADD: which files a source text selects (links of the named path followed inside the root, wildcards,
 * ignore file, --exclude), and a walk over each, in byte order, of a context folder or of an image's merged view alike.
 */
#pragma once

#include "builder/copy.h"

/* One thing a source text selects. */
struct copy_match {
	char *path;    /* where it really is, relative to the source's root; "" is the root */
	char *name;    /* the name it takes inside a destination folder */
	char *parents; /* --parents: the folders kept above it, "" for none; NULL without --parents */
	bool is_dir;
	struct tree_node *node; /* in an image */
};

struct copy_matches {
	struct copy_match *items;
	size_t n, cap;
};

/* The request for source i alone when that was fetched as a folder: its root is that folder, and all of it is selected. */
struct copy_request copy_request_of_fetched(const struct copy_request *r, size_t i);
void copy_match_everything(struct copy_matches *out);

/*
 * Adds what text selects. A literal path that is not there is ERROR_NOT_FOUND, with the ignore line that hides it; a pattern that
 * matches nothing adds nothing.
 */
int copy_match_source(const struct copy_request *r, const char *text, struct copy_matches *out,
		      struct error *err);
void copy_matches_release(struct copy_matches *m);
/* Of a folder mostly the contents are copied; with --parents it comes itself. */
bool copy_match_keeps_folder(const struct copy_match *m);

/* A file, folder or other entry on the walk; a view valid during the call. */
struct copy_item {
	const char *rel;             /* below the match; "" for itself */
	const char *path;            /* in the source's root */
	struct entry e;              /* e.path is rel; owner 0:0 and no xattrs from a context */
	uint64_t link_dev, link_ino; /* equal for hard links of one file; 0, 0: a single one */
	const struct stat *st;       /* in a context */
	struct tree_node *node;      /* in an image */
};

/*
 * Calls visit for the match and all below it, folders before their content. Sockets are skipped with a note; folders that only lead to
 * re-included files come when the first of those does.
 */
int copy_walk(const struct copy_request *r, const struct copy_match *m,
	      int (*visit)(void *arg, const struct copy_item *item, struct error *err), void *arg,
	      struct error *err);
/* Is there anything in an ignored folder of the context that the ignore file takes back? */
int copy_has_reincluded(const struct copy_request *r, const char *path, bool *found,
			struct error *err);
/* SHA-256 of a file on the walk: from the image's index, the stat cache, or by reading it. */
int copy_item_digest(const struct copy_request *r, const struct copy_item *item,
		     uint8_t digest[SHA256_SIZE], struct error *err);
/* Opens a context file that was seen on the walk; ERROR_CORRUPT when it is another file now, ERROR_DENIED with a hint. */
int copy_open_file(const struct copy_request *r, const char *path, const struct entry *e, int *fd,
		   struct stat *st, struct error *err);
int copy_cannot_open(const struct copy_request *r, const char *path,
		     struct error *err); /* from errno */
/* Equal before and after reading: nobody wrote to the file. */
bool copy_same_state(const struct stat *a, const struct stat *b);
int copy_changed(const struct copy_request *r, const char *path, struct error *err);

CLEANUP_RELEASE(copy_matches)
