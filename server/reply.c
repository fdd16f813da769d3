/* Answers of the embedded registry. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "net/url.h"
#include "server/call.h"

#define LARGEST_PAGE 1000000

const char *call_query(const struct call *c, const char *name)
{
	return strmap_get(&c->route.query, name);
}

void reply_json(struct call *c, int status, const char *media_type, const json_t *j)
{
	AUTO(strbuf) text = STRBUF_INIT;

	json_write(j, &text);
	server_add_header(c->request, "Content-Type", media_type);
	server_answer(c->request, status, text.buf, text.len);
}

void reply_error(struct call *c, int status, const char *code, const char *fmt, ...)
{
	AUTO_JSON *j = json_object();
	json_t *errors = json_array(), *one = json_object();
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *message = xstrvfmt(fmt, ap);
	va_end(ap);
	json_object_set_new(one, "code", json_text(code));
	json_object_set_new(one, "message", json_text(message));
	json_array_append_new(errors, one);
	json_object_set_new(j, "errors", errors);
	reply_json(c, status, "application/json", j);
}

void reply_failure(struct call *c, const struct error *err)
{
	report_log(c->server->options.reporter, LOG_WARNING, "%s %.200s: %s",
		   server_request_method(c->request), server_request_target(c->request),
		   err->message);
	/* Where things lie on this machine is nobody's business who asks over the network. */
	if (err->number == ENOSPC || err->number == EDQUOT)
		reply_error(c, 507, "UNKNOWN", "the registry has no space left");
	else if (err->kind == ERROR_CANCELLED)
		reply_error(c, 503, "UNAVAILABLE", "the registry is ending");
	else
		reply_error(c, 500, "UNKNOWN", "the registry failed; its log says why");
}

void reply_empty(struct call *c, int status)
{
	server_answer(c->request, status, NULL, 0);
}

void reply_name_unknown(struct call *c)
{
	reply_error(c, 404, "NAME_UNKNOWN", "repository %s is not in this registry",
		    c->route.repository);
}

void reply_digest(struct call *c, const struct digest *d)
{
	server_add_header(c->request, "Docker-Content-Digest", d->text);
}

bool reply_page(struct call *c, int64_t *n, const char **last)
{
	const char *text = call_query(c, "n");

	*last = call_query(c, "last");
	*n = -1;
	if (!text)
		return true;
	if (!*text || strspn(text, "0123456789") != strlen(text)) {
		reply_error(c, 400, "PAGINATION_NUMBER_INVALID", "n=%.40s is no number", text);
		return false;
	}
	*n = 0;
	for (; *text && *n < LARGEST_PAGE; text++)
		*n = *n * 10 + (*text - '0');
	return true;
}

void reply_next(struct call *c, int64_t n, const char *last)
{
	const char *target = server_request_target(c->request);
	AUTO(strbuf) link = STRBUF_INIT;

	strbuf_printf(&link, "<%.*s?", (int)strcspn(target, "?#"), target);
	if (n >= 0)
		strbuf_printf(&link, "n=%lld&", (long long)n);
	strbuf_puts(&link, "last=");
	url_encode(&link, last);
	if (call_query(c, "artifactType")) {
		strbuf_puts(&link, "&artifactType=");
		url_encode(&link, call_query(c, "artifactType"));
	}
	strbuf_puts(&link, ">; rel=\"next\"");
	server_add_header(c->request, "Link", link.buf);
}
