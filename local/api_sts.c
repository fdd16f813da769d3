/* STS of the local target: who asks, and temporary credentials of a role (AWS Security Token Service API, 2011-06-15). */
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/time.h"
#include "local/api.h"
#include "local/session.h"

#define WEB_IDENTITY    "sts:AssumeRoleWithWebIdentity"
#define LEAST_SECONDS   900
#define MOST_SECONDS    43200
#define DEFAULT_SECONDS 3600
#define USER_ID         "AIDALOCALTARGETUSER00"
#define SESSION_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"

/* "NAME" of "arn:aws:iam::000000000000:role/path/NAME"; NULL: it is the ARN of no role. */
static const char *role_name(const char *arn)
{
	const char *role = strstr(arn, ":role/");

	return role && str_starts(arn, "arn:") ? strrchr(role, '/') + 1 : NULL;
}

static const char *role_id(struct api_call *c, const char *name)
{
	const json_t *role = state_get(c->local->state, STATE_ROLES, name);
	const char *id = json_string_value(json_object_get(role, "RoleId"));

	return id ? id : "AROALOCALTARGETROLE00";
}

/* "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION": its id is the role's and the session's name. */
static char *user_id(struct api_call *c)
{
	const char *role = strstr(c->caller, ":assumed-role/");
	AUTO_FREE char *name = NULL;
	const char *session;

	if (!role)
		return xstrdup(USER_ID);
	role += strlen(":assumed-role/");
	session = strchr(role, '/');
	if (!session)
		return xstrdup(USER_ID);
	name = xstrndup(role, (size_t)(session - role));
	return xstrfmt("%s:%s", role_id(c, name), session + 1);
}

static int get_caller_identity(struct api_call *c)
{
	AUTO_FREE char *id = user_id(c);

	json_object_set_new(c->output, "UserId", json_text(id));
	json_object_set_new(c->output, "Account", json_text(c->account));
	json_object_set_new(c->output, "Arn", json_text(c->caller));
	return 0;
}

static int read_session(struct api_call *c, const char **arn, const char **session,
			int64_t *seconds)
{
	if (api_text(c, "RoleArn", arn) < 0 || api_text(c, "RoleSessionName", session) < 0 ||
	    api_int(c, "DurationSeconds", seconds, DEFAULT_SECONDS) < 0)
		return -1;
	if (!*arn || !role_name(*arn))
		return api_error(c, "ValidationError", "%s is invalid",
				 *arn ? *arn : "RoleArn, which is not there,");
	if (!*session || strlen(*session) < 2 || strlen(*session) > 64 ||
	    strspn(*session, SESSION_LETTERS) != strlen(*session))
		return api_error(c, "ValidationError",
				 "1 validation error detected: Value '%.100s' at 'roleSessionName' "
				 "failed to satisfy constraint: Member must satisfy regular "
				 "expression pattern: [\\w+=,.@-]{2,64}",
				 *session ? *session : "null");
	if (*seconds < LEAST_SECONDS || *seconds > MOST_SECONDS)
		return api_error(c, "ValidationError",
				 "1 validation error detected: Value '%lld' at 'durationSeconds' "
				 "failed to satisfy constraint: Member must have value between %d "
				 "and %d",
				 (long long)*seconds, LEAST_SECONDS, MOST_SECONDS);
	return 0;
}

