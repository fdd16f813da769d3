/* registries.conf: the part of TOML 1.0 that such files are written in, and of their fields those that mirrors.h names. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "registry/mirrors_private.h"

enum table { TABLE_TOP, TABLE_REGISTRY, TABLE_MIRROR, TABLE_OTHER };

struct conf {
	struct mirrors *out;
	const char *at, *end, *path;
	int line;
	enum table table;
	struct mirror_rule *rule; /* the [[registry]] that is being read */
};

/* A value: a string, a list of strings, or true or false. */
struct value {
	enum { VALUE_STRING, VALUE_LIST, VALUE_BOOL } type;
	struct strlist list; /* the string is its only item */
	bool on;
};

static void value_release(struct value *v)
{
	strlist_release(&v->list);
}
CLEANUP_RELEASE(value)

static int fail(const struct conf *c, enum error_kind kind, struct error *err, const char *what)
{
	return error_set(err, kind, "%s:%d: %s", c->path, c->line, what);
}

/* ---- the form ------------------------------------------------------------ */

static char peek(const struct conf *c)
{
	return c->at < c->end ? *c->at : '\0';
}

static void skip_space(struct conf *c)
{
	while (peek(c) == ' ' || peek(c) == '\t' || peek(c) == '\r')
		c->at++;
}

/* Comments and ends of lines too. */
static void skip_lines(struct conf *c)
{
	for (;;) {
		skip_space(c);
		if (peek(c) == '#') {
			while (c->at < c->end && *c->at != '\n')
				c->at++;
		} else if (peek(c) == '\n') {
			c->line++;
			c->at++;
		} else {
			return;
		}
	}
}

static int end_line(struct conf *c, struct error *err)
{
	skip_space(c);
	if (c->at < c->end && *c->at != '#' && *c->at != '\n')
		return fail(c, ERROR_SYNTAX, err, "more than one thing on the line");
	return 0;
}

static int parse_string(struct conf *c, struct strbuf *out, struct error *err)
{
	const char quote = *c->at++;

	if (c->end - c->at >= 2 && c->at[0] == quote && c->at[1] == quote)
		return fail(c, ERROR_UNSUPPORTED, err, "strings of several lines are not read");
	while (c->at < c->end && *c->at != quote && *c->at != '\n') {
		if (quote == '"' && *c->at == '\\') {
			c->at++;
			if (peek(c) != '"' && peek(c) != '\\')
				return fail(c, ERROR_UNSUPPORTED, err,
					    "of escapes only \\\" and \\\\ are read");
		}
		if (!peek(c))
			return fail(c, ERROR_SYNTAX, err, "a NUL byte");
		strbuf_putc(out, *c->at++);
	}
	if (peek(c) != quote)
		return fail(c, ERROR_SYNTAX, err, "the string does not end on its line");
	c->at++;
	return 0;
}

static int parse_list(struct conf *c, struct value *v, struct error *err)
{
	v->type = VALUE_LIST;
	c->at++;
	for (;;) {
		AUTO(strbuf) item = STRBUF_INIT;

		skip_lines(c);
		if (peek(c) == ']') {
			c->at++;
			return 0;
		}
		if (peek(c) != '"' && peek(c) != '\'')
			return fail(c, ERROR_SYNTAX, err, "a list of strings is expected");
		if (parse_string(c, &item, err) < 0)
			return -1;
		strlist_add(&v->list, item.buf);
		skip_lines(c);
		if (peek(c) == ',')
			c->at++;
		else if (peek(c) != ']')
			return fail(c, ERROR_SYNTAX, err, "',' or ']' is missing");
	}
}

static bool take_word(struct conf *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
		return false;
	c->at += n;
	return true;
}

