#include "registry/challenge.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"

/* More than any server sends: a header cannot make us work for long. */
#define MAX_CHALLENGES 16
#define MAX_PARAMS     32

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *s)
{
	size_t n = 0;

	while (is_token_char(s[n]))
		n++;
	return n;
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

static char *lower(const char *s, size_t n)
{
	char *out = xstrndup(s, n);

	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

/* Is there "name = value" at s, and not the scheme of the next challenge or a token68? */
static bool is_param(const char *s)
{
	size_t n = token_length(s);
	const char *after = skip_space(s + n);

	if (n == 0 || *after != '=')
		return false;
	after = skip_space(after + 1);
	return *after == '"' || is_token_char(*after);
}

/* A quoted string or token after '='; returns what follows, NULL when the quote does not end. */
static const char *parse_value(const char *s, struct strbuf *value)
{
	if (*s != '"') {
		/* Servers send URLs without quotes too: up to the next comma or space. */
		size_t n = strcspn(s, ", \t");

		strbuf_add(value, s, n);
		return s + n;
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		strbuf_putc(value, *s);
	}
	return *s == '"' ? s + 1 : NULL;
}

static const char *parse_param(const char *s, struct challenge *c)
{
	size_t n = token_length(s);
	AUTO_FREE char *name = lower(s, n);
	AUTO(strbuf) value = STRBUF_INIT;

	s = skip_space(skip_space(s + n) + 1);
	s = parse_value(s, &value);
	/* A NUL cannot be in a header, so the text is the whole value. */
	if (s && c->params.n < MAX_PARAMS && !strmap_has(&c->params, name))
		strmap_set(&c->params, name, value.buf);
	return s;
}

/* The parameters of one challenge; returns where the next begins, or NULL at the end. */
static const char *parse_params(const char *s, struct challenge *c)
{
	for (;;) {
		s += strspn(s, ", \t");
		if (!is_param(s))
			return s;
		s = parse_param(s, c);
		if (!s)
			return NULL;
		s = skip_space(s);
		if (*s && *s != ',')
			return NULL;
	}
}

/* A scheme may carry one token68 instead of parameters (RFC 9110 11.2). */
static const char *skip_token68(const char *s)
{
	size_t n = strspn(s,
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");

	n += strspn(s + n, "=");
	s = skip_space(s + n);
	return n > 0 && (*s == ',' || !*s) ? s : NULL;
}

void challenges_parse(struct challenges *out, const char *header)
{
	const char *s = header;

	while (s && out->n < MAX_CHALLENGES) {
		struct challenge *c;
		const char *rest;
		size_t n;

		s += strspn(s, ", \t");
		n = token_length(s);
		rest = s + n;
		if (n == 0 || (*rest && !strchr(" \t,", *rest)))
			return;
		out->items = xreallocarray(out->items, out->n + 1, sizeof(*out->items));
		c = &out->items[out->n++];
		*c = (struct challenge){.scheme = lower(s, n)};
		rest = skip_space(rest);
		if (*rest && *rest != ',' && !is_param(rest))
			s = skip_token68(rest);
		else if (*rest == ',' && !is_param(skip_space(rest + 1)))
			s = rest;
		else
			s = parse_params(rest, c);
	}
}

const struct challenge *challenges_find(const struct challenges *c, const char *scheme)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->items[i].scheme, scheme) == 0)
			return &c->items[i];
	}
	return NULL;
}

const char *challenge_get(const struct challenge *c, const char *name)
{
	return strmap_get(&c->params, name);
}

void challenges_release(struct challenges *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->items[i].scheme);
		strmap_release(&c->items[i].params);
	}
	free(c->items);
	*c = (struct challenges){0};
}
