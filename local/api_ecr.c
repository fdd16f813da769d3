/* ECR of the local target: logins and repositories (Amazon ECR API, 2015-09-21). */
#include "local/api_ecr.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/time.h"
#include "local/ecr.h"
#include "local/token.h"
#include "oci/repository.h"

#define TOKEN_SECONDS (12 * 3600)
#define MOST_A_PAGE   1000
#define DEFAULT_PAGE  100
#define MOST_FILTERS  5

int(ecr_bad_parameter)(struct api_call *c, const char *name, const char *why)
{
	return api_error(c, "InvalidParameterException",
			 "Invalid parameter at '%s' failed to satisfy constraint: '%s'", name, why);
}

int ecr_text(struct api_call *c, const char *name, const char **out)
{
	if (api_text(c, name, out) < 0)
		return -1;
	return *out ? 0 : ecr_bad_parameter(c, name, "Member must not be null");
}

static int check_name(struct api_call *c, const char *name)
{
	if (strlen(name) < 2 || strlen(name) > 255)
		return ecr_bad_parameter(c, "repositoryName", "must have length between 2 and 255");
	if (repository_is_name(name))
		return 0;
	return ecr_bad_parameter(
		c, "repositoryName",
		"must satisfy regular expression "
		"'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'");
}

static int no_repository(struct api_call *c, const char *name, const char *registry)
{
	return api_error(
		c, "RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name,
		registry ? registry : c->account);
}

/* The document of the name; NULL after api_error(). */
static json_t *find(struct api_call *c, const char *name)
{
	json_t *document = NULL;
	const char *registry;

	if (api_text(c, "registryId", &registry) < 0)
		return NULL;
	if (!registry || strcmp(registry, c->account) == 0)
		document = state_get(c->local->state, STATE_REPOSITORIES, name);
	if (!document)
		no_repository(c, name, registry);
	return document;
}

json_t *ecr_document(struct api_call *c, const char **name)
{
	return ecr_text(c, "repositoryName", name) < 0 || check_name(c, *name) < 0 ? NULL
										   : find(c, *name);
}

void ecr_output_name(struct api_call *c, const char *name)
{
	json_object_set_new(c->output, "registryId", json_text(c->account));
	json_object_set_new(c->output, "repositoryName", json_text(name));
}

int ecr_save(struct api_call *c, const char *name, json_t *document)
{
	return api_put(c, STATE_REPOSITORIES, name, json_incref(document));
}

/* As it is described: the registry may have another port than when it was made. A new reference. */
static json_t *describe(const struct api_call *c, const json_t *document)
{
	json_t *repository = json_copy(json_object_get(document, "repository"));
	const char *name = json_string_value(json_object_get(repository, "repositoryName"));
	AUTO_FREE char *uri = xstrfmt("127.0.0.1:%d/%s", c->local->port, name);

	json_object_set_new(repository, "repositoryUri", json_text(uri));
	return repository;
}

static int get_authorization_token(struct api_call *c)
{
	int64_t expires = time_now() + TOKEN_SECONDS;
	char *token = token_make(c->local->secret_key, TOKEN_REGISTRY, "AWS", expires);
	char *login = xstrfmt("AWS:%s", token);
	AUTO_FREE char *endpoint = xstrfmt("http://127.0.0.1:%d", c->local->port);
	AUTO(strbuf) text = STRBUF_INIT;

	base64_encode(&text, login, strlen(login));
	json_object_set_new(c->output, "authorizationData",
			    json_pack("[{s:s, s:f, s:s}]", "authorizationToken", text.buf,
				      "expiresAt", (double)expires, "proxyEndpoint", endpoint));
	wipe(text.buf, text.len);
	wipe_free(login);
	wipe_free(token);
	return 0;
}

static int describe_registry(struct api_call *c)
{
	json_object_set_new(c->output, "registryId", json_text(c->account));
	json_object_set_new(c->output, "replicationConfiguration", json_pack("{s:[]}", "rules"));
	return 0;
}

