/*
 * Manifests and indexes of a repository (distribution-spec 1.1: Pulling manifests, Pushing Manifests). Nothing here touches the
 * store.
 */
#pragma once

#include "oci/manifest.h"
#include "registry/client.h"

/* Which rights the repository's requests ask for: a push uses one token for all it does. */
enum manifest_right { RIGHT_PULL, RIGHT_PUSH, RIGHT_DELETE };

/* The tag or digest of ref, as the API names it: the digest where there is one. A view. */
const char *manifest_reference(const struct image_ref *ref);
/*
 * HEAD. *status is the answer's; with 200, out->digest is unset when the registry does not tell it, and out->size is -1 when it
 * does not tell that.
 */
int manifest_head(struct registry_client *c, const struct image_ref *ref, const char *reference,
		  enum manifest_right right, struct descriptor *out, int *status,
		  struct error *err);
/*
 * GET, verified: the digest (expected NULL: what the registry says, else SHA-256), media type against content, form of manifest or
 * index. out and the exact bytes are filled.
 */
int manifest_get(struct registry_client *c, const struct image_ref *ref, const char *reference,
		 const struct digest *expected, struct descriptor *out, struct strbuf *text,
		 struct error *err);
/* Checks bytes that should be a manifest or index of that type (NULL: unknown), and tells its media type (free()). */
int manifest_check(const char *text, size_t len, const char *media_type, const char *where,
		   char **found_type, struct error *err);
/* DELETE of a tag or digest. *status: 202 when it was done. */
int manifest_delete(struct registry_client *c, const struct image_ref *ref, const char *reference,
		    int *status, struct error *err);
/* The same of what a tag names now, with the ETag for manifest_put (free(); NULL: none). ERROR_NOT_FOUND: nothing has the tag. */
int manifest_get_now(struct registry_client *c, const struct image_ref *ref, const char *tag,
		     struct descriptor *out, struct strbuf *text, char **etag, struct error *err);

struct manifest_put {
	const char *reference;
	const struct descriptor *d;
	const struct strbuf *text;
	const char *if_match; /* ETag: only in the place of that one; NULL: of any */
	int step;
	/* out: with if_match, the tag names something else by now, and nothing was put */
	bool overtaken;
	/* out: the registry lists it among what refers to its subject (distribution-spec 1.1, Pushing Manifests with Subject) */
	bool subject_noted;
};
/* PUT. A tag that cannot be moved and names d already is a success. */
int manifest_put(struct registry_client *c, const struct image_ref *ref, struct manifest_put *p,
		 struct error *err);
