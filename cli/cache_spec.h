/*
 * --cache-from and --cache-to as docker writes them: "type=registry,ref=HOST/REPO:TAG[,..]", "type=local,src=DIR[,..]",
 * "type=inline", or a bare name, which is type=registry.
 */
#pragma once

#include "oci/compress.h"
#include "oci/reference.h"

enum cache_kind { CACHE_REGISTRY, CACHE_LOCAL, CACHE_INLINE };

struct cache_spec {
	enum cache_kind kind;
	char *name; /* for people: "HOST/REPO:TAG", "folder DIR" */
	struct image_ref ref;
	char *folder, *tag; /* of a local one; tag is "latest" unless given */
	struct digest digest;
	bool max;           /* mode=max */
	bool errors_count;  /* ignore-error=false */
	int64_t timeout_ns; /* 0: not given */
	bool has_compression;
	enum compression compression;
};

struct cache_spec_list {
	struct cache_spec *items;
	size_t n, cap;
};

/* ERROR_USAGE; ERROR_UNSUPPORTED names types and fields of docker's that are not here. */
int cache_spec_add_from(struct cache_spec_list *l, const char *text, struct error *err);
int cache_spec_add_to(struct cache_spec_list *l, const char *text, struct error *err);
void cache_spec_list_release(struct cache_spec_list *l);

CLEANUP_RELEASE(cache_spec_list)