static int check_filters(struct api_call *c, const json_t *filters, bool wanted)
{
	const json_t *filter;
	size_t i;

	if (wanted != (json_array_size(filters) > 0))
		return ecr_bad_parameter(c, "imageTagMutabilityExclusionFilters",
					 wanted ? "Member must not be null"
						: "only goes with a mutability WITH_EXCLUSION");
	if (json_array_size(filters) > MOST_FILTERS)
		return ecr_bad_parameter(c, "imageTagMutabilityExclusionFilters",
					 "Member must have length less than or equal to 5");
	json_array_foreach (filters, i, filter) {
		const char *type = json_string_value(json_object_get(filter, "filterType"));
		const char *text = json_string_value(json_object_get(filter, "filter"));

		if (!type || strcmp(type, "WILDCARD") != 0 || !text || !*text ||
		    strlen(text) > 128 ||
		    strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "._*-") != strlen(text))
			return ecr_bad_parameter(
				c, "imageTagMutabilityExclusionFilters",
				"a filter is of type WILDCARD and matches ^[0-9a-zA-Z._*-]{1,128}$");
	}
	return 0;
}

/* imageTagMutability and what goes with it, into the repository. */
static int set_mutability(struct api_call *c, json_t *repository, const char *word)
{
	static const char *const words[] = {"MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION",
					    "IMMUTABLE_WITH_EXCLUSION"};
	json_t *filters = json_object_get(c->input, "imageTagMutabilityExclusionFilters");

	if (!str_in(word, words, ARRAY_SIZE(words)))
		return ecr_bad_parameter(c, "imageTagMutability",
					 "Member must satisfy enum value set: "
					 "[IMMUTABLE, MUTABLE, IMMUTABLE_WITH_EXCLUSION, "
					 "MUTABLE_WITH_EXCLUSION]");
	if (check_filters(c, filters, str_ends(word, "_WITH_EXCLUSION")) < 0)
		return -1;
	json_object_set_new(repository, "imageTagMutability", json_text(word));
	json_object_del(repository, "imageTagMutabilityExclusionFilters");
	if (json_array_size(filters))
		json_object_set_new(repository, "imageTagMutabilityExclusionFilters",
				    json_deep_copy(filters));
	return 0;
}

bool ecr_document_keeps_tag(const json_t *document, const char *tag)
{
	const json_t *repository = json_object_get(document, "repository"), *filter;
	const char *word = json_string_value(json_object_get(repository, "imageTagMutability"));
	bool immutable = word && str_starts(word, "IMMUTABLE");
	size_t i;

	json_array_foreach (json_object_get(repository, "imageTagMutabilityExclusionFilters"), i,
			    filter) {
		const char *text = json_string_value(json_object_get(filter, "filter"));

		if (text && fnmatch(text, tag, 0) == 0)
			return !immutable;
	}
	return immutable;
}

bool ecr_keeps_tag(void *arg, const char *repository, const char *tag)
{
	struct local *l = arg;
	bool keeps;

	state_lock(l->state);
	keeps = ecr_document_keeps_tag(state_get(l->state, STATE_REPOSITORIES, repository), tag);
	state_unlock(l->state);
	return keeps;
}

static int read_encryption(struct api_call *c, json_t *repository)
{
	const json_t *given = json_object_get(c->input, "encryptionConfiguration");
	const char *type = json_string_value(json_object_get(given, "encryptionType"));

	if (type && strcmp(type, "AES256") != 0)
		return api_error(c, "KmsException",
				 "the local target has no KMS keys: encryptionType is AES256");
	json_object_set_new(repository, "encryptionConfiguration",
			    json_pack("{s:s}", "encryptionType", "AES256"));
	return 0;
}

/* What CreateRepository says of it. A new reference; NULL after api_error(). */
static json_t *read_repository(struct api_call *c, const char *name)
{
	AUTO_FREE char *path = xstrfmt("repository/%s", name);
	AUTO_FREE char *arn = api_arn(c, "ecr", path);
	const json_t *scanning = json_object_get(c->input, "imageScanningConfiguration");
	bool scan = json_is_true(json_object_get(scanning, "scanOnPush"));
	const char *mutability;
	AUTO_JSON *repository = json_pack("{s:s, s:s, s:s, s:o, s:{s:b}}", "repositoryArn", arn,
					  "registryId", c->account, "repositoryName", name,
					  "createdAt", api_now(), "imageScanningConfiguration",
					  "scanOnPush", scan);

	if (api_text(c, "imageTagMutability", &mutability) < 0 ||
	    set_mutability(c, repository, mutability ? mutability : "MUTABLE") < 0 ||
	    read_encryption(c, repository) < 0)
		return NULL;
	return json_incref(repository);
}

