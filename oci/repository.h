/*
 * Repositories of the embedded registry: which blobs, manifests and tags of the store a repository shows. The bytes are
 * blobs of the store, whoever else needs them; a link makes one visible in a repository.
 *
 *	repositories/.lock                       held shared by a registry that runs
 *	repositories/NAME/blobs/ALG-HEX          an empty file, as old as the upload or mount
 *	repositories/NAME/manifests/ALG-HEX      its media type
 *	repositories/NAME/tags/TAG               a digest
 *	repositories/NAME/referrers/ALG-HEX/ALG-HEX   the descriptor of what has the first as its subject
 *
 * In NAME a ',' stands for '/'. Every change lasts when its function returns. Who links holds a lease, taken before it looked for the
 * blob; changes of one repository are made under repository_lock().
 */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"
#include "base/strlist.h"
#include "oci/store.h"

/* At most 255 bytes of the grammar of image_ref_check_path(). */
bool repository_is_name(const char *name);
bool repository_exists(struct store *s, const char *name);
int repository_make(struct store *s, const char *name, struct error *err);
/* With all that it shows; the bytes go with the next prune. A missing one is fine. */
int repository_remove(struct store *s, const char *name, struct error *err);
/* The names, sorted. */
int repository_list(struct store *s, struct strlist *out, struct error *err);
/* Ends when *fd is closed. The repository is made when it is missing. */
int repository_lock(struct store *s, const char *name, int *fd, struct error *err);

bool repository_has_blob(struct store *s, const char *name, const struct digest *d);
/* Links the blob, or makes the link new. */
int repository_link_blob(struct store *s, const char *name, const struct digest *d,
			 struct error *err);
/* Unlinking what is not there is ERROR_NOT_FOUND. */
int repository_unlink_blob(struct store *s, const char *name, const struct digest *d,
			   struct error *err);
/* Does a repository link it, and which? name: free(). */
bool repository_find_blob(struct store *s, const struct digest *d, char **name);

/* Media type of a linked manifest. ERROR_NOT_FOUND. */
int repository_manifest(struct store *s, const char *name, const struct digest *d,
			struct strbuf *media_type, struct error *err);
int repository_link_manifest(struct store *s, const char *name, const struct digest *d,
			     const char *media_type, struct error *err);
/* With the tags that name it. */
int repository_unlink_manifest(struct store *s, const char *name, const struct digest *d,
			       struct error *err);

int repository_resolve(struct store *s, const char *name, const char *tag, struct digest *out,
		       struct error *err);
int repository_tag(struct store *s, const char *name, const char *tag, const struct digest *d,
		   struct error *err);
int repository_untag(struct store *s, const char *name, const char *tag, struct error *err);
/* Unsorted. */
int repository_tags(struct store *s, const char *name, struct strlist *out, struct error *err);

/* text: the referrer's descriptor as JSON. */
int repository_add_referrer(struct store *s, const char *name, const struct digest *subject,
			    const struct digest *referrer, const char *text, struct error *err);
int repository_remove_referrer(struct store *s, const char *name, const struct digest *subject,
			       const struct digest *referrer, struct error *err);
/* Calls fn with each descriptor in the order of digests after "after" (NULL: all) until it gives something other than 0, which is the result. */
int repository_each_referrer(struct store *s, const char *name, const struct digest *subject,
			     const char *after,
			     int (*fn)(void *arg, const struct digest *referrer, const char *text,
				       struct error *err),
			     void *arg, struct error *err);

/* Digests that somebody refers to, as text. */
int repository_subjects(struct store *s, const char *name, struct strlist *out, struct error *err);

/* "blobs" or "manifests": calls fn with each link and its age's beginning (seconds since 1970). */
int repository_each_link(struct store *s, const char *name, const char *kind,
			 int (*fn)(void *arg, const struct digest *d, int64_t since,
				   struct error *err),
			 void *arg, struct error *err);

/* When a manifest or tag last came, went or moved: nanoseconds since 1970; 0: there is no such repository. */
int64_t repository_changed_ns(struct store *s, const char *name);

/* A registry says that it runs until *fd is closed; and is there one? */
int repository_serve(struct store *s, int *fd, struct error *err);
bool repository_is_served(struct store *s);
