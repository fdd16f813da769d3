/*
 * The mounts of one RUN: what each contributes to the cache key, and what the sandbox is to mount.
 *
 *	run_mounts_init(&m, st, ins, err);           sources and targets
 *	run_mounts_hash(&m, by_chain, err);          m.inputs, for plan_run()
 *	run_mounts_open(&m, step, &output, err);     m.mounts and m.env, locks held
 *	run_mounts_release(&m);
 */
#pragma once

#include "builder/cache_mount.h"
#include "builder/output.h"
#include "builder/plan.h"
#include "builder/source.h"

struct mount_layer; /* a part of a context or an image, as a layer of its own */

struct run_mounts {
	struct stage *stage;
	const struct instruction *ins;
	const struct run_mount *given;
	size_t n;
	char **targets;               /* absolute; NULL: the mount is not made */
	struct build_source *sources; /* of bind mounts, and of cache mounts with from= */
	struct mount_input *inputs;
	bool from_image; /* some bind mount comes from a stage or an image */

	struct cache_mount *caches;
	size_t n_caches;
	struct sandbox_mount *mounts;
	size_t n_mounts, cap_mounts;
	struct strlist env; /* "NAME=secret": wiped on release */
	struct strlist texts;
	void **blocks; /* memory that mounts point at */
	size_t n_blocks, cap_blocks;
	const char *agent_target; /* where the first SSH agent is; NULL: no such mount */
	struct mount_layer *made;
	struct strbuf lines; /* the manifest, when run_mounts_recheck() has brought it */
	char *temp;          /* folder of files that live as long as this */
};

int run_mounts_init(struct run_mounts *m, struct stage *st, const struct instruction *ins,
		    struct error *err);
/* by_chain: a stage or an image counts by its ChainID, so that nothing of it is read. */
int run_mounts_hash(struct run_mounts *m, bool by_chain, struct error *err);
/* Values of secrets go to output's mask. */
int run_mounts_open(struct run_mounts *m, int step, struct output *output, struct error *err);
/* Whether the context changed since it was hashed. */
int run_mounts_recheck(struct run_mounts *m, bool *changed, struct error *err);
/* Adds a line a file that comes from a context, for --explain. */
int run_mounts_manifest(struct run_mounts *m, struct strbuf *out, struct error *err);
/* A file with these bytes (not copied), read-only, that never touches a disk. */
void run_mounts_add_data(struct run_mounts *m, const char *target, const void *data, size_t len);
void run_mounts_release(struct run_mounts *m);
