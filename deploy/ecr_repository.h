/* Private repositories of ECR (API of 2015-09-21), by name in the account and region of the target. */
#pragma once

#include "deploy/target.h"

struct ecr_repository {
	bool found;
	char *name;
	char *uri; /* also while it is missing: the address it will have */
	char *arn;
	char *mutability; /* "MUTABLE", "IMMUTABLE"; NULL while it is missing */
	int64_t created;  /* seconds since 1970; 0: not known */
};

struct ecr_repository_options {
	bool immutable_tags;
	bool no_scan;      /* else images are scanned when they are pushed */
	int64_t keep_last; /* images that a lifecycle policy leaves; 0: all */
};

void ecr_repository_release(struct ecr_repository *r);
/* 2 to 256 characters of a repository's grammar: ERROR_USAGE. */
int ecr_repository_check_name(const char *name, struct error *err);
/* A missing one is no error: found is false. */
int ecr_repository_find(const struct deploy_target *t, const char *name, struct ecr_repository *out,
			struct error *err);
/* Tagged. *made (may be NULL) false: it was there already and is left as it is. out is filled anew. */
int ecr_repository_make(const struct deploy_target *t, const char *name,
			const struct ecr_repository_options *o, struct ecr_repository *out,
			bool *made, struct error *err);
/* Whether slipway made it for the app. */
int ecr_repository_owned(const struct deploy_target *t, const struct ecr_repository *r, bool *owned,
			 struct error *err);
/*
 * images: with what is in it. A missing one is fine. ERROR_DENIED without a permission; *not_empty (may be NULL) true, and ERROR_REMOTE,
 * when images keep it.
 */
int ecr_repository_delete(const struct deploy_target *t, const char *name, bool images,
			  bool *not_empty, struct error *err);
/* All of the region, by name: free with ecr_repositories_free(). */
int ecr_repository_list(const struct deploy_target *t, struct ecr_repository **out, size_t *n,
			struct error *err);
void ecr_repositories_free(struct ecr_repository *list, size_t n);
/* The lifecycle policy that leaves the newest images: free(). */
char *ecr_repository_lifecycle(int64_t keep_last);

CLEANUP_RELEASE(ecr_repository)
