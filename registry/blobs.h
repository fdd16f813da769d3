/*
 * Blobs of a repository: into the store (resumed, verified) and out of it (present, mounted or uploaded). registry.h has
 * the calls for everybody; these add the flag that ends a transfer when another one failed.
 */
#pragma once

#include <stdatomic.h>

#include "registry/client.h"

struct relay;

/* One transfer. */
struct blob_job {
	struct registry_client *client;
	struct store *store;
	const struct image_ref *repository;
	const struct descriptor *blob;
	int step;                /* progress; 0: none */
	const atomic_bool *stop; /* NULL: never */
	struct relay *relay;     /* a download: who reads it while it comes; NULL: nobody */
	bool passes; /* what has to be fetched for an upload does not stay in the store */
};

int blob_download(const struct blob_job *job, struct error *err);
/* From the repositories that are remembered to have it, one after the other; job->repository is not read. */
int blob_fetch_known(const struct blob_job *job, struct error *err);

enum upload_outcome { UPLOAD_DONE, UPLOAD_PRESENT, UPLOAD_MOUNTED };
/* *from (free()): the repository it was mounted from. */
int blob_upload(const struct blob_job *job, enum upload_outcome *outcome, char **from,
		struct error *err);

/* Layers that were never meant to leave their home (nondistributable, Docker's foreign): not pushed. */
bool blob_is_foreign(const struct descriptor *d);
/* ERROR_CANCELLED when the user or another transfer ended the work. */
int blob_check_stop(const struct blob_job *job, struct error *err);
/* Progress of job, a report each 256 KiB; *said is the last one. */
void blob_progress(const struct blob_job *job, int64_t done, int64_t *said);