static int parse_value(struct conf *c, struct value *v, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	skip_space(c);
	switch (peek(c)) {
	case '[':
		return parse_list(c, v, err);
	case '"':
	case '\'':
		v->type = VALUE_STRING;
		if (parse_string(c, &text, err) < 0)
			return -1;
		strlist_add(&v->list, text.buf);
		return 0;
	default:
		v->type = VALUE_BOOL;
		v->on = take_word(c, "true");
		if (v->on || take_word(c, "false"))
			return 0;
		return fail(c, ERROR_SYNTAX, err,
			    "the value is no string, list of strings, true or false");
	}
}

/* A bare or quoted key, dots inside included. */
static int parse_key(struct conf *c, struct strbuf *out, struct error *err)
{
	skip_space(c);
	if (peek(c) == '"' || peek(c) == '\'')
		return parse_string(c, out, err);
	while (isalnum((unsigned char)peek(c)) || (peek(c) && strchr("-_.", peek(c))))
		strbuf_putc(out, *c->at++);
	return out->len ? 0 : fail(c, ERROR_SYNTAX, err, "a key is expected");
}

/* ---- the meaning --------------------------------------------------------- */

static int need(const struct conf *c, const struct value *v, int type, struct error *err)
{
	static const char *const WANTED[] = {"a string is expected",
					     "a list of strings is expected",
					     "true or false is expected"};

	return (int)v->type == type ? 0 : fail(c, ERROR_SYNTAX, err, WANTED[type]);
}

static int set_place(const struct conf *c, const struct value *v, char **out, struct error *err)
{
	const char *text = v->list.n ? v->list.items[0] : "";

	if (need(c, v, VALUE_STRING, err) < 0)
		return -1;
	if (!*text || strstr(text, "://") || *text == '/')
		return fail(c, ERROR_SYNTAX, err,
			    "HOST[:PORT][/PATH] is expected, without a scheme");
	free(*out);
	*out = xstrdup(text);
	while (str_ends(*out, "/"))
		(*out)[strlen(*out) - 1] = '\0';
	return 0;
}

static int set_bool(const struct conf *c, const struct value *v, bool *out, struct error *err)
{
	if (need(c, v, VALUE_BOOL, err) < 0)
		return -1;
	*out = v->on;
	return 0;
}

static int set_registry(struct conf *c, const char *key, const struct value *v, struct error *err)
{
	struct mirror_rule *r = c->rule;

	if (strcmp(key, "prefix") == 0)
		return set_place(c, v, &r->prefix, err);
	if (strcmp(key, "location") == 0)
		return set_place(c, v, &r->location, err);
	if (strcmp(key, "insecure") == 0)
		return set_bool(c, v, &r->insecure, err);
	if (strcmp(key, "blocked") == 0)
		return set_bool(c, v, &r->blocked, err);
	if (strcmp(key, "mirror-by-digest-only") == 0)
		return set_bool(c, v, &r->digests_only, err);
	return error_set(err, ERROR_UNSUPPORTED, "%s:%d: \"%s\" of a registry is not supported",
			 c->path, c->line, key);
}

