#include "deploy/balancer_network.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/route.h"

#define MIN_ZONES 2

void balancer_network_release(struct balancer_network *n)
{
	if (!n)
		return;
	free(n->vpc);
	free(n->task_group);
	strlist_release(&n->subnets);
	security_group_release(&n->group);
	*n = (struct balancer_network){0};
}

static int ask_all(const struct deploy_target *t, const char *operation, const char *key,
		   json_t *params, json_t **out, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_EC2, .operation = operation, .params = params};

	return aws_ask_all(t->aws, &q, key, out, err);
}

static int ask_of_vpc(const struct deploy_target *t, const char *operation, const char *key,
		      const char *vpc, json_t **out, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[{s:s, s:[s]}]}", "Filter", "Name", "vpc-id", "Value",
				      vpc);

	return ask_all(t, operation, key, params, out, err);
}

/* The subnets to choose from: given ones first, then the others of the VPC. */
static bool is_given(const json_t *given, const char *id)
{
	json_t *one;
	size_t i;

	json_array_foreach (given, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), id) == 0)
			return true;
	}
	return false;
}

struct choice {
	const json_t *given;  /* IDs of the tasks' subnets */
	const json_t *all;    /* the VPC's, as EC2 describes them */
	const json_t *tables; /* of routes */
	struct strlist zones; /* that have one */
	struct strlist *out;
};

static void choose(struct choice *c, const struct strlist *wanted_zones, bool given, size_t most)
{
	const json_t *subnet;
	size_t i;

	json_array_foreach (c->all, i, subnet) {
		const char *id = aws_text(subnet, "subnetId");
		const char *zone = aws_text(subnet, "availabilityZone");

		if (c->out->n < most && is_given(c->given, id) == given &&
		    (!wanted_zones || strlist_has(wanted_zones, zone)) &&
		    !strlist_has(&c->zones, zone) &&
		    route_of(route_table_of(c->tables, id)) == ROUTE_PUBLIC) {
			strlist_add(&c->zones, zone);
			strlist_add(c->out, id);
		}
	}
}

static void zones_of_tasks(const struct choice *c, struct strlist *zones)
{
	const json_t *subnet;
	size_t i;

	json_array_foreach (c->all, i, subnet) {
		const char *zone = aws_text(subnet, "availabilityZone");

		if (is_given(c->given, aws_text(subnet, "subnetId")) && !strlist_has(zones, zone))
			strlist_add(zones, zone);
	}
}

/* A task in a zone that the load balancer has no subnet in gets no requests. */
static int choose_subnets(struct choice *c, const char *vpc, struct error *err)
{
	AUTO(strlist) zones = STRLIST_INIT;

	zones_of_tasks(c, &zones);
	choose(c, &zones, true, SIZE_MAX);
	choose(c, &zones, false, SIZE_MAX);
	for (size_t i = 0; i < zones.n; i++) {
		if (strlist_has(&c->zones, zones.items[i]))
			continue;
		error_set(err, ERROR_NOT_FOUND,
			  "a load balancer needs a public subnet in %s, where tasks are to run, "
			  "and %s has none there",
			  zones.items[i], vpc);
		return error_hint(err,
				  "give --subnets of zones that have one: its route table leads "
				  "0.0.0.0/0 to an internet gateway");
	}
	choose(c, NULL, false, MIN_ZONES);
	if (c->out->n >= MIN_ZONES)
		return 0;
	error_set(
		err, ERROR_NOT_FOUND,
		"a load balancer needs public subnets in two zones at least, and %s has them in %s "
		"alone",
		vpc, c->zones.n ? c->zones.items[0] : "none");
	return error_hint(err, "give --subnets of a VPC that has, or make one more subnet there");
}

static int describe_given(const struct deploy_target *t, const json_t *given, char **vpc,
			  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:O}", "SubnetId", given);
	AUTO_JSON *subnets = NULL;

	if (ask_all(t, "DescribeSubnets", "subnetSet", params, &subnets, err) < 0)
		return -1;
	*vpc = xstrdup(aws_text(json_array_get(subnets, 0), "vpcId"));
	return 0;
}

int balancer_network_find(const struct deploy_target *t, const json_t *network,
			  const struct strlist *ports, struct balancer_network *out,
			  struct error *err)
{
	json_t *own = json_object_get(network, "awsvpcConfiguration");
	json_t *groups = json_object_get(own, "securityGroups");
	AUTO_JSON *all = NULL;
	AUTO_JSON *tables = NULL;
	struct choice c = {.given = json_object_get(own, "subnets"), .out = &out->subnets};
	int r;

