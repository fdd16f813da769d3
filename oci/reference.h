/*
 * Image names: [host[:port]/]path[:tag][@digest], with docker's defaults: no
 * host means docker.io, a one-component path there means library/NAME, no tag
 * and no digest means :latest (distribution-spec 1.1; docker's "reference" rules).
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "oci/digest.h"

struct image_ref {
	char *host;           /* "docker.io", "localhost:5000" */
	char *path;           /* "library/debian" */
	char *tag;            /* NULL when only a digest was given */
	struct digest digest; /* unset when not given */
};

/* NULL when it is a tag, else why not (distribution-spec 1.1, Pulling manifests). */
const char *image_ref_check_tag(const char *tag);
/* The same of a repository's path without host: [a-z0-9]+((.|_|__|-+)[a-z0-9]+)*, several with '/' between. */
const char *image_ref_check_path(const char *path);
/* ERROR_USAGE with the reason ("upper-case letters", "invalid tag" ...). */
int image_ref_parse(struct image_ref *out, const char *text, struct error *err);
void image_ref_release(struct image_ref *r);
void image_ref_copy(struct image_ref *dst, const struct image_ref *src);
/* "docker.io/library/debian:12@sha256:..": everything. free() */
char *image_ref_full(const struct image_ref *r);
/* As docker shows it: "debian:12", "127.0.0.1:5000/app:demo". free() */
char *image_ref_familiar(const struct image_ref *r);
bool image_ref_equal(const struct image_ref *a, const struct image_ref *b);
/* Where the API of host is: docker.io -> registry-1.docker.io, else host itself. A view. */
const char *image_ref_api_host(const struct image_ref *r);

CLEANUP_RELEASE(image_ref)
