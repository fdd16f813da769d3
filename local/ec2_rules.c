#include "local/ec2_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/random.h"

#define BAD       "InvalidParameterValue"
#define ID_DIGITS 17

void ec2_rules_add(json_t *rules, json_t *rule)
{
	char digits[ID_DIGITS + 1];
	AUTO_FREE char *id = NULL;

	random_hex(digits, ID_DIGITS);
	id = xstrfmt("sgr-%s", digits);
	json_object_set_new(rule, "securityGroupRuleId", json_text(id));
	json_array_append_new(rules, rule);
}

static bool same_member(const json_t *a, const json_t *b, const char *name)
{
	const json_t *x = json_object_get(a, name), *y = json_object_get(b, name);

	return (!x && !y) || json_equal(x, y);
}

static bool same_ports(const json_t *a, const json_t *b)
{
	return same_member(a, b, "isEgress") && same_member(a, b, "ipProtocol") &&
	       same_member(a, b, "fromPort") && same_member(a, b, "toPort");
}

size_t ec2_rules_find(const json_t *rules, const json_t *rule)
{
	const json_t *each;
	size_t i;

	json_array_foreach (rules, i, each)
		if (same_ports(each, rule) && same_member(each, rule, "cidrIpv4") &&
		    same_member(each, rule, "cidrIpv6") &&
		    same_member(each, rule, "prefixListId") &&
		    same_member(each, rule, "referencedGroupInfo"))
			return i;
	return json_array_size(rules);
}

/* Where a rule's other side stands in a permission, and what it is called in either. */
static const struct side {
	const char *input, *output, *name_in, *name_out, *rule;
} SIDES[] = {
	{"IpRanges", "ipRanges", "CidrIp", "cidrIp", "cidrIpv4"},
	{"Ipv6Ranges", "ipv6Ranges", "CidrIpv6", "cidrIpv6", "cidrIpv6"},
	{"PrefixListIds", "prefixListIds", "PrefixListId", "prefixListId", "prefixListId"},
	{"Groups", "groups", "GroupId", "groupId", "referencedGroupInfo"},
};

static void add_side(json_t *permission, const json_t *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(SIDES); i++) {
		json_t *peer = json_object_get(rule, SIDES[i].rule), *shown;

		if (!peer)
			continue;
		shown = json_is_object(peer) ? json_copy(peer) : json_object();
		if (json_is_string(peer))
			json_object_set(shown, SIDES[i].name_out, peer);
		if (json_object_get(rule, "description"))
			json_object_set(shown, "description", json_object_get(rule, "description"));
		json_array_append_new(json_object_get(permission, SIDES[i].output), shown);
	}
}

static json_t *new_permission(const json_t *rule)
{
	json_t *permission = json_object();

	json_object_set(permission, "isEgress", json_object_get(rule, "isEgress"));
	json_object_set(permission, "ipProtocol", json_object_get(rule, "ipProtocol"));
	if (json_object_get(rule, "fromPort")) {
		json_object_set(permission, "fromPort", json_object_get(rule, "fromPort"));
		json_object_set(permission, "toPort", json_object_get(rule, "toPort"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(SIDES); i++)
		json_object_set_new(permission, SIDES[i].output, json_array());
	return permission;
}

json_t *ec2_rules_permissions(const json_t *rules, bool egress)
{
	json_t *out = json_array(), *rule, *permission = NULL;
	size_t i, k;

	json_array_foreach (rules, i, rule) {
		if (json_is_true(json_object_get(rule, "isEgress")) != egress)
			continue;
		json_array_foreach (out, k, permission)
			if (same_ports(permission, rule))
				break;
		if (k == json_array_size(out)) {
			permission = new_permission(rule);
			json_array_append_new(out, permission);
		}
		add_side(permission, rule);
	}
	json_array_foreach (out, k, permission)
		json_object_del(permission, "isEgress");
	return out;
}

char *ec2_rules_describe(const json_t *rule)
{
	const char *protocol = aws_text(rule, "ipProtocol"), *peer = "";
	AUTO_FREE char *name = xstrdup(strcmp(protocol, "-1") ? protocol : "ALL");

	for (size_t i = 0; i < ARRAY_SIZE(SIDES); i++) {
		const json_t *side = json_object_get(rule, SIDES[i].rule);

		if (side)
			peer = json_is_object(side) ? aws_text(side, "groupId")
						    : json_string_value(side);
	}
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (!json_object_get(rule, "fromPort"))
		return xstrfmt("peer: %s, %s, ALLOW", peer, name);
	return xstrfmt("peer: %s, %s, from port: %lld, to port: %lld, ALLOW", peer, name,
		       (long long)aws_int(rule, "fromPort"), (long long)aws_int(rule, "toPort"));
}

/* "80" of a form; false: no number. */
static bool read_port(const json_t *permission, const char *name, int64_t *out)
{
	const char *text = aws_text(permission, name);
	char *end;

	*out = strtoll(text, &end, 10);
	return *text && !*end && strlen(text) < 7;
}

static int read_protocol(struct api_call *c, const json_t *permission, json_t *rule)
{
	static const char *const names[][2] = {
		{"6", "tcp"}, {"17", "udp"}, {"1", "icmp"}, {"58", "icmpv6"}};
	const char *text = aws_text(permission, "IpProtocol");
	int64_t from, to;
	bool ports;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i][0]) == 0)
			text = names[i][1];
	ports = strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0;
	if (!ports && strcmp(text, "icmp") != 0 && strcmp(text, "icmpv6") != 0 &&
	    strcmp(text, "-1") != 0 &&
	    (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 3 ||
	     strtol(text, NULL, 10) > 255))
		return api_error(c, BAD, "Invalid value '%.40s' for IP protocol. Unknown protocol.",
				 text);
	json_object_set_new(rule, "ipProtocol", json_text(text));
	if (!ports && strncmp(text, "icmp", 4) != 0)
		return 0;
	if (!read_port(permission, "FromPort", &from) || !read_port(permission, "ToPort", &to) ||
	    from < -1 || to < -1 || from > 65535 || to > 65535 ||
	    (ports && (from < 0 || to < from)))
		return api_error(c, BAD,
				 "Invalid value for portRange. Must specify both from and to "
				 "ports with TCP/UDP, 0 to 65535, the first not above the other.");
	json_object_set_new(rule, "fromPort", json_integer(from));
	json_object_set_new(rule, "toPort", json_integer(to));
	return 0;
}

