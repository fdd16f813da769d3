#include "deploy/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/route.h"

static void clear(struct network *n)
{
	free(n->vpc);
	free(n->note);
	strlist_release(&n->subnets);
	strlist_release(&n->security_groups);
	security_group_release(&n->group);
	*n = (struct network){0};
}

void network_release(struct network *n)
{
	if (n)
		clear(n);
}

int public_ip_parse(const char *text, enum public_ip *out, struct error *err)
{
	static const char *const words[] = {
		[PUBLIC_IP_AUTO] = "auto",
		[PUBLIC_IP_ENABLED] = "enabled",
		[PUBLIC_IP_DISABLED] = "disabled",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*out = (enum public_ip)i;
			return 0;
		}
	return error_set(err, ERROR_USAGE,
			 "invalid --assign-public-ip \"%s\": auto, enabled or disabled", text);
}

json_t *network_configuration(const struct network *n)
{
	return json_pack("{s:{s:o, s:o, s:s}}", "awsvpcConfiguration", "subnets",
			 json_from_strlist(&n->subnets), "securityGroups",
			 json_from_strlist(&n->security_groups), "assignPublicIp",
			 n->public_ip ? "ENABLED" : "DISABLED");
}

/* What is being judged: the candidates and what EC2 says of their VPC. */
struct survey {
	json_t *subnets, *tables, *endpoints; /* endpoints NULL: not asked yet */
	struct strlist missing;               /* endpoints that somebody would need */
	struct strlist cut_off;               /* subnets */
	size_t n_public, n_private;
};

static void survey_release(struct survey *s)
{
	json_decref(s->subnets);
	json_decref(s->tables);
	json_decref(s->endpoints);
	strlist_release(&s->missing);
	strlist_release(&s->cut_off);
}
CLEANUP_RELEASE(survey)

static json_t *filter(const char *name, const char *value)
{
	return json_pack("{s:s, s:[s]}", "Name", name, "Value", value);
}

static int ask_all(const struct deploy_target *t, const char *operation, json_t *params,
		   const char *key, json_t **out, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_EC2, .operation = operation, .params = params};

	return aws_ask_all(t->aws, &q, key, out, err);
}

static int find_default_vpc(const struct deploy_target *t, char **vpc, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[o]}", "Filter", filter("is-default", "true"));
	AUTO_JSON *vpcs = NULL;

	if (ask_all(t, "DescribeVpcs", params, "vpcSet", &vpcs, err) < 0)
		return error_wrap(err, "look for the default VPC");
	free(*vpc);
	*vpc = json_array_size(vpcs) ? xstrdup(aws_text(json_array_get(vpcs, 0), "vpcId")) : NULL;
	return 0;
}

static int default_subnets(const struct deploy_target *t, const char *vpc, struct survey *s,
			   struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[o, o]}", "Filter", filter("vpc-id", vpc),
				      filter("default-for-az", "true"));

	if (ask_all(t, "DescribeSubnets", params, "subnetSet", &s->subnets, err) < 0)
		return error_wrap(err, "look for the subnets of the default VPC %s", vpc);
	if (json_array_size(s->subnets))
		return 0;
	error_set(err, ERROR_NOT_FOUND, "the default VPC %s has no default subnet", vpc);
	return error_hint(err, "give --subnets, or make them: aws ec2 create-default-subnet");
}

static int given_subnets(const struct deploy_target *t, const struct strlist *ids, char **vpc,
			 struct survey *s, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:o}", "SubnetId", json_from_strlist(ids));
	const json_t *subnet;
	size_t i;

	if (ask_all(t, "DescribeSubnets", params, "subnetSet", &s->subnets, err) < 0)
		return error_wrap(err, "--subnets");
	json_array_foreach (s->subnets, i, subnet) {
		const char *in = aws_text(subnet, "vpcId");

		if (*vpc && strcmp(*vpc, in) != 0)
			return error_set(err, ERROR_USAGE,
					 "--subnets: %s is in %s, others are in %s; all of a "
					 "task have to be in one VPC",
					 aws_text(subnet, "subnetId"), in, *vpc);
		if (!*vpc)
			*vpc = xstrdup(in);
	}
	return *vpc ? 0 : error_set(err, ERROR_NOT_FOUND, "--subnets: none of them exists");
}

