#include "dockerfile/ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "dockerfile/glob.h"

struct rule {
	struct glob glob;
	char *text; /* as written */
	int line;
	bool negated;
};

/* Finds the last rule whose text is a given string. */
struct slot {
	const char *text;
	size_t len;
	size_t rule; /* index + 1; 0: free */
};
struct index {
	struct slot *slots;
	size_t n_slots;   /* a power of two */
	size_t max_parts; /* of the texts: components of the longest */
};

struct ignore {
	char *name;
	struct rule *rules;
	size_t n, cap;
	size_t n_negated;
	struct index literals; /* GLOB_LITERAL */
	struct index suffixes; /* GLOB_SUFFIX */
	size_t *others;        /* indices of the rules that have to be tried */
	size_t n_others, cap_others;
};

static uint64_t hash(const char *text, size_t len)
{
	uint64_t h = 14695981039346656037u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 1099511628211u;
	return h ^ h >> 29;
}

static struct slot *index_find(const struct index *index, const char *text, size_t len)
{
	size_t at = hash(text, len) & (index->n_slots - 1);

	for (;; at = (at + 1) & (index->n_slots - 1)) {
		struct slot *slot = &index->slots[at];

		if (!slot->rule || (slot->len == len && memcmp(slot->text, text, len) == 0))
			return slot;
	}
}

/* Later rules replace earlier ones of the same text: only the last can decide. */
static void index_build(struct index *index, const struct ignore *ig, enum glob_kind kind)
{
	size_t i, n = 0;

	for (i = 0; i < ig->n; i++)
		n += ig->rules[i].glob.kind == kind;
	index->n_slots = 2;
	while (index->n_slots < 2 * n + 2)
		index->n_slots *= 2;
	index->slots = xcalloc(index->n_slots, sizeof(*index->slots));
	for (i = 0; i < ig->n; i++) {
		const struct glob *g = &ig->rules[i].glob;
		struct slot *slot;

		if (g->kind != kind)
			continue;
		slot = index_find(index, g->suffix, strlen(g->suffix));
		slot->text = g->suffix;
		slot->len = strlen(g->suffix);
		slot->rule = i + 1;
		if (g->n_parts > index->max_parts)
			index->max_parts = g->n_parts;
	}
}

void ignore_free(struct ignore *ig)
{
	size_t i;

	if (!ig)
		return;
	for (i = 0; i < ig->n; i++) {
		glob_release(&ig->rules[i].glob);
		free(ig->rules[i].text);
	}
	free(ig->rules);
	free(ig->literals.slots);
	free(ig->suffixes.slots);
	free(ig->others);
	free(ig->name);
	free(ig);
}

static int bad_rule(const struct ignore *ig, int line, const char *what, const char *text,
		    struct error *err)
{
	AUTO(strbuf) shown = STRBUF_INIT;

	strbuf_add_printable(&shown, text, strlen(text), false);
	if (line)
		return error_set(err, ERROR_SYNTAX, "%s:%d: %s: \"%s\"", ig->name, line, what,
				 shown.buf);
	return error_set(err, ERROR_SYNTAX, "%s: %s: \"%s\"", ig->name, what, shown.buf);
}

/*
 * The pattern of a line that is trimmed and not empty. Docker cleans it twice:
 * alone, and once more with the "!" before it; so does this, for the odd cases
 * ("!/", "/!x") to come out alike.
 */
static char *clean_pattern(const char *text)
{
	AUTO(strbuf) pattern = STRBUF_INIT;
	AUTO_FREE char *clean = NULL;
	bool negated = text[0] == '!';
	const char *bare = "";

	strbuf_puts(&pattern, text + negated);
	strbuf_trim(&pattern);
	if (pattern.len > 0) {
		clean = path_clean(pattern.buf);
		bare = clean[0] == '/' && clean[1] ? clean + 1 : clean;
	}
	strbuf_reset(&pattern);
	strbuf_printf(&pattern, "%s%s", negated ? "!" : "", bare);
	return path_clean(pattern.buf);
}

static int add_rule(struct ignore *ig, const char *text, int line, struct error *err)
{
	AUTO_FREE char *clean = clean_pattern(text);
	struct rule rule = {.line = line, .negated = clean[0] == '!'};

	if (rule.negated && !clean[1])
		return bad_rule(ig, line, "illegal exclusion pattern", text, err);
	if (glob_init(&rule.glob, clean + rule.negated) < 0)
		return bad_rule(ig, line, "syntax error in pattern", text, err);
	rule.text = xstrdup(text);
	GROW(ig->rules, ig->n + 1, ig->cap);
	ig->rules[ig->n++] = rule;
	ig->n_negated += rule.negated;
	if (rule.glob.kind == GLOB_PARTS || rule.glob.kind == GLOB_FREE) {
		GROW(ig->others, ig->n_others + 1, ig->cap_others);
		ig->others[ig->n_others++] = ig->n - 1;
	}
	return 0;
}

static void build_indices(struct ignore *ig)
{
	index_build(&ig->literals, ig, GLOB_LITERAL);
	index_build(&ig->suffixes, ig, GLOB_SUFFIX);
}

int ignore_parse(struct ignore **out, const char *name, const char *text, size_t len,
		 struct error *err)
{
	AUTO_PTR(ignore) ig = xcalloc(1, sizeof(*ig));
	AUTO(strbuf) trimmed = STRBUF_INIT;
	const char *at = text, *end = text + len;
	int line = 0;

