#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/cluster.h"
#include "deploy/destroy_private.h"
#include "deploy/ecr_repository.h"
#include "deploy/log_group.h"
#include "deploy/role.h"

static int find_log_group(const struct deploy_target *t, const char *name, struct destroy *d,
			  struct error *err)
{
	AUTO(log_group) g = {0};
	bool owned;

	if (log_group_find(t, name, &g, err) < 0)
		return -1;
	if (!g.found)
		return 0;
	if (log_group_owned(t, &g, &owned, err) < 0)
		return -1;
	if (owned)
		destroy_add(d, DESTROY_LOG_GROUP, name, name);
	else
		destroy_keep(d, DESTROY_LOG_GROUP, name, NULL);
	return 0;
}

static int find_role(const struct deploy_target *t, const char *name, struct destroy *d,
		     struct error *err)
{
	AUTO(role) r = {0};

	if (role_find(t, name, &r, err) < 0)
		return -1;
	if (!r.found)
		return 0;
	if (r.owned && r.of_region)
		destroy_add(d, DESTROY_ROLE, name, name);
	else
		destroy_keep(d, DESTROY_ROLE, name,
			     r.owned ? "it was made for another region, which may use it" : NULL);
	return 0;
}

static int find_repository(const struct deploy_target *t, const char *name, struct destroy *d,
			   struct error *err)
{
	AUTO(ecr_repository) r = {0};
	bool owned;

	/* An app's name may hold what a repository's may not. */
	if (ecr_repository_check_name(name, NULL) < 0)
		return 0;
	if (ecr_repository_find(t, name, &r, err) < 0)
		return -1;
	if (!r.found)
		return 0;
	if (ecr_repository_owned(t, &r, &owned, err) < 0)
		return -1;
	if (owned)
		destroy_add(d, DESTROY_REPOSITORY, name, name);
	else
		destroy_keep(d, DESTROY_REPOSITORY, name, NULL);
	return 0;
}

static int find_cluster(const struct deploy_target *t, struct destroy *d, struct error *err)
{
	AUTO(cluster) c = {0};
	int64_t own_services = 0, own_tasks = 0;

	if (cluster_find(t, t->cluster, &c, err) < 0)
		return -1;
	if (!c.found)
		return 0;
	for (size_t i = 0; i < d->n; i++) {
		own_services += d->items[i].kind <= DESTROY_SERVICE;
		own_tasks += d->items[i].kind == DESTROY_TASK;
	}
	if (!c.owned)
		destroy_keep(d, DESTROY_CLUSTER, c.name, NULL);
	else if (c.services > own_services || c.instances)
		destroy_keep(d, DESTROY_CLUSTER, c.name, "it is not of this app alone");
	else if (!c.services && c.tasks > own_tasks)
		destroy_keep(d, DESTROY_CLUSTER, c.name, "other tasks run in it");
	else
		destroy_add(d, DESTROY_CLUSTER, c.name, c.arn);
	return 0;
}

/* Roles, log group, network and repository are named by the app alone, so its deployments in two clusters share them. */
static int find_other_user(const struct deploy_target *t, char **other, struct error *err)
{
	AUTO_JSON *params = json_object();
	AUTO_JSON *clusters = NULL;
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "ListClusters", .params = params};
	const json_t *arn;
	size_t i;

	*other = NULL;
	if (aws_ask_all(t->aws, &q, "clusterArns", &clusters, err) < 0)
		return error_wrap(err, "list the clusters");
	json_array_foreach (clusters, i, arn) {
		const char *name = path_base(json_string_value(arn));
		bool running;

		if (strcmp(name, path_base(t->cluster)) == 0)
			continue;
		if (destroy_is_running(t, json_string_value(arn), &running, err) < 0)
			return -1;
		if (running) {
			*other = xstrdup(name);
			return 0;
		}
	}
	return 0;
}

static void default_names(const struct deploy_target *t, struct destroy_names *names)
{
	static const char *const suffixes[] = {"execution", "task", "infrastructure"};

	if (!strlist_has(&names->families, t->app))
		strlist_add(&names->families, t->app);
	strlist_addf(&names->log_groups, "/ecs/%s", t->app);
	strlist_add(&names->repositories, t->app);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		strlist_take(&names->roles, role_name(t, suffixes[i]));
}

static int find_named(const struct deploy_target *t, const struct destroy_names *names,
		      struct destroy *d, struct error *err)
{
	for (size_t i = 0; i < names->roles.n; i++)
		if (find_role(t, names->roles.items[i], d, err) < 0)
			return -1;
	for (size_t i = 0; i < names->log_groups.n; i++)
		if (find_log_group(t, names->log_groups.items[i], d, err) < 0)
			return -1;
	for (size_t i = 0; i < names->repositories.n; i++)
		if (find_repository(t, names->repositories.items[i], d, err) < 0)
			return -1;
	return 0;
}

/* What was found of the rest stays, for the other's sake. */
static void keep_shared(struct destroy *d, const char *other)
{
	AUTO_FREE char *why = xstrfmt("the cluster %s runs the app as well", other);
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct destroy_item *item = &d->items[i];

		if (item->kind <= DESTROY_TASK) {
			d->items[n++] = *item;
			continue;
		}
		destroy_keep(d, item->kind, item->name, why);
		free(item->name);
		free(item->id);
	}
	d->n = n;
}

int destroy_find(const struct deploy_target *t, bool images, struct destroy *d, struct error *err)
{
	AUTO(destroy_names) names = {0};
	AUTO_FREE char *other = NULL;

	destroy_release(d);
	d->images = images;
	if (cluster_check_name(t->cluster, err) < 0 ||
	    destroy_find_running(t, d, &names.families, err) < 0 ||
	    find_other_user(t, &other, err) < 0)
		return -1;
	default_names(t, &names);
	if (destroy_find_balancers(t, d, err) < 0 || destroy_find_groups(t, d, err) < 0 ||
	    destroy_find_definitions(t, d, &names, err) < 0 || find_named(t, &names, d, err) < 0)
		return -1;
	if (other)
		keep_shared(d, other);
	return find_cluster(t, d, err);
}