static int find_routes(const struct deploy_target *t, const char *vpc, struct survey *s,
		       struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[o]}", "Filter", filter("vpc-id", vpc));

	if (ask_all(t, "DescribeRouteTables", params, "routeTableSet", &s->tables, err) < 0)
		return error_wrap(err, "read the route tables of %s", vpc);
	return 0;
}

static const json_t *table_of(const struct survey *s, const json_t *subnet)
{
	return route_table_of(s->tables, aws_text(subnet, "subnetId"));
}

/* Can a task in the subnet, which has no way to the internet, reach what it needs within the VPC? */
static int check_endpoints(const struct deploy_target *t, const struct network_wanted *w,
			   const char *vpc, const json_t *subnet, struct survey *s, bool *reached,
			   struct error *err)
{
	static const char *const needed[] = {"ecr.api", "ecr.dkr", "s3", "logs", NULL};
	static const char *const for_secrets[] = {"secretsmanager", "ssm", NULL};
	AUTO_JSON *params = json_pack("{s:[o]}", "Filter", filter("vpc-id", vpc));
	AUTO(strlist) missing = STRLIST_INIT;

	if (!s->endpoints &&
	    ask_all(t, "DescribeVpcEndpoints", params, "vpcEndpointSet", &s->endpoints, err) < 0)
		return error_wrap(err, "read the endpoints of %s", vpc);
	route_missing_endpoints(s->endpoints, table_of(s, subnet), needed, &missing);
	if (w->secrets) {
		AUTO(strlist) secrets = STRLIST_INIT;

		/* Which of the two the task uses is known to its author. */
		route_missing_endpoints(s->endpoints, table_of(s, subnet), for_secrets, &secrets);
		if (secrets.n == 2)
			strlist_add(&missing, "secretsmanager or ssm");
	}
	*reached = missing.n == 0;
	for (size_t i = 0; i < missing.n; i++)
		if (!strlist_has(&s->missing, missing.items[i]))
			strlist_add(&s->missing, missing.items[i]);
	return 0;
}

static int no_route(const struct network_wanted *w, const struct network *n, const struct survey *s,
		    struct error *err)
{
	AUTO_FREE char *subnets = strlist_join(&s->cut_off, ", ");
	AUTO_FREE char *missing = strlist_join(&s->missing, ", ");
	bool only_address = w->public_ip == PUBLIC_IP_DISABLED && s->n_public;

	error_set(err, ERROR_NOT_FOUND,
		  "tasks in %s could not reach ECR: %s, and %s lacks endpoints for %s", subnets,
		  only_address ? "an internet gateway needs a public address"
			       : "their route tables have no route to 0.0.0.0/0",
		  n->vpc, missing);
	if (only_address)
		return error_hint(err, "leave --assign-public-ip disabled away, or give subnets "
				       "that route to a NAT gateway");
	return error_hint(err, "give --subnets with a route to an internet or NAT gateway, or "
			       "make those endpoints");
}

/* Keeps the subnets from which a task reaches ECR. Of those that the user names none may be cut off. */
static int judge(const struct deploy_target *t, const struct network_wanted *w, struct survey *s,
		 struct network *n, struct error *err)
{
	const json_t *subnet;
	size_t i;

	json_array_foreach (s->subnets, i, subnet) {
		enum route route = route_of(table_of(s, subnet));

		s->n_public += route == ROUTE_PUBLIC;
		s->n_private += route == ROUTE_PRIVATE;
	}
	n->public_ip = w->public_ip == PUBLIC_IP_ENABLED ||
		       (w->public_ip == PUBLIC_IP_AUTO && s->n_public);
	json_array_foreach (s->subnets, i, subnet) {
		enum route route = route_of(table_of(s, subnet));
		bool reached = route == ROUTE_PRIVATE || (route == ROUTE_PUBLIC && n->public_ip);

		if (!reached && check_endpoints(t, w, n->vpc, subnet, s, &reached, err) < 0)
			return -1;
		strlist_add(reached ? &n->subnets : &s->cut_off, aws_text(subnet, "subnetId"));
	}
	if (s->cut_off.n && (!n->is_default || !n->subnets.n))
		return no_route(w, n, s, err);
	return 0;
}

static void add_note(struct network *n, const struct survey *s)
{
	if (n->public_ip && n->subnets.n > s->n_public)
		n->note = xstrdup("not all subnets route to an internet gateway: in the others a "
				  "task has no address that is reached from outside");
	else if (s->cut_off.n)
		n->note = xstrfmt("%zu subnets of the default VPC have no route to ECR and are "
				  "left out",
				  s->cut_off.n);
}

