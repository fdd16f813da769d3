/* What the files of prune share. */
#pragma once

#include <sys/stat.h>

#include "base/strlist.h"
#include "oci/lease.h"
#include "oci/mark.h"
#include "oci/prune.h"

/* Folders on their way out have names that begin so, and are removed after all locks are given back. */
#define PRUNE_GONE "gone-"

struct prune {
	struct store *store;
	const struct prune_options *o;
	struct prune_result *result;
	struct lease_summary leases;
	struct mark mark;
	struct strlist doomed; /* folders to remove, below the root */
	int64_t now;
	int index_lock;
	bool drop_cache; /* records and mount caches go */
	bool is_served;  /* a registry takes pushes meanwhile */
	bool by_digest;  /* of the kind of facts that is swept now */
};

/* Old enough, and older than everybody's work. age: seconds. */
bool prune_may_drop(const struct prune *p, int64_t mtime, int64_t age);
/* Moves the cache folder out of the way, unless a mount cache of it is in use. */
int prune_cache(struct prune *p, struct error *err);
/* Moves the extracted layers that nothing marked out of the way. */
int prune_layers(struct prune *p, struct error *err);
