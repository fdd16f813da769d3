/* The image that deploy runs: built from a context, taken from slipway's store, or one that a registry has already. */
#pragma once

#include "cli/build_inputs.h"
#include "cli/deploy_flags.h"

struct deploy_image {
	struct build_result built;    /* of a context */
	struct build_inputs inputs;   /* of a context: what annotations point at */
	struct image *loaded;         /* of the store or a registry */
	const struct image *image;    /* the one that runs here: a view of one of these */
	struct descriptor descriptor; /* manifest or index: what is pushed, and named by digest */
	char *remote; /* "HOST/PATH@sha256:..": it is in a registry; NULL: to be pushed */
	char *name;   /* that the argument suggests for the app */
};

void deploy_image_init(struct deploy_image *i);
void deploy_image_release(struct deploy_image *i);
/* Is the argument a context to build (a folder, "-", a git repository, a URL), and not an image's name? */
bool deploy_image_is_context(const char *argument);
/*
 * A name for the app from the argument, valid for ECS and ECR: the folder's, the repository's, the image's last part. NULL when
 * there is none in it ("-"); free().
 */
char *deploy_image_name(const char *argument);
/* Builds it, or finds it in the store, else in its registry (no layer is fetched). */
int deploy_image_get(struct deploy_image *out, struct app *a, const struct deploy_flags *f,
		     const char *argument, struct error *err);
/*
 * Pushes it to the repository ("HOST/PATH") under the tag, NULL: "sha-" and the digest's first 12 digits, and names it so here. One that is
 * in a registry already stays there.
 */
int deploy_image_push(struct deploy_image *i, struct app *a, const char *repository,
		      const char *tag, struct error *err);
/* "HOST/PATH@sha256:..": as it is named there; free(). */
char *deploy_image_reference(const struct deploy_image *i, const char *repository);

CLEANUP_RELEASE(deploy_image)
