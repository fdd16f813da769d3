/*
 * What changed between two images of the store: configuration, packages, files. Nothing is extracted: files are compared by the
 * merged views of both (oci/tree.h), whose layers' path indexes hold a digest of each file. Memory: two trees, and as many lines as
 * are asked for.
 */
#pragma once

#include "oci/image.h"

struct image_diff {
	bool same;               /* one and the same image: the rest is empty */
	struct strlist config;   /* "- env PORT: 80", "+ env PORT: 81", "+ port 443/tcp" */
	struct strlist packages; /* "+ curl 8.1", "- wget 1.2", "~ openssl 3.0.1 -> 3.0.2" */
	struct strlist
		files; /* "+ app/new.py", "- old/ (12 files)"; when there are many: "app: 3 added, 1 changed" */
	struct strlist missing;         /* "layer sha256:0123456789ab (12.5MB) is not here" */
	size_t added, removed, changed; /* files, links and devices */
	size_t n_more;                  /* lines of files beyond those that were asked for */
	bool files_known;   /* else layers are missing: nothing is said of files and packages */
	size_t same_layers; /* at the bottom of both */
	int64_t old_size, new_size; /* bytes that are pulled */
};

/* lines: how many files, or folders, are listed at most. ERROR_CORRUPT of a damaged layer. */
int image_diff_read(struct image_diff *out, struct store *s, const struct image *old,
		    const struct image *now, size_t lines, struct error *err);
/* All of it for people, one line each; none when nothing changed. */
void image_diff_lines(const struct image_diff *d, struct strlist *out);
void image_diff_release(struct image_diff *d);

CLEANUP_RELEASE(image_diff)
