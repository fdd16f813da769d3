#include "dockerfile/git_ref.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "dockerfile/value.h"

#define SHORT_FORM "github.com/"

static const char *const protocols[] = {"http", "https", "ssh", "git"};

static size_t scheme_len(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]))
		n++;
	return n && strncmp(text + n, "://", 3) == 0 ? n : 0;
}

/* The protocol of URL text; NULL: none that git sources may use. */
static const char *protocol_of(const char *text)
{
	size_t len = scheme_len(text);

	for (size_t i = 0; len && i < ARRAY_SIZE(protocols); i++)
		if (strlen(protocols[i]) == len && strncasecmp(protocols[i], text, len) == 0)
			return protocols[i];
	return NULL;
}

static bool is_http(const char *protocol)
{
	return protocol && str_starts(protocol, "http");
}

/* USER@HOST:PATH, where nothing can be an option of ssh. */
static bool is_scp_form(const char *text)
{
	size_t n = 0, host;

	if (*text == '-')
		return false;
	while (isalnum((unsigned char)text[n]) || text[n] == '-' || text[n] == '_')
		n++;
	if (!n || text[n] != '@')
		return false;
	host = ++n;
	while (isalnum((unsigned char)text[n]) || text[n] == '-' || text[n] == '.')
		n++;
	return n > host && text[host] != '-' && text[n] == ':' && text[n + 1] != '-';
}

bool git_ref_is(const char *text, bool is_context)
{
	const char *protocol = protocol_of(text);
	size_t end = strcspn(text, "?#");

	if (is_http(protocol))
		return end >= 4 && strncmp(text + end - 4, ".git", 4) == 0;
	if (protocol || (is_context && str_starts(text, SHORT_FORM) && text[strlen(SHORT_FORM)]))
		return true;
	return !scheme_len(text) && is_scp_form(text);
}

void git_ref_release(struct git_ref *r)
{
	if (!r)
		return;
	if (r->userinfo)
		wipe(r->userinfo, strlen(r->userinfo));
	free(r->remote);
	free(r->userinfo);
	free(r->ref);
	free(r->subdir);
	free(r->checksum);
	*r = (struct git_ref){.remote = NULL};
}

bool git_is_commit_id(const char *text)
{
	size_t n = strlen(text);

	return (n == 40 || n == 64) && strspn(text, "0123456789abcdef") == n;
}

