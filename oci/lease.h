/*
 * A lease tells prune that a process is at work. It is the file leases/PID-RANDOM-N, locked (flock) by its
 * owner: it is dead when the lock is free, so neither a reused process id nor another PID namespace deceives.
 *
 * While a lease is alive prune deletes nothing younger than it. Of what is older it keeps everything too, unless
 * the owner said what it needs:
 *
 *	lease_take(&l, store, err);
 *	lease_keep(l, &manifest_digest, err);     from the first call on only what was named is kept
 *	if (!store_has(store, ...)) ...           asked after lease_keep, the answer holds
 *
 * Naming a manifest or index keeps all that it names; naming a chain ID keeps the extracted layers of that name.
 */
#pragma once

#include "base/strlist.h"
#include "oci/store.h"

struct lease;
/* Waits while another process prunes. */
int lease_take(struct lease **out, struct store *s, struct error *err);
int lease_keep(struct lease *l, const struct digest *d, struct error *err);
void lease_free(struct lease *l); /* gives it back */
/* Beginning of the oldest live lease (seconds since 1970), or INT64_MAX; removes the files of dead ones. */
int lease_oldest(struct store *s, int64_t *since, struct error *err);

/* What prune asks: all live leases but those of this process. */
struct lease_summary {
	int64_t oldest;       /* INT64_MAX: none */
	size_t live, general; /* how many; of these, how many have named nothing */
	struct strlist kept;  /* digests they named */
};
/* The caller holds the lock of lease_lock(). */
int lease_survey(struct store *s, struct lease_summary *out, struct error *err);
void lease_summary_release(struct lease_summary *l);
/* While *fd is open no lease begins and none names more: what the survey says stays true. */
int lease_lock(struct store *s, int *fd, struct error *err);

CLEANUP_FREE(lease)
CLEANUP_RELEASE(lease_summary)
