#include "local/task_secrets.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "deploy/task_json.h"

#define RETRIEVAL                                                                          \
	"ResourceInitializationError: unable to pull secrets or registry auth: execution " \
	"resource retrieval failed: "
#define ASM RETRIEVAL "unable to retrieve secret from asm: "
#define SSM RETRIEVAL "unable to retrieve secrets from ssm: "

/* arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key:stage:version] */
#define ARN_PARTS 7

struct secret_name {
	char *arn;
	char *key, *stage, *version; /* "": not given */
};

static void secret_name_release(struct secret_name *n)
{
	free(n->arn);
	free(n->key);
	free(n->stage);
	free(n->version);
}
CLEANUP_RELEASE(secret_name)

static char *part(const struct strlist *parts, size_t i)
{
	return xstrdup(i < parts->n ? parts->items[i] : "");
}

static void split_name(struct secret_name *out, const char *text)
{
	AUTO(strlist) parts = STRLIST_INIT;
	AUTO(strlist) head = STRLIST_INIT;

	strlist_split(&parts, text, ':');
	for (size_t i = 0; i < parts.n && i < ARN_PARTS; i++)
		strlist_add(&head, parts.items[i]);
	out->arn = strlist_join(&head, ":");
	out->key = part(&parts, ARN_PARTS);
	out->stage = part(&parts, ARN_PARTS + 1);
	out->version = part(&parts, ARN_PARTS + 2);
}

static bool has_stage(const json_t *version, const char *stage)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(version, "VersionStages"), i, item)
		if (strcmp(task_json_string(item), stage) == 0)
			return true;
	return false;
}

/* The version asked for, else the current one; NULL: there is none. */
static const json_t *find_version(const json_t *secret, const struct secret_name *n)
{
	json_t *versions = json_object_get(secret, "versions"), *version;
	const char *id;

	json_object_foreach (versions, id, version) {
		bool is_it = *n->version ? strcmp(id, n->version) == 0
					 : has_stage(version, *n->stage ? n->stage : "AWSCURRENT");

		if (is_it && (!*n->stage || has_stage(version, n->stage)))
			return version;
	}
	return NULL;
}

/* One member of a secret that is a JSON object. */
static char *take_member(const char *text, const struct secret_name *n, char **reason)
{
	AUTO_JSON *object = NULL;
	json_t *member;

	if (json_parse(&object, text, strlen(text), "the secret", NULL) < 0 ||
	    !json_is_object(object)) {
		*reason = xstrfmt(ASM "invalid character in the value of %s: it is no JSON object "
				      "that \"%s\" could be taken of",
				  n->arn, n->key);
		return NULL;
	}
	member = json_object_get(object, n->key);
	if (!member) {
		*reason = xstrfmt(ASM "retrieved secret from Secrets Manager did not contain json "
				      "key %s",
				  n->key);
		return NULL;
	}
	if (json_is_string(member))
		return xstrdup(json_string_value(member));
	return json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* An ARN, with or without the letters at its end, or a name. */
static bool is_called(const char *arn, const json_t *secret, const char *id)
{
	size_t n = strlen(arn);

	return strcmp(id, arn) == 0 || strcmp(id, aws_text(secret, "Name")) == 0 ||
	       (n > SECRET_SUFFIX && strlen(id) == n - SECRET_SUFFIX - 1 &&
		strncmp(id, arn, strlen(id)) == 0);
}

json_t *secret_find(struct state *s, const char *id)
{
	const char *arn;
	json_t *secret;

	json_object_foreach (state_all(s, STATE_SECRETS), arn, secret)
		if (is_called(arn, secret, id))
			return secret;
	return NULL;
}

/* With the state's lock held; the value is secret: wipe_free(). */
static char *read_secret(struct state *s, const char *from, char **reason)
{
	AUTO(secret_name) n = {0};
	const json_t *secret, *version;
	const char *text;

	split_name(&n, from);
	secret = secret_find(s, n.arn);
	version = find_version(secret, &n);
	text = aws_text(version, "SecretString");
	if (!secret || !version) {
		*reason = xstrfmt(ASM "service call has been retried 1 time(s): failed to fetch "
				      "secret %s from secrets manager: ResourceNotFoundException: "
				      "Secrets Manager can't find the specified secret%s.",
				  n.arn, secret ? " value for staging label or version" : "");
		return NULL;
	}
	if (!json_object_get(version, "SecretString")) {
		*reason = xstrfmt(
			ASM "the secret %s is binary: it cannot be an environment variable", n.arn);
		return NULL;
	}
	return *n.key ? take_member(text, &n, reason) : xstrdup(text);
}

static char *read_parameter(struct state *s, const char *from, char **reason)
{
	const char *name = strstr(from, ":parameter");
	const json_t *parameter;

	/* An ARN has one slash before the name, whether the name begins with one or not. */
	name = name ? name + strlen(":parameter") : from;
	parameter = state_get(s, STATE_PARAMETERS, name);
	if (!parameter && *name == '/')
		parameter = state_get(s, STATE_PARAMETERS, name + 1);
	if (parameter)
		return xstrdup(aws_text(parameter, "Value"));
	*reason = xstrfmt(SSM "service call has been retried 1 time(s): invalid ssm parameters: %s",
			  from);
	return NULL;
}

int task_secrets_read(struct strmap *env, struct state *s, const json_t *secrets, char **reason)
{
	const json_t *item;
	size_t i;

	json_array_foreach (secrets, i, item) {
		const char *from = aws_text(item, "valueFrom");
		char *value;

		state_lock(s);
		value = strstr(from, ":secretsmanager:") ? read_secret(s, from, reason)
							 : read_parameter(s, from, reason);
		state_unlock(s);
		if (!value)
			return -1;
		strmap_set(env, aws_text(item, "name"), value);
		wipe_free(value);
	}
	return 0;
}