static int find_group(const struct deploy_target *t, const struct network_wanted *w,
		      struct network *n, struct error *err)
{
	n->given_groups = w->security_groups && w->security_groups->n;
	if (n->given_groups) {
		strlist_copy(&n->security_groups, w->security_groups);
		return n->vpc ? security_group_check(t, n->vpc, &n->security_groups, err) : 0;
	}
	if (security_group_find(t, NULL, n->vpc, w->ports, &n->group, err) < 0)
		return -1;
	if (n->group.found)
		strlist_add(&n->security_groups, n->group.id);
	return 0;
}

static int no_default_vpc(const struct deploy_target *t, struct error *err)
{
	error_set(err, ERROR_NOT_FOUND, "%s has no default VPC in account %s", t->region,
		  t->account);
	return error_hint(err, "give --subnets (aws ec2 describe-subnets lists them), or let "
			       "slipway make a default VPC: --create-default-vpc");
}

int network_find(const struct deploy_target *t, const struct network_wanted *w, struct network *out,
		 struct error *err)
{
	AUTO(survey) s = {0};
	bool given = w->subnets && w->subnets->n;

	clear(out);
	out->is_default = !given;
	if (!given && find_default_vpc(t, &out->vpc, err) < 0)
		return -1;
	if (!given && !out->vpc) {
		if (!w->create_default_vpc)
			return no_default_vpc(t, err);
		out->public_ip = w->public_ip != PUBLIC_IP_DISABLED;
		return find_group(t, w, out, err);
	}
	if ((given ? given_subnets(t, w->subnets, &out->vpc, &s, err)
		   : default_subnets(t, out->vpc, &s, err)) < 0 ||
	    find_routes(t, out->vpc, &s, err) < 0 || judge(t, w, &s, out, err) < 0)
		return -1;
	out->found = true;
	add_note(out, &s);
	return find_group(t, w, out, err);
}

bool network_is_ready(const struct network *n)
{
	return n->found && (n->given_groups ||
			    (n->group.found && (!n->group.owned || !n->group.missing_ports.n)));
}

static void plan_group(const struct network *n, struct strlist *lines)
{
	const struct security_group *g = &n->group;
	AUTO_FREE char *ports = strlist_join(&g->missing_ports, ", ");

	if (!g->found)
		strlist_addf(lines, "+ create security group %s, open on %s", g->name,
			     *ports ? ports : "no port");
	else if (!g->owned)
		strlist_addf(lines, "= security group %s (not made by slipway: left as it is%s%s)",
			     g->name, *ports ? "; not open on " : "", ports);
	else
		strlist_addf(lines, "= security group %s", g->name);
	if (g->found && g->owned && *ports)
		strlist_addf(lines, "+ open %s of security group %s", ports, g->name);
}

void network_plan(const struct network *n, struct strlist *lines)
{
	AUTO_FREE char *groups = strlist_join(&n->security_groups, ", ");

	if (!n->found)
		strlist_addf(lines, "+ create default VPC");
	else
		strlist_addf(lines, "= %s%s, %zu subnet%s, %s", n->is_default ? "default VPC " : "",
			     n->vpc, n->subnets.n, n->subnets.n == 1 ? "" : "s",
			     n->public_ip ? "public addresses" : "private addresses");
	if (n->note)
		strlist_addf(lines, "! %s", n->note);
	if (n->given_groups)
		strlist_addf(lines, "= security group %s", groups);
	else
		plan_group(n, lines);
}

static int make_default_vpc(const struct deploy_target *t, const struct network_wanted *w,
			    struct network *n, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_object();
	const struct aws_question q = {
		.service = AWS_EC2,
		.operation = "CreateDefaultVpc",
		.params = params,
		.fine = {"DefaultVpcAlreadyExists"},
	};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "make a default VPC");
	return network_find(t, w, n, err);
}

int network_make(const struct deploy_target *t, const struct network_wanted *w, struct network *n,
		 struct error *err)
{
	if (!n->found && make_default_vpc(t, w, n, err) < 0)
		return -1;
	if (n->given_groups)
		return 0;
	if (security_group_make(t, n->vpc, &n->group, err) < 0)
		return -1;
	strlist_clear(&n->security_groups);
	strlist_add(&n->security_groups, n->group.id);
	return 0;
}
