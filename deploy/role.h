/* Roles of IAM (API of 2010-05-08), which ECS tasks take: looking one up, making it whole, deleting it. */
#pragma once

#include "base/strmap.h"
#include "deploy/target.h"

#define TAG_REGION "slipway:region" /* roles are the account's: where it was made for */

struct role {
	bool found;
	bool owned;     /* made by slipway for the app, in whichever region */
	bool of_region; /* ... in this one, by its tag */
	bool trusts_tasks;
	char *name, *arn; /* arn NULL while it is missing */
};

void role_release(struct role *r);
/* Letters, digits and _+=,.@-, at most 64: ERROR_USAGE. */
int role_check_name(const char *name, struct error *err);
/* A missing one is no error. ERROR_DENIED with what to ask for. */
int role_find(const struct deploy_target *t, const char *name, struct role *out, struct error *err);
/* For tasks of this account alone, tagged. One that is there already is fine. */
int role_make(const struct deploy_target *t, const char *name, struct error *err);
/* policy: an ARN. Attaching twice is fine. */
int role_attach(const struct deploy_target *t, const char *role, const char *policy,
		struct error *err);
/* The ARNs of what is attached; a missing role has nothing. */
int role_attached(const struct deploy_target *t, const char *role, struct strlist *out,
		  struct error *err);
/* The names of its inline policies; a missing role has none. */
int role_policies(const struct deploy_target *t, const char *role, struct strlist *out,
		  struct error *err);
int role_put_policy(const struct deploy_target *t, const char *role, const char *name,
		    const json_t *document, struct error *err);
/* Is there an inline policy of the name that says just this? */
int role_has_policy(const struct deploy_target *t, const char *role, const char *name,
		    const json_t *document, bool *out, struct error *err);
int role_delete_policy(const struct deploy_target *t, const char *role, const char *name,
		       struct error *err);
/* Detaches and deletes its policies, then the role. Missing is fine. */
int role_delete(const struct deploy_target *t, const char *name, struct error *err);

/* The trust policy of what role_make() makes; a new reference. */
json_t *role_trust(const struct deploy_target *t);
/* Does a trust policy let ecs-tasks.amazonaws.com take the role? */
bool role_trusts_tasks(const json_t *trust);
/* A policy document as IAM answers with it, percent-encoded; a new reference or NULL. */
json_t *role_read_document(const char *text);
/* "slipway-APP-suffix"; a long app is cut and told apart by a hash. free() */
char *role_name(const struct deploy_target *t, const char *suffix);

CLEANUP_RELEASE(role)
