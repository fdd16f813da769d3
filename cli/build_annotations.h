/* --annotation of build: what is written beside an image, and where. */
#pragma once

#include "builder/build.h"

struct annotation_list {
	struct build_annotation *items;
	size_t n, cap;
	struct strlist texts; /* what the items point at */
};

/*
 * "[TYPE[[PLATFORM]][,TYPE..]:]KEY=VALUE" as buildx has it: TYPE is manifest (without one), index, manifest-descriptor or
 * index-descriptor. ERROR_USAGE.
 */
int annotation_list_add(struct annotation_list *l, const char *text, struct error *err);
/* Would each of them be written by a build for these platforms? several: its result is an index. ERROR_USAGE. */
int annotation_list_check(const struct annotation_list *l, const struct platform *platforms,
			  size_t n_platforms, bool several, struct error *err);
void annotation_list_release(struct annotation_list *l);

CLEANUP_RELEASE(annotation_list)