	balancer_network_release(out);
	if (!json_array_size(c.given))
		return error_set(
			err, ERROR_UNSUPPORTED,
			"a load balancer is for tasks with addresses of their own: network "
			"mode awsvpc");
	if (describe_given(t, c.given, &out->vpc, err) < 0 ||
	    ask_of_vpc(t, "DescribeSubnets", "subnetSet", out->vpc, &all, err) < 0 ||
	    ask_of_vpc(t, "DescribeRouteTables", "routeTableSet", out->vpc, &tables, err) < 0)
		return error_wrap(err, "choose subnets for the load balancer");
	if (json_is_string(json_array_get(groups, 0)))
		out->task_group = xstrdup(json_string_value(json_array_get(groups, 0)));
	c.all = all;
	c.tables = tables;
	r = choose_subnets(&c, out->vpc, err);
	strlist_release(&c.zones);
	if (r < 0)
		return -1;
	return security_group_find(t, BALANCER_SUFFIX, out->vpc, ports, &out->group, err);
}

static json_t *permission(const char *group, int64_t from, int64_t to)
{
	return json_pack("{s:s, s:I, s:I, s:[{s:s}]}", "IpProtocol", "tcp", "FromPort",
			 (json_int_t)from, "ToPort", (json_int_t)to, "Groups", "GroupId", group);
}

int balancer_network_make(const struct deploy_target *t, struct balancer_network *n, int64_t port,
			  struct error *err)
{
	AUTO_JSON *from_balancer = NULL;

	if (security_group_make(t, n->vpc, &n->group, err) < 0)
		return -1;
	if (!n->task_group) {
		report_log(
			t->reporter, LOG_WARNING,
			"the tasks have no security group of their own: the VPC's default one has "
			"to let %s in on port %lld",
			n->group.id, (long long)port);
		return 0;
	}
	from_balancer = permission(n->group.id, port, port);
	if (security_group_allow(t, n->task_group, from_balancer, err) < 0)
		return error_wrap(err, "let the load balancer reach port %lld of %s",
				  (long long)port, n->task_group);
	return 0;
}

/* The rules of a group that name the load balancer's. */
static int close_group(const struct deploy_target *t, const json_t *group, const char *id,
		       struct error *err)
{
	const json_t *rule, *pair;
	size_t i, k;

	json_array_foreach (json_object_get(group, "ipPermissions"), i, rule) {
		json_array_foreach (json_object_get(rule, "groups"), k, pair) {
			AUTO(aws_reply) reply = {0};
			AUTO_JSON *params = NULL;

			if (strcmp(aws_text(pair, "groupId"), id) != 0)
				continue;
			params = json_pack(
				"{s:s, s:[o]}", "GroupId", aws_text(group, "groupId"),
				"IpPermissions",
				permission(id, aws_int(rule, "fromPort"), aws_int(rule, "toPort")));
			const struct aws_question q = {
				.service = AWS_EC2,
				.operation = "RevokeSecurityGroupIngress",
				.params = params,
				.fine = {"InvalidPermission.NotFound"},
			};

			if (aws_ask(t->aws, &q, &reply, err) < 0)
				return error_wrap(err, "close %s to the load balancer",
						  aws_text(group, "groupId"));
		}
	}
	return 0;
}

static int delete_group(const struct deploy_target *t, const char *id, const char *vpc,
			struct error *err)
{
	AUTO_JSON *groups = NULL;
	const json_t *group;
	size_t i;

	if (ask_of_vpc(t, "DescribeSecurityGroups", "securityGroupInfo", vpc, &groups, err) < 0)
		return -1;
	json_array_foreach (groups, i, group) {
		if (close_group(t, group, id, err) < 0)
			return -1;
	}
	return security_group_delete(t, id, err);
}

int balancer_network_destroy(const struct deploy_target *t, char **removed, struct error *err)
{
	AUTO_FREE char *name = security_group_name(t, BALANCER_SUFFIX);
	AUTO_JSON *params = json_pack("{s:[{s:s, s:[s]}]}", "Filter", "Name", "group-name", "Value",
				      name);
	AUTO_JSON *groups = NULL;
	const json_t *group;
	size_t i;

	*removed = NULL;
	if (ask_all(t, "DescribeSecurityGroups", "securityGroupInfo", params, &groups, err) < 0)
		return error_wrap(err, "look for the security group %s", name);
	json_array_foreach (groups, i, group) {
		if (!deploy_target_owns(t, json_object_get(group, "tagSet")))
			continue;
		if (delete_group(t, aws_text(group, "groupId"), aws_text(group, "vpcId"), err) < 0)
			return -1;
		free(*removed);
		*removed = xstrdup(name);
	}
	return 0;
}
