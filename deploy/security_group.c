#include "deploy/security_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"

#define EVERYBODY   "0.0.0.0/0"
#define EVERYBODY_6 "::/0"
#define MAX_PORT    65535
/* ECS takes the interface of a task away about a minute after its end. */
#define INTERFACE_SECONDS 180

void security_group_release(struct security_group *g)
{
	if (!g)
		return;
	free(g->name);
	free(g->id);
	free(g->vpc);
	json_decref(g->missing);
	strlist_release(&g->missing_ports);
	*g = (struct security_group){0};
}

static int parse_port(const char *text, int64_t *port, const char **protocol, struct error *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	*protocol = strcmp(end, "/udp") == 0 ? "udp" : "tcp";
	if (end == text || n < 1 || n > MAX_PORT ||
	    (*end && strcmp(end, "/tcp") != 0 && strcmp(end, "/udp") != 0))
		return error_set(err, ERROR_USAGE, "invalid port \"%s\": 3000, 3000/tcp or 53/udp",
				 text);
	*port = n;
	return 0;
}

static bool has_range(const json_t *ranges, const char *key, const char *value)
{
	const json_t *range;
	size_t i;

	json_array_foreach (ranges, i, range) {
		if (strcmp(aws_text(range, key), value) == 0)
			return true;
	}
	return false;
}

/* Does a rule let everybody of the family in? */
static bool is_open(const json_t *rules, int64_t port, const char *protocol, bool ipv6)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		const char *of = aws_text(rule, "ipProtocol");
		bool all = strcmp(of, "-1") == 0;

		if (!all && (strcmp(of, protocol) != 0 || aws_int(rule, "fromPort") > port ||
			     aws_int(rule, "toPort") < port))
			continue;
		if (ipv6 ? has_range(json_object_get(rule, "ipv6Ranges"), "cidrIpv6", EVERYBODY_6)
			 : has_range(json_object_get(rule, "ipRanges"), "cidrIp", EVERYBODY))
			return true;
	}
	return false;
}

static bool is_listed(const json_t *permissions, int64_t port, const char *protocol)
{
	const json_t *one;
	size_t i;

	json_array_foreach (permissions, i, one) {
		if (aws_int(one, "FromPort") == port &&
		    strcmp(aws_text(one, "IpProtocol"), protocol) == 0)
			return true;
	}
	return false;
}

int security_group_missing(const json_t *rules, const struct strlist *ports, json_t **out,
			   struct strlist *list, struct error *err)
{
	AUTO_JSON *permissions = json_array();

	for (size_t i = 0; ports && i < ports->n; i++) {
		AUTO_JSON *one = NULL;
		const char *protocol;
		int64_t port;
		bool v4, v6;

		if (parse_port(ports->items[i], &port, &protocol, err) < 0)
			return -1;
		v4 = is_open(rules, port, protocol, false);
		v6 = is_open(rules, port, protocol, true);
		if ((v4 && v6) || is_listed(permissions, port, protocol))
			continue;
		one = json_pack("{s:s, s:I, s:I}", "IpProtocol", protocol, "FromPort",
				(json_int_t)port, "ToPort", (json_int_t)port);
		if (!v4)
			json_object_set_new(one, "IpRanges",
					    json_pack("[{s:s}]", "CidrIp", EVERYBODY));
		if (!v6)
			json_object_set_new(one, "Ipv6Ranges",
					    json_pack("[{s:s}]", "CidrIpv6", EVERYBODY_6));
		json_array_append(permissions, one);
		if (list)
			strlist_addf(list, "%lld/%s", (long long)port, protocol);
	}
	*out = take_ptr(permissions);
	return 0;
}

char *security_group_name(const struct deploy_target *t, const char *suffix)
{
	/* no app's name has a dot */
	return xstrfmt("slipway-%s%s%s", t->app, suffix ? "." : "", suffix ? suffix : "");
}

/* Looks it up by its name: the group, or NULL; a new reference. */
static int look_up(const struct deploy_target *t, const char *name, const char *vpc, json_t **group,
		   struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[{s:s, s:[s]}, {s:s, s:[s]}]}", "Filter", "Name",
				      "group-name", "Value", name, "Name", "vpc-id", "Value", vpc);
	AUTO_JSON *groups = NULL;
	const struct aws_question q = {
		.service = AWS_EC2, .operation = "DescribeSecurityGroups", .params = params};

	if (aws_ask_all(t->aws, &q, "securityGroupInfo", &groups, err) < 0)
		return error_wrap(err, "look for the security group %s", name);
	*group = json_incref(json_array_get(groups, 0));
	return 0;
}

static void take_found(const struct deploy_target *t, const json_t *group, struct security_group *g)
{
	free(g->id);
	g->id = xstrdup(aws_text(group, "groupId"));
	g->found = true;
	g->owned = deploy_target_owns(t, json_object_get(group, "tagSet"));
}

