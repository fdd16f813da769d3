/* Descriptors, platforms and media types (OCI image-spec 1.1, descriptor.md, image-index.md; Docker's v2 schema 2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strmap.h"
#include "oci/digest.h"

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

struct platform {
	char *os, *arch, *variant; /* NULL when absent; "linux", "amd64", "v8" */
	char *os_version;
};

/* "linux/arm64/v8", "amd64", "linux": missing parts from the host. Normalises aarch64, x86_64, armhf, arm64/v8. ERROR_USAGE. */
int platform_parse(struct platform *out, const char *text, struct error *err);
void platform_host(struct platform *out);
void platform_copy(struct platform *dst, const struct platform *src);
void platform_release(struct platform *p);
/* Does an image for have run where want is asked? arm64 = arm64/v8, amd64 = amd64/v1, arm v7 takes v6 and v5. 0: no; else a rank, higher is better. */
int platform_match(const struct platform *want, const struct platform *have);
char *platform_format(const struct platform *p); /* "linux/amd64"; free() */

struct descriptor {
	char *media_type;
	struct digest digest;
	int64_t size;
	struct platform platform; /* all NULL when absent */
	char *artifact_type;      /* NULL when absent */
	struct strmap annotations;
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

CLEANUP_RELEASE(platform)
CLEANUP_RELEASE(descriptor)
