#include "aws/sigv4.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "net/url.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_time(int64_t time, char out[SIGV4_TIME_SIZE])
{
	time_t t = (time_t)time;
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	strftime(out, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

/* "a//b/./c/../d" -> "a/b/d" (RFC 3986 5.2.4, empty segments dropped), each segment encoded once more than it is sent. */
static void add_path(struct strbuf *out, const char *path)
{
	AUTO(strlist) segments = STRLIST_INIT;
	AUTO(strlist) kept = STRLIST_INIT;
	size_t len = strlen(path);

	strlist_split(&segments, path, '/');
	for (size_t i = 0; i < segments.n; i++) {
		const char *s = segments.items[i];

		if (strcmp(s, "..") == 0 && kept.n > 0)
			strlist_remove(&kept, kept.n - 1);
		else if (*s && strcmp(s, ".") != 0 && strcmp(s, "..") != 0)
			strlist_add(&kept, s);
	}
	for (size_t i = 0; i < kept.n; i++) {
		strbuf_putc(out, '/');
		url_encode(out, kept.items[i]);
	}
	if (!kept.n || path[len - 1] == '/')
		strbuf_putc(out, '/');
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decoded, then encoded in the one form that is signed: "%7e" and "~" are the same. */
static void add_encoded(struct strbuf *out, const char *s, size_t len)
{
	AUTO(strbuf) plain = STRBUF_INIT;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len && hex_value(s[i + 1]) >= 0 &&
		    hex_value(s[i + 2]) >= 0) {
			strbuf_putc(&plain, (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2])));
			i += 2;
		} else {
			strbuf_putc(&plain, s[i]);
		}
	}
	url_encode_bytes(out, plain.buf, plain.len);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by name, then by value: no byte of an encoded name is below the tab that parts them here. */
static void add_query(struct strbuf *out, const char *query)
{
	AUTO(strlist) words = STRLIST_INIT;
	AUTO(strlist) pairs = STRLIST_INIT;

	if (!query || !*query)
		return;
	strlist_split(&words, query, '&');
	for (size_t i = 0; i < words.n; i++) {
		const char *word = words.items[i];
		size_t name = strcspn(word, "=");
		AUTO(strbuf) pair = STRBUF_INIT;

		if (!*word)
			continue;
		add_encoded(&pair, word, name);
		strbuf_putc(&pair, '\t');
		if (word[name])
			add_encoded(&pair, word + name + 1, strlen(word + name + 1));
		strlist_add(&pairs, pair.buf);
	}
	if (pairs.n)
		qsort(pairs.items, pairs.n, sizeof(*pairs.items), compare);
	for (size_t i = 0; i < pairs.n; i++) {
		pairs.items[i][strcspn(pairs.items[i], "\t")] = '=';
		strbuf_puts(out, i ? "&" : "");
		strbuf_puts(out, pairs.items[i]);
	}
}

/* Runs of blanks become one space, none at the ends. */
static void add_value(struct strbuf *out, const char *value)
{
	bool blank = false, any = false;

	for (; *value; value++) {
		if (isspace((unsigned char)*value)) {
			blank = any;
			continue;
		}
		if (blank)
			strbuf_putc(out, ' ');
		strbuf_putc(out, *value);
		blank = false;
		any = true;
	}
}

/* By name, and headers of one name in the order they are sent. */
static int compare_headers(const void *a, const void *b)
{
	const struct sigv4_header *const *x = a, *const *y = b;
	int r = strcasecmp((*x)->name, (*y)->name);

	if (r)
		return r;
	return *x < *y ? -1 : *x > *y;
}

static const struct sigv4_header **sorted_headers(const struct sigv4_request *r)
{
	const struct sigv4_header **list = xcalloc(r->n_headers + 1, sizeof(*list));

	for (size_t i = 0; i < r->n_headers; i++)
		list[i] = &r->headers[i];
	qsort(list, r->n_headers, sizeof(*list), compare_headers);
	return list;
}

static void add_lower(struct strbuf *out, const char *name)
{
	for (; *name; name++)
		strbuf_putc(out, (char)tolower((unsigned char)*name));
}

static bool same_name(const struct sigv4_header **list, size_t i)
{
	return i > 0 && strcasecmp(list[i - 1]->name, list[i]->name) == 0;
}

