/*
 * The flattened file system of an image, for --output type=tar and type=local: the merged view with the bytes of its files, layers
 * need not be extracted.
 */
#pragma once

#include "oci/image.h"

struct export_part {
	const struct image *image;
	const char *folder; /* of the tar that it goes into; NULL: the top */
};

/* A tar, each part in the order of entry_compare(), to a descriptor; deterministic. */
int export_tar(struct store *s, const struct export_part *parts, size_t n, int out_fd,
	       struct error *err);
/*
 * Files into a folder (created when missing), owned by whoever runs this, with modes and times of the image; existing files are
 * replaced, a folder in the way of a file is an error. Devices are skipped unless root. *skipped counts what could not be made.
 */
int export_folder(struct store *s, const struct image *image, const char *path, uint64_t *skipped,
		  struct error *err);
