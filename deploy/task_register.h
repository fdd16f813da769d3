/* Task definitions at ECS: what is registered, and registering what differs from it (ECS API Reference). */
#pragma once

#include "deploy/target.h"
#include "deploy/task_definition.h"

/*
 * What ECS has: name is a family (its newest active revision), FAMILY:REVISION or an ARN. td->json NULL and *arn NULL when there is
 * none. free() *arn. Errors as aws_ask().
 */
int task_definition_describe(const struct deploy_target *t, const char *name,
			     struct task_definition *td, char **arn, struct error *err);
/*
 * Makes sure that the family's newest revision is td: registers it when it differs. *arn: of the revision, free(); *made: it is
 * new. Tags count only for what is registered.
 */
int task_definition_register(const struct deploy_target *t, const struct task_definition *td,
			     char **arn, bool *made, struct error *err);
/* Families with an active revision, or the revisions of a family ("web:3", the newest first). */
int task_definition_families(const struct deploy_target *t, struct strlist *out, struct error *err);
int task_definition_revisions(const struct deploy_target *t, const char *family,
			      struct strlist *out, struct error *err);
