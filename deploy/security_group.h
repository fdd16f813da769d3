/* The app's security group: open on the ports of its containers, and on nothing else (EC2 API of 2016-11-15). */
#pragma once

#include "deploy/target.h"

struct security_group {
	bool found,
		owned; /* owned: made by slipway for the app; else its rules are never changed */
	char *name, *id, *vpc;
	json_t *missing; /* IpPermissions that it lacks, as AuthorizeSecurityGroupIngress takes them */
	struct strlist missing_ports; /* the same for people: "3000/tcp" */
};

void security_group_release(struct security_group *g);
/* "slipway-APP", or with the suffix "lb" "slipway-APP.lb"; NULL: without one. free() */
char *security_group_name(const struct deploy_target *t, const char *suffix);
/* The app's own of that suffix in the VPC. A missing one is no error. ports: "3000/tcp". */
int security_group_find(const struct deploy_target *t, const char *suffix, const char *vpc,
			const struct strlist *ports, struct security_group *out, struct error *err);
/* Makes the group in the VPC, and the rules that it lacks. */
int security_group_make(const struct deploy_target *t, const char *vpc, struct security_group *g,
			struct error *err);
/* Adds one of IpPermissions to a group's ingress rules; one that is there already is fine. */
int security_group_allow(const struct deploy_target *t, const char *id, json_t *permission,
			 struct error *err);
/* Groups by ID exist and are in the VPC: ERROR_NOT_FOUND. */
int security_group_check(const struct deploy_target *t, const char *vpc, const struct strlist *ids,
			 struct error *err);
/*
 * Waits while a network interface still uses the group, up to 3 minutes: those of tasks that just ended go by themselves. A missing group is fine.
 */
int security_group_delete(const struct deploy_target *t, const char *id, struct error *err);

/*
 * What ingress rules (ipPermissions of DescribeSecurityGroups) leave out of ports, to everybody over IPv4 and over IPv6: IpPermissions,
 * and the ports as text when list is not NULL. A new reference. ERROR_USAGE for what is no port.
 */
int security_group_missing(const json_t *rules, const struct strlist *ports, json_t **out,
			   struct strlist *list, struct error *err);

CLEANUP_RELEASE(security_group)
