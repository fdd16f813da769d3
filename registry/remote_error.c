#include "registry/remote_error.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define MAX_ERRORS 5
#define MAX_TEXT   500

static json_t *parse_body(const struct http_response *res)
{
	AUTO(error) ignored = ERROR_INIT;
	json_t *j = NULL;

	if (res->body.len == 0 || res->body.buf[0] != '{' ||
	    json_parse(&j, res->body.buf, res->body.len, "answer", &ignored) < 0)
		return NULL;
	return j;
}

static const char *text_of(const json_t *j, const char *key)
{
	const json_t *value = json_object_get(j, key);

	return json_is_string(value) && *json_string_value(value) ? json_string_value(value) : NULL;
}

static void add_text(struct strbuf *out, const char *text)
{
	size_t len = strlen(text);
	bool cut = len > MAX_TEXT;

	strbuf_puts(out, ": ");
	strbuf_add_printable(out, text, cut ? MAX_TEXT : len, false);
	if (cut)
		strbuf_puts(out, "..");
}

/* {"errors":[{"code":..,"message":..}]}; token servers have {"error":..,"error_description":..} or {"details":..}. */
static bool add_json(struct strbuf *out, const json_t *j)
{
	static const char *const PLAIN[] = {"error", "error_description", "details", "message"};
	const json_t *errors = json_object_get(j, "errors");
	size_t before = out->len;

	for (size_t i = 0; i < json_array_size(errors) && i < MAX_ERRORS; i++) {
		const json_t *e = json_array_get(errors, i);
		const char *code = text_of(e, "code");
		const char *message = text_of(e, "message");

		if (code)
			add_text(out, code);
		if (message)
			add_text(out, message);
	}
	for (size_t i = 0; out->len == before && i < sizeof(PLAIN) / sizeof(PLAIN[0]); i++) {
		const char *text = text_of(j, PLAIN[i]);

		if (text)
			add_text(out, text);
	}
	return out->len > before;
}

void remote_describe(struct strbuf *out, const char *host, const struct http_response *res)
{
	AUTO_JSON *j = parse_body(res);
	const char *word = http_status_text(res->status);

	strbuf_printf(out, "%s answered %d%s%s", host, res->status, *word ? " " : "", word);
	if (j && add_json(out, j))
		return;
	/* A page of HTML explains nothing; a line of text may. */
	if (!j && res->body.len > 0 && !memchr(res->body.buf, '<', res->body.len)) {
		AUTO_FREE char *line = xstrndup(res->body.buf, strcspn(res->body.buf, "\r\n"));

		if (*line)
			add_text(out, line);
	}
}

bool remote_has_code(const struct http_response *res, const char *code)
{
	AUTO_JSON *j = parse_body(res);
	const json_t *errors = json_object_get(j, "errors");

	for (size_t i = 0; i < json_array_size(errors); i++) {
		const char *found = text_of(json_array_get(errors, i), "code");

		if (found && strcmp(found, code) == 0)
			return true;
	}
	return false;
}

static enum error_kind kind_of_status(int status)
{
	if (status == 401 || status == 403)
		return ERROR_DENIED;
	return status == 404 ? ERROR_NOT_FOUND : ERROR_REMOTE;
}

static void add_hint(struct error *err, const char *host, const struct http_response *res)
{
	const char *rate = http_header_get(res, "ratelimit-remaining", 0);
	AUTO(strbuf) remaining = STRBUF_INIT;

	switch (res->status) {
	case 401:
	case 403:
		error_hint(err,
			   "log in with \"slipway login %s\"; if you are, the account lacks the "
			   "right, or the repository does not exist",
			   host);
		break;
	case 404:
		if (remote_has_code(res, "NAME_UNKNOWN"))
			error_hint(err,
				   "the repository does not exist at %s: check its name, or create "
				   "it there first",
				   host);
		break;
	case 413:
		error_hint(err,
			   "a proxy in front of %s limits the size of a request "
			   "(nginx: client_max_body_size)",
			   host);
		break;
	case 429:
		if (rate) {
			strbuf_puts(&remaining, ", remaining: ");
			strbuf_add_printable(&remaining, rate, strnlen(rate, MAX_TEXT), false);
		}
		error_hint(err,
			   "%s limits how often it is asked%s: log in with \"slipway login %s\", "
			   "pull from a mirror (--mirror %s=HOST[/PREFIX]), or wait",
			   host, remaining.buf, host, host);
		break;
	default:
		break;
	}
}

int remote_error(struct error *err, const char *what, const char *host,
		 const struct http_response *res)
{
	AUTO(strbuf) text = STRBUF_INIT;

	remote_describe(&text, host, res);
	error_set(err, kind_of_status(res->status), "%s: %s", what, text.buf);
	if (err) {
		err->status = res->status;
		add_hint(err, host, res);
	}
	return -1;
}

int remote_unreachable(struct error *err, const char *what, const char *host)
{
	error_wrap(err, "%s", what);
	if (!err || err->kind != ERROR_NETWORK)
		return -1;
	switch ((enum http_failure)err->number) {
	case HTTP_FAILURE_CERTIFICATE:
		if (strstr(err->message, "not yet valid") || strstr(err->message, "expired"))
			error_hint(err, "check the clock of this machine, then the certificate");
		else
			error_hint(err,
				   "to trust its certificate authority: SSL_CERT_FILE=ca.crt, or "
				   "put it at /etc/docker/certs.d/%s/ca.crt",
				   host);
		break;
	case HTTP_FAILURE_NOT_TLS:
		error_hint(err,
			   "it does not speak TLS; if it is meant to be plain HTTP: "
			   "--insecure-registry %s",
			   host);
		break;
	case HTTP_FAILURE_NAME:
		error_hint(err, "check the spelling of the host, and the network");
		break;
	case HTTP_FAILURE_REFUSED:
		error_hint(err, "is the registry running, and is the port right?");
		break;
	case HTTP_FAILURE_SILENT:
		error_hint(err, "check the host and its port; a firewall, or a proxy that is to be "
				"used (HTTPS_PROXY), may be in between");
		break;
	case HTTP_FAILURE_BROKEN:
	case HTTP_FAILURE_FINAL:
	case HTTP_FAILURE_HANDSHAKE:
		break;
	}
	return -1;
}
