#include "dockerfile/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The character at s and its length; a byte that is no UTF-8 stands for itself. */
static uint32_t decode(const char *s, const char *end, size_t *len)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
	uint32_t value = n == 1 ? c : c & (0xFFu >> (n + 1));
	size_t i;

	*len = 1;
	if ((size_t)(end - s) < n)
		return 0x110000u + c;
	for (i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xC0) != 0x80)
			return 0x110000u + c;
		value = value << 6 | ((unsigned char)s[i] & 0x3F);
	}
	if (n == 1 && c >= 0x80)
		return 0x110000u + c;
	*len = n;
	return value;
}

/* One character of a class, escaped or not; NULL when it is malformed. */
static const char *class_char(const char *at, const char *end, uint32_t *out)
{
	size_t len;

	if (at == end || *at == '-' || *at == ']')
		return NULL;
	if (*at == '\\' && ++at == end)
		return NULL;
	*out = decode(at, end, &len);
	return at + len;
}

/*
 * Reads the class behind '[' and says whether c is in it. Returns what follows
 * the ']', or NULL when the class is malformed.
 */
static const char *class_read(const char *at, const char *end, uint32_t c, bool *in)
{
	bool negated = at < end && *at == '^';
	bool found = false;
	size_t n = 0;

	at += negated;
	for (;; n++) {
		uint32_t low, high;

		if (at < end && *at == ']' && n > 0)
			break;
		at = class_char(at, end, &low);
		if (!at)
			return NULL;
		high = low;
		if (at < end && *at == '-') {
			at = class_char(at + 1, end, &high);
			if (!at || high < low)
				return NULL;
		}
		found = found || (low <= c && c <= high);
	}
	*in = found != negated;
	return at + 1;
}

/* Whether the pattern is well formed; *free_form: its components cannot be looked at one by one. */
static bool scan(const char *text, bool *free_form, bool *wild)
{
	const char *at = text, *end = text + strlen(text);
	bool in;

	while (at < end) {
		const char *start = at;

		if (*at == '\\') {
			*wild = true;
			if (++at == end)
				return false;
			at++;
		} else if (*at == '[') {
			*wild = true;
			at = class_read(at + 1, end, 0, &in);
			if (!at)
				return false;
			if (memchr(start, '/', (size_t)(at - start)))
				*free_form = true;
		} else if (at[0] == '*' && at[1] == '*') {
			*wild = true;
			if ((at > text && at[-1] != '/') || (at[2] && at[2] != '/'))
				*free_form = true;
			at += 2;
		} else {
			if (*at == '*' || *at == '?')
				*wild = true;
			at++;
		}
	}
	return true;
}

static bool has_wildcard(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] == '*' || text[i] == '?' || text[i] == '[' || text[i] == '\\')
			return true;
	return false;
}

static void add_part(struct glob *g, const char *text, size_t len)
{
	struct glob_part part = {.text = text, .len = len};

	part.any_depth = len == 2 && memcmp(text, "**", 2) == 0;
	part.literal = !has_wildcard(text, len);
	/* Two of them in a row are as good as one. */
	if (part.any_depth && g->n_parts && g->parts[g->n_parts - 1].any_depth)
		return;
	GROW(g->parts, g->n_parts + 1, g->cap_parts);
	g->parts[g->n_parts++] = part;
}

static void split_parts(struct glob *g)
{
	static const char star[] = "*";
	const char *at = g->text;

	for (;;) {
		size_t len = strcspn(at, "/");

		add_part(g, at, len);
		if (!at[len])
			break;
		at += len + 1;
	}
	/* At the end "**" asks for at least one component; more follow from matching folders. */
	if (g->parts[g->n_parts - 1].any_depth) {
		if (g->n_parts == 1)
			g->n_parts = 0;
		else
			g->n_parts--;
		add_part(g, star, 1);
	}
}

int glob_init(struct glob *g, const char *text)
{
	bool free_form = false, wild = false;

	memset(g, 0, sizeof(*g));
	if (!scan(text, &free_form, &wild))
		return -1;
	g->text = xstrdup(text);
	g->suffix = g->text;
	if (!wild) {
		g->kind = GLOB_LITERAL;
	} else if (free_form) {
		g->kind = GLOB_FREE;
	} else if (strncmp(text, "**/", 3) == 0 && !has_wildcard(text + 3, strlen(text + 3))) {
		g->kind = GLOB_SUFFIX;
		g->suffix = g->text + 3;
	} else {
		g->kind = GLOB_PARTS;
	}
	split_parts(g);
	return 0;
}