static int set_mirror(struct conf *c, const char *key, const struct value *v, struct error *err)
{
	static const char *const USES[] = {"all", "digest-only", "tag-only"};
	struct mirror *m = &c->rule->mirrors[c->rule->n_mirrors - 1];

	if (strcmp(key, "location") == 0)
		return set_place(c, v, &m->location, err);
	if (strcmp(key, "insecure") == 0)
		return set_bool(c, v, &m->insecure, err);
	if (strcmp(key, "pull-from-mirror") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s:%d: \"%s\" of a mirror is not supported", c->path, c->line,
				 key);
	if (need(c, v, VALUE_STRING, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(USES) / sizeof(USES[0]); i++) {
		if (strcmp(v->list.items[0], USES[i]) == 0) {
			m->use = (enum mirror_for)i;
			return 0;
		}
	}
	return fail(c, ERROR_SYNTAX, err, "pull-from-mirror is all, digest-only or tag-only");
}

static int set_top(struct conf *c, const char *key, const struct value *v, struct error *err)
{
	bool elsewhere = false;

	if (strcmp(key, "unqualified-search-registries") != 0)
		return 0;
	if (need(c, v, VALUE_LIST, err) < 0)
		return -1;
	for (size_t i = 0; i < v->list.n; i++)
		elsewhere |= strcmp(v->list.items[i], "docker.io") != 0;
	free(c->out->search_list);
	c->out->search_list = elsewhere ? xstrfmt("%s:%d", c->path, c->line) : NULL;
	return 0;
}

/* The rule that has been read is whole: it replaces one of the same prefix. */
static int finish_rule(struct conf *c, struct error *err)
{
	struct mirrors *m = c->out;
	struct mirror_rule *r = c->rule;

	c->rule = NULL;
	if (!r)
		return 0;
	for (size_t i = 0; i < r->n_mirrors; i++)
		if (!r->mirrors[i].location)
			return error_set(err, ERROR_SYNTAX,
					 "%s: a mirror of this registry has no location", r->where);
	if (!r->prefix && !r->location)
		return error_set(err, ERROR_SYNTAX, "%s: this registry has no location", r->where);
	if (!r->prefix)
		r->prefix = xstrdup(r->location);
	for (size_t i = 0; i + 1 < m->n_rules; i++) {
		if (strcmp(m->rules[i].prefix, r->prefix) == 0) {
			mirror_rule_release(&m->rules[i]);
			m->rules[i] = *r;
			m->n_rules--;
			break;
		}
	}
	return 0;
}

static int begin_table(struct conf *c, struct error *err)
{
	AUTO(strbuf) name = STRBUF_INIT;
	bool list = c->end - c->at > 1 && c->at[1] == '[';

	c->at += list ? 2 : 1;
	if (parse_key(c, &name, err) < 0)
		return -1;
	skip_space(c);
	if (!take_word(c, list ? "]]" : "]"))
		return fail(c, ERROR_SYNTAX, err, "the table's name does not end");
	if (strcmp(name.buf, "registry.mirror") == 0 && list) {
		if (!c->rule)
			return fail(c, ERROR_SYNTAX, err, "a mirror without a registry");
		mirror_new(c->rule);
		c->table = TABLE_MIRROR;
		return end_line(c, err);
	}
	if (finish_rule(c, err) < 0)
		return -1;
	c->table = TABLE_OTHER;
	if (str_starts(name.buf, "registries."))
		return fail(c, ERROR_UNSUPPORTED, err,
			    "this is version 1 of the format; version 2 has [[registry]]");
	if (strcmp(name.buf, "registry") == 0 && list) {
		struct mirrors *m = c->out;

		c->rule = mirror_rule_new(&m->rules, &m->n_rules, &m->rules_cap);
		c->rule->where = xstrfmt("%s:%d", c->path, c->line);
		c->table = TABLE_REGISTRY;
	}
	return end_line(c, err);
}

static int parse_pair(struct conf *c, struct error *err)
{
	AUTO(strbuf) key = STRBUF_INIT;
	AUTO(value) v = {.type = VALUE_BOOL};

	if (parse_key(c, &key, err) < 0)
		return -1;
	skip_space(c);
	if (!take_word(c, "="))
		return fail(c, ERROR_SYNTAX, err, "'=' is missing");
	if (parse_value(c, &v, err) < 0 || end_line(c, err) < 0)
		return -1;
	switch (c->table) {
	case TABLE_TOP:
		return set_top(c, key.buf, &v, err);
	case TABLE_REGISTRY:
		return set_registry(c, key.buf, &v, err);
	case TABLE_MIRROR:
		return set_mirror(c, key.buf, &v, err);
	case TABLE_OTHER:
		break;
	}
	return 0;
}

int mirrors_parse(struct mirrors *m, const char *text, size_t len, const char *path,
		  struct error *err)
{
	struct conf c = {.out = m, .at = text, .end = text + len, .path = path, .line = 1};

	for (skip_lines(&c); c.at < c.end; skip_lines(&c)) {
		if ((*c.at == '[' ? begin_table(&c, err) : parse_pair(&c, err)) < 0)
			return -1;
	}
	return finish_rule(&c, err);
}
