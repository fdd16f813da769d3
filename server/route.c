#include "server/route.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/reference.h"
#include "oci/repository.h"

#define MAX_PARTS 256
#define ID_LENGTH 32

void route_release(struct route *r)
{
	if (!r)
		return;
	free(r->repository);
	free(r->reference);
	strmap_release(&r->query);
	strlist_release(&r->tags);
	memset(r, 0, sizeof(*r));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decoded copy; plus: a '+' is a space (queries). NULL for a bad escape or NUL. */
static char *decode(const char *text, size_t len, bool plus)
{
	char *out = xmalloc(len + 1), *to = out;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0 || high * 16 + low == 0) {
				free(out);
				return NULL;
			}
			c = (char)(high * 16 + low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		*to++ = c;
	}
	*to = '\0';
	return out;
}

static void add_parameter(struct route *r, const char *text, size_t len)
{
	const char *equal = memchr(text, '=', len);
	size_t n = equal ? (size_t)(equal - text) : len;
	AUTO_FREE char *name = decode(text, n, true);
	AUTO_FREE char *value = equal ? decode(equal + 1, len - n - 1, true) : xstrdup("");

	if (!name || !value) {
		r->problem = ROUTE_BAD_TARGET;
		return;
	}
	if (strcmp(name, "tag") == 0)
		strlist_add(&r->tags, value);
	if (*name && !strmap_has(&r->query, name))
		strmap_set(&r->query, name, value);
}

static void parse_query(struct route *r, const char *query)
{
	size_t n = 0;

	while (*query && *query != '#') {
		size_t len = strcspn(query, "&#");

		if (len && ++n > ROUTE_PARAMETERS) {
			r->problem = ROUTE_TOO_LONG;
			return;
		}
		if (len)
			add_parameter(r, query, len);
		query += len + (query[len] == '&');
	}
}

/* The parts of the path after "/v2/", decoded; an escaped slash would be taken for one that parts them. */
static bool split_path(struct strlist *parts, const char *path, size_t len)
{
	while (parts->n < MAX_PARTS) {
		const char *slash = memchr(path, '/', len);
		size_t n = slash ? (size_t)(slash - path) : len;
		char *part = decode(path, n, false);

		if (!part || strchr(part, '/')) {
			free(part);
			return false;
		}
		strlist_take(parts, part);
		if (!slash)
			return true;
		path += n + 1;
		len -= n + 1;
	}
	return false;
}

static char *join(const struct strlist *parts, size_t n)
{
	AUTO(strbuf) name = STRBUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_putc(&name, '/');
		strbuf_puts(&name, parts->items[i]);
	}
	return strbuf_detach(&name, NULL);
}

/* The kind by the last parts, and how many of them are not the repository's name. */
static size_t find_kind(struct route *r, const struct strlist *p)
{
	static const struct {
		const char *word;
		enum route_kind kind;
	} two[] = {
		{"manifests", ROUTE_MANIFEST},
		{"blobs", ROUTE_BLOB},
		{"referrers", ROUTE_REFERRERS},
	};
	const char *last = p->items[p->n - 1];
	const char *before = p->n > 1 ? p->items[p->n - 2] : "";

	if (p->n > 3 && strcmp(before, "uploads") == 0 &&
	    strcmp(p->items[p->n - 3], "blobs") == 0) {
		r->kind = *last ? ROUTE_UPLOAD : ROUTE_UPLOADS;
		return 3;
	}
	if (p->n > 2 && strcmp(before, "blobs") == 0 && strcmp(last, "uploads") == 0) {
		r->kind = ROUTE_UPLOADS;
		return 2;
	}
	if (p->n > 2 && strcmp(before, "tags") == 0 && strcmp(last, "list") == 0) {
		r->kind = ROUTE_TAGS;
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(two); i++)
		if (p->n > 2 && strcmp(before, two[i].word) == 0 && *last) {
			r->kind = two[i].kind;
			return 2;
		}
	return 0;
}

static bool is_id(const char *s)
{
	return strlen(s) == ID_LENGTH && strspn(s, "0123456789abcdef") == ID_LENGTH;
}

static enum route_problem check(struct route *r)
{
	if (!repository_is_name(r->repository))
		return ROUTE_BAD_NAME;
	if (!r->reference)
		return ROUTE_FINE;
	if (r->kind == ROUTE_UPLOAD)
		return is_id(r->reference) ? ROUTE_FINE : ROUTE_BAD_REFERENCE;
	if (r->kind == ROUTE_MANIFEST && !strchr(r->reference, ':'))
		return image_ref_check_tag(r->reference) ? ROUTE_BAD_REFERENCE : ROUTE_FINE;
	return digest_parse(&r->digest, r->reference, NULL) < 0 ? ROUTE_BAD_DIGEST : ROUTE_FINE;
}

static void parse_path(struct route *r, const char *path, size_t len)
{
	AUTO(strlist) parts = STRLIST_INIT;
	size_t taken;

	if (len < 3 || strncmp(path, "/v2", 3) != 0 || (len > 3 && path[3] != '/'))
		return;
	if (len <= 4) {
		r->kind = ROUTE_BASE;
		return;
	}
	if (!split_path(&parts, path + 4, len - 4)) {
		r->problem = ROUTE_BAD_TARGET;
		return;
	}
	if (parts.n == 1 && strcmp(parts.items[0], "_catalog") == 0) {
		r->kind = ROUTE_CATALOG;
		return;
	}
	taken = find_kind(r, &parts);
	if (!taken)
		return;
	r->repository = join(&parts, parts.n - taken);
	if (r->kind != ROUTE_UPLOADS && r->kind != ROUTE_TAGS)
		r->reference = xstrdup(parts.items[parts.n - 1]);
	r->problem = check(r);
}

void route_parse(struct route *out, const char *target)
{
	const char *path = target;
	size_t len;

	/* The absolute form of RFC 9112 section 3.2.2: a proxy's clients send it. */
	if (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0) {
		path = strstr(path, "//") + 2;
		path += strcspn(path, "/?#");
	}
	if (*path != '/') {
		out->problem = ROUTE_BAD_TARGET;
		return;
	}
	len = strcspn(path, "?#");
	parse_path(out, path, len);
	if (path[len] == '?')
		parse_query(out, path + len + 1);
}
