/*
 * Secrets Manager of the local target (AWS Secrets Manager API, 2017-10-17): the store that secrets of task definitions are read from. Documents of
 * STATE_SECRETS are those of DescribeSecret with "versions" {ID: {"SecretString" or "SecretBinary", "VersionStages", "CreatedDate"}}; of one that is
 * to be deleted they are "kept", so that nobody finds them.
 */
#include <stdio.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/random.h"
#include "base/time.h"
#include "local/api.h"
#include "local/task_secrets.h"

#define LETTERS       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_LETTERS  LETTERS "/_+=.@-"
#define MOST_BYTES    65536
#define MOST_NAME     512
#define LEAST_DAYS    7
#define MOST_DAYS     30
#define SECONDS_A_DAY 86400
#define INVALID       "InvalidParameterException"
#define CURRENT       "AWSCURRENT"
#define PREVIOUS      "AWSPREVIOUS"

static int save(struct api_call *c, json_t *secret)
{
	return api_put(c, STATE_SECRETS, aws_text(secret, "ARN"), json_incref(secret));
}

/* One whose days are over is gone when somebody looks. */
static json_t *look_up_now(struct api_call *c, const char *id)
{
	json_t *secret = secret_find(c->local->state, id);
	const json_t *deleted = json_object_get(secret, "DeletedDate");
	AUTO(error) err = ERROR_INIT;

	if (!deleted || json_number_value(deleted) > (double)time_now())
		return secret;
	(void)state_remove(c->local->state, STATE_SECRETS, aws_text(secret, "ARN"), &err);
	return NULL;
}

/* *out: of SecretId, one that is to be deleted too. */
static int find(struct api_call *c, json_t **out)
{
	const char *id;

	if (api_text(c, "SecretId", &id) < 0)
		return -1;
	if (!id || !*id)
		return api_error(c, INVALID, "SecretId is to name a secret");
	*out = look_up_now(c, id);
	if (!*out)
		return api_error(c, "ResourceNotFoundException",
				 "Secrets Manager can't find the specified secret.");
	return 0;
}

static int find_live(struct api_call *c, json_t **out)
{
	if (find(c, out) < 0)
		return -1;
	if (json_object_get(*out, "DeletedDate"))
		return api_error(c, "InvalidRequestException",
				 "You can't perform this operation on the secret because it was "
				 "marked for deletion.");
	return 0;
}

/* The value of the input as a new version; *out is NULL when there is none. */
static int read_version(struct api_call *c, json_t **out)
{
	const char *text, *binary;
	AUTO(strbuf) raw = STRBUF_INIT;
	size_t size;

	*out = NULL;
	if (api_text(c, "SecretString", &text) < 0 || api_text(c, "SecretBinary", &binary) < 0)
		return -1;
	if (text && binary)
		return api_error(c, INVALID,
				 "You can't specify both a binary secret value and a string secret "
				 "value in the same secret.");
	if (binary && !base64_decode(&raw, binary, strlen(binary)))
		return api_error(c, "SerializationException", "SecretBinary is to be Base64");
	size = text ? strlen(text) : raw.len;
	if (raw.len)
		wipe(raw.buf, raw.len);
	if (!text && !binary)
		return 0;
	if (size > MOST_BYTES)
		return api_error(c, INVALID, "A secret has at most %d bytes", MOST_BYTES);
	*out = json_pack("{s:s, s:o}", text ? "SecretString" : "SecretBinary", text ? text : binary,
			 "CreatedDate", api_now());
	return 0;
}

static int read_token(struct api_call *c, char token[65])
{
	const char *given;

	if (api_text(c, "ClientRequestToken", &given) < 0)
		return -1;
	if (given && (strlen(given) < 32 || strlen(given) > 64))
		return api_error(c, INVALID, "ClientRequestToken has 32 to 64 characters");
	if (given)
		(void)snprintf(token, 65, "%s", given);
	else
		random_hex(token, 32);
	return 0;
}

