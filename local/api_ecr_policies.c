/* ECR of the local target: what is kept with a repository, and does nothing here: policies, tags, scanning. */
#include <string.h>

#include "base/alloc.h"
#include "local/api_ecr.h"

#define LIFECYCLE     "lifecyclePolicyText"
#define POLICY        "policyText"
#define MOST_TAGS     50
#define MOST_BYTES    30720
#define POLICY_BYTES  10240
#define TAG_KEY_BYTES 128
#define TAG_BYTES     256

static void output_policy(struct api_call *c, const char *name, const char *member, json_t *text)
{
	ecr_output_name(c, name);
	json_object_set(c->output, member, text);
}

/* An object, with this member an array when one is wanted. */
static bool is_document(const char *text, const char *member)
{
	AUTO_JSON *j = NULL;

	return json_parse(&j, text, strlen(text), "policy", NULL) == 0 && json_is_object(j) &&
	       json_is_array(json_object_get(j, member));
}

static int put_lifecycle_policy(struct api_call *c)
{
	const char *name, *text;
	json_t *document = ecr_document(c, &name);

	if (!document || ecr_text(c, LIFECYCLE, &text) < 0)
		return -1;
	if (strlen(text) > MOST_BYTES || !is_document(text, "rules"))
		return ecr_bad_parameter(c, "LifecyclePolicyText",
					 "Lifecycle policy validation failure: a JSON object with "
					 "an array \"rules\", of at most 30720 bytes, is wanted");
	json_object_set_new(document, LIFECYCLE, json_text(text));
	if (ecr_save(c, name, document) < 0)
		return -1;
	output_policy(c, name, LIFECYCLE, json_object_get(document, LIFECYCLE));
	return 0;
}

/* A policy is looked at, and goes when it is to be removed. */
static int get_policy(struct api_call *c, const char *member, bool remove, const char *code,
		      const char *what)
{
	const char *name;
	json_t *document = ecr_document(c, &name), *text;

	if (!document)
		return -1;
	text = json_object_get(document, member);
	if (!text)
		return api_error(c, code,
				 "%s does not exist for the repository with name '%s' in the "
				 "registry with id '%s'",
				 what, name, c->account);
	output_policy(c, name, member, text);
	if (!remove)
		return 0;
	json_object_del(document, member);
	return ecr_save(c, name, document);
}

static int get_lifecycle_policy(struct api_call *c)
{
	return get_policy(c, LIFECYCLE, false, "LifecyclePolicyNotFoundException",
			  "Lifecycle policy");
}

static int delete_lifecycle_policy(struct api_call *c)
{
	return get_policy(c, LIFECYCLE, true, "LifecyclePolicyNotFoundException",
			  "Lifecycle policy");
}

static int refuse_preview(struct api_call *c)
{
	return api_error(c, "ValidationException",
			 "the local target keeps lifecycle policies and does not evaluate them: "
			 "there is no preview");
}

static int set_repository_policy(struct api_call *c)
{
	const char *name, *text;
	json_t *document = ecr_document(c, &name);

	if (!document || ecr_text(c, POLICY, &text) < 0)
		return -1;
	if (strlen(text) > POLICY_BYTES || !is_document(text, "Statement"))
		return ecr_bad_parameter(c, "PolicyText", "Invalid repository policy provided");
	json_object_set_new(document, POLICY, json_text(text));
	if (ecr_save(c, name, document) < 0)
		return -1;
	output_policy(c, name, POLICY, json_object_get(document, POLICY));
	return 0;
}

static int get_repository_policy(struct api_call *c)
{
	return get_policy(c, POLICY, false, "RepositoryPolicyNotFoundException",
			  "Repository policy");
}

static int delete_repository_policy(struct api_call *c)
{
	return get_policy(c, POLICY, true, "RepositoryPolicyNotFoundException",
			  "Repository policy");
}

static int put_image_scanning_configuration(struct api_call *c)
{
	const json_t *given = json_object_get(c->input, "imageScanningConfiguration");
	const char *name;
	json_t *document = ecr_document(c, &name), *configuration;

	if (!document)
		return -1;
	if (!json_is_object(given))
		return ecr_bad_parameter(c, "imageScanningConfiguration",
					 "Member must not be null");
	configuration = json_pack("{s:b}", "scanOnPush",
				  json_is_true(json_object_get(given, "scanOnPush")));
	json_object_set_new(json_object_get(document, "repository"), "imageScanningConfiguration",
			    configuration);
	if (ecr_save(c, name, document) < 0)
		return -1;
	ecr_output_name(c, name);
	json_object_set(c->output, "imageScanningConfiguration", configuration);
	return 0;
}

