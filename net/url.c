#include "net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"

/* A reference cut into its parts (RFC 3986 appendix B); each is a view, NULL when absent. */
struct parts {
	const char *scheme, *authority, *path, *query;
	size_t n_scheme, n_authority, n_path, n_query;
};

static int bad_url(struct error *err, const char *reason)
{
	return error_set(err, ERROR_SYNTAX, "malformed URL: %s", reason);
}

static bool is_scheme(const char *s, size_t n)
{
	if (n == 0 || !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("+-.", s[i]))
			return false;
	}
	return true;
}

static int split(struct parts *p, const char *text, struct error *err)
{
	size_t n;

	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '\\')
			return bad_url(err, "a space, control character, backslash or a letter "
					    "that is not ASCII");
	}
	*p = (struct parts){0};
	n = strcspn(text, ":/?#");
	if (text[n] == ':' && is_scheme(text, n)) {
		p->scheme = text;
		p->n_scheme = n;
		text += n + 1;
	}
	if (text[0] == '/' && text[1] == '/') {
		text += 2;
		p->authority = text;
		p->n_authority = strcspn(text, "/?#");
		text += p->n_authority;
	}
	p->path = text;
	p->n_path = strcspn(text, "?#");
	text += p->n_path;
	if (*text == '?') {
		p->query = text + 1;
		p->n_query = strcspn(p->query, "#");
	}
	return 0;
}

static int default_port(const char *scheme)
{
	if (scheme && strcmp(scheme, "https") == 0)
		return 443;
	return scheme && strcmp(scheme, "http") == 0 ? 80 : 0;
}

static int parse_port(int *out, const char *s, size_t n, struct error *err)
{
	int port = 0;

	if (n == 0 || n > 5)
		return n == 0 ? 0 : bad_url(err, "the port is no number up to 65535");
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)s[i]))
			return bad_url(err, "the port is no number up to 65535");
		port = port * 10 + (s[i] - '0');
	}
	if (port < 1 || port > 65535)
		return bad_url(err, "the port is no number from 1 to 65535");
	*out = port;
	return 0;
}

static int parse_ipv6(char **out, const char *s, size_t n, struct error *err)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (n >= sizeof(text))
		return bad_url(err, "the IPv6 address is malformed");
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, &address) != 1 ||
	    !inet_ntop(AF_INET6, &address, text, sizeof(text)))
		return bad_url(err, "the IPv6 address is malformed");
	*out = xstrdup(text);
	return 0;
}

static int parse_name(char **out, const char *s, size_t n, struct error *err)
{
	AUTO_FREE char *name = xstrndup(s, n);
	char dotted[INET_ADDRSTRLEN];
	struct in_addr address;

	if (n > 255)
		return bad_url(err, "the host name is too long");
	for (char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
			return bad_url(err, "the host name has a character that host names lack");
		*c = (char)tolower((unsigned char)*c);
	}
	if (inet_aton(name, &address) && inet_ntop(AF_INET, &address, dotted, sizeof(dotted)))
		*out = xstrdup(dotted);
	else
		*out = take_ptr(name);
	return 0;
}

static int parse_authority(struct url *u, const char *s, size_t n, struct error *err)
{
	const char *at = memrchr(s, '@', n);
	const char *end = s + n;
	const char *host_end;

	if (at) {
		u->userinfo = xstrndup(s, (size_t)(at - s));
		s = at + 1;
	}
	u->port = default_port(u->scheme);
	if (s < end && *s == '[') {
		host_end = memchr(s, ']', (size_t)(end - s));
		if (!host_end)
			return bad_url(err, "the IPv6 address has no closing bracket");
		if (parse_ipv6(&u->host, s + 1, (size_t)(host_end - s - 1), err) < 0)
			return -1;
		host_end++;
	} else {
		host_end = memchr(s, ':', (size_t)(end - s));
		if (!host_end)
			host_end = end;
		if (parse_name(&u->host, s, (size_t)(host_end - s), err) < 0)
			return -1;
	}
	if (host_end == end)
		return 0;
	if (*host_end != ':')
		return bad_url(err, "something follows the address in brackets");
	return parse_port(&u->port, host_end + 1, (size_t)(end - host_end - 1), err);
}