static bool same_value(const json_t *a, const json_t *b)
{
	return strcmp(aws_text(a, "SecretString"), aws_text(b, "SecretString")) == 0 &&
	       strcmp(aws_text(a, "SecretBinary"), aws_text(b, "SecretBinary")) == 0;
}

static bool has_stage(const json_t *version, const char *stage)
{
	const json_t *each;
	size_t i;

	json_array_foreach (json_object_get(version, "VersionStages"), i, each)
		if (strcmp(json_string_value(each), stage) == 0)
			return true;
	return false;
}

static void take_stage(json_t *versions, const char *stage)
{
	const char *id;
	json_t *version;

	json_object_foreach (versions, id, version) {
		json_t *stages = json_object_get(version, "VersionStages");

		for (size_t i = json_array_size(stages); i-- > 0;)
			if (strcmp(json_string_value(json_array_get(stages, i)), stage) == 0)
				json_array_remove(stages, i);
	}
}

/* The new one is current, the one that was is the previous; what has no stage left is forgotten. */
static void add_version(json_t *versions, const char *token, json_t *version)
{
	const char *id;
	json_t *each;
	void *next;

	json_object_foreach (versions, id, each) {
		if (has_stage(each, CURRENT)) {
			take_stage(versions, PREVIOUS);
			json_array_append_new(json_object_get(each, "VersionStages"),
					      json_string(PREVIOUS));
			break;
		}
	}
	take_stage(versions, CURRENT);
	json_object_set_new(version, "VersionStages", json_pack("[s]", CURRENT));
	json_object_set(versions, token, version);
	json_object_foreach_safe(versions, next, id,
				 each) if (!json_array_size(json_object_get(each, "VersionStages")))
		json_object_del(versions, id);
}

/* Sent again with the same token it is the same version, or an error when the value is another. */
static int put_version(struct api_call *c, json_t *secret, const char *token, json_t *version)
{
	json_t *versions = json_object_get(secret, "versions");
	const json_t *old = json_object_get(versions, token);

	if (old && !same_value(old, version))
		return api_error(c, "ResourceExistsException",
				 "You can't use ClientRequestToken %s because that value is "
				 "already in use for a version of secret %s.",
				 token, aws_text(secret, "ARN"));
	if (!old)
		add_version(versions, token, version);
	json_object_set_new(secret, "LastChangedDate", api_now());
	return 0;
}

static void show(struct api_call *c, const json_t *secret, const char *version)
{
	json_object_set(c->output, "ARN", json_object_get(secret, "ARN"));
	json_object_set(c->output, "Name", json_object_get(secret, "Name"));
	if (version)
		json_object_set_new(c->output, "VersionId", json_text(version));
}

static int check_name(struct api_call *c, const char *name)
{
	const json_t *secret;

	if (!name || !*name || strlen(name) > MOST_NAME ||
	    strspn(name, NAME_LETTERS) != strlen(name))
		return api_error(c, "ValidationException",
				 "Invalid name. Must be a valid name containing alphanumeric "
				 "characters, or any of the following: -/_+=.@!");
	secret = look_up_now(c, name);
	if (!secret)
		return 0;
	if (json_object_get(secret, "DeletedDate"))
		return api_error(c, "InvalidRequestException",
				 "You can't create this secret because a secret with this name is "
				 "already scheduled for deletion.");
	return api_error(c, "ResourceExistsException",
			 "The operation failed because the secret %s already exists.", name);
}

