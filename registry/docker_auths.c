#include "registry/docker_auths.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/base64.h"

#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

void docker_auths_names(struct strlist *out, const char *host)
{
	if (strcmp(host, "docker.io") == 0) {
		strlist_add(out, DOCKER_HUB_KEY);
		strlist_add(out, "docker.io");
		strlist_add(out, "index.docker.io");
		strlist_add(out, "registry-1.docker.io");
	} else {
		strlist_add(out, host);
	}
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!text[i] || !strchr(" \t\r\n", text[i]))
			return false;
	}
	return true;
}

static int wrong_type(struct error *err, const char *path, const char *what)
{
	return error_set(err, ERROR_SYNTAX, "%s: %s", path, what);
}

/* Absent and null are the same. Whatever is done with the file, what is in a wrong place is neither skipped nor written over. */
static int check_types(const json_t *j, const char *path, struct error *err)
{
	const json_t *auths = json_object_get(j, "auths");
	const json_t *helpers = json_object_get(j, "credHelpers");
	const json_t *store = json_object_get(j, "credsStore");

	if (auths && !json_is_null(auths) && !json_is_object(auths))
		return wrong_type(err, path, "\"auths\" is not an object");
	if (helpers && !json_is_null(helpers) && !json_is_object(helpers))
		return wrong_type(err, path, "\"credHelpers\" is not an object");
	if (store && !json_is_null(store) && !json_is_string(store))
		return wrong_type(err, path, "\"credsStore\" is not a string");
	return 0;
}

int docker_auths_parse(json_t **out, const char *text, size_t len, const char *path,
		       struct error *err)
{
	AUTO(error) hidden = ERROR_INIT;
	AUTO_JSON *j = NULL;

	if (is_blank(text, len)) {
		*out = json_object();
		return 0;
	}
	if (json_parse(&j, text, len, path, &hidden) < 0) {
		error_set(err, ERROR_SYNTAX, "%s is not valid JSON", path);
		return error_hint(err, "\"python3 -m json.tool %s\" shows where", path);
	}
	if (!json_is_object(j))
		return error_set(err, ERROR_SYNTAX, "%s holds no JSON object", path);
	if (check_types(j, path, err) < 0)
		return -1;
	*out = take_ptr(j);
	return 0;
}

int docker_auths_helper(const json_t *j, const struct strlist *names, const char *path,
			const char **helper, const char **server, struct error *err)
{
	const json_t *helpers = json_object_get(j, "credHelpers");
	const json_t *store = json_object_get(j, "credsStore");

	*helper = *server = NULL;
	for (size_t i = 0; helpers && i < names->n; i++) {
		const json_t *name = json_object_get(helpers, names->items[i]);

		if (!name)
			continue;
		if (!json_is_string(name))
			return wrong_type(err, path, "a name in \"credHelpers\" is not a string");
		*helper = json_string_value(name);
		*server = names->items[i];
		if (**helper)
			return 0;
	}
	*helper = json_string_value(store);
	if (*helper && !**helper)
		*helper = NULL;
	*server = *helper ? names->items[0] : NULL;
	return 0;
}

/* host of "https://host/v1/": a view, its length in *len. A key without a scheme is taken whole. */
static const char *key_host(const char *key, size_t *len)
{
	const char *host = key;

	*len = strlen(key);
	if (str_starts(key, "https://"))
		host += 8;
	else if (str_starts(key, "http://"))
		host += 7;
	else
		return key;
	*len = strlen(host);
	while (*len && host[*len - 1] == '/')
		--*len;
	if (*len > 3 &&
	    (memcmp(host + *len - 3, "/v1", 3) == 0 || memcmp(host + *len - 3, "/v2", 3) == 0))
		*len -= 3;
	return host;
}

static bool key_means(const char *key, const char *host)
{
	size_t len;
	const char *found = key_host(key, &len);

	return strlen(host) == len && memcmp(found, host, len) == 0;
}

/* base64(user:password), NUL bytes at the end tolerated: some tools pad with them. */
static int decode_auth(const char *auth, const char *key, const char *path, struct login *out,
		       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	bool good = base64_decode(&text, auth, strlen(auth));
	const char *colon = memchr(text.buf, ':', text.len);

	while (text.len && text.buf[text.len - 1] == '\0')
		strbuf_truncate(&text, text.len - 1);
	good = good && colon && !memchr(text.buf, '\0', text.len);
	if (good) {
		out->username = xstrndup(text.buf, (size_t)(colon - text.buf));
		out->password = xstrdup(colon + 1);
	}
	wipe(text.buf, text.len);
	if (good)
		return 0;
	return error_set(err, ERROR_SYNTAX,
			 "%s: \"auth\" of \"%s\" is not the Base64 form of user:password", path,
			 key);
}

