/*
 * Names in index.json (OCI image-spec 1.1, image-layout.md): annotation
 * org.opencontainers.image.ref.name holds the familiar name with tag ("app:demo"),
 * io.containerd.image.name the full one. Updates are read-modify-write under a lock
 * (index.lock), temp + fsync + rename; readers need no lock.
 *
 * One entry a name. An image that lost its last name to another stays listed without one (docker's <none>); of
 * such entries the newest LAYOUT_UNNAMED are kept.
 */
#pragma once

#include "oci/image.h"
#include "oci/reference.h"
#include "oci/store.h"

#define LAYOUT_UNNAMED 1000

/*
 * Finds by name and tag, or by digest when the reference has one: then among the entries, and among the members of
 * listed indexes. ERROR_NOT_FOUND names the image.
 */
int layout_find(struct store *s, const struct image_ref *ref, struct descriptor *out,
		struct error *err);
/*
 * Also "sha256:.." or a hex prefix (>= 4 digits) of a manifest or config digest, as docker takes IDs; a name goes
 * first. ERROR_USAGE when the prefix fits several images.
 */
int layout_find_text(struct store *s, const char *name_or_id, struct descriptor *out,
		     struct error *err);
/*
 * Points the name at the manifest or index d, which must be in the store; the former target stays unnamed only if nothing else names
 * it (as docker's <none>). A reference with tag and digest gives the name with the tag.
 */
int layout_tag(struct store *s, const struct image_ref *ref, const struct descriptor *d,
	       struct error *err);
/* Adds d without a name if it is not listed yet. */
int layout_add(struct store *s, const struct descriptor *d, struct error *err);
/*
 * Removes one name; *gone tells that it was the last one and the image is no longer listed (prune removes its
 * blobs).
 */
int layout_untag(struct store *s, const struct image_ref *ref, struct digest *target, bool *gone,
		 struct error *err);
/* Removes every entry with that digest. */
int layout_remove(struct store *s, const struct digest *d, struct error *err);
/* Replaces the whole list, for repair: fn edits the index under the lock, returns 1 to have it written, 0 to leave the file, -1 on error. */
int layout_edit(struct store *s, int (*fn)(void *arg, struct image_index *index, struct error *err),
		void *arg, struct error *err);
/* The whole index as it is now. */
int layout_read(struct store *s, struct image_index *out, struct error *err);
/*
 * The name an entry of an index.json carries, normalised. false: none. (In foreign layouts a bare word is often a
 * tag alone, which this reads as a name: "demo" becomes docker.io/library/demo:latest.)
 */
bool layout_entry_ref(const struct descriptor *entry, struct image_ref *out);
/* Reads any OCI layout folder (foreign ones for oci-layout: contexts): index.json only. */
int layout_read_folder(const char *folder, struct image_index *out, struct error *err);
/*
 * Copies an image (manifest, config, layers) from a foreign layout folder into the store, verifying each byte.
 * ref_name: tag or name to choose; or digest; both NULL when there is one image. platform chooses in an index (NULL: the host's); *out
 * is the manifest. Nothing is named.
 */
int layout_import(struct store *s, const char *folder, const char *ref_name,
		  const struct digest *digest, const struct platform *platform,
		  struct descriptor *out, struct error *err);
/* The same without the layers, each of which may then be had alone. */
int layout_import_documents(struct store *s, const char *folder, const char *ref_name,
			    const struct digest *digest, const struct platform *platform,
			    struct descriptor *out, struct error *err);
int layout_import_blob(struct store *s, const char *folder, const struct descriptor *blob,
		       struct error *err);
/*
 * The inverse: an image of the store as ref_name of the layout in the folder, which is made when missing; blobs that are there,
 * which is verified, are not written again, and the image that had the name loses it. Every layer must be in the store.
 */
int layout_export(struct store *s, const struct image *image, const char *folder,
		  const char *ref_name, struct error *err);