static int create_secret(struct api_call *c)
{
	const char *name, *about;
	char token[65], letters[SECRET_SUFFIX + 1];
	AUTO_FREE char *what = NULL, *arn = NULL;
	AUTO_JSON *version = NULL;
	AUTO_JSON *secret = NULL;
	json_t *tags = json_object_get(c->input, "Tags");

	if (api_text(c, "Name", &name) < 0 || api_text(c, "Description", &about) < 0 ||
	    check_name(c, name) < 0 || read_token(c, token) < 0 || read_version(c, &version) < 0)
		return -1;
	random_letters(letters, SECRET_SUFFIX, LETTERS);
	what = xstrfmt("secret:%s-%s", name, letters);
	arn = api_arn(c, "secretsmanager", what);
	secret = json_pack("{s:s, s:s, s:o, s:o, s:O?, s:{}}", "ARN", arn, "Name", name,
			   "CreatedDate", api_now(), "LastChangedDate", api_now(), "Tags", tags,
			   "versions");
	if (about)
		json_object_set_new(secret, "Description", json_text(about));
	if ((version && put_version(c, secret, token, version) < 0) || save(c, secret) < 0)
		return -1;
	show(c, secret, version ? token : NULL);
	return 0;
}

static int find_version(struct api_call *c, const json_t *secret, const char **id,
			const json_t **version)
{
	json_t *versions = json_object_get(secret, "versions"), *each;
	const char *wanted, *stage, *key;

	if (api_text(c, "VersionId", &wanted) < 0 || api_text(c, "VersionStage", &stage) < 0)
		return -1;
	json_object_foreach (versions, key, each) {
		if ((wanted ? strcmp(key, wanted) == 0
			    : has_stage(each, stage ? stage : CURRENT)) &&
		    (!wanted || !stage || has_stage(each, stage))) {
			*id = key;
			*version = each;
			return 0;
		}
	}
	return api_error(c, "ResourceNotFoundException",
			 "Secrets Manager can't find the specified secret value for %s: %.100s",
			 wanted ? "VersionId" : "staging label",
			 wanted  ? wanted
			 : stage ? stage
				 : CURRENT);
}

static int get_secret_value(struct api_call *c)
{
	const json_t *version = NULL;
	const char *id = NULL;
	json_t *secret;

	if (find_live(c, &secret) < 0 || find_version(c, secret, &id, &version) < 0)
		return -1;
	json_object_update(c->output, (json_t *)(uintptr_t)version);
	show(c, secret, id);
	return 0;
}

static int put_secret_value(struct api_call *c)
{
	AUTO_JSON *version = NULL;
	json_t *secret;
	char token[65];

	if (find_live(c, &secret) < 0 || read_token(c, token) < 0 || read_version(c, &version) < 0)
		return -1;
	if (json_object_get(c->input, "VersionStages"))
		return api_error(c, INVALID,
				 "the local target moves the staging labels AWSCURRENT and "
				 "AWSPREVIOUS alone: leave VersionStages away");
	if (!version)
		return api_error(c, INVALID,
				 "You must provide either SecretString or SecretBinary.");
	if (put_version(c, secret, token, version) < 0 || save(c, secret) < 0)
		return -1;
	show(c, secret, token);
	json_object_set_new(c->output, "VersionStages", json_pack("[s]", CURRENT));
	return 0;
}

static int update_secret(struct api_call *c)
{
	AUTO_JSON *version = NULL;
	const char *about;
	json_t *secret;
	char token[65];

	if (find_live(c, &secret) < 0 || api_text(c, "Description", &about) < 0 ||
	    read_token(c, token) < 0 || read_version(c, &version) < 0)
		return -1;
	if (version && put_version(c, secret, token, version) < 0)
		return -1;
	if (about)
		json_object_set_new(secret, "Description", json_text(about));
	if (save(c, secret) < 0)
		return -1;
	show(c, secret, version ? token : NULL);
	return 0;
}

/* Without values. */
static json_t *described(const json_t *secret, const char *stages_name)
{
	json_t *out = json_copy((json_t *)(uintptr_t)secret), *stages = json_object(), *version;
	const char *id;

	json_object_foreach (json_object_get(out, "versions"), id, version)
		json_object_set(stages, id, json_object_get(version, "VersionStages"));
	json_object_del(out, "versions");
	json_object_del(out, "kept");
	if (!json_object_get(out, "Tags") || json_is_null(json_object_get(out, "Tags")))
		json_object_set_new(out, "Tags", json_array());
	json_object_set_new(out, stages_name, stages);
	return out;
}

