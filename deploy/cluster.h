/*
 * ECS clusters (API of 2014-11-13: DescribeClusters, CreateCluster, DeleteCluster). A cluster that is INACTIVE counts as missing, as
 * ECS itself makes it anew by the same name.
 */
#pragma once

#include "deploy/target.h"

struct cluster {
	bool found, owned; /* owned: made by slipway for the app */
	char *name;        /* without the ARN's beginning */
	char *arn;         /* NULL while it is missing */
	char *status;
	int64_t instances, services, tasks; /* tasks: running and pending */
	bool insights;                      /* CloudWatch Container Insights */
};

void cluster_release(struct cluster *c);
/* Letters, digits, '-' and '_', at most 255: ERROR_USAGE. */
int cluster_check_name(const char *name, struct error *err);
/* name: a name or an ARN. A missing one is no error: found is false. */
int cluster_find(const struct deploy_target *t, const char *name, struct cluster *out,
		 struct error *err);
/*
 * Makes the cluster with Fargate's capacity, tagged. In an account that never used ECS its service-linked role is made first; that it
 * takes a while to be seen is waited for, up to 60 s. ERROR_DENIED with what to ask for. out is filled anew.
 */
int cluster_make(const struct deploy_target *t, const char *name, bool insights,
		 struct cluster *out, struct error *err);
/* One that is missing is fine. *busy (may be NULL) true, and ERROR_REMOTE, while something is in it or ECS is at work on it. */
int cluster_delete(const struct deploy_target *t, const char *name, bool *busy, struct error *err);
/* All of the region, by name: an array for the caller, free with clusters_free(). */
int cluster_list(const struct deploy_target *t, struct cluster **out, size_t *n, struct error *err);
void clusters_free(struct cluster *clusters, size_t n);

CLEANUP_RELEASE(cluster)
