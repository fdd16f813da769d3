/*
 * Where tasks get their addresses: subnets, whether they need public addresses to reach ECR, and security groups (EC2 API of
 * 2016-11-15). All is judged before anything is deployed: a task without a route fails minutes later, with a message about a
 * timeout.
 */
#pragma once

#include "deploy/security_group.h"

enum public_ip { PUBLIC_IP_AUTO, PUBLIC_IP_ENABLED, PUBLIC_IP_DISABLED };

struct network_wanted {
	const struct strlist *subnets;         /* IDs; NULL or empty: the default VPC's */
	const struct strlist *security_groups; /* IDs; NULL or empty: the app's own */
	const struct strlist *ports;           /* "3000/tcp", "53/udp" */
	enum public_ip public_ip;
	bool create_default_vpc; /* where there is none */
	bool secrets;            /* the task reads some: their services are needed as well */
};

struct network {
	bool found; /* false: a default VPC is to be made */
	char *vpc;  /* ID; NULL while it is missing */
	bool is_default;
	struct strlist subnets; /* IDs */
	bool public_ip;         /* assignPublicIp */
	char *note;             /* what is remarkable about the subnets; NULL: nothing */
	bool given_groups;
	struct strlist security_groups; /* IDs; empty while the app's own is missing */
	struct security_group group;    /* the app's own, unless groups are given */
};

void network_release(struct network *n);
/* "auto", "enabled", "disabled" in any case: ERROR_USAGE. */
int public_ip_parse(const char *text, enum public_ip *out, struct error *err);
/* networkConfiguration of RunTask, CreateService and UpdateService; a new reference. */
json_t *network_configuration(const struct network *n);
/*
 * ERROR_NOT_FOUND for subnets and groups that do not exist or do not fit together, for a region without a default VPC, and for subnets
 * from which ECR cannot be reached; each says what to try.
 */
int network_find(const struct deploy_target *t, const struct network_wanted *w, struct network *out,
		 struct error *err);
bool network_is_ready(const struct network *n);
/* A line each of what is there and of what make does. */
void network_plan(const struct network *n, struct strlist *lines);
/* The default VPC when it is wanted and missing, the app's security group and its rules. */
int network_make(const struct deploy_target *t, const struct network_wanted *w, struct network *n,
		 struct error *err);

CLEANUP_RELEASE(network)