static void add_headers(struct strbuf *out, const struct sigv4_request *r)
{
	AUTO_FREE const struct sigv4_header **list = sorted_headers(r);

	for (size_t i = 0; i < r->n_headers; i++) {
		if (same_name(list, i)) {
			strbuf_putc(out, ',');
		} else {
			strbuf_puts(out, i ? "\n" : "");
			add_lower(out, list[i]->name);
			strbuf_putc(out, ':');
		}
		add_value(out, list[i]->value);
	}
	strbuf_puts(out, r->n_headers ? "\n" : "");
}

void sigv4_signed_headers(struct strbuf *out, const struct sigv4_request *r)
{
	AUTO_FREE const struct sigv4_header **list = sorted_headers(r);

	for (size_t i = 0; i < r->n_headers; i++) {
		if (same_name(list, i))
			continue;
		strbuf_puts(out, i ? ";" : "");
		add_lower(out, list[i]->name);
	}
}

void sigv4_canonical_request(struct strbuf *out, const struct sigv4_request *r)
{
	strbuf_puts(out, r->method);
	strbuf_putc(out, '\n');
	add_path(out, r->path);
	strbuf_putc(out, '\n');
	add_query(out, r->query);
	strbuf_putc(out, '\n');
	add_headers(out, r);
	strbuf_putc(out, '\n');
	sigv4_signed_headers(out, r);
	strbuf_putc(out, '\n');
	strbuf_puts(out, r->payload_hash);
}

static void add_scope(struct strbuf *out, const struct sigv4_scope *scope)
{
	char time[SIGV4_TIME_SIZE];

	sigv4_time(scope->time, time);
	strbuf_printf(out, "%.8s/%s/%s/aws4_request", time, scope->region, scope->service);
}

void sigv4_string_to_sign(struct strbuf *out, const struct sigv4_scope *scope,
			  const char *canonical_request)
{
	char time[SIGV4_TIME_SIZE], hash[SHA256_HEX_SIZE];
	uint8_t raw[SHA256_SIZE];

	sigv4_time(scope->time, time);
	sha256_buf(canonical_request, strlen(canonical_request), raw);
	sha256_hex(raw, hash);
	strbuf_printf(out, ALGORITHM "\n%s\n", time);
	add_scope(out, scope);
	strbuf_printf(out, "\n%s", hash);
}

void sigv4_signature(char out[SHA256_HEX_SIZE], const char *secret_key,
		     const struct sigv4_scope *scope, const char *string_to_sign)
{
	AUTO(strbuf) first = STRBUF_INIT;
	char time[SIGV4_TIME_SIZE];
	uint8_t key[SHA256_SIZE];
	const char *steps[] = {time, scope->region, scope->service, "aws4_request", string_to_sign};

	sigv4_time(scope->time, time);
	time[8] = '\0';
	strbuf_printf(&first, "AWS4%s", secret_key);
	sha256_hmac(first.buf, first.len, steps[0], strlen(steps[0]), key);
	for (size_t i = 1; i < ARRAY_SIZE(steps); i++)
		sha256_hmac(key, sizeof(key), steps[i], strlen(steps[i]), key);
	sha256_hex(key, out);
	wipe(key, sizeof(key));
	wipe(first.buf, first.len);
}

void sigv4_sign(struct strlist *headers, const struct sigv4_request *r,
		const struct sigv4_scope *scope, const struct sigv4_keys *keys)
{
	AUTO_FREE struct sigv4_header *all = xcalloc(r->n_headers + 2, sizeof(*all));
	struct sigv4_request full = *r;
	AUTO(strbuf) canonical = STRBUF_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) line = STRBUF_INIT;
	char time[SIGV4_TIME_SIZE], signature[SHA256_HEX_SIZE];

	sigv4_time(scope->time, time);
	for (size_t i = 0; i < r->n_headers; i++)
		all[i] = r->headers[i];
	all[full.n_headers++] = (struct sigv4_header){"x-amz-date", time};
	strlist_addf(headers, "X-Amz-Date: %s", time);
	if (keys->token) {
		all[full.n_headers++] = (struct sigv4_header){"x-amz-security-token", keys->token};
		strlist_addf(headers, "X-Amz-Security-Token: %s", keys->token);
	}
	full.headers = all;
	sigv4_canonical_request(&canonical, &full);
	sigv4_string_to_sign(&text, scope, canonical.buf);
	sigv4_signature(signature, keys->secret_key, scope, text.buf);
	strbuf_printf(&line, "Authorization: " ALGORITHM " Credential=%s/", keys->access_key);
	add_scope(&line, scope);
	strbuf_puts(&line, ", SignedHeaders=");
	sigv4_signed_headers(&line, &full);
	strbuf_printf(&line, ", Signature=%s", signature);
	strlist_add(headers, line.buf);
}