static bool is_block(const char *text, int family, long most)
{
	const char *slash = strchr(text, '/');
	unsigned char address[sizeof(struct in6_addr)];
	AUTO_FREE char *host = NULL;
	size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;

	if (!digits || digits > 3 || slash[1 + digits])
		return false;
	host = xstrndup(text, (size_t)(slash - text));
	return inet_pton(family, host, address) == 1 && strtol(slash + 1, NULL, 10) <= most;
}

static int read_peer(struct api_call *c, const struct side *side, const json_t *given, json_t *rule)
{
	const char *text = aws_text(given, side->name_in), *about = aws_text(given, "Description");

	if (*about)
		json_object_set_new(rule, "description", json_text(about));
	if ((strcmp(side->rule, "cidrIpv4") == 0 && !is_block(text, AF_INET, 32)) ||
	    (strcmp(side->rule, "cidrIpv6") == 0 && !is_block(text, AF_INET6, 128)))
		return api_error(c, BAD, "CIDR block %.100s is malformed", text);
	if (strcmp(side->rule, "referencedGroupInfo") != 0) {
		json_object_set_new(rule, side->rule, json_text(text));
		return 0;
	}
	if (!state_get(c->local->state, STATE_SECURITY_GROUPS, text))
		return api_error(c, "InvalidGroup.NotFound",
				 "The security group '%.100s' does not exist", text);
	json_object_set_new(rule, side->rule,
			    json_pack("{s:s, s:s}", "groupId", text, "userId", c->account));
	return 0;
}

static int read_permission(struct api_call *c, bool egress, const json_t *permission, json_t *out)
{
	AUTO_JSON *common = json_pack("{s:b}", "isEgress", (int)egress);
	size_t i, n = json_array_size(out);
	const json_t *given;

	if (read_protocol(c, permission, common) < 0)
		return -1;
	for (size_t k = 0; k < ARRAY_SIZE(SIDES); k++) {
		json_array_foreach (json_object_get(permission, SIDES[k].input), i, given) {
			json_t *rule = json_copy(common);

			json_array_append_new(out, rule);
			if (read_peer(c, &SIDES[k], given, rule) < 0)
				return -1;
		}
	}
	if (json_array_size(out) > n)
		return 0;
	return api_error(c, "MissingParameter",
			 "Each of IpPermissions needs IpRanges, Ipv6Ranges, PrefixListIds or "
			 "Groups");
}

/* As the first version of the API has one rule: its members beside GroupId. */
static json_t *flat_permission(struct api_call *c)
{
	const char *block = aws_text(c->input, "CidrIp");
	json_t *permission = json_object();
	static const char *const names[] = {"IpProtocol", "FromPort", "ToPort"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(c->input, names[i]))
			json_object_set(permission, names[i], json_object_get(c->input, names[i]));
	if (*block)
		json_object_set_new(permission, "IpRanges", json_pack("[{s:s}]", "CidrIp", block));
	return permission;
}

int ec2_rules_read(struct api_call *c, bool egress, json_t **out)
{
	json_t *given = json_object_get(c->input, "IpPermissions"), *permission;
	AUTO_JSON *flat = given ? NULL : flat_permission(c);
	AUTO_JSON *rules = json_array();
	size_t i;

	if (flat && read_permission(c, egress, flat, rules) < 0)
		return -1;
	json_array_foreach (given, i, permission)
		if (read_permission(c, egress, permission, rules) < 0)
			return -1;
	if (!json_array_size(rules))
		return api_error(c, "MissingParameter",
				 "The request must contain the parameter ipPermissions");
	*out = take_ptr(rules);
	return 0;
}
