/*
 * Images as ECR sees them: every manifest and index that a repository shows is one, with the tags that name it.
 *
 *	ecr_images_read(&images, store, "app", err);
 *	image = ecr_images_find(&images, id, &code, &reason);       {"imageDigest": .., "imageTag": ..}
 */
#pragma once

#include "base/json.h"
#include "oci/digest.h"
#include "oci/store.h"

struct ecr_image {
	struct digest digest;
	char *media_type;
	int64_t pushed; /* seconds since 1970 */
	struct strlist tags;
	bool gone; /* removed since it was read */
};

struct ecr_images {
	struct store *store;
	char *repository;
	struct ecr_image *list; /* the newest first */
	size_t n, cap;
};

int ecr_images_read(struct ecr_images *out, struct store *s, const char *repository,
		    struct error *err);
void ecr_images_release(struct ecr_images *i);
/* By tag, digest or both. NULL: *code and *reason (static texts) are what ECR calls that in failures. */
struct ecr_image *ecr_images_find(const struct ecr_images *i, const json_t *id, const char **code,
				  const char **reason);
/* An index of the repository that lists the image, NULL: none. */
const struct ecr_image *ecr_images_list_of(const struct ecr_images *i,
					   const struct ecr_image *image);

/* A member of DescribeImages' imageDetails. A new reference, as all below. */
json_t *ecr_image_describe(const struct ecr_images *i, const struct ecr_image *image,
			   const char *account);
/* tag NULL: without. */
json_t *ecr_image_id(const struct ecr_image *image, const char *tag);
/* {"layerDigest", "layerAvailability", ..} */
json_t *ecr_layer_describe(struct store *s, const char *repository, const struct digest *d);

/* The caller holds repository_lock(). */
int ecr_image_untag(const struct ecr_images *i, struct ecr_image *image, const char *tag,
		    struct error *err);
int ecr_image_remove(const struct ecr_images *i, struct ecr_image *image, struct error *err);

struct api_call;
/* The operation PutImage. */
int ecr_put_image(struct api_call *c);

CLEANUP_RELEASE(ecr_images)
