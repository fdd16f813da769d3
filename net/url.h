/*
 * URLs as text (RFC 3986): parsing, resolving a reference against a base, comparing origins, and forms that may be
 * shown. The parser is stricter than the standard where parsers disagree, so that nobody reads another host in a URL
 * than we checked: no control, space, backslash or non-ASCII byte anywhere, host names of letters, digits, '-', '.'
 * and '_' only. Numeric IPv4 hosts in any spelling (0x7f.1, 2130706433) become the dotted form.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strbuf.h"

struct url {
	char *scheme;   /* lower case */
	char *userinfo; /* NULL when absent: secret */
	char *host;     /* lower case, IPv6 without brackets; NULL when there is no authority */
	int port;       /* the explicit one, else the scheme's (http 80, https 443), else 0 */
	char *path;     /* as written; "/" at least when there is a host */
	char *query;    /* after '?', NULL when absent */
};

/* An absolute URL; a fragment is dropped. ERROR_SYNTAX, its message never shows userinfo or query. */
int url_parse(struct url *out, const char *text, struct error *err);
/* RFC 3986 section 5.2 (strict): reference, relative or absolute, seen from base. */
int url_resolve(struct url *out, const struct url *base, const char *reference, struct error *err);
void url_release(struct url *u);
void url_copy(struct url *dst, const struct url *src);

/* The URL without userinfo; the port only when it is not the scheme's. free() */
char *url_format(const struct url *u);
/* "HOST" or "HOST:PORT" when the port is not the scheme's; IPv6 in brackets. free() */
char *url_host_port(const struct url *u);
/* For messages and logs: no userinfo, the query cut to "?..". free() */
char *url_redact(const struct url *u);

bool url_is_http(const struct url *u); /* http or https with a host */
/* Scheme, host and port are equal (RFC 6454). */
bool url_same_origin(const struct url *a, const struct url *b);

/* 127.0.0.0/8, ::1, localhost and names below it; a host as in struct url, brackets are allowed. */
bool url_host_is_loopback(const char *host);
/*
 * Loopback, or an address literal that belongs to no public network: private, link-local, shared, unspecified,
 * multicast and reserved ranges, also inside IPv6 (mapped, NAT64, 6to4).
 */
bool url_host_is_internal(const char *host);

/* Appends s with everything but RFC 3986's unreserved characters as %XX. */
void url_encode(struct strbuf *out, const char *s);
void url_encode_bytes(struct strbuf *out, const void *data, size_t len);

CLEANUP_RELEASE(url)
