#include "registry/auth.h"

#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "registry/challenge.h"
#include "registry/token.h"

enum auth_mode { AUTH_UNKNOWN, AUTH_BASIC, AUTH_BEARER };

struct known_login {
	char *repository; /* "" for none */
	struct login login;
	bool found;
};

/* The token of a set of scopes; scopes may hold more than was asked for, as a challenge demanded. */
struct known_token {
	char *key;
	struct strlist scopes;
	struct token token;
};

struct auth {
	pthread_mutex_t lock; /* held while a token is fetched: the others wait for that token */
	enum auth_mode mode;
	char *realm, *service;
	struct known_login *logins;
	size_t n_logins, logins_cap;
	struct known_token *tokens;
	size_t n_tokens, tokens_cap;
	struct login given;
	bool is_given;
};

struct auth *auth_new(void)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	return a;
}

static void drop_tokens(struct auth *a)
{
	for (size_t i = 0; i < a->n_tokens; i++) {
		free(a->tokens[i].key);
		strlist_release(&a->tokens[i].scopes);
		token_release(&a->tokens[i].token);
	}
	a->n_tokens = 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	drop_tokens(a);
	free(a->tokens);
	for (size_t i = 0; i < a->n_logins; i++) {
		free(a->logins[i].repository);
		login_release(&a->logins[i].login);
	}
	free(a->logins);
	login_release(&a->given);
	free(a->realm);
	free(a->service);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void auth_use_login(struct registry_host *h, const struct login *l)
{
	struct auth *a = h->auth;

	login_release(&a->given);
	a->given = (struct login){
		.username = xstrdup_null(l->username),
		.password = xstrdup_null(l->password),
		.identity_token = xstrdup_null(l->identity_token),
	};
	a->is_given = true;
}

void auth_grant_release(struct auth_grant *g)
{
	wipe_free(g->header);
	*g = (struct auth_grant){0};
}

/* ---- scopes -------------------------------------------------------------- */

void auth_scope_pull(struct strlist *scopes, const char *repository)
{
	strlist_addf(scopes, "repository:%s:pull", repository);
}

void auth_scope_push(struct strlist *scopes, const char *repository)
{
	strlist_addf(scopes, "repository:%s:pull,push", repository);
}

void auth_scope_delete(struct strlist *scopes, const char *repository)
{
	strlist_addf(scopes, "repository:%s:pull,delete", repository);
}

bool auth_scope_covers(const char *have, const char *want)
{
	/* type:name:actions; the name may have a port, so the last colon ends it. */
	const char *have_actions = strrchr(have, ':');
	const char *want_actions = strrchr(want, ':');
	AUTO(strlist) granted = STRLIST_INIT;
	AUTO(strlist) wanted = STRLIST_INIT;

	if (!have_actions || !want_actions || have_actions - have != want_actions - want ||
	    memcmp(have, want, (size_t)(have_actions - have)) != 0)
		return strcmp(have, want) == 0;
	strlist_split(&granted, have_actions + 1, ',');
	strlist_split(&wanted, want_actions + 1, ',');
	for (size_t i = 0; i < wanted.n; i++) {
		if (!strlist_has(&granted, wanted.items[i]))
			return false;
	}
	return true;
}

static bool is_covered(const struct strlist *scopes, const char *want)
{
	for (size_t i = 0; i < scopes->n; i++) {
		if (auth_scope_covers(scopes->items[i], want))
			return true;
	}
	return false;
}

/* The challenge's scopes go first: some servers read only the first. True when one was new. */
static bool merge_scopes(struct strlist *scopes, const char *challenge)
{
	AUTO(strlist) asked = STRLIST_INIT;
	size_t at = 0;

	if (!challenge)
		return false;
	strlist_split(&asked, challenge, ' ');
	for (size_t i = 0; i < asked.n; i++) {
		if (*asked.items[i] && !is_covered(scopes, asked.items[i]))
			strlist_insert(scopes, at++, asked.items[i]);
	}
	return at > 0;
}

/* ---- logins (under the lock) --------------------------------------------- */

static int look_up(struct registry_host *h, const char *repository, struct login *out, bool *found,
		   struct error *err)
{
	const struct login_source *source = &h->client->o.login;

	*found = false;
	if (!source->get)
		return 0;
	return source->get(source->arg, h->login_name, repository, out, found, err);
}

/* *out is a view, NULL when nobody has a login. */
static int find_login(struct registry_host *h, const char *repository, const struct login **out,
		      struct error *err)
{
	struct auth *a = h->auth;
	const char *key = repository ? repository : "";
	struct known_login *known;

	*out = a->is_given ? &a->given : NULL;
	if (a->is_given)
		return 0;
	for (size_t i = 0; i < a->n_logins; i++) {
		if (strcmp(a->logins[i].repository, key) == 0) {
			*out = a->logins[i].found ? &a->logins[i].login : NULL;
			return 0;
		}
	}
	GROW(a->logins, a->n_logins + 1, a->logins_cap);
	known = &a->logins[a->n_logins];
	*known = (struct known_login){0};
	if (look_up(h, repository, &known->login, &known->found, err) < 0)
		return -1;
	known->repository = xstrdup(key);
	a->n_logins++;
	*out = known->found ? &known->login : NULL;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Asks again who we are: a login with an end (ECR's 12 hours) may have been renewed. */
static int renew_login(struct registry_host *h, const char *repository, bool *changed,
		       struct error *err)
{
	struct auth *a = h->auth;
	const char *key = repository ? repository : "";
	AUTO(login) fresh = {0};
	bool found;

	*changed = false;
	if (a->is_given || look_up(h, repository, &fresh, &found, err) < 0)
		return a->is_given ? 0 : -1;
	for (size_t i = 0; i < a->n_logins && found; i++) {
		struct known_login *known = &a->logins[i];

		if (strcmp(known->repository, key) != 0)
			continue;
		*changed = !same_text(known->login.username, fresh.username) ||
			   !same_text(known->login.password, fresh.password);
		login_release(&known->login);
		known->login = fresh;
		known->found = true;
		fresh = (struct login){0};
		break;
	}
	return 0;
}

/* ---- tokens (under the lock) --------------------------------------------- */

static struct known_token *token_slot(struct auth *a, const struct strlist *scopes)
{
	AUTO_FREE char *key = strlist_join(scopes, " ");
	struct known_token *slot;

	for (size_t i = 0; i < a->n_tokens; i++) {
		if (strcmp(a->tokens[i].key, key) == 0)
			return &a->tokens[i];
	}
	GROW(a->tokens, a->n_tokens + 1, a->tokens_cap);
	slot = &a->tokens[a->n_tokens++];
	*slot = (struct known_token){.key = take_ptr(key)};
	strlist_copy(&slot->scopes, scopes);
	return slot;
}

static int bearer_header(struct registry_host *h, const struct url *origin,
			 const struct auth_need *need, char **header, struct error *err)
{
	struct auth *a = h->auth;
	struct known_token *slot = token_slot(a, need->scopes);
	struct token_request request = {
		.host = h,
		.registry = origin,
		.realm = a->realm,
		.service = a->service,
		.scopes = &slot->scopes,
	};
	AUTO(token) fresh = {0};

	if (!slot->token.value || time_monotonic_ns() >= slot->token.renew_at_ns) {
		if (find_login(h, need->repository, &request.login, err) < 0 ||
		    token_fetch(&request, &fresh, err) < 0)
			return -1;
		token_release(&slot->token);
		slot->token = fresh;
		fresh = (struct token){0};
	}
	*header = xstrfmt("Authorization: Bearer %s", slot->token.value);
	return 0;
}

static int basic_header(struct registry_host *h, const struct url *origin,
			const struct auth_need *need, char **header, struct error *err)
{
	const struct login *l;

	if (find_login(h, need->repository, &l, err) < 0)
		return -1;
	if (!l || !l->username || !l->password)
		return 0;
	if (strcmp(origin->scheme, "https") != 0 && !h->may_be_plain)
		return error_set(err, ERROR_DENIED,
				 "%s asks for a password over plain HTTP: not sent", h->login_name);
	*header = token_basic_header(l->username, l->password);
	return 0;
}

int auth_authorize(struct registry_host *h, const struct url *origin, const struct auth_need *need,
		   struct auth_grant *out, struct error *err)
{
	struct auth *a = h->auth;
	int rc = 0;

	pthread_mutex_lock(&a->lock);
	out->is_basic = a->mode == AUTH_BASIC;
	if (a->mode == AUTH_BASIC)
		rc = basic_header(h, origin, need, &out->header, err);
	else if (a->mode == AUTH_BEARER)
		rc = bearer_header(h, origin, need, &out->header, err);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

/* ---- refusals (under the lock) ------------------------------------------- */

static bool set_mode(struct auth *a, enum auth_mode mode, const char *realm, const char *service)
{
	if (a->mode == mode && same_text(a->realm, realm) && same_text(a->service, service))
		return false;
	a->mode = mode;
	free(a->realm);
	free(a->service);
	a->realm = xstrdup_null(realm);
	a->service = xstrdup_null(service);
	drop_tokens(a);
	return true;
}

static bool bearer_refused(struct auth *a, const struct challenge *c, const struct auth_need *need,
			   const struct auth_grant *used, int round)
{
	bool learned = set_mode(a, AUTH_BEARER, challenge_get(c, "realm"),
				challenge_get(c, "service"));
	struct known_token *slot = token_slot(a, need->scopes);
	bool merged = merge_scopes(&slot->scopes, challenge_get(c, "scope"));
	const char *sent = used->header && str_starts(used->header, "Authorization: Bearer ")
				   ? used->header + strlen("Authorization: Bearer ")
				   : NULL;

	/* Unless another thread has replaced it: then that one is tried. */
	if (merged || (sent && same_text(slot->token.value, sent)))
		token_release(&slot->token);
	return round == 0 || (round < 3 && (merged || learned));
}

/* A login that was refused: asked for again, unless another thread has done so since it was sent. */
static int renew_refused(struct registry_host *h, const struct auth_need *need,
			 const struct auth_grant *used, bool *again, struct error *err)
{
	const struct login *l = NULL;
	char *now = NULL;

	if (find_login(h, need->repository, &l, err) < 0)
		return -1;
	if (l && l->username && l->password)
		now = token_basic_header(l->username, l->password);
	*again = now && strcmp(now, used->header) != 0;
	wipe_free(now);
	return *again ? 0 : renew_login(h, need->repository, again, err);
}

static int basic_refused(struct registry_host *h, const struct auth_need *need,
			 const struct auth_grant *used, int round, bool *again, struct error *err)
{
	const struct login *l = NULL;

	if (used->header && used->is_basic)
		return round < 2 ? renew_refused(h, need, used, again, err) : 0;
	if (find_login(h, need->repository, &l, err) < 0)
		return -1;
	*again = round < 2 && l && l->username && l->password;
	return 0;
}

static int refused(struct registry_host *h, const struct auth_need *need,
		   const struct auth_grant *used, const struct http_response *res, int round,
		   bool *again, struct error *err)
{
	AUTO(challenges) all = {0};
	const struct challenge *bearer, *basic;
	const char *value;

	/* 403 tells that we are known and may not; only a password may have ended (ECR). */
	if (res->status == 403)
		return used->header && used->is_basic && round == 0
			       ? renew_refused(h, need, used, again, err)
			       : 0;
	for (int i = 0; (value = http_header_get(res, "WWW-Authenticate", i)); i++)
		challenges_parse(&all, value);
	bearer = challenges_find(&all, "bearer");
	basic = challenges_find(&all, "basic");
	if (bearer && challenge_get(bearer, "realm")) {
		*again = bearer_refused(h->auth, bearer, need, used, round);
		return 0;
	}
	if (basic) {
		set_mode(h->auth, AUTH_BASIC, NULL, NULL);
		return basic_refused(h, need, used, round, again, err);
	}
	return 0;
}

int auth_refused(struct registry_host *h, const struct auth_need *need,
		 const struct auth_grant *used, const struct http_response *res, int round,
		 bool *again, struct error *err)
{
	int rc;

	*again = false;
	pthread_mutex_lock(&h->auth->lock);
	rc = refused(h, need, used, res, round, again, err);
	pthread_mutex_unlock(&h->auth->lock);
	return rc;
}
