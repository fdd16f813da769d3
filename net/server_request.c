/* What a handler may ask of a request. */
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "net/http.h"
#include "net/server_private.h"

const char *server_request_method(const struct server_request *r)
{
	return r->method;
}

const char *server_request_target(const struct server_request *r)
{
	return r->target;
}

const char *server_request_header(struct server_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct counting {
	const char *name;
	size_t n;
};

static enum MHD_Result count_one(void *arg, enum MHD_ValueKind kind, const char *key,
				 const char *value)
{
	struct counting *c = arg;

	(void)kind;
	(void)value;
	c->n += strcasecmp(key, c->name) == 0;
	return MHD_YES;
}

size_t server_request_count_header(struct server_request *r, const char *name)
{
	struct counting c = {.name = name};

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_one, &c);
	return c.n;
}

struct joining {
	const char *name;
	struct strlist values;
};

static enum MHD_Result join_one(void *arg, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	struct joining *j = arg;
	AUTO(strbuf) text = STRBUF_INIT;

	(void)kind;
	if (strcasecmp(key, j->name) == 0) {
		strbuf_puts(&text, value ? value : "");
		strbuf_trim(&text);
		strlist_add(&j->values, text.buf);
	}
	return MHD_YES;
}

char *server_request_join_header(struct server_request *r, const char *name)
{
	struct joining j = {.name = name, .values = STRLIST_INIT};
	char *joined = NULL;

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, join_one, &j);
	if (j.values.n)
		joined = strlist_join(&j.values, ",");
	strlist_release(&j.values);
	return joined;
}

uint32_t server_request_peer(struct server_request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct sockaddr_in from;

	if (!info || info->client_addr->sa_family != AF_INET)
		return 0;
	memcpy(&from, info->client_addr, sizeof(from));
	return ntohl(from.sin_addr.s_addr);
}

int64_t server_request_length(struct server_request *r)
{
	const char *text = server_request_header(r, "Content-Length");
	int64_t n = http_parse_bytes(text);

	if (server_request_header(r, "Transfer-Encoding"))
		return -1;
	if (!text)
		return 0;
	/* libmicrohttpd has refused what is no number: it is one of more digits than anybody has bytes. */
	return n < 0 ? INT64_MAX / 2 : n;
}
