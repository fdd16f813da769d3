/* Descriptors and media types (OCI image-spec 1.1, descriptor.md, image-index.md; Docker's v2 schema 2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "oci/digest.h"
#include "oci/platform.h"

#define MEDIA_OCI_MANIFEST      "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX         "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG        "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER         "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP    "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD    "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_MANIFEST   "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST       "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG     "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"

#define ANNOTATION_REF_NAME     "org.opencontainers.image.ref.name"
#define ANNOTATION_IMAGE_NAME   "io.containerd.image.name"

struct descriptor {
	char *media_type;
	struct digest digest;
	int64_t size;
	struct platform platform; /* all NULL when absent */
	char *artifact_type;      /* NULL when absent */
	struct strmap annotations;
	struct strlist urls; /* of foreign layers: never fetched with credentials */
};

void descriptor_release(struct descriptor *d);
void descriptor_copy(struct descriptor *dst, const struct descriptor *src);
void descriptor_set(struct descriptor *d, const char *media_type, const struct digest *digest,
		    int64_t size);
/* ERROR_CORRUPT for a missing field, a bad digest, a negative size or one beyond LIMIT_BLOB_BYTES. */
int descriptor_from_json(struct descriptor *out, const json_t *j, const char *where,
			 struct error *err);
json_t *descriptor_to_json(const struct descriptor *d);

bool media_is_index(const char *media_type);
bool media_is_manifest(const char *media_type);
bool media_is_layer(const char *media_type); /* any tar layer, foreign ones included */
/* Layers that registries do not hand out, so that nobody pushes them (image-spec 1.1, layer.md, non-distributable layers). */
bool media_is_foreign(const char *media_type);
bool media_is_config(const char *media_type);
/* The OCI word for Docker's, so that one manifest never mixes the families; others come back as they are. */
const char *media_to_oci(const char *media_type);

CLEANUP_RELEASE(descriptor)
