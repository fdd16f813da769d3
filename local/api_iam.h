/* What the files of the local target's IAM share. Documents of STATE_ROLES are those of GetRole, with "AttachedPolicies" [ARN] and "Inline" {NAME: text}. */
#pragma once

#include "local/api.h"

/* The role that RoleName of the input names; -1: NoSuchEntity or ValidationError. */
int iam_role(struct api_call *c, json_t **role);
/* A text that has to be there and is made of letters, digits and _+=,.@-, at most so many. */
int iam_name(struct api_call *c, const char *member, size_t most, const char **out);
/* Writes the role back after a change. */
int iam_save(struct api_call *c, json_t *role);
/* An array as the output's member, cut to a page: Marker and IsTruncated besides. Takes the reference. */
int iam_list(struct api_call *c, const char *member, json_t *array);
/* Text of a policy: JSON with statements that each have Effect, Action and the member wanted (Principal, Resource). */
int iam_check_policy(struct api_call *c, const char *text, const char *wanted);
/* As IAM gives documents: URL-encoded. */
json_t *iam_encode(const char *text);