void glob_release(struct glob *g)
{
	if (!g)
		return;
	free(g->text);
	free(g->parts);
	memset(g, 0, sizeof(*g));
}

void glob_path_init(struct glob_path *p, const char *text)
{
	const char *at = text;

	memset(p, 0, sizeof(*p));
	p->text = text;
	p->len = strlen(text);
	for (;;) {
		size_t len = strcspn(at, "/");

		GROW(p->parts, p->n_parts + 1, p->cap_parts);
		p->parts[p->n_parts].text = at;
		p->parts[p->n_parts++].len = len;
		if (!at[len])
			return;
		at += len + 1;
	}
}

void glob_path_release(struct glob_path *p)
{
	if (!p)
		return;
	free(p->parts);
	memset(p, 0, sizeof(*p));
}

/*
 * One character of the pattern at `at` against the one at name: what follows
 * it in the pattern, or NULL when they differ. *len is the name character's.
 */
static const char *match_char(const char *at, const char *end, const char *name,
			      const char *name_end, size_t *len)
{
	uint32_t c = decode(name, name_end, len);
	size_t pattern_len;
	bool in;

	if (*at == '?')
		return c != '/' ? at + 1 : NULL;
	if (*at == '[') {
		at = class_read(at + 1, end, c, &in);
		return at && in && c != '/' ? at : NULL;
	}
	if (*at == '\\' && at + 1 < end)
		at++;
	return decode(at, end, &pattern_len) == c ? at + pattern_len : NULL;
}

bool glob_char_matches(const char *at, const char *end, const char *name, const char *name_end)
{
	size_t len;

	return match_char(at, end, name, name_end, &len) != NULL;
}

const char *glob_char_end(const char *at, const char *end)
{
	size_t len;
	bool in;

	if (*at == '[') {
		const char *after = class_read(at + 1, end, 0, &in);

		return after ? after : end;
	}
	if (*at == '\\' && at + 1 < end)
		at++;
	decode(at, end, &len);
	return at + len;
}

size_t glob_char_length(const char *s, const char *end)
{
	size_t len;

	decode(s, end, &len);
	return len;
}

/* A component of the pattern against one of the path; on a mismatch the last "*" takes one more. */
static bool match_part(const struct glob_part *part, const struct glob_part *name)
{
	const char *at = part->text, *end = part->text + part->len;
	const char *n = name->text, *n_end = name->text + name->len;
	const char *star = NULL, *star_n = NULL;

	if (part->literal)
		return part->len == name->len && memcmp(at, n, part->len) == 0;
	while (n < n_end || at < end) {
		const char *next = NULL;
		size_t len;

		if (at < end && *at == '*') {
			star = ++at;
			star_n = n;
			continue;
		}
		if (at < end && n < n_end)
			next = match_char(at, end, n, n_end, &len);
		if (next) {
			at = next;
			n += len;
			continue;
		}
		if (!star || star_n == n_end)
			return false;
		decode(star_n, n_end, &len);
		star_n += len;
		n = star_n;
		at = star;
	}
	return true;
}

/* Component by component; a mismatch lets the last "**" take one component more. */
static bool match_parts(const struct glob *g, const struct glob_path *path)
{
	size_t p = 0, n = 0, deep_p = SIZE_MAX, deep_n = 0;

	for (;;) {
		if (p == g->n_parts)
			return true; /* the path, or a folder above it */
		if (g->parts[p].any_depth) {
			deep_p = ++p;
			deep_n = n;
			continue;
		}
		if (n < path->n_parts && match_part(&g->parts[p], &path->parts[n])) {
			p++;
			n++;
			continue;
		}
		if (deep_p == SIZE_MAX || deep_n >= path->n_parts)
			return false;
		p = deep_p;
		n = ++deep_n;
	}
}

static bool match_literal(const struct glob *g, const struct glob_path *path)
{
	size_t len = strlen(g->text);

	return path->len >= len && memcmp(path->text, g->text, len) == 0 &&
	       (path->len == len || path->text[len] == '/');
}

bool glob_match(const struct glob *g, const struct glob_path *path)
{
	if (g->kind == GLOB_LITERAL)
		return match_literal(g, path);
	if (g->kind == GLOB_FREE)
		return glob_match_free(g->text, path->text);
	return match_parts(g, path);
}

bool glob_may_match_below(const struct glob *g, const struct glob_path *path)
{
	size_t i;

	if (g->kind == GLOB_FREE)
		return true;
	for (i = 0; i < g->n_parts && i < path->n_parts; i++) {
		if (g->parts[i].any_depth)
			return true;
		if (!match_part(&g->parts[i], &path->parts[i]))
			return false;
	}
	return true;
}
