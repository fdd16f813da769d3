#include "server/guard.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "net/url.h"
#include "server/ecr.h"

#define HOST_LIMIT  255
#define BASIC_LIMIT 4096

bool guard_is_local_host(const char *host)
{
	AUTO_FREE char *text = NULL;
	AUTO(url) url = {0};

	if (strlen(host) > HOST_LIMIT || strpbrk(host, "/?#@"))
		return false;
	text = xstrfmt("http://%s/", host);
	return url_parse(&url, text, NULL) == 0 && url_host_is_loopback(url.host);
}

bool guard_parse_basic(const char *header, char **user, char **password)
{
	AUTO(strbuf) text = STRBUF_INIT;
	const char *end, *colon;
	bool good;

	if (strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > BASIC_LIMIT)
		return false;
	header += 6 + strspn(header + 6, " ");
	end = header + strcspn(header, " \t");
	good = !end[strspn(end, " \t")] && base64_decode(&text, header, (size_t)(end - header)) &&
	       !memchr(text.buf, '\0', text.len);
	colon = good ? strchr(text.buf, ':') : NULL;
	if (colon) {
		*user = xstrndup(text.buf, (size_t)(colon - text.buf));
		*password = xstrdup(colon + 1);
	}
	wipe(text.buf, text.len);
	return colon != NULL;
}

static bool check_host(struct call *c)
{
	const char *host = server_request_header(c->request, "Host");

	if (server_request_header(c->request, "Origin")) {
		reply_error(c, 403, "DENIED", "pages in a browser may not use this registry");
		return false;
	}
	if (server_request_count_header(c->request, "Host") > 1) {
		reply_error(c, 400, "UNSUPPORTED", "more than one Host header");
		return false;
	}
	/* HTTP/1.0 has none, and no browser speaks it. */
	if (c->server->options.any_host || !host || guard_is_local_host(host))
		return true;
	reply_error(c, 403, "DENIED",
		    "this registry serves loopback; \"%.100s\" is another host's name", host);
	return false;
}

static bool check_login(struct call *c)
{
	const struct registry_server_options *o = &c->server->options;
	const char *header = server_request_header(c->request, "Authorization");
	AUTO_FREE char *user = NULL;
	char *password = NULL;
	bool good, fresh;

	if (!o->check_login)
		return true;
	good = header && server_request_count_header(c->request, "Authorization") == 1 &&
	       guard_parse_basic(header, &user, &password) &&
	       o->check_login(o->login_arg, user, password);
	fresh = !good || ecr_is_fresh(c, password);
	wipe_free(password);
	if (good)
		return fresh;
	if (o->ecr_quirks)
		ecr_challenge(c);
	else
		server_add_header(c->request, "WWW-Authenticate",
				  "Basic realm=\"slipway registry\", charset=\"UTF-8\"");
	reply_error(c, 401, "UNAUTHORIZED",
		    header ? "the login is not right" : "a login is needed");
	return false;
}

bool guard_admits(struct call *c)
{
	return check_host(c) && ecr_has_room(c) && check_login(c);
}
