/*
 * Archives of images. save writes the hybrid form: an OCI layout whose blobs manifest.json (docker save) names
 * too, so docker >= 20.10, podman and skopeo (both transports) load it; load reads OCI layouts, docker-save
 * archives old and new, hybrid ones, compressed or not.
 */
#pragma once

#include "base/log.h"
#include "base/strlist.h"
#include "oci/image.h"
#include "oci/reference.h"

enum archive_kind { ARCHIVE_HYBRID, ARCHIVE_OCI };

struct archive_item {
	struct descriptor descriptor;
	struct image_ref *refs; /* names, may be none */
	size_t n_refs;
};
/* Streams to out_fd; deterministic bytes. Every blob is verified while it is copied. */
int archive_save(struct store *s, const struct archive_item *items, size_t n_items,
		 enum archive_kind kind, int out_fd, struct error *err);
/* Reads from in_fd (a pipe is fine); adds "name" or digest text of what was loaded to loaded. */
int archive_load(struct store *s, int in_fd, struct strlist *loaded, struct error *err);
