/*
 * Platforms (image-spec 1.1, image-index.md; GOOS and GOARCH words), normalised as containerd does: arm64/v8
 * is arm64, amd64/v1 is amd64, arm alone is arm/v7.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct platform {
	char *os, *arch, *variant; /* NULL when absent; "linux", "amd64", "v8" */
	char *os_version;
};

/*
 * "linux/arm64/v8", "amd64", "linux": missing parts from the host. Normalises aarch64, x86_64, armhf, arm64/v8.
 * ERROR_USAGE.
 */
int platform_parse(struct platform *out, const char *text, struct error *err);
void platform_host(struct platform *out);
void platform_copy(struct platform *dst, const struct platform *src);
void platform_release(struct platform *p);
/* Rewrites aliases of arch, and variants that mean the default, in place. */
void platform_normalize(struct platform *p);
/*
 * Does an image for have run where want is asked? arm64 = arm64/v8, amd64 = amd64/v1, arm v7 takes v6 and v5.
 * 0: no; else a rank, higher is better.
 */
int platform_match(const struct platform *want, const struct platform *have);
char *platform_format(const struct platform *p); /* "linux/amd64"; free() */

CLEANUP_RELEASE(platform)
