#include "aws/iam_policy.h"

#include <string.h>

#include "aws/endpoint.h"
#include "base/alloc.h"

/* Login: a token is the account's, not a repository's. */
static const char *const LOGIN[] = {"ecr:GetAuthorizationToken", NULL};
static const char *const PUBLIC_LOGIN[] = {"ecr-public:GetAuthorizationToken",
					   "sts:GetServiceBearerToken", NULL};
/* In order: HEAD of a blob, the upload, the manifest, HEAD of a manifest, and what a mount or a cache reads. */
static const char *const PUSH[] = {
	"ecr:BatchCheckLayerAvailability",
	"ecr:InitiateLayerUpload",
	"ecr:UploadLayerPart",
	"ecr:CompleteLayerUpload",
	"ecr:PutImage",
	"ecr:BatchGetImage",
	"ecr:GetDownloadUrlForLayer",
	NULL,
};
/* Everybody may read there. */
static const char *const PUBLIC_PUSH[] = {
	"ecr-public:BatchCheckLayerAvailability",
	"ecr-public:InitiateLayerUpload",
	"ecr-public:UploadLayerPart",
	"ecr-public:CompleteLayerUpload",
	"ecr-public:PutImage",
	NULL,
};
static const char *const CREATE[] = {"ecr:CreateRepository", NULL};
static const char *const PUBLIC_CREATE[] = {"ecr-public:CreateRepository", NULL};

void iam_policy_push_release(struct iam_policy_push *p)
{
	strlist_release(&p->repositories);
	strlist_release(&p->public_repositories);
}

void iam_policy_push_add(struct iam_policy_push *p, const struct ecr_host *host,
			 const char *repository)
{
	AUTO_FREE char *arn = NULL;
	struct strlist *list = &p->repositories;

	if (host->is_public) {
		/* ALIAS/NAME: an alias does not tell its account, and is no part of the ARN. */
		const char *slash = strchr(repository, '/');

		arn = xstrfmt("arn:aws:ecr-public::*:repository/%s",
			      slash ? slash + 1 : repository);
		list = &p->public_repositories;
	} else {
		arn = xstrfmt("arn:%s:ecr:%s:%s:repository/%s", aws_region_partition(host->region),
			      host->region, host->account, repository);
	}
	if (!strlist_has(list, arn))
		strlist_add(list, arn);
}

/* resources NULL: all. */
static void add_statement(json_t *statements, const char *sid, const char *const *actions,
			  const struct strlist *resources)
{
	json_t *list = json_array();

	for (; *actions; actions++)
		json_array_append_new(list, json_string(*actions));
	json_array_append_new(
		statements,
		json_pack("{s:s, s:s, s:o, s:o}", "Sid", sid, "Effect", "Allow", "Action", list,
			  "Resource", resources ? json_from_strlist(resources) : json_string("*")));
}

json_t *iam_policy_push_write(const struct iam_policy_push *p)
{
	json_t *statements = json_array();

	if (p->repositories.n) {
		add_statement(statements, "Login", LOGIN, NULL);
		add_statement(statements, "Push", PUSH, &p->repositories);
		if (p->create)
			add_statement(statements, "Create", CREATE, &p->repositories);
	}
	if (p->public_repositories.n) {
		add_statement(statements, "PublicLogin", PUBLIC_LOGIN, NULL);
		add_statement(statements, "PublicPush", PUBLIC_PUSH, &p->public_repositories);
		if (p->create)
			add_statement(statements, "PublicCreate", PUBLIC_CREATE,
				      &p->public_repositories);
	}
	return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
}
