/*
 * A lease tells prune that a process is at work: file leases/PID-STARTTIME, dead when
 * that process is gone. While any lease is alive, prune deletes nothing younger than the
 * oldest live lease.
 */
#pragma once

#include "oci/store.h"

struct lease;
int lease_take(struct lease **out, struct store *s, struct error *err);
void lease_free(struct lease *l); /* gives it back */
/* mtime of the oldest live lease (seconds), or INT64_MAX; removes the files of dead ones. */
int lease_oldest(struct store *s, int64_t *since, struct error *err);

CLEANUP_FREE(lease)