static int create_repository(struct api_call *c)
{
	AUTO_JSON *tags = json_array();
	AUTO_JSON *repository = NULL;
	AUTO_JSON *document = NULL;
	AUTO(error) err = ERROR_INIT;
	const char *name;

	if (ecr_text(c, "repositoryName", &name) < 0 || check_name(c, name) < 0)
		return -1;
	if (state_get(c->local->state, STATE_REPOSITORIES, name))
		return api_error(c, "RepositoryAlreadyExistsException",
				 "The repository with name '%s' already exists in the registry "
				 "with id '%s'",
				 name, c->account);
	if (ecr_add_tags(c, tags) < 0)
		return -1;
	repository = read_repository(c, name);
	if (!repository)
		return -1;
	document = json_pack("{s:O, s:O}", "repository", repository, "tags", tags);
	if (repository_make(c->local->store, name, &err) < 0)
		return api_failure(c, &err);
	if (ecr_save(c, name, document) < 0)
		return -1;
	json_object_set_new(c->output, "repository", describe(c, document));
	return 0;
}

static int describe_named(struct api_call *c, const json_t *names, json_t *out)
{
	const json_t *name;
	size_t i;

	if (json_array_size(names) > 100)
		return ecr_bad_parameter(c, "repositoryNames",
					 "Member must have length less than or equal to 100");
	json_array_foreach (names, i, name) {
		const json_t *document;

		if (!json_is_string(name))
			return ecr_bad_parameter(c, "repositoryNames", "Member must be a name");
		document = find(c, json_string_value(name));
		if (!document)
			return -1;
		json_array_append_new(out, describe(c, document));
	}
	return 0;
}

static int describe_repositories(struct api_call *c)
{
	const json_t *names = json_object_get(c->input, "repositoryNames");
	json_t *out = json_array(), *all = state_all(c->local->state, STATE_REPOSITORIES);
	AUTO(strlist) sorted = STRLIST_INIT;
	const char *name;
	json_t *document;
	int64_t size;

	json_object_set_new(c->output, "repositories", out);
	if (json_array_size(names))
		return describe_named(c, names, out);
	if (api_int(c, "maxResults", &size, DEFAULT_PAGE) < 0)
		return -1;
	json_object_foreach (all, name, document)
		strlist_add(&sorted, name);
	strlist_sort(&sorted);
	for (size_t i = 0; i < sorted.n; i++)
		json_array_append_new(out, describe(c, json_object_get(all, sorted.items[i])));
	return api_page(c, out, size > DEFAULT_PAGE ? MOST_A_PAGE : DEFAULT_PAGE);
}

static int count_link(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	(void)d;
	(void)since;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

static int delete_repository(struct api_call *c)
{
	struct local *l = c->local;
	AUTO(error) err = ERROR_INIT;
	size_t images = 0;
	const char *name;
	json_t *document = ecr_document(c, &name);
	bool force;

	if (!document || api_flag(c, "force", &force, false) < 0)
		return -1;
	if (repository_each_link(l->store, name, "manifests", count_link, &images, &err) < 0)
		return api_failure(c, &err);
	if (images && !force)
		return api_error(c, "RepositoryNotEmptyException",
				 "The repository with name '%s' in registry with id '%s' cannot be "
				 "deleted because it still contains images",
				 name, c->account);
	json_object_set_new(c->output, "repository", describe(c, document));
	if (repository_remove(l->store, name, &err) < 0 ||
	    state_remove(l->state, STATE_REPOSITORIES, name, &err) < 0)
		return api_failure(c, &err);
	return 0;
}

static int put_image_tag_mutability(struct api_call *c)
{
	const char *name, *word;
	json_t *document = ecr_document(c, &name), *repository;

	if (!document || ecr_text(c, "imageTagMutability", &word) < 0)
		return -1;
	repository = json_object_get(document, "repository");
	if (set_mutability(c, repository, word) < 0 || ecr_save(c, name, document) < 0)
		return -1;
	ecr_output_name(c, name);
	json_object_set_new(c->output, "imageTagMutability", json_text(word));
	json_object_set(c->output, "imageTagMutabilityExclusionFilters",
			json_object_get(repository, "imageTagMutabilityExclusionFilters"));
	return 0;
}

const struct api_operation api_ecr[] = {
	{.name = "GetAuthorizationToken", .run = get_authorization_token},
	{.name = "DescribeRegistry", .run = describe_registry},
	{.name = "CreateRepository", .run = create_repository},
	{.name = "DescribeRepositories", .run = describe_repositories},
	{.name = "DeleteRepository", .run = delete_repository},
	{.name = "PutImageTagMutability", .run = put_image_tag_mutability},
	{0},
};
