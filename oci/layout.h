/*
 * Names in index.json (OCI image-spec 1.1, image-layout.md): annotation
 * org.opencontainers.image.ref.name holds the familiar name with tag ("app:demo"),
 * io.containerd.image.name the full one. Updates are read-modify-write under a lock
 * (index.lock), temp + fsync + rename.
 */
#pragma once

#include "oci/manifest.h"
#include "oci/reference.h"
#include "oci/store.h"

/* Finds by name and tag, or by digest when the reference has one. ERROR_NOT_FOUND names the image. */
int layout_find(struct store *s, const struct image_ref *ref, struct descriptor *out,
		struct error *err);
/* Also "sha256:.." or a hex prefix (>= 4 digits, unique) of a manifest or config digest, as docker takes IDs. */
int layout_find_text(struct store *s, const char *name_or_id, struct descriptor *out,
		     struct error *err);
/* Points the name at the manifest or index d; the former target stays unnamed only if nothing else names it (as docker's <none>). */
int layout_tag(struct store *s, const struct image_ref *ref, const struct descriptor *d,
	       struct error *err);
/* Adds d without a name if it is not listed yet. */
int layout_add(struct store *s, const struct descriptor *d, struct error *err);
/* Removes one name; *gone tells that no name is left for that manifest. */
int layout_untag(struct store *s, const struct image_ref *ref, struct digest *target, bool *gone,
		 struct error *err);
/* Removes every entry with that digest. */
int layout_remove(struct store *s, const struct digest *d, struct error *err);
/* The whole index as it is now. */
int layout_read(struct store *s, struct image_index *out, struct error *err);
/* Reads any OCI layout folder (foreign ones for oci-layout: contexts): index.json only. */
int layout_read_folder(const char *folder, struct image_index *out, struct error *err);
/* Copies an image (manifest, config, layers) from a foreign layout folder into the store, verifying each byte. ref_name: tag or name to choose, NULL when there is one image. */
int layout_import(struct store *s, const char *folder, const char *ref_name,
		  const struct digest *digest, const struct platform *platform,
		  struct descriptor *out, struct error *err);