/* Credentials of a role that exists. */
static int give_credentials(struct api_call *c, const char *arn, const char *session,
			    int64_t seconds)
{
	const char *name = role_name(arn);
	const json_t *role = state_get(c->local->state, STATE_ROLES, name);
	const char *own = json_string_value(json_object_get(role, "Arn"));
	AUTO_FREE char *assumed = xstrfmt("arn:aws:sts::%s:assumed-role/%s/%s", c->account, name,
					  session);
	AUTO_FREE char *id = xstrfmt("%s:%s", role_id(c, name), session);
	AUTO(session) s = SESSION_INIT;
	char until[TIME_TEXT_SIZE];

	if (!own || strcmp(own, arn) != 0)
		return api_error(c, "AccessDenied",
				 "User: %s is not authorized to perform: sts:AssumeRole on "
				 "resource: %s: there is no such role in the local target",
				 c->caller, arn);
	session_make(&s, c->local->secret_key, assumed, time_now() + seconds);
	time_format(s.expires, 0, until);
	json_object_set_new(c->output, "Credentials",
			    json_pack("{s:s, s:s, s:s, s:s}", "AccessKeyId", s.access_key,
				      "SecretAccessKey", s.secret_key, "SessionToken", s.token,
				      "Expiration", until));
	json_object_set_new(c->output, "AssumedRoleUser",
			    json_pack("{s:s, s:s}", "AssumedRoleId", id, "Arn", assumed));
	return 0;
}

static int assume_role(struct api_call *c)
{
	const char *arn, *session;
	int64_t seconds;

	if (read_session(c, &arn, &session, &seconds) < 0)
		return -1;
	return give_credentials(c, arn, session, seconds);
}

static bool names_action(json_t *actions, const char *action)
{
	size_t i;
	json_t *each;

	if (json_is_string(actions))
		return strcmp(json_string_value(actions), action) == 0;
	json_array_foreach (actions, i, each)
		if (json_is_string(each) && strcmp(json_string_value(each), action) == 0)
			return true;
	return false;
}

/* Does the role's trust policy let anybody in by a web identity? */
static bool trusts_tokens(struct api_call *c, const char *arn)
{
	const json_t *role = state_get(c->local->state, STATE_ROLES, role_name(arn));
	const char *text = json_string_value(json_object_get(role, "AssumeRolePolicyDocument"));
	AUTO_JSON *trust = NULL;
	json_t *statements, *each;
	size_t i;

	if (!text || json_parse(&trust, text, strlen(text), "trust policy", NULL) < 0)
		return false;
	statements = json_object_get(trust, "Statement");
	if (json_is_object(statements))
		return names_action(json_object_get(statements, "Action"), WEB_IDENTITY);
	json_array_foreach (statements, i, each)
		if (names_action(json_object_get(each, "Action"), WEB_IDENTITY))
			return true;
	return false;
}

/*
 * Nothing here could tell whose token is good: any is taken. Whoever reaches this port may send one unsigned, so a role must have been made for
 * it.
 */
static int assume_role_with_web_identity(struct api_call *c)
{
	const char *arn, *session, *token;
	int64_t seconds;

	if (read_session(c, &arn, &session, &seconds) < 0 ||
	    api_text(c, "WebIdentityToken", &token) < 0)
		return -1;
	if (!token || !*token)
		return api_error(c, "InvalidIdentityToken",
				 "The web identity token that was passed is not there");
	if (!trusts_tokens(c, arn))
		return api_error(c, "AccessDenied",
				 "Not authorized to perform " WEB_IDENTITY
				 ": the role's trust policy does not allow it");
	if (give_credentials(c, arn, session, seconds) < 0)
		return -1;
	json_object_set_new(c->output, "SubjectFromWebIdentityToken", json_string("local"));
	json_object_set_new(c->output, "Audience", json_string("sts.amazonaws.com"));
	json_object_set_new(c->output, "Provider", json_string("local"));
	return 0;
}

static int get_session_token(struct api_call *c)
{
	return api_error(c, "AccessDenied",
			 "the local target gives no session tokens of its user: use the key pair "
			 "itself, or AssumeRole");
}

const struct api_operation api_sts[] = {
	{"GetCallerIdentity", get_caller_identity, false},
	{"AssumeRole", assume_role, false},
	{"AssumeRoleWithWebIdentity", assume_role_with_web_identity, true},
	{"GetSessionToken", get_session_token, false},
	{0},
};
