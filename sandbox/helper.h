/*
 * Calls of sandbox/work.h, made where the files can be reached: in this process in the modes root and chroot, else in a helper, a
 * child of our own program inside the user namespace. A helper stays for further calls; parallel calls get one each.
 */
#pragma once

#include "sandbox/sandbox_private.h"
#include "sandbox/work.h"

/* cache serves work in this process only; a helper has its own. */
int helper_extract(struct sandbox *sb, struct tree_cache *cache, const struct extract_job *job,
		   struct error *err);
int helper_commit(struct sandbox *sb, const struct commit_job *job, struct layer *out,
		  struct strlist *notes, struct error *err);
int helper_take_metadata(struct sandbox *sb, enum sandbox_mode mode, const char *folder,
			 const char *like, struct error *err);
int helper_record(struct sandbox *sb, enum sandbox_mode mode, const char *root, const char *file,
		  struct error *err);
int helper_copy(struct sandbox *sb, enum sandbox_mode mode, const char *source, const char *subpath,
		const char *to, struct error *err);
/* See mount_points.h. */
int helper_remove_mount_points(struct sandbox *sb, enum sandbox_mode mode, const char *root,
			       const struct strlist *made, struct strlist *pardoned,
			       struct error *err);
int helper_rename(struct sandbox *sb, enum sandbox_mode mode, const char *from, const char *to,
		  struct error *err);
int helper_remove(struct sandbox *sb, enum sandbox_mode mode, const char *path, struct error *err);
/* Ends the idle helpers. */
void helpers_end(struct sandbox *sb);
