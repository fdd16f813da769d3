/* What the files of fsck share. */
#pragma once

#include "oci/mark.h"
#include "oci/prune.h"

struct fsck {
	struct store *store;
	bool repair;
	struct reporter *reporter;
	struct fsck_result *result;
	struct strmap seen; /* documents below the image that is looked at */
};

/* One more problem, reported as a warning. */
void fsck_problem(struct fsck *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* It was set right: how is a clause ("its name was removed"). */
void fsck_repaired(struct fsck *f, const char *how);
/* Renames a file below the root to ingest/corrupt-NAME. */
bool fsck_set_aside(struct fsck *f, const char *path);

/* What the embedded registry's repositories show. */
int fsck_repositories(struct fsck *f, struct error *err);
/* Facts in meta/ against the layers they speak of, cache records, half-made folders. */
int fsck_facts(struct fsck *f, struct error *err);
int fsck_records(struct fsck *f, struct error *err);
int fsck_layers(struct fsck *f, struct error *err);
