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
/*
 * Streams to out_fd; deterministic bytes: documents first, then blobs by digest. Every blob is verified while it is
 * copied. Of an index the members that are whole in the store go along, and at least one must be; an image that lacks a layer is
 * ERROR_NOT_FOUND.
 */
int archive_save(struct store *s, const struct archive_item *items, size_t n_items,
		 enum archive_kind kind, int out_fd, struct error *err);
/*
 * Reads from in_fd to its end (a pipe is fine); adds "name" or digest text of what was loaded to loaded. Names in the archive are
 * never used as paths, every digest is computed. Uncompressed layers of old archives become gzip ones. ERROR_CORRUPT for what does
 * not match, ERROR_UNSUPPORTED for docker archives older than version 1.10.
 */
int archive_load(struct store *s, int in_fd, struct strlist *loaded, struct error *err);
