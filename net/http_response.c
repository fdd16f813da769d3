#include "net/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"

struct status_text {
	int status;
	const char *text;
};

/* RFC 9110 section 15, RFC 6585, and two that proxies made known. */
static const struct status_text STATUS_TEXTS[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{206, "Partial Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{499, "Client Closed Request"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{522, "Connection Timed Out"},
};

const char *http_status_text(int status)
{
	for (size_t i = 0; i < sizeof(STATUS_TEXTS) / sizeof(STATUS_TEXTS[0]); i++) {
		if (STATUS_TEXTS[i].status == status)
			return STATUS_TEXTS[i].text;
	}
	return "";
}

void http_response_begin(struct http_response *res, const char *line, size_t len)
{
	AUTO_FREE char *text = xstrndup(line, len);
	const char *space = strchr(text, ' ');

	http_response_release(res);
	strbuf_init(&res->body);
	res->status = space ? (int)strtol(space + 1, NULL, 10) : 0;
}

const char *http_header_get(const struct http_response *res, const char *name, int nth)
{
	for (size_t i = 0; i < res->n_headers; i++) {
		if (strcasecmp(res->headers[i].name, name) == 0 && nth-- == 0)
			return res->headers[i].value;
	}
	return NULL;
}

void http_response_add(struct http_response *res, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	AUTO(strbuf) value = STRBUF_INIT;
	/* Grown by powers of two: the count tells the room. */
	size_t n = res->n_headers;

	if (!colon || colon == line)
		return;
	strbuf_add(&value, colon + 1, (size_t)(line + len - colon - 1));
	strbuf_trim(&value);
	if ((n & (n - 1)) == 0)
		res->headers = xreallocarray(res->headers, n ? n * 2 : 1, sizeof(*res->headers));
	res->headers[res->n_headers++] = (struct http_header){
		.name = xstrndup(line, (size_t)(colon - line)),
		.value = strbuf_detach(&value, NULL),
	};
}

void http_response_release(struct http_response *res)
{
	if (!res)
		return;
	for (size_t i = 0; i < res->n_headers; i++) {
		free(res->headers[i].name);
		free(res->headers[i].value);
	}
	free(res->headers);
	strbuf_release(&res->body);
	*res = (struct http_response){0};
}

bool http_failure_is_final(const struct error *err)
{
	if (err->kind != ERROR_NETWORK)
		return true;
	return err->number == HTTP_FAILURE_FINAL || err->number == HTTP_FAILURE_CERTIFICATE ||
	       err->number == HTTP_FAILURE_NOT_TLS;
}

enum http_failure http_handshake_failure(const char *reason)
{
	/* OpenSSL's words for bytes that are no TLS. */
	static const char *const NOT_TLS[] = {"wrong version number", "packet length too long",
					      "http request", "unknown protocol"};

	for (size_t i = 0; i < sizeof(NOT_TLS) / sizeof(NOT_TLS[0]); i++) {
		if (strstr(reason, NOT_TLS[i]))
			return HTTP_FAILURE_NOT_TLS;
	}
	/* An alert is TLS, and a decision of the other side. */
	return strstr(reason, " alert ") ? HTTP_FAILURE_FINAL : HTTP_FAILURE_HANDSHAKE;
}

int64_t http_parse_date(const char *text)
{
	static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4], zone[4];
	struct tm tm = {0};
	const char *at;
	int end = 0;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]%n", &tm.tm_mday,
		   month, &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone, &end) != 7 ||
	    end == 0 || text[end] || strcmp(zone, "GMT") != 0 || strlen(month) != 3)
		return -1;
	at = strstr(MONTHS, month);
	if (!at || (at - MONTHS) % 3 != 0 || tm.tm_year < 1970 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -1;
	tm.tm_mon = (int)(at - MONTHS) / 3;
	tm.tm_year -= 1900;
	return (int64_t)timegm(&tm);
}

int64_t http_parse_bytes(const char *text)
{
	int64_t bytes = 0;

	if (!text || !*text || strlen(text) > 15 || text[strspn(text, "0123456789")])
		return -1;
	for (; *text; text++)
		bytes = bytes * 10 + (*text - '0');
	return bytes;
}