static char *lower(const char *s, size_t n)
{
	char *out = xstrndup(s, n);

	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

static void drop_last_segment(struct strbuf *out)
{
	char *slash = memrchr(out->buf, '/', out->len);

	strbuf_truncate(out, slash ? (size_t)(slash - out->buf) : 0);
}

/* RFC 3986 section 5.2.4. */
static char *remove_dot_segments(const char *in)
{
	AUTO(strbuf) out = STRBUF_INIT;

	while (*in) {
		if (str_starts(in, "../")) {
			in += 3;
		} else if (str_starts(in, "./") || str_starts(in, "/./")) {
			in += 2;
		} else if (strcmp(in, "/.") == 0) {
			in = "/";
		} else if (str_starts(in, "/../")) {
			in += 3;
			drop_last_segment(&out);
		} else if (strcmp(in, "/..") == 0) {
			in = "/";
			drop_last_segment(&out);
		} else if (strcmp(in, ".") == 0 || strcmp(in, "..") == 0) {
			break;
		} else {
			size_t n = 1 + strcspn(in + 1, "/");

			strbuf_add(&out, in, n);
			in += n;
		}
	}
	return strbuf_detach(&out, NULL);
}

static int finish(struct url *out, struct url *u, struct error *err)
{
	if (default_port(u->scheme) && (!u->host || !*u->host))
		return bad_url(err, "it names no host");
	if (u->host && !*u->path) {
		free(u->path);
		u->path = xstrdup("/");
	}
	*out = *u;
	*u = (struct url){0};
	return 0;
}

static int from_parts(struct url *out, const struct parts *p, struct error *err)
{
	AUTO(url) u = {.scheme = lower(p->scheme, p->n_scheme)};
	AUTO_FREE char *path = xstrndup(p->path, p->n_path);

	if (p->authority && parse_authority(&u, p->authority, p->n_authority, err) < 0)
		return -1;
	u.path = p->authority || *path == '/' ? remove_dot_segments(path) : take_ptr(path);
	if (p->query)
		u.query = xstrndup(p->query, p->n_query);
	return finish(out, &u, err);
}

int url_parse(struct url *out, const char *text, struct error *err)
{
	struct parts p;

	if (split(&p, text, err) < 0)
		return -1;
	if (!p.scheme)
		return bad_url(err, "it does not begin with a scheme (https://)");
	return from_parts(out, &p, err);
}

/* RFC 3986 section 5.2.3. */
static char *merge_paths(const struct url *base, const struct parts *p)
{
	AUTO(strbuf) merged = STRBUF_INIT;
	const char *slash = strrchr(base->path, '/');

	if (slash)
		strbuf_add(&merged, base->path, (size_t)(slash - base->path) + 1);
	else if (base->host)
		strbuf_putc(&merged, '/');
	strbuf_add(&merged, p->path, p->n_path);
	return remove_dot_segments(merged.buf);
}

int url_resolve(struct url *out, const struct url *base, const char *reference, struct error *err)
{
	AUTO(url) u = {0};
	struct parts p;

	if (split(&p, reference, err) < 0)
		return -1;
	if (p.scheme)
		return from_parts(out, &p, err);
	if (p.authority) {
		p.scheme = base->scheme;
		p.n_scheme = strlen(base->scheme);
		return from_parts(out, &p, err);
	}
	u.scheme = xstrdup(base->scheme);
	u.userinfo = xstrdup_null(base->userinfo);
	u.host = xstrdup_null(base->host);
	u.port = base->port;
	if (p.query)
		u.query = xstrndup(p.query, p.n_query);
	if (p.n_path == 0) {
		u.path = xstrdup(base->path);
		if (!p.query)
			u.query = xstrdup_null(base->query);
	} else if (p.path[0] == '/') {
		AUTO_FREE char *path = xstrndup(p.path, p.n_path);

		u.path = remove_dot_segments(path);
	} else {
		u.path = merge_paths(base, &p);
	}
	return finish(out, &u, err);
}

void url_release(struct url *u)
{
	if (!u)
		return;
	free(u->scheme);
	wipe_free(u->userinfo);
	free(u->host);
	free(u->path);
	free(u->query);
	*u = (struct url){0};
}

void url_copy(struct url *dst, const struct url *src)
{
	*dst = (struct url){
		.scheme = xstrdup_null(src->scheme),
		.userinfo = xstrdup_null(src->userinfo),
		.host = xstrdup_null(src->host),
		.port = src->port,
		.path = xstrdup_null(src->path),
		.query = xstrdup_null(src->query),
	};
}

static void add_host_port(struct strbuf *out, const struct url *u)
{
	bool brackets = strchr(u->host, ':') != NULL;

	strbuf_printf(out, brackets ? "[%s]" : "%s", u->host);
	if (u->port != default_port(u->scheme))
		strbuf_printf(out, ":%d", u->port);
}

static void add_start(struct strbuf *out, const struct url *u)
{
	strbuf_printf(out, "%s:", u->scheme);
	if (u->host) {
		strbuf_puts(out, "//");
		add_host_port(out, u);
	}
	strbuf_puts(out, u->path);
}

char *url_format(const struct url *u)
{
	AUTO(strbuf) out = STRBUF_INIT;

	add_start(&out, u);
	if (u->query)
		strbuf_printf(&out, "?%s", u->query);
	return strbuf_detach(&out, NULL);
}

char *url_host_port(const struct url *u)
{
	AUTO(strbuf) out = STRBUF_INIT;

	if (u->host)
		add_host_port(&out, u);
	return strbuf_detach(&out, NULL);
}

char *url_redact(const struct url *u)
{
	AUTO(strbuf) out = STRBUF_INIT;

	add_start(&out, u);
	if (u->query)
		strbuf_puts(&out, "?..");
	return strbuf_detach(&out, NULL);
}

bool url_is_http(const struct url *u)
{
	return u->host && default_port(u->scheme) != 0;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	/* What has no host, or an empty one as file: has, is its own origin only (RFC 6454 section 4). */
	return a->host && b->host && *a->host && strcmp(a->scheme, b->scheme) == 0 &&
	       strcmp(a->host, b->host) == 0 && a->port == b->port;
}

void url_encode_bytes(struct strbuf *out, const void *data, size_t len)
{
	const unsigned char *s = data;

	for (; len; s++, len--) {
		if (isalnum(*s) || (*s && strchr("-._~", *s)))
			strbuf_putc(out, (char)*s);
		else
			strbuf_printf(out, "%%%02X", *s);
	}
}

void url_encode(struct strbuf *out, const char *s)
{
	url_encode_bytes(out, s, strlen(s));
}
