#include "deploy/destroy.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/cluster.h"
#include "deploy/destroy_private.h"
#include "deploy/ecr_repository.h"
#include "deploy/express.h"
#include "deploy/load_balancer.h"
#include "deploy/log_group.h"
#include "deploy/role.h"
#include "deploy/target_group.h"

/* Some 75 s with the usual pauses. */
#define LOOKS_AT_CLUSTER 6

void destroy_release(struct destroy *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->items[i].name);
		free(d->items[i].id);
	}
	free(d->items);
	strlist_release(&d->kept);
	*d = (struct destroy){0};
}

/* What comes with it is an item of its own, or said by its name. */
static int remove_express(const struct deploy_target *t, const struct destroy_item *item,
			  struct error *err)
{
	AUTO(strlist) removed = STRLIST_INIT;

	return express_destroy(t, item->name, &removed, err);
}

static int remove_balancer(const struct deploy_target *t, const struct destroy_item *item,
			   struct error *err)
{
	AUTO(strlist) removed = STRLIST_INIT;

	(void)item;
	return load_balancer_destroy(t, &removed, err);
}

static int remove_target_group(const struct deploy_target *t, const struct destroy_item *item,
			       struct error *err)
{
	AUTO(target_group) g = {0};

	/* It went with its load balancer, unless that was gone already. */
	if (target_group_find(t, item->name, &g, err) < 0)
		return -1;
	return g.arn ? target_group_delete(t, item->id, err) : 0;
}

static int remove_role(const struct deploy_target *t, const struct destroy_item *item,
		       struct error *err)
{
	return role_delete(t, item->id, err);
}

static int remove_log_group(const struct deploy_target *t, const struct destroy_item *item,
			    struct error *err)
{
	return log_group_delete(t, item->id, err);
}

static const struct {
	const char *name;
	int (*remove)(const struct deploy_target *t, const struct destroy_item *item,
		      struct error *err); /* NULL: of what may stay */
} KINDS[DESTROY_KINDS] = {
	[DESTROY_EXPRESS] = {"Express service", remove_express},
	[DESTROY_SERVICE] = {"service", destroy_service},
	[DESTROY_TASK] = {"task", destroy_task},
	[DESTROY_BALANCER] = {"load balancer", remove_balancer},
	[DESTROY_TARGET_GROUP] = {"target group", remove_target_group},
	[DESTROY_SECURITY_GROUP] = {"security group", destroy_group},
	[DESTROY_ROLE] = {"role", remove_role},
	[DESTROY_LOG_GROUP] = {"log group", remove_log_group},
	[DESTROY_REPOSITORY] = {"repository", NULL},
	[DESTROY_TASK_DEFINITION] = {"task definition", destroy_definition},
	[DESTROY_CLUSTER] = {"cluster", NULL},
};

const char *destroy_kind_name(enum destroy_kind kind)
{
	return KINDS[kind].name;
}

void destroy_add(struct destroy *d, enum destroy_kind kind, const char *name, const char *id)
{
	GROW(d->items, d->n + 1, d->cap);
	d->items[d->n++] = (struct destroy_item){
		.kind = kind,
		.name = xstrdup(name),
		.id = xstrdup(id),
	};
}

void destroy_keep(struct destroy *d, enum destroy_kind kind, const char *name, const char *why)
{
	strlist_addf(&d->kept, "%s %s: %s", KINDS[kind].name, name,
		     why ? why : "not made by slipway for this app");
}

void destroy_plan(const struct destroy *d, struct strlist *lines)
{
	for (int kind = 0; kind < DESTROY_KINDS; kind++) {
		for (size_t i = 0; i < d->n; i++) {
			const struct destroy_item *item = &d->items[i];
			const char *more = "";

			if (item->kind != (enum destroy_kind)kind)
				continue;
			if (kind == DESTROY_REPOSITORY)
				more = d->images ? " with its images" : ", if it is empty";
			strlist_addf(lines, "- delete %s %s%s", KINDS[kind].name, item->name, more);
		}
	}
	for (size_t i = 0; i < d->kept.n; i++)
		strlist_addf(lines, "= keep %s", d->kept.items[i]);
}

/* One that holds images stays unless they are to go: that is no failure. */
static int remove_repository(const struct deploy_target *t, struct destroy *d,
			     const struct destroy_item *item, bool *stays, struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	*stays = false;
	if (ecr_repository_delete(t, item->id, d->images, stays, &local) == 0)
		return 0;
	if (!*stays)
		return error_move(err, &local);
	destroy_keep(d, DESTROY_REPOSITORY, item->name,
		     "it holds images; with --images they go as well");
	return 0;
}

/* Tasks that were just stopped are in it for a while yet; what stays longer is somebody else's. */
static int remove_cluster(const struct deploy_target *t, struct destroy *d,
			  const struct destroy_item *item, bool *stays, struct error *err)
{
	for (int n = 0;; n++) {
		AUTO(error) local = ERROR_INIT;

		if (cluster_delete(t, item->id, stays, &local) == 0)
			return 0;
		if (!*stays)
			return error_move(err, &local);
		if (n == LOOKS_AT_CLUSTER)
			break;
		if (deploy_target_pause(t, n, err) < 0)
			return -1;
	}
	destroy_keep(d, DESTROY_CLUSTER, item->name, "something else is in it");
	return 0;
}

static int remove_item(const struct deploy_target *t, struct destroy *d, struct destroy_item *item,
		       struct error *err)
{
	bool stays = false;
	int r;

	if (item->kind == DESTROY_REPOSITORY)
		r = remove_repository(t, d, item, &stays, err);
	else if (item->kind == DESTROY_CLUSTER)
		r = remove_cluster(t, d, item, &stays, err);
	else
		r = KINDS[item->kind].remove(t, item, err);
	if (r < 0)
		return -1;
	item->removed = true;
	if (!stays)
		report_log(t->reporter, LOG_INFO, "deleted the %s %s", KINDS[item->kind].name,
			   item->name);
	return 0;
}

/* Without its role, log group or network what still runs would break in ways that hide the cause. */
static bool still_runs(const struct destroy *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].kind <= DESTROY_TASK && !d->items[i].removed)
			return true;
	return false;
}

static int remove_kind(const struct deploy_target *t, struct destroy *d, enum destroy_kind kind,
		       struct strlist *left, struct error *err)
{
	bool hold = kind > DESTROY_TASK && still_runs(d);

	for (size_t i = 0; i < d->n; i++) {
		struct destroy_item *item = &d->items[i];
		AUTO(error) why = ERROR_INIT;

		if (item->kind != kind)
			continue;
		if (hold) {
			strlist_addf(left, "%s %s: what runs needs it", KINDS[kind].name,
				     item->name);
			continue;
		}
		if (remove_item(t, d, item, &why) == 0)
			continue;
		if (why.kind == ERROR_CANCELLED)
			return error_move(err, &why);
		strlist_addf(left, "%s %s: %s", KINDS[kind].name, item->name, why.message);
	}
	return 0;
}

int destroy_run(const struct deploy_target *t, struct destroy *d, struct error *err)
{
	AUTO(strlist) left = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	for (int kind = 0; kind < DESTROY_KINDS; kind++)
		if (remove_kind(t, d, (enum destroy_kind)kind, &left, err) < 0)
			return -1;
	if (!left.n)
		return 0;
	joined = strlist_join(&left, "\n  ");
	error_set(err, ERROR_REMOTE, "of %s this is left:\n  %s", t->app, joined);
	return error_hint(err, "run it again when the causes are gone: it goes on where it was");
}
