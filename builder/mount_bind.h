/*
 * RUN --mount=type=bind: a part of a context, a stage or an image. What an ignore file excludes is not seen by the step, and a
 * context's files belong to root there: where the folder itself does not show that, a layer made of the part is mounted.
 */
#pragma once

#include "builder/mounts.h"

/* Fills m->inputs[i]. ERROR_NOT_FOUND when the source does not exist. */
int mount_bind_hash(struct run_mounts *m, size_t i, bool by_chain, struct error *err);
/* Adds a line a file of a context (copy_manifest()). */
int mount_bind_manifest(struct run_mounts *m, size_t i, struct strbuf *out, struct error *err);
/* Whether the part of a context is not what the key says any more. lines: the manifest, on the way; may be NULL. */
int mount_bind_recheck(struct run_mounts *m, size_t i, struct strbuf *lines, bool *changed,
		       struct error *err);
int mount_bind_open(struct run_mounts *m, size_t i, struct error *err);
/* A cache mount with from=: the layer that its folder begins with, and its owner and mode unless they are given. */
int mount_bind_fill(struct run_mounts *m, size_t i, struct sandbox_mount *mount, struct error *err);
void mount_bind_release(struct run_mounts *m);

/* For the other files of mounts: a new entry, and memory that lives as long as m. */
struct sandbox_mount *run_mounts_add(struct run_mounts *m, enum sandbox_mount_kind kind,
				     const char *target);
void *run_mounts_keep(struct run_mounts *m, void *block);
