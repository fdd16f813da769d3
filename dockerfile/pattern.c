#include "dockerfile/pattern.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

/* Length of value times length of pattern, both in characters. */
#define PATTERN_WORK (1u << 24)

enum token_kind { TOKEN_CHAR, TOKEN_ANY, TOKEN_STAR };
struct token {
	enum token_kind kind;
	const char *text;
	size_t len;
};

/* A character of UTF-8 and its length; a byte that is none counts as one. */
static size_t char_length(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
	size_t i;

	for (i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80)
			return 1;
	return n;
}

struct text {
	const char *bytes;
	size_t *starts; /* n + 1 offsets */
	size_t n;
};

static void text_init(struct text *t, const char *s)
{
	size_t cap = strlen(s) + 1, at = 0;

	t->bytes = s;
	t->n = 0;
	t->starts = xmalloc(cap * sizeof(*t->starts));
	while (s[at]) {
		t->starts[t->n++] = at;
		at += char_length(s + at);
	}
	t->starts[t->n] = at;
}

static int tokens_parse(struct token **out, size_t *n, const char *pattern, struct error *err)
{
	AUTO_FREE struct token *tokens = NULL;
	size_t cap = 0, at = 0;

	*n = 0;
	while (pattern[at]) {
		struct token t = {.kind = TOKEN_CHAR};

		if (pattern[at] == '*') {
			t.kind = TOKEN_STAR;
		} else if (pattern[at] == '?') {
			t.kind = TOKEN_ANY;
		} else if (pattern[at] == '\\') {
			if (!pattern[at + 1] || !strchr("*?\\}/", pattern[at + 1]))
				return error_set(
					err, ERROR_SYNTAX,
					"invalid pattern (%s) in substitution: invalid escape",
					pattern);
			at++;
		}
		t.text = pattern + at;
		t.len = char_length(pattern + at);
		at += t.len;
		if (t.kind == TOKEN_STAR && *n > 0 && tokens[*n - 1].kind == TOKEN_STAR)
			continue;
		GROW(tokens, *n + 1, cap);
		tokens[(*n)++] = t;
	}
	*out = take_ptr(tokens);
	return 0;
}

static bool token_matches(const struct token *t, const struct text *v, size_t i)
{
	size_t len = v->starts[i + 1] - v->starts[i];

	return t->kind == TOKEN_ANY ||
	       (len == t->len && memcmp(v->bytes + v->starts[i], t->text, len) == 0);
}

/* What a search looks for: the pattern, read from its start or its end. */
struct search {
	struct token *tokens;
	size_t n_tokens;
	struct text value;
	bool backward;
	bool longest;
	/* For each position 0..n: how many characters a match that begins there takes; SIZE_MAX: none. */
	size_t *taken;
};

static void search_release(struct search *s)
{
	free(s->tokens);
	free(s->value.starts);
	free(s->taken);
}
CLEANUP_RELEASE(search)

static size_t better(const struct search *s, size_t a, size_t b)
{
	if (a == SIZE_MAX || b == SIZE_MAX)
		return a == SIZE_MAX ? b : a;
	return (a > b) == s->longest ? a : b;
}

/*
 * Fills taken by working through the pattern from its last token: before each
 * step taken[i] is right for the tokens behind this one. Positions count from
 * the end of the value when the search goes backward.
 */
static void search_run(struct search *s)
{
	size_t n = s->value.n, k, i;

	for (i = 0; i <= n; i++)
		s->taken[i] = 0;
	for (k = 0; k < s->n_tokens; k++) {
		const struct token *t = &s->tokens[s->backward ? k : s->n_tokens - 1 - k];

		if (t->kind == TOKEN_STAR) {
			for (i = n; i-- > 0;) {
				size_t next = s->taken[i + 1];

				s->taken[i] = better(s, s->taken[i],
						     next == SIZE_MAX ? SIZE_MAX : next + 1);
			}
			continue;
		}
		for (i = 0; i < n; i++) {
			bool fits = token_matches(t, &s->value, s->backward ? n - 1 - i : i);
			size_t next = s->taken[i + 1];

			s->taken[i] = fits && next != SIZE_MAX ? next + 1 : SIZE_MAX;
		}
		s->taken[n] = SIZE_MAX;
	}
}

static int search_init(struct search *s, const char *value, const char *pattern, struct error *err)
{
	if (tokens_parse(&s->tokens, &s->n_tokens, pattern, err) < 0)
		return -1;
	text_init(&s->value, value);
	if (s->n_tokens && s->value.n > PATTERN_WORK / s->n_tokens)
		return error_set(err, ERROR_SYNTAX,
				 "a pattern of %zu characters on a value of %zu is too much",
				 s->n_tokens, s->value.n);
	s->taken = xreallocarray(NULL, s->value.n + 1, sizeof(*s->taken));
	search_run(s);
	return 0;
}

int pattern_trim(struct strbuf *out, const char *value, const char *pattern, bool at_end,
		 bool longest, struct error *err)
{
	AUTO(search) s = {.backward = at_end, .longest = longest};
	size_t taken;

	if (search_init(&s, value, pattern, err) < 0)
		return -1;
	taken = s.taken[0] == SIZE_MAX ? 0 : s.taken[0];
	if (at_end)
		strbuf_add(out, value, s.value.starts[s.value.n - taken]);
	else
		strbuf_puts(out, value + s.value.starts[taken]);
	return 0;
}

int pattern_replace(struct strbuf *out, const char *value, const char *pattern,
		    const char *replacement, bool all, struct error *err)
{
	AUTO(search) s = {.longest = true};
	size_t i = 0, last = SIZE_MAX; /* where the previous match ended */
	bool done = false;

	if (search_init(&s, value, pattern, err) < 0)
		return -1;
	while (i <= s.value.n) {
		size_t taken = done ? SIZE_MAX : s.taken[i];

		/* An empty match right behind another match does not count. */
		if (taken != SIZE_MAX && (taken > 0 || i != last)) {
			strbuf_puts(out, replacement);
			i += taken;
			last = i;
			done = !all;
			if (taken > 0)
				continue;
		}
		if (i < s.value.n)
			strbuf_add(out, value + s.value.starts[i],
				   s.value.starts[i + 1] - s.value.starts[i]);
		i++;
	}
	return 0;
}
