#include "deploy/resources.h"

#include <string.h>

#include "base/alloc.h"

void resources_release(struct resources *r)
{
	if (!r)
		return;
	cluster_release(&r->cluster);
	ecr_repository_release(&r->repository);
	log_group_release(&r->log_group);
	task_role_release(&r->execution_role);
	task_role_release(&r->task_role);
	network_release(&r->network);
	*r = (struct resources){0};
}

static struct network_wanted network_of(const struct resources_wanted *w)
{
	struct network_wanted n = w->network;

	n.secrets = w->secrets && w->secrets->n;
	return n;
}

static int no_instances(const struct deploy_target *t, const struct cluster *c, struct error *err)
{
	error_set(err, ERROR_NOT_FOUND,
		  "the cluster %s has no container instances, which --launch-type EC2 needs",
		  c->name);
	return error_hint(err,
			  "start EC2 instances of an ECS-optimized AMI with ECS_CLUSTER=%s in "
			  "/etc/ecs/ecs.config, or use Fargate (region %s)",
			  c->name, t->region);
}

static int find_roles(const struct deploy_target *t, const struct resources_wanted *w,
		      struct resources *out, struct error *err)
{
	if (!w->no_execution_role &&
	    execution_role_find(t, w->execution_role, w->secrets, &out->execution_role, err) < 0)
		return error_wrap(err, "execution role");
	if (task_role_find(t, w->task_role, w->task_policies, &out->task_role, err) < 0)
		return error_wrap(err, "task role");
	return 0;
}

int resources_find_network(const struct deploy_target *t, const struct resources_wanted *w,
			   struct resources *out, struct error *err)
{
	const struct network_wanted network = network_of(w);

	return out->has_network ? network_find(t, &network, &out->network, err) : 0;
}

int resources_find(const struct deploy_target *t, const struct resources_wanted *w,
		   struct resources *out, struct error *err)
{
	resources_release(out);
	out->has_repository = w->repository != NULL;
	out->has_log_group = w->log_group != NULL;
	out->has_network = !w->no_network;
	/* What is wrong with the command line comes before what is missing at AWS. */
	if ((w->log_group && log_group_check_name(w->log_group, err) < 0) ||
	    log_group_check_days(w->retention_days, err) < 0 ||
	    (w->repository && ecr_repository_check_name(w->repository, err) < 0))
		return -1;
	if (cluster_find(t, t->cluster, &out->cluster, err) < 0 ||
	    (w->on_instances && out->cluster.instances == 0 &&
	     no_instances(t, &out->cluster, err) < 0) ||
	    (w->repository && ecr_repository_find(t, w->repository, &out->repository, err) < 0) ||
	    (w->log_group && log_group_find(t, w->log_group, &out->log_group, err) < 0) ||
	    find_roles(t, w, out, err) < 0)
		return -1;
	return resources_find_network(t, w, out, err);
}

void resources_plan(const struct resources *r, const struct resources_wanted *w,
		    struct strlist *lines)
{
	if (r->has_repository)
		strlist_addf(lines, "%s repository %s", r->repository.found ? "=" : "+ create",
			     r->repository.name);
	strlist_addf(lines, "%s cluster %s%s", r->cluster.found ? "=" : "+ create", r->cluster.name,
		     !r->cluster.found && w->insights ? " (Container Insights)" : "");
	if (r->cluster.found && w->insights && !r->cluster.insights)
		strlist_addf(lines, "! cluster %s has no Container Insights, and is left as it is",
			     r->cluster.name);
	if (r->has_log_group && r->log_group.found)
		strlist_addf(lines, "= log group %s", r->log_group.name);
	else if (r->has_log_group && w->retention_days)
		strlist_addf(lines, "+ create log group %s (%lld days)", r->log_group.name,
			     (long long)w->retention_days);
	else if (r->has_log_group)
		strlist_addf(lines, "+ create log group %s (kept for ever)", r->log_group.name);
	task_role_plan(&r->execution_role, "execution role", lines);
	task_role_plan(&r->task_role, "task role", lines);
	if (r->has_network)
		network_plan(&r->network, lines);
}

bool resources_are_ready(const struct resources *r)
{
	return r->cluster.found && (!r->has_repository || r->repository.found) &&
	       (!r->has_log_group || r->log_group.found) &&
	       task_role_is_ready(&r->execution_role) && task_role_is_ready(&r->task_role) &&
	       (!r->has_network || network_is_ready(&r->network));
}

int resources_refuse_missing(const struct resources *r, const struct resources_wanted *w,
			     struct error *err)
{
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO(strlist) missing = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	if (resources_are_ready(r))
		return 0;
	resources_plan(r, w, &lines);
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(lines.items[i], "+ ") || str_starts(lines.items[i], "- "))
			strlist_add(&missing, lines.items[i]);
	joined = strlist_join(&missing, "\n  ");
	return error_set(err, ERROR_NOT_FOUND,
			 "--no-create: this would have to be done first:\n  %s", joined);
}

static void say(const struct deploy_target *t, const char *what, const char *name)
{
	report_log(t->reporter, LOG_INFO, "made the %s %s", what, name);
}

static int make_role(const struct deploy_target *t, const char *what, struct task_role *role,
		     struct resources *r, struct error *err)
{
	bool missing = role->origin == TASK_ROLE_APP && !role->found;

	if (task_role_make(t, role, err) < 0)
		return error_wrap(err, "%s", what);
	if (missing) {
		r->made_role = true;
		say(t, what, role->name);
	}
	return 0;
}

static int make_network(const struct deploy_target *t, const struct resources_wanted *w,
			struct network *n, struct error *err)
{
	const struct network_wanted wanted = network_of(w);
	bool had_vpc = n->found, had_group = n->given_groups || n->group.found;

	if (network_is_ready(n))
		return 0;
	if (network_make(t, &wanted, n, err) < 0)
		return -1;
	if (!had_vpc)
		say(t, "default VPC", n->vpc);
	if (!had_group)
		say(t, "security group", n->group.name);
	return 0;
}

static int make_places(const struct deploy_target *t, const struct resources_wanted *w,
		       struct resources *r, struct error *err)
{
	const struct ecr_repository_options options = {0};

	if (r->has_repository && !r->repository.found) {
		if (ecr_repository_make(t, w->repository, &options, &r->repository, NULL, err) < 0)
			return -1;
		say(t, "repository", r->repository.name);
	}
	if (!r->cluster.found) {
		if (cluster_make(t, t->cluster, w->insights, &r->cluster, err) < 0)
			return -1;
		say(t, "cluster", r->cluster.name);
	}
	if (r->has_log_group && !r->log_group.found) {
		if (log_group_make(t, w->log_group, w->retention_days, &r->log_group, err) < 0)
			return -1;
		say(t, "log group", r->log_group.name);
	}
	return 0;
}

int resources_make(const struct deploy_target *t, const struct resources_wanted *w,
		   struct resources *r, struct error *err)
{
	if (make_places(t, w, r, err) < 0 ||
	    make_role(t, "execution role", &r->execution_role, r, err) < 0 ||
	    make_role(t, "task role", &r->task_role, r, err) < 0)
		return -1;
	return r->has_network ? make_network(t, w, &r->network, err) : 0;
}