static int hex_value(char c)
{
	const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* len bytes with %XX decoded. ERROR_SYNTAX for a broken one. */
static int decode(char **out, const char *text, size_t len, bool plus, struct error *err)
{
	AUTO(strbuf) decoded = STRBUF_INIT;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '%') {
			strbuf_putc(&decoded, plus && text[i] == '+' ? ' ' : text[i]);
			continue;
		}
		if (len - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0)
			return error_set(err, ERROR_SYNTAX, "invalid %% escape in a git URL");
		strbuf_putc(&decoded, (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
		i += 2;
	}
	if (decoded.len && memchr(decoded.buf, '\0', decoded.len))
		return error_set(err, ERROR_SYNTAX, "invalid %%00 in a git URL");
	*out = strbuf_detach(&decoded, NULL);
	return 0;
}

static int set_once(char **field, const char *what, const char *value, struct error *err)
{
	if (*field && strcmp(*field, value) != 0)
		return error_set(err, ERROR_SYNTAX, "%s conflicts: \"%s\" vs \"%s\"", what, *field,
				 value);
	if (!*field)
		*field = xstrdup(value);
	return 0;
}

/* No value at all means yes. */
static int read_choice(enum git_choice *out, const char *key, const char *value, struct error *err)
{
	bool yes = true;

	if (*value && !value_bool(&yes, value))
		return error_set(err, ERROR_SYNTAX, "invalid %s value: \"%s\"", key, value);
	*out = yes ? GIT_YES : GIT_NO;
	return 0;
}

static int read_mtime(struct git_ref *out, const char *value, struct error *err)
{
	out->checkout_times = strcmp(value, "checkout") == 0;
	if (!out->checkout_times && strcmp(value, "commit") != 0)
		return error_set(err, ERROR_SYNTAX,
				 "invalid mtime value: \"%s\": commit or checkout", value);
	return 0;
}

/* "tag=v1" means refs/tags/v1, whatever branches there are. */
static int read_named(struct git_ref *out, const char *prefix, const char *value, struct error *err)
{
	AUTO_FREE char *full = str_starts(value, prefix) ? xstrdup(value)
							 : xstrfmt("%s%s", prefix, value);

	return set_once(&out->ref, "ref", full, err);
}

static int read_pair(struct git_ref *out, const char *key, const char *value, struct error *err)
{
	if (strcmp(key, "keep-git-dir") == 0)
		return read_choice(&out->keep_git_dir, key, value, err);
	if (strcmp(key, "submodules") == 0)
		return read_choice(&out->submodules, key, value, err);
	if (!*value)
		return error_set(err, ERROR_SYNTAX, "query \"%s\" has no value", key);
	if (strcmp(key, "ref") == 0)
		return set_once(&out->ref, "ref", value, err);
	if (strcmp(key, "tag") == 0)
		return read_named(out, "refs/tags/", value, err);
	if (strcmp(key, "branch") == 0)
		return read_named(out, "refs/heads/", value, err);
	if (strcmp(key, "subdir") == 0)
		return set_once(&out->subdir, "subdir", value, err);
	if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
		return set_once(&out->checksum, "checksum", value, err);
	if (strcmp(key, "mtime") == 0)
		return read_mtime(out, value, err);
	error_set(err, ERROR_SYNTAX, "unexpected query \"%s\"", key);
	return error_hint(err, "Known are ref, tag, branch, subdir, checksum, commit, "
			       "keep-git-dir, submodules and mtime.");
}

static int read_query(struct git_ref *out, const char *query, size_t len, struct error *err)
{
	AUTO(strlist) seen = STRLIST_INIT;

	while (len) {
		const char *amp = memchr(query, '&', len);
		size_t n = amp ? (size_t)(amp - query) : len;
		const char *equals = memchr(query, '=', n);
		size_t key_len = equals ? (size_t)(equals - query) : n;
		AUTO_FREE char *key = NULL;
		AUTO_FREE char *value = NULL;

		if (decode(&key, query, key_len, true, err) < 0 ||
		    decode(&value, equals ? equals + 1 : "", equals ? n - key_len - 1 : 0, true,
			   err) < 0)
			return -1;
		if (*key && strlist_has(&seen, key))
			return error_set(err, ERROR_SYNTAX, "query \"%s\" has multiple values",
					 key);
		strlist_add(&seen, key);
		if (*key && read_pair(out, key, value, err) < 0)
			return -1;
		query += amp ? n + 1 : n;
		len -= amp ? n + 1 : n;
	}
	if (strlist_has(&seen, "tag") && strlist_has(&seen, "branch"))
		return error_set(err, ERROR_SYNTAX, "branch conflicts with tag");
	return 0;
}

/* "REF:SUBDIR", each may be missing. */
static int read_fragment(struct git_ref *out, const char *text, bool escaped, struct error *err)
{
	AUTO_FREE char *plain = NULL;
	char *colon;

	if (!escaped)
		plain = xstrdup(text);
	else if (decode(&plain, text, strlen(text), false, err) < 0)
		return -1;
	colon = strchr(plain, ':');
	if (colon) {
		*colon = '\0';
		if (colon[1])
			out->subdir = xstrdup(colon + 1);
	}
	if (*plain)
		out->ref = xstrdup(plain);
	return 0;
}

/* Takes USER:PASSWORD out of a http(s) URL; a user alone means nothing there. Of ssh the user stays. */
static int read_authority(struct git_ref *out, const char *protocol, const char *text, size_t len,
			  struct error *err)
{
	const char *start = text + strlen(protocol) + 3;
	size_t n = strcspn(start, "/?#");
	const char *at, *host;

	if (n > len - (size_t)(start - text))
		n = len - (size_t)(start - text);
	at = memrchr(start, '@', n);
	host = at ? at + 1 : start;
	if (host == start + n || *host == '-' || *host == ':' || *start == '-')
		return error_set(err, ERROR_SYNTAX, "a git URL without a host");
	if (at && memchr(start, ':', (size_t)(at - start)) && !is_http(protocol))
		return error_set(err, ERROR_SYNTAX,
				 "a git URL with a password: only http and https can have one");
	if (!at || !is_http(protocol)) {
		out->remote = xstrfmt("%s://%.*s", protocol, (int)(len - strlen(protocol) - 3),
				      start);
		return 0;
	}
	if (memchr(start, ':', (size_t)(at - start)) &&
	    decode(&out->userinfo, start, (size_t)(at - start), false, err) < 0)
		return -1;
	out->remote = xstrfmt("%s://%.*s", protocol, (int)(text + len - host), host);
	return 0;
}

/* git's rules for names of refs (git-check-ref-format), so that nothing is an option, a pattern or an expression. */
static int check_ref(const char *ref, struct error *err)
{
	size_t n = strlen(ref);
	bool bad = *ref == '-' || *ref == '/' || ref[n - 1] == '/' || ref[n - 1] == '.' ||
		   strstr(ref, "..") || strstr(ref, "//") || strstr(ref, "/.") ||
		   strstr(ref, "@{") || strstr(ref, ".lock/") || str_ends(ref, ".lock") ||
		   *ref == '.';

	for (size_t i = 0; i < n; i++)
		bad = bad || (unsigned char)ref[i] <= ' ' || ref[i] == 0x7f ||
		      strchr("~^:?*[\\", ref[i]);
	return bad ? error_set(err, ERROR_SYNTAX, "\"%s\" is not a valid git ref", ref) : 0;
}

static int check_subdir(char **subdir, struct error *err)
{
	AUTO_FREE char *clean = path_clean_absolute(*subdir);

	for (const char *p = *subdir; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && strncmp(p, "..", 2) == 0)
			return error_set(err, ERROR_SYNTAX,
					 "the subdirectory \"%s\" leads out of the git repository",
					 *subdir);
		p += n;
	}
	free(*subdir);
	*subdir = clean[1] ? xstrdup(clean + 1) : NULL;
	return 0;
}

