#include "deploy/load_balancer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "base/time.h"
#include "deploy/balancer_network.h"
#include "deploy/listeners.h"

#define MAX_NAME 32

void load_balancer_release(struct load_balancer *lb)
{
	if (!lb)
		return;
	free(lb->name);
	free(lb->arn);
	free(lb->dns);
	strlist_release(&lb->subnets);
	target_group_release(&lb->group);
	json_decref(lb->members);
	*lb = (struct load_balancer){0};
}

char *load_balancer_name(const struct deploy_target *t)
{
	AUTO_FREE char *name = xstrfmt("slipway-%s", t->app);
	size_t n = strlen(name);
	bool fits = n <= MAX_NAME && !strchr(name, '_') && name[n - 1] != '-';
	int room = MAX_NAME - (int)strlen("-12345678");
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	if (fits)
		return take_ptr(name);
	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	sha256_buf(t->app, strlen(t->app), hash);
	sha256_hex(hash, hex);
	return xstrfmt("%.*s-%.8s", room, name, hex);
}

static void fill(struct load_balancer *lb, const json_t *found)
{
	const json_t *zone;
	size_t i;

	strlist_clear(&lb->subnets);
	json_array_foreach (json_object_get(found, "AvailabilityZones"), i, zone) {
		strlist_add(&lb->subnets, aws_text(zone, "SubnetId"));
	}
	free(lb->arn);
	free(lb->dns);
	lb->arn = xstrdup(aws_text(found, "LoadBalancerArn"));
	lb->dns = xstrdup(aws_text(found, "DNSName"));
	lb->active = strcmp(aws_text(json_object_get(found, "State"), "Code"), "active") == 0;
}

static int describe(const struct deploy_target *t, const char *name, json_t **found,
		    struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[s]}", "Names", name);
	AUTO(aws_reply) reply = {0};
	json_t *first;

	*found = NULL;
	if (balancer_ask(t, "DescribeLoadBalancers", params, "LoadBalancerNotFound", &reply, err) <
	    0)
		return error_wrap(err, "look for the load balancer %s", name);
	first = json_array_get(json_object_get(reply.json, "LoadBalancers"), 0);
	if (first)
		*found = json_incref(first);
	return 0;
}

/* One of the name that somebody else made is left alone. */
static int refuse(const struct deploy_target *t, const char *what, const char *name,
		  struct error *err)
{
	error_set(err, ERROR_UNSUPPORTED,
		  "there is a %s %s that slipway did not make for %s: it is left as it is", what,
		  name, t->app);
	return error_hint(err, "deploy under another --name, or without --lb");
}

int load_balancer_find(const struct deploy_target *t, struct load_balancer *out, struct error *err)
{
	AUTO_FREE char *name = load_balancer_name(t);
	AUTO_JSON *found = NULL;
	bool owned = true;

	load_balancer_release(out);
	out->name = xstrdup(name);
	if (describe(t, name, &found, err) < 0)
		return -1;
	if (found) {
		fill(out, found);
		if (balancer_part_is_owned(t, out->arn, &owned, err) < 0)
			return -1;
	}
	if (!owned)
		return refuse(t, "load balancer", name, err);
	if (target_group_find(t, name, &out->group, err) < 0)
		return -1;
	if (out->group.arn && !out->group.owned)
		return refuse(t, "target group", name, err);
	return 0;
}

void load_balancer_plan(const struct load_balancer *lb, const struct load_balancer_wanted *w,
			struct strlist *lines)
{
	strlist_addf(lines, "%s load balancer %s%s", lb->arn ? "=" : "+", lb->name,
		     w->certificate ? " (HTTPS on 443, 80 leads there)" : " (HTTP on 80)");
	strlist_addf(lines, "%s target group %s (port %lld, health check on %s)",
		     lb->group.arn ? "=" : "+", lb->name, (long long)w->port,
		     w->health_path ? w->health_path : "/");
}

static int create(const struct deploy_target *t, const struct balancer_network *n,
		  struct load_balancer *lb, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s, s:s, s:o, s:[s], s:o}", "Name", lb->name,
				      "Type", "application", "Scheme", "internet-facing",
				      "IpAddressType", "ipv4", "Subnets",
				      json_from_strlist(&n->subnets), "SecurityGroups", n->group.id,
				      "Tags", deploy_target_tags(t, "Key", "Value"));
	AUTO(aws_reply) reply = {0};

	if (balancer_ask(t, "CreateLoadBalancer", params, NULL, &reply, err) < 0)
		return error_wrap(err, "make the load balancer %s", lb->name);
	fill(lb, json_array_get(json_object_get(reply.json, "LoadBalancers"), 0));
	return 0;
}

