/* --platform of build: what is built, each platform once, in the order given. */
#pragma once

#include "oci/platform.h"

struct platform_list {
	struct platform *items;
	size_t n, cap;
};

/* "linux/amd64,linux/arm64", "local" for this machine's. ERROR_USAGE. */
int platform_list_add(struct platform_list *l, const char *text, struct error *err);
void platform_list_release(struct platform_list *l);
/* "linux/amd64, linux/arm64"; free() */
char *platform_list_format(const struct platform_list *l);

CLEANUP_RELEASE(platform_list)
