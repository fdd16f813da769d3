/* A manifest or index as it is pushed: what it names, whom it refers to, and how the referrers API shows it. */
#pragma once

#include "base/strbuf.h"
#include "oci/manifest.h"
#include "oci/store.h"

struct document {
	bool is_index;
	struct manifest manifest; /* when it is none */
	struct image_index index; /* when it is one */
	const char *media_type;   /* a view */
	bool says_type;           /* by a field of its own */
	bool is_artifact;         /* it has an artifactType */
	struct digest subject;    /* unset: it has none */
	struct strbuf descriptor; /* JSON: its own, with artifactType and annotations */
};

/* type: of the request, NULL when it said none. ERROR_CORRUPT, ERROR_UNSUPPORTED as manifest_parse(). */
int document_parse(struct document *out, const struct strbuf *text, const char *type,
		   const struct digest *d, struct error *err);
void document_release(struct document *doc);
/* By its media type: an entry of an index that is an image manifest or an index itself. */
bool document_is_manifest(const struct descriptor *d);
/* The subject alone; false when it has none or is no document. */
bool document_subject(const struct strbuf *text, struct digest *subject);
/*
 * Takes the manifest out of the repository, with its tags and out of the list of its subject's referrers. The caller holds
 * repository_lock(). ERROR_NOT_FOUND.
 */
int document_unlink(struct store *s, const char *repository, const struct digest *d,
		    struct error *err);
CLEANUP_RELEASE(document)