static int check(struct git_ref *out, struct error *err)
{
	for (const char *p = out->remote; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return error_set(err, ERROR_SYNTAX,
					 "a git URL with a blank or control character");
	for (char *p = out->checksum; p && *p; p++) {
		if (hex_value(*p) < 0)
			return error_set(err, ERROR_SYNTAX,
					 "invalid checksum \"%s\" of a git URL: a commit id in hex "
					 "is wanted",
					 out->checksum);
		*p = (char)tolower((unsigned char)*p);
	}
	if (out->checksum && !out->ref)
		out->ref = xstrdup(out->checksum);
	if (out->ref && check_ref(out->ref, err) < 0)
		return -1;
	return out->subdir ? check_subdir(&out->subdir, err) : 0;
}

static int parse(struct git_ref *out, const char *text, struct error *err)
{
	const char *hash = strchr(text, '#');
	size_t end = hash ? (size_t)(hash - text) : strlen(text);
	const char *query = memchr(text, '?', end);
	size_t url = query ? (size_t)(query - text) : end;
	const char *protocol = protocol_of(text);

	if (protocol) {
		if (read_authority(out, protocol, text, url, err) < 0)
			return -1;
	} else {
		out->remote = str_starts(text, SHORT_FORM) ? xstrfmt("https://%.*s", (int)url, text)
							   : xstrndup(text, url);
	}
	if (hash && read_fragment(out, hash + 1, protocol != NULL, err) < 0)
		return -1;
	if (query && read_query(out, query + 1, end - url - 1, err) < 0)
		return -1;
	return check(out, err);
}

int git_ref_parse(struct git_ref *out, const char *text, struct error *err)
{
	AUTO_FREE char *shown = git_ref_redact(text);

	*out = (struct git_ref){.remote = NULL};
	if (parse(out, text, err) == 0)
		return 0;
	git_ref_release(out);
	return error_wrap(err, "git repository %s", shown);
}

char *git_ref_redact(const char *text)
{
	size_t scheme = scheme_len(text);
	const char *start = scheme ? text + scheme + 3 : text;
	const char *hash = strchr(text, '#');
	const char *at = scheme ? memrchr(start, '@', strcspn(start, "/?#")) : NULL;
	const char *host = at ? at + 1 : start;

	return xstrfmt("%.*s%.*s%s", (int)(start - text), text, (int)strcspn(host, "?#"), host,
		       hash ? hash : "");
}