/* The tasks moved to other zones: targets where the load balancer is not get no requests. */
static int move(const struct deploy_target *t, const struct balancer_network *n,
		struct load_balancer *lb, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;
	bool there = true;

	for (size_t i = 0; i < n->subnets.n; i++)
		there = there && strlist_has(&lb->subnets, n->subnets.items[i]);
	if (there)
		return 0;
	params = json_pack("{s:s, s:o}", "LoadBalancerArn", lb->arn, "Subnets",
			   json_from_strlist(&n->subnets));
	if (balancer_ask(t, "SetSubnets", params, NULL, &reply, err) < 0)
		return error_wrap(err, "move the load balancer %s to other subnets", lb->name);
	return 0;
}

int load_balancer_make(const struct deploy_target *t, const struct load_balancer_wanted *w,
		       struct load_balancer *lb, struct error *err)
{
	AUTO(balancer_network) n = {0};
	AUTO(strlist) ports = STRLIST_INIT;
	struct target_group_wanted group = {
		.port = w->port,
		.health_path = w->health_path ? w->health_path : "/",
	};

	strlist_add(&ports, "80/tcp");
	if (w->certificate)
		strlist_add(&ports, "443/tcp");
	if (balancer_network_find(t, w->network, &ports, &n, err) < 0)
		return -1;
	group.vpc = n.vpc;
	if (balancer_network_make(t, &n, w->port, err) < 0 ||
	    target_group_make(t, &group, &lb->group, err) < 0 ||
	    (lb->arn ? move(t, &n, lb, err) : create(t, &n, lb, err)) < 0 ||
	    listeners_make(t, lb->arn, lb->group.arn, w->certificate, err) < 0)
		return error_wrap(err, "load balancer of %s", t->app);
	lb->https = w->certificate != NULL;
	json_decref(lb->members);
	lb->members = json_pack("[{s:s, s:s, s:I}]", "targetGroupArn", lb->group.arn,
				"containerName", w->container, "containerPort",
				(json_int_t)w->port);
	return 0;
}

static int look(const struct deploy_target *t, struct load_balancer *lb, struct error *err)
{
	AUTO_JSON *found = NULL;
	const json_t *state;

	if (describe(t, lb->name, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_NOT_FOUND, "the load balancer %s was deleted meanwhile",
				 lb->name);
	fill(lb, found);
	state = json_object_get(found, "State");
	if (strcmp(aws_text(state, "Code"), "failed") == 0)
		return error_set(err, ERROR_REMOTE, "AWS could not make the load balancer %s: %s",
				 lb->name, aws_text(state, "Reason"));
	return 0;
}

static int watch(const struct deploy_target *t, struct load_balancer *lb, int64_t deadline,
		 struct error *err)
{
	for (int i = 0;; i++) {
		if (look(t, lb, err) < 0)
			return -1;
		if (lb->active || time_monotonic_ns() >= deadline)
			return 0;
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

int load_balancer_wait(const struct deploy_target *t, struct load_balancer *lb, int64_t deadline,
		       bool *ready, struct error *err)
{
	int step, r;

	*ready = lb->active;
	if (lb->active)
		return 0;
	step = report_step_begin(t->reporter, "waiting for the load balancer %s", lb->name);
	r = watch(t, lb, deadline, err);
	*ready = r == 0 && lb->active;
	report_step_end(t->reporter, step, *ready ? STEP_STATUS_DONE : STEP_STATUS_FAILED, NULL);
	return r;
}

char *load_balancer_url(const struct load_balancer *lb)
{
	return xstrfmt("%s://%s", lb->https ? "https" : "http", lb->dns ? lb->dns : "");
}

/* Its listeners go with it. */
static int delete_balancer(const struct deploy_target *t, const char *arn, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "LoadBalancerArn", arn);
	AUTO(aws_reply) reply = {0};

	return balancer_ask(t, "DeleteLoadBalancer", params, NULL, &reply, err);
}

static int destroy_balancer(const struct deploy_target *t, const char *name,
			    struct strlist *removed, struct error *err)
{
	AUTO_JSON *found = NULL;
	const char *arn;
	bool owned;

	if (describe(t, name, &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	arn = aws_text(found, "LoadBalancerArn");
	if (balancer_part_is_owned(t, arn, &owned, err) < 0)
		return -1;
	if (!owned)
		return 0;
	if (delete_balancer(t, arn, err) < 0)
		return error_wrap(err, "delete the load balancer %s", name);
	strlist_addf(removed, "load balancer %s", name);
	return 0;
}

int load_balancer_destroy(const struct deploy_target *t, struct strlist *removed, struct error *err)
{
	AUTO_FREE char *name = load_balancer_name(t);
	AUTO_FREE char *closed = NULL;
	AUTO(target_group) group = {0};

	if (destroy_balancer(t, name, removed, err) < 0 ||
	    target_group_find(t, name, &group, err) < 0)
		return -1;
	if (group.arn && group.owned) {
		if (target_group_delete(t, group.arn, err) < 0)
			return -1;
		strlist_addf(removed, "target group %s", name);
	}
	if (balancer_network_destroy(t, &closed, err) < 0)
		return -1;
	if (closed)
		strlist_addf(removed, "security group %s", closed);
	return 0;
}