static int describe_secret(struct api_call *c)
{
	json_t *secret;

	if (find(c, &secret) < 0)
		return -1;
	json_decref(c->output);
	c->output = described(secret, "VersionIdsToStages");
	return 0;
}

/* Filters of names: by their beginnings; "!" before one means the others. */
static int is_listed(struct api_call *c, const char *name, bool *out)
{
	const json_t *filter, *value;
	size_t i, k;

	*out = true;
	json_array_foreach (json_object_get(c->input, "Filters"), i, filter) {
		bool any = false;

		if (strcmp(aws_text(filter, "Key"), "name") != 0)
			return api_error(c, INVALID,
					 "the local target filters secrets by name alone");
		json_array_foreach (json_object_get(filter, "Values"), k, value) {
			const char *text = json_is_string(value) ? json_string_value(value) : "";
			bool negated = *text == '!';

			any = any || str_starts(name, text + negated) != negated;
		}
		*out = *out && any;
	}
	return 0;
}

static int list_secrets(struct api_call *c)
{
	json_t *list = json_array(), *secret;
	const char *arn;
	bool all, listed;

	json_object_set_new(c->output, "SecretList", list);
	if (api_flag(c, "IncludePlannedDeletion", &all, false) < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_SECRETS), arn, secret) {
		if (is_listed(c, aws_text(secret, "Name"), &listed) < 0)
			return -1;
		if (listed && (all || !json_object_get(secret, "DeletedDate")))
			json_array_append_new(list, described(secret, "SecretVersionsToStages"));
	}
	return api_page(c, list, 100);
}

static int delete_secret(struct api_call *c)
{
	int64_t days;
	json_t *secret;
	bool now;

	if (find(c, &secret) < 0 || api_flag(c, "ForceDeleteWithoutRecovery", &now, false) < 0 ||
	    api_int(c, "RecoveryWindowInDays", &days, MOST_DAYS) < 0)
		return -1;
	if (now && json_object_get(c->input, "RecoveryWindowInDays"))
		return api_error(c, INVALID,
				 "You can't use ForceDeleteWithoutRecovery in conjunction with "
				 "RecoveryWindowInDays.");
	if (days < LEAST_DAYS || days > MOST_DAYS)
		return api_error(c, INVALID,
				 "The RecoveryWindowInDays value must be between %d and %d days "
				 "(inclusive).",
				 LEAST_DAYS, MOST_DAYS);
	show(c, secret, NULL);
	json_object_set_new(
		c->output, "DeletionDate",
		json_real((double)time_now() + (now ? 0.0 : (double)days * SECONDS_A_DAY)));
	if (now)
		return api_remove(c, STATE_SECRETS, aws_text(c->output, "ARN"));
	json_object_set(secret, "DeletedDate", json_object_get(c->output, "DeletionDate"));
	if (json_object_get(secret, "versions")) {
		json_object_set(secret, "kept", json_object_get(secret, "versions"));
		json_object_del(secret, "versions");
	}
	return save(c, secret);
}

static int restore_secret(struct api_call *c)
{
	json_t *secret;

	if (find(c, &secret) < 0)
		return -1;
	show(c, secret, NULL);
	if (!json_object_get(secret, "DeletedDate"))
		return 0;
	json_object_del(secret, "DeletedDate");
	json_object_set(secret, "versions", json_object_get(secret, "kept"));
	json_object_del(secret, "kept");
	return save(c, secret);
}

const struct api_operation api_secretsmanager[] = {
	{"CreateSecret", create_secret, false},
	{"GetSecretValue", get_secret_value, false},
	{"PutSecretValue", put_secret_value, false},
	{"UpdateSecret", update_secret, false},
	{"DescribeSecret", describe_secret, false},
	{"ListSecrets", list_secrets, false},
	{"DeleteSecret", delete_secret, false},
	{"RestoreSecret", restore_secret, false},
	{0},
};
