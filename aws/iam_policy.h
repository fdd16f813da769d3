/* Policies of IAM for what slipway does: the least that it needs (IAM User Guide, JSON policy elements; ECR's actions and resources). */
#pragma once

#include "aws/ecr.h"
#include "base/json.h"
#include "base/strlist.h"

struct iam_policy_push {
	struct strlist repositories;        /* ARNs of private ones */
	struct strlist public_repositories; /* ARNs at public.ecr.aws */
	bool create;                        /* may make them */
};

void iam_policy_push_release(struct iam_policy_push *p);
/* One more repository that is pushed to. */
void iam_policy_push_add(struct iam_policy_push *p, const struct ecr_host *host,
			 const char *repository);
/* The policy document; json_decref(). */
json_t *iam_policy_push_write(const struct iam_policy_push *p);

CLEANUP_RELEASE(iam_policy_push)