	ig->name = xstrdup(name);
	if (len > LIMIT_IGNORE_BYTES)
		return error_set(err, ERROR_SYNTAX, "%s: the file has %zu bytes, more than %u",
				 name, len, LIMIT_IGNORE_BYTES);
	if (len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
		at += 3;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);
		bool comment = n > 0 && *at == '#';

		line++;
		strbuf_reset(&trimmed);
		strbuf_add(&trimmed, at, n);
		strbuf_trim(&trimmed);
		at += n + 1;
		if (comment || trimmed.len == 0)
			continue;
		if (memchr(trimmed.buf, '\0', trimmed.len))
			return bad_rule(ig, line, "a NUL byte in a pattern", trimmed.buf, err);
		if (n > LIMIT_DOCKERFILE_LINE)
			return bad_rule(ig, line, "the line is too long", "", err);
		if (add_rule(ig, trimmed.buf, line, err) < 0)
			return -1;
	}
	build_indices(ig);
	*out = take_ptr(ig);
	return 0;
}

int ignore_from_patterns(struct ignore **out, const struct strlist *patterns, struct error *err)
{
	AUTO_PTR(ignore) ig = xcalloc(1, sizeof(*ig));
	size_t i;

	ig->name = xstrdup("--exclude");
	for (i = 0; i < patterns->n; i++) {
		AUTO(strbuf) trimmed = STRBUF_INIT;

		strbuf_puts(&trimmed, patterns->items[i]);
		strbuf_trim(&trimmed);
		if (trimmed.len > 0 && add_rule(ig, trimmed.buf, 0, err) < 0)
			return -1;
	}
	build_indices(ig);
	*out = take_ptr(ig);
	return 0;
}

/* The last rule (index + 1) that is the text of the path or of a folder above it. */
static size_t find_literal(const struct ignore *ig, const struct glob_path *path)
{
	size_t best = 0, i, len = 0;

	for (i = 0; i < path->n_parts && i < ig->literals.max_parts; i++) {
		const struct slot *slot;

		len = (size_t)(path->parts[i].text - path->text) + path->parts[i].len;
		slot = index_find(&ig->literals, path->text, len);
		if (slot->rule > best)
			best = slot->rule;
	}
	return best;
}

/* The same for components in a row anywhere in the path. */
static size_t find_suffix(const struct ignore *ig, const struct glob_path *path)
{
	size_t best = 0, first, i;

	for (first = 0; first < path->n_parts; first++) {
		const char *start = path->parts[first].text;

		for (i = first; i < path->n_parts && i - first < ig->suffixes.max_parts; i++) {
			size_t len = (size_t)(path->parts[i].text - start) + path->parts[i].len;
			const struct slot *slot = index_find(&ig->suffixes, start, len);

			if (slot->rule > best)
				best = slot->rule;
		}
	}
	return best;
}

/* The last rule that matches, index + 1; 0: none. */
static size_t find_rule(const struct ignore *ig, const struct glob_path *path)
{
	size_t best = find_literal(ig, path), i;
	size_t suffix = find_suffix(ig, path);

	if (suffix > best)
		best = suffix;
	for (i = ig->n_others; i-- > 0;) {
		size_t rule = ig->others[i];

		if (rule + 1 <= best)
			break;
		if (glob_match(&ig->rules[rule].glob, path))
			return rule + 1;
	}
	return best;
}

bool ignore_match(const struct ignore *ig, const char *path, struct ignore_reason *why)
{
	AUTO(glob_path) parts = {0};
	size_t rule = 0;

	if (why)
		memset(why, 0, sizeof(*why));
	if (!ig || ig->n == 0 || strcmp(path, ".") == 0 || !*path)
		return false;
	glob_path_init(&parts, path);
	rule = find_rule(ig, &parts);
	if (rule == 0)
		return false;
	if (why) {
		why->line = ig->rules[rule - 1].line;
		why->text = ig->rules[rule - 1].text;
	}
	return !ig->rules[rule - 1].negated;
}

bool ignore_may_reinclude_below(const struct ignore *ig, const char *path)
{
	AUTO(glob_path) parts = {0};
	size_t decided, i, left;

	if (!ig || ig->n_negated == 0)
		return false;
	glob_path_init(&parts, path);
	/* Whatever matches the folder matches all below it: only later lines can change that. */
	decided = find_rule(ig, &parts);
	left = ig->n_negated;
	for (i = ig->n; i-- > decided && left > 0;) {
		if (!ig->rules[i].negated)
			continue;
		left--;
		if (glob_may_match_below(&ig->rules[i].glob, &parts))
			return true;
	}
	return false;
}

char *ignore_explain(const struct ignore *ig, const struct ignore_reason *why)
{
	AUTO(strbuf) shown = STRBUF_INIT;

	if (!ig || !why->text)
		return xstrdup("");
	strbuf_add_printable(&shown, why->text, strlen(why->text), false);
	if (why->line)
		return xstrfmt("excluded by %s:%d (\"%s\")", ig->name, why->line, shown.buf);
	return xstrfmt("excluded by %s=%s", ig->name, shown.buf);
}

bool ignore_has_exceptions(const struct ignore *ig)
{
	return ig && ig->n_negated > 0;
}

size_t ignore_count(const struct ignore *ig)
{
	return ig ? ig->n : 0;
}