static int read_entry(const json_t *entry, const char *key, const char *path, struct login *out,
		      bool *found, struct error *err)
{
	const char *auth, *token, *user, *password;
	AUTO_FREE char *where = xstrfmt("%s: auths: %s", path, key);

	if (!json_is_object(entry))
		return error_set(err, ERROR_SYNTAX, "%s is not an object", where);
	if (json_opt_string(entry, "auth", &auth, where, err) < 0 ||
	    json_opt_string(entry, "identitytoken", &token, where, err) < 0 ||
	    json_opt_string(entry, "username", &user, where, err) < 0 ||
	    json_opt_string(entry, "password", &password, where, err) < 0)
		return -1;
	if (auth && *auth) {
		if (decode_auth(auth, key, path, out, err) < 0)
			return -1;
	} else if (user && *user && password) {
		out->username = xstrdup(user);
		out->password = xstrdup(password);
	}
	if (token && *token)
		out->identity_token = xstrdup(token);
	*found = out->username || out->identity_token;
	return 0;
}

/* Exact keys first: a repository's entry is chosen before its host's, a plain host before its old forms. */
static int find_host(const json_t *auths, const char *host, const char *repository,
		     const char *path, struct login *out, bool *found, struct error *err)
{
	AUTO_FREE char *key = repository ? xstrfmt("%s/%s", host, repository) : xstrdup(host);
	const char *name;
	json_t *entry;

	for (;;) {
		char *slash;

		entry = json_object_get(auths, key);
		if (entry && (read_entry(entry, key, path, out, found, err) < 0 || *found))
			return *found ? 0 : -1;
		slash = strrchr(key, '/');
		if (!slash || strcmp(key, host) == 0)
			break;
		*slash = '\0';
	}
	json_object_foreach ((json_t *)(uintptr_t)auths, name, entry) {
		if (!key_means(name, host))
			continue;
		if (read_entry(entry, name, path, out, found, err) < 0)
			return -1;
		if (*found)
			return 0;
	}
	return 0;
}

int docker_auths_find(const json_t *j, const char *host, const char *repository, const char *path,
		      struct login *out, bool *found, struct error *err)
{
	const json_t *auths = json_object_get(j, "auths");
	AUTO(strlist) names = STRLIST_INIT;

	*found = false;
	docker_auths_names(&names, host);
	for (size_t i = 0; i < names.n && !*found; i++) {
		if (find_host(auths, names.items[i], repository, path, out, found, err) < 0)
			return -1;
	}
	return 0;
}

static json_t *encode_entry(const struct login *l)
{
	json_t *entry = json_object();
	AUTO(strbuf) plain = STRBUF_INIT;
	AUTO(strbuf) auth = STRBUF_INIT;

	if (!l)
		return entry;
	strbuf_printf(&plain, "%s:%s", l->username ? l->username : "",
		      l->password ? l->password : "");
	base64_encode(&auth, plain.buf, plain.len);
	json_object_set_new(entry, "auth", json_text(auth.buf));
	if (l->identity_token)
		json_object_set_new(entry, "identitytoken", json_text(l->identity_token));
	wipe(plain.buf, plain.len);
	wipe(auth.buf, auth.len);
	return entry;
}

void docker_auths_set(json_t *j, const char *name, const struct login *l)
{
	json_t *auths = json_object_get(j, "auths");

	if (!json_is_object(auths)) {
		auths = json_object();
		json_object_set_new(j, "auths", auths);
	}
	json_object_set_new(auths, name, encode_entry(l));
}

bool docker_auths_remove(json_t *j, const char *host)
{
	json_t *auths = json_object_get(j, "auths");
	AUTO(strlist) names = STRLIST_INIT;
	bool removed = false;
	const char *key;
	json_t *entry;
	void *next;

	docker_auths_names(&names, host);
	json_object_foreach_safe(auths, next, key, entry)
	{
		bool ours = strlist_has(&names, key);

		for (size_t i = 0; i < names.n && !ours; i++)
			ours = key_means(key, names.items[i]);
		if (ours && json_object_del(auths, key) == 0)
			removed = true;
	}
	return removed;
}