/* The document of the repository that resourceArn names; NULL after api_error(). */
static json_t *find_resource(struct api_call *c, const char **name)
{
	AUTO_FREE char *prefix = api_arn(c, "ecr", "repository/");
	json_t *document = NULL;
	const char *arn;

	if (ecr_text(c, "resourceArn", &arn) < 0)
		return NULL;
	if (str_starts(arn, prefix)) {
		*name = arn + strlen(prefix);
		document = state_get(c->local->state, STATE_REPOSITORIES, *name);
	}
	if (!document)
		api_error(c, "RepositoryNotFoundException", "The repository %s does not exist",
			  arn);
	return document;
}

static size_t find_tag(const json_t *tags, const char *key)
{
	size_t i = 0;

	for (; i < json_array_size(tags); i++) {
		const char *have = json_string_value(
			json_object_get(json_array_get(tags, i), "Key"));

		if (have && strcmp(have, key) == 0)
			break;
	}
	return i;
}

int ecr_add_tags(struct api_call *c, json_t *tags)
{
	const json_t *given = json_object_get(c->input, "tags");
	json_t *tag;
	size_t i;

	json_array_foreach (given, i, tag) {
		const char *key = json_string_value(json_object_get(tag, "Key"));
		const char *value = json_string_value(json_object_get(tag, "Value"));
		size_t at;

		if (!key || !*key || strlen(key) > TAG_KEY_BYTES || !value ||
		    strlen(value) > TAG_BYTES)
			return api_error(c, "InvalidTagParameterException",
					 "a tag has a Key of 1 to %d bytes and a Value of at most "
					 "%d",
					 TAG_KEY_BYTES, TAG_BYTES);
		at = find_tag(tags, key);
		if (at < json_array_size(tags))
			json_array_set(tags, at, tag);
		else
			json_array_append(tags, tag);
	}
	if (json_array_size(tags) > MOST_TAGS)
		return api_error(c, "TooManyTagsException", "a repository has at most %d tags",
				 MOST_TAGS);
	return 0;
}

static int tag_resource(struct api_call *c)
{
	const char *name;
	json_t *document = find_resource(c, &name);
	AUTO_JSON *tags = NULL;

	if (!document)
		return -1;
	tags = json_deep_copy(json_object_get(document, "tags"));
	if (ecr_add_tags(c, tags) < 0)
		return -1;
	json_object_set(document, "tags", tags);
	return ecr_save(c, name, document);
}

static int untag_resource(struct api_call *c)
{
	const char *name;
	json_t *document = find_resource(c, &name), *tags, *key;
	size_t i;

	if (!document)
		return -1;
	tags = json_object_get(document, "tags");
	json_array_foreach (json_object_get(c->input, "tagKeys"), i, key) {
		if (json_is_string(key))
			json_array_remove(tags, find_tag(tags, json_string_value(key)));
	}
	return ecr_save(c, name, document);
}

static int list_tags_for_resource(struct api_call *c)
{
	const char *name;
	json_t *document = find_resource(c, &name);

	if (!document)
		return -1;
	json_object_set(c->output, "tags", json_object_get(document, "tags"));
	return 0;
}

const struct api_operation api_ecr_policies[] = {
	{.name = "PutLifecyclePolicy", .run = put_lifecycle_policy},
	{.name = "GetLifecyclePolicy", .run = get_lifecycle_policy},
	{.name = "DeleteLifecyclePolicy", .run = delete_lifecycle_policy},
	{.name = "StartLifecyclePolicyPreview", .run = refuse_preview},
	{.name = "GetLifecyclePolicyPreview", .run = refuse_preview},
	{.name = "SetRepositoryPolicy", .run = set_repository_policy},
	{.name = "GetRepositoryPolicy", .run = get_repository_policy},
	{.name = "DeleteRepositoryPolicy", .run = delete_repository_policy},
	{.name = "PutImageScanningConfiguration", .run = put_image_scanning_configuration},
	{.name = "TagResource", .run = tag_resource},
	{.name = "UntagResource", .run = untag_resource},
	{.name = "ListTagsForResource", .run = list_tags_for_resource},
	{0},
};