int security_group_find(const struct deploy_target *t, const char *suffix, const char *vpc,
			const struct strlist *ports, struct security_group *out, struct error *err)
{
	AUTO_FREE char *name = security_group_name(t, suffix);
	AUTO_JSON *group = NULL;

	security_group_release(out);
	out->name = xstrdup(name);
	if (vpc) {
		out->vpc = xstrdup(vpc);
		if (look_up(t, name, vpc, &group, err) < 0)
			return -1;
	}
	if (security_group_missing(json_object_get(group, "ipPermissions"), ports, &out->missing,
				   &out->missing_ports, err) < 0)
		return -1;
	if (group)
		take_found(t, group, out);
	return 0;
}

static int find_made(const struct deploy_target *t, const char *vpc, struct security_group *g,
		     struct error *err)
{
	AUTO_JSON *group = NULL;

	if (look_up(t, g->name, vpc, &group, err) < 0)
		return -1;
	if (!group)
		return error_set(
			err, ERROR_REMOTE,
			"make the security group %s: EC2 says that it exists, and does not "
			"show it; try again",
			g->name);
	take_found(t, group, g);
	return 0;
}

static int create(const struct deploy_target *t, const char *vpc, struct security_group *g,
		  struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_FREE char *about = xstrfmt("Ports of %.200s, made by slipway", t->app);
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s, s:[{s:s, s:o}]}", "GroupName", g->name,
				      "GroupDescription", about, "VpcId", vpc, "TagSpecification",
				      "ResourceType", "security-group", "Tag",
				      deploy_target_tags(t, "Key", "Value"));
	const struct aws_question q = {
		.service = AWS_EC2,
		.operation = "CreateSecurityGroup",
		.params = params,
		.fine = {"InvalidGroup.Duplicate"},
	};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "make the security group %s", g->name);
	/* Another deploy made it a moment ago, or this one did and never heard the answer. */
	if (reply.code)
		return find_made(t, vpc, g, err);
	free(g->id);
	g->id = xstrdup(aws_text(reply.json, "groupId"));
	g->found = g->owned = true;
	return 0;
}

/* One port at a time: a rule that is there already must not keep the others away. */
int security_group_allow(const struct deploy_target *t, const char *id, json_t *permission,
			 struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:[O]}", "GroupId", id, "IpPermissions", permission);
	AUTO(aws_reply) reply = {0};
	const struct aws_question q = {
		.service = AWS_EC2,
		.operation = "AuthorizeSecurityGroupIngress",
		.params = params,
		.fine = {"InvalidPermission.Duplicate"},
	};

	return aws_ask(t->aws, &q, &reply, err);
}

static int authorize(const struct deploy_target *t, const struct security_group *g,
		     struct error *err)
{
	json_t *permission;
	size_t i;

	json_array_foreach (g->missing, i, permission)
		if (security_group_allow(t, g->id, permission, err) < 0)
			return error_wrap(err, "open port %lld of the security group %s",
					  (long long)aws_int(permission, "FromPort"), g->name);
	return 0;
}

int security_group_make(const struct deploy_target *t, const char *vpc, struct security_group *g,
			struct error *err)
{
	if (!g->found && create(t, vpc, g, err) < 0)
		return -1;
	if (!g->owned)
		return 0;
	if (authorize(t, g, err) < 0)
		return -1;
	json_array_clear(g->missing);
	strlist_clear(&g->missing_ports);
	return 0;
}

int security_group_check(const struct deploy_target *t, const char *vpc, const struct strlist *ids,
			 struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:o}", "GroupId", json_from_strlist(ids));
	const struct aws_question q = {
		.service = AWS_EC2, .operation = "DescribeSecurityGroups", .params = params};
	const json_t *group;
	size_t i;

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "--security-groups");
	json_array_foreach (json_object_get(reply.json, "securityGroupInfo"), i, group) {
		if (strcmp(aws_text(group, "vpcId"), vpc) != 0)
			return error_set(err, ERROR_NOT_FOUND,
					 "--security-groups: %s is in %s, the subnets are in %s",
					 aws_text(group, "groupId"), aws_text(group, "vpcId"), vpc);
	}
	return 0;
}

int security_group_delete(const struct deploy_target *t, const char *id, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "GroupId", id);
	const struct aws_question q = {
		.service = AWS_EC2,
		.operation = "DeleteSecurityGroup",
		.params = params,
		.fine = {"InvalidGroup.NotFound"},
	};
	int64_t until = time_monotonic_ns() + INTERFACE_SECONDS * INT64_C(1000000000);

	for (int n = 0;; n++) {
		AUTO(aws_reply) reply = {0};
		AUTO(error) local = ERROR_INIT;

		if (aws_ask(t->aws, &q, &reply, &local) == 0)
			return 0;
		if (!aws_reply_is(&reply, "DependencyViolation") || time_monotonic_ns() > until) {
			error_move(err, &local);
			error_wrap(err, "delete the security group %s", id);
			if (aws_reply_is(&reply, "DependencyViolation"))
				error_hint(err, "a network interface or another group still uses "
						"it; run this again later");
			return -1;
		}
		if (n == 0)
			report_log(t->reporter, LOG_INFO,
				   "waiting until no network interface uses %s any more", id);
		if (deploy_target_pause(t, n, err) < 0)
			return -1;
	}
}
