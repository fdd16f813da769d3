/*
 * The sandbox RUN steps and containers run in. A mode is chosen by really trying the whole sequence in a throw-away
 * child (namespaces, overlay on the actual state folder, proc, pivot_root), best first:
 *
 *	root              namespaces + overlay, real ids
 *	rootless-subuid   a user namespace with the ranges of /etc/subuid and /etc/subgid
 *	rootless-single   a user namespace with one id; owners are noted, other users are answered for
 *	chroot            root without namespaces or mounts, as in an ordinary container: the container is the boundary
 *	none              RUN is refused with the reason
 *
 * Everything is lazy: sandbox_open() costs nothing until the first rootfs_open().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "oci/store.h"

enum sandbox_mode {
	SANDBOX_ROOT,
	SANDBOX_ROOTLESS_SUBUID,
	SANDBOX_ROOTLESS_SINGLE,
	SANDBOX_CHROOT,
	SANDBOX_NONE,
};

const char *sandbox_mode_name(enum sandbox_mode m); /* "rootless-subuid" */

/* How a step's root is kept, in the modes with mounts. The mode chroot has none and always works on a copy. */
enum sandbox_storage {
	SANDBOX_OVERLAY, /* the image's extracted layers below a writable folder */
	SANDBOX_COPY,    /* a whole root a stage, where the state folder takes no overlay */
	N_SANDBOX_STORAGES,
};

const char *sandbox_storage_name(enum sandbox_storage s); /* "overlay" */

struct sandbox_options {
	struct reporter *reporter;
	const struct cancel *cancel;
	const char *mode;    /* NULL or "auto"; else one mode by name, tried alone */
	const char *storage; /* the same, of a storage */
	const char *
		helper_path; /* the program that answers SANDBOX_HELPER_ARG; NULL: /proc/self/exe */
	char *const *helper_env; /* environment of helpers (newuidmap is looked up in its PATH) */
};

struct sandbox;
int sandbox_open(struct sandbox **out, struct store *s, const struct sandbox_options *o,
		 struct error *err);
void sandbox_free(struct sandbox *sb);
/* Probes on first use. With SANDBOX_NONE, *why (free()) tells the first thing that failed in each mode. */
enum sandbox_mode sandbox_mode(struct sandbox *sb, char **why);
/* That of the mode, which is probed. */
enum sandbox_storage sandbox_storage(struct sandbox *sb);

/* One line a mode for doctor: whether it works here, else the failing call with errno, and the host setting that would change it. */
struct sandbox_probe {
	enum sandbox_mode mode;
	bool works;
	char *reason;                 /* NULL when it works */
	enum sandbox_storage storage; /* when it works: the best that does */
	char *storage_reason;         /* why no better one does; NULL when there is none */
	char *remedy;                 /* of either reason; NULL when there is none */
};
/* Tries every mode. Fills probes[0..*n), at most SANDBOX_NONE of them, best first; sandbox_probe_release() each. */
void sandbox_probe_all(struct sandbox *sb, struct sandbox_probe probes[SANDBOX_NONE], size_t *n);
void sandbox_probe_release(struct sandbox_probe *p);

/* Removes a folder of extracted layers or of a RUN, whoever owns the files (inside the user namespace when rootless). */
int sandbox_remove_tree(struct sandbox *sb, const char *path, struct error *err);

/*
 * Rootless work on files of mapped ids happens in a child of our own program inside the user namespace: main() gives
 * control to sandbox_helper_main() when argv[1] is SANDBOX_HELPER_ARG, and exits with what it returns.
 */
#define SANDBOX_HELPER_ARG "--slipway-sandbox-helper"
int sandbox_helper_main(int argc, char **argv);

CLEANUP_FREE(sandbox)
