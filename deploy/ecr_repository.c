#include "deploy/ecr_repository.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/reference.h"

#define MIN_NAME 2
#define MAX_NAME 256

void ecr_repository_release(struct ecr_repository *r)
{
	if (!r)
		return;
	free(r->name);
	free(r->uri);
	free(r->arn);
	free(r->mutability);
	*r = (struct ecr_repository){0};
}

void ecr_repositories_free(struct ecr_repository *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ecr_repository_release(&list[i]);
	free(list);
}

int ecr_repository_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len < MIN_NAME || len > MAX_NAME || image_ref_check_path(name))
		return error_set(err, ERROR_USAGE,
				 "invalid repository \"%s\": small letters and digits with single "
				 ". _ - / between, %d to %d characters",
				 name, MIN_NAME, MAX_NAME);
	return 0;
}

/* A date is seconds with a fraction. */
static int64_t read_date(const json_t *j, const char *key)
{
	return (int64_t)json_number_value(json_object_get(j, key));
}

static void read_repository(const json_t *j, struct ecr_repository *out)
{
	ecr_repository_release(out);
	*out = (struct ecr_repository){
		.found = true,
		.name = xstrdup(aws_text(j, "repositoryName")),
		.uri = xstrdup(aws_text(j, "repositoryUri")),
		.arn = xstrdup(aws_text(j, "repositoryArn")),
		.mutability = xstrdup(aws_text(j, "imageTagMutability")),
		.created = read_date(j, "createdAt"),
	};
}

static void read_missing(const struct deploy_target *t, const char *name,
			 struct ecr_repository *out)
{
	AUTO_FREE char *what = xstrfmt("repository/%s", name);

	ecr_repository_release(out);
	*out = (struct ecr_repository){
		.name = xstrdup(name),
		.uri = xstrfmt("%s.dkr.ecr.%s.%s/%s", t->account, t->region,
			       aws_region_suffix(t->region), name),
		.arn = deploy_target_arn(t, "ecr", what),
	};
}

int ecr_repository_find(const struct deploy_target *t, const char *name, struct ecr_repository *out,
			struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;
	struct aws_question q = {
		.service = AWS_ECR,
		.operation = "DescribeRepositories",
		.fine = {"RepositoryNotFoundException"},
	};
	const json_t *found;

	if (ecr_repository_check_name(name, err) < 0)
		return -1;
	q.params = params = json_pack("{s:[s]}", "repositoryNames", name);
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "look for the repository %s", name);
	found = json_array_get(json_object_get(reply.json, "repositories"), 0);
	if (found)
		read_repository(found, out);
	else
		read_missing(t, name, out);
	return 0;
}

char *ecr_repository_lifecycle(int64_t keep_last)
{
	AUTO_JSON *policy = json_pack("{s:[{s:i, s:s, s:{s:s, s:s, s:I}, s:{s:s}}]}", "rules",
				      "rulePriority", 1, "description",
				      "slipway: keep the newest images", "selection", "tagStatus",
				      "any", "countType", "imageCountMoreThan", "countNumber",
				      (json_int_t)keep_last, "action", "type", "expire");
	AUTO(strbuf) text = STRBUF_INIT;

	json_write(policy, &text);
	return strbuf_detach(&text, NULL);
}

static int put_lifecycle(const struct deploy_target *t, const char *name, int64_t keep_last,
			 struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_FREE char *policy = ecr_repository_lifecycle(keep_last);
	AUTO_JSON *params = json_pack("{s:s, s:s}", "repositoryName", name, "lifecyclePolicyText",
				      policy);
	const struct aws_question q = {
		.service = AWS_ECR, .operation = "PutLifecyclePolicy", .params = params};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "let the repository %s keep its newest %lld images", name,
				  (long long)keep_last);
	return 0;
}

int ecr_repository_make(const struct deploy_target *t, const char *name,
			const struct ecr_repository_options *o, struct ecr_repository *out,
			bool *made, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;
	struct aws_question q = {
		.service = AWS_ECR,
		.operation = "CreateRepository",
		.fine = {"RepositoryAlreadyExistsException"},
	};

	if (ecr_repository_check_name(name, err) < 0)
		return -1;
	q.params = params = json_pack(
		"{s:s, s:s, s:{s:b}, s:o}", "repositoryName", name, "imageTagMutability",
		o->immutable_tags ? "IMMUTABLE" : "MUTABLE", "imageScanningConfiguration",
		"scanOnPush", !o->no_scan, "tags", deploy_target_tags(t, "Key", "Value"));
	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "make the repository %s", name);
	if (made)
		*made = !reply.code;
	if (reply.code)
		return ecr_repository_find(t, name, out, err);
	read_repository(json_object_get(reply.json, "repository"), out);
	return o->keep_last ? put_lifecycle(t, name, o->keep_last, err) : 0;
}

int ecr_repository_owned(const struct deploy_target *t, const struct ecr_repository *r, bool *owned,
			 struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s}", "resourceArn", r->arn);
	const struct aws_question q = {
		.service = AWS_ECR, .operation = "ListTagsForResource", .params = params};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "read the tags of the repository %s", r->name);
	*owned = deploy_target_owns(t, json_object_get(reply.json, "tags"));
	return 0;
}

int ecr_repository_delete(const struct deploy_target *t, const char *name, bool images,
			  bool *not_empty, struct error *err)
{
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = json_pack("{s:s, s:b}", "repositoryName", name, "force", images);
	const struct aws_question q = {
		.service = AWS_ECR,
		.operation = "DeleteRepository",
		.params = params,
		.fine = {"RepositoryNotFoundException"},
	};
	int r = aws_ask(t->aws, &q, &reply, err);

	if (not_empty)
		*not_empty = aws_reply_is(&reply, "RepositoryNotEmptyException");
	return r < 0 ? error_wrap(err, "delete the repository %s", name) : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ecr_repository *)a)->name,
		      ((const struct ecr_repository *)b)->name);
}

int ecr_repository_list(const struct deploy_target *t, struct ecr_repository **out, size_t *n,
			struct error *err)
{
	AUTO_JSON *params = json_object();
	AUTO_JSON *all = NULL;
	const struct aws_question q = {
		.service = AWS_ECR, .operation = "DescribeRepositories", .params = params};
	const json_t *one;
	size_t i;

	if (aws_ask_all(t->aws, &q, "repositories", &all, err) < 0)
		return error_wrap(err, "list the repositories");
	*n = json_array_size(all);
	*out = xcalloc(*n + 1, sizeof(**out));
	json_array_foreach (all, i, one)
		read_repository(one, &(*out)[i]);
	qsort(*out, *n, sizeof(**out), by_name);
	return 0;
}
