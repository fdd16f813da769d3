/* What the files of the sandbox share: the object itself, and the ways to its state folder. */
#pragma once

#include <pthread.h>

#include "base/strbuf.h"
#include "base/strmap.h"
#include "sandbox/launch.h"
#include "sandbox/run_folder.h"
#include "sandbox/seccomp.h"
#include "sandbox/sandbox.h"

struct flat_root;
struct helper;

struct sandbox {
	struct store *store;
	struct reporter *reporter;
	const struct cancel *cancel;
	char *asked_mode;    /* NULL: any */
	char *asked_storage; /* NULL: any */
	char *helper_path;
	struct strlist helper_env;
	bool has_helper_env;

	pthread_mutex_t probe_lock; /* held while modes are tried */
	pthread_mutex_t lock;       /* guards everything below, but for a short time only */
	bool probed, swept;
	enum sandbox_mode mode;
	enum sandbox_storage storage;
	char *why;
	int init_fd;
	int userns_fd;                 /* of the rootless modes */
	int layer_locks[SANDBOX_NONE]; /* layers/MODE/.lock, shared, once it was needed; else -1 */
	struct strmap
		whole; /* folders of extracted layers found whole: what the locks hold stays so */
	struct strbuf filters[N_SECCOMP_KINDS]; /* by kind; empty until it was needed */
	pid_t *ending; /* first processes of steps that have ended; their mounts may still go */
	size_t n_ending, cap_ending;
	struct helper *helpers;        /* idle ones */
	struct run_folder kept_folder; /* an idle one */
	struct flat_root *flat_roots;  /* idle ones, the last used first */
};

/* Is the mode one of those inside a user namespace? */
bool sandbox_has_userns(enum sandbox_mode m);
/* Can RUN work here? Sets *mode, or fails with the reason: ERROR_UNSUPPORTED. */
int sandbox_require(struct sandbox *sb, enum sandbox_mode *mode, struct error *err);
/* The mode's user namespace, made on first use; -1 in a mode without one. A view. */
int sandbox_userns(struct sandbox *sb, enum sandbox_mode mode, int *fd, struct error *err);
/* Adds the system call filter of the mode to the orders of a step. */
int sandbox_filter_orders(struct sandbox *sb, enum sandbox_mode mode, struct order_block *orders,
			  struct error *err);
/* Ends the process in the background: its mounts take a moment, nobody needs to wait for them. */
void sandbox_let_end(struct sandbox *sb, struct launch *l);
/* Waits for all of those. */
void sandbox_wait_ended(struct sandbox *sb);
