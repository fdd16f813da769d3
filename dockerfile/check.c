#include "dockerfile/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/instruction.h"
#include "dockerfile/value.h"
#include "dockerfile/words.h"

/* Nobody reads more of them. */
#define MAX_WARNINGS 1000

void check_config_release(struct check_config *config)
{
	if (!config)
		return;
	strlist_release(&config->skip);
	strlist_release(&config->experimental);
	memset(config, 0, sizeof(*config));
}

void check_list_release(struct check_list *list)
{
	size_t i;

	if (!list)
		return;
	for (i = 0; i < list->n; i++)
		free(list->items[i].message);
	for (i = 0; i < list->n_comments; i++)
		check_config_release(&list->comments[i].config);
	free(list->items);
	free(list->comments);
	check_config_release(&list->config);
	memset(list, 0, sizeof(*list));
}

static void add(struct check_list *list, const struct check_warning *place, const char *fmt,
		va_list ap) __attribute__((format(printf, 3, 0)));
static void add(struct check_list *list, const struct check_warning *place, const char *fmt,
		va_list ap)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) line = STRBUF_INIT;

	if (!list || list->n == MAX_WARNINGS)
		return;
	/* It quotes the file, whose bytes must not reach a terminal raw. */
	strbuf_vprintf(&text, fmt, ap);
	strbuf_add_printable(&line, text.buf, text.len, false);
	GROW(list->items, list->n + 1, list->cap);
	list->items[list->n] = *place;
	list->items[list->n++].message = strbuf_detach(&line, NULL);
}

void check_add(struct check_list *list, enum check_rule rule, const struct instruction *at,
	       const char *fmt, ...)
{
	const struct check_warning place = {
		.rule = rule,
		.line_first = at->line_first,
		.line_last = at->line_last,
		.column = at->column,
	};
	va_list ap;

	va_start(ap, fmt);
	add(list, &place, fmt, ap);
	va_end(ap);
}

void check_add_line(struct check_list *list, enum check_rule rule, int line, const char *fmt, ...)
{
	const struct check_warning place = {.rule = rule, .line_first = line, .line_last = line};
	va_list ap;

	va_start(ap, fmt);
	add(list, &place, fmt, ap);
	va_end(ap);
}

/* "A,B" or "all". */
static void read_rules(struct strlist *out, bool *all, const char *value)
{
	AUTO(strlist) names = STRLIST_INIT;
	size_t i;

	*all = strcasecmp(value, "all") == 0;
	strlist_clear(out);
	strlist_split(&names, value, ',');
	for (i = 0; i < names.n; i++) {
		AUTO(strbuf) name = STRBUF_INIT;

		strbuf_puts(&name, names.items[i]);
		strbuf_trim(&name);
		strlist_add(out, name.buf);
	}
}

static int read_option(struct check_config *out, const char *text, struct error *err)
{
	static const char *const names[] = {"skip", "error", "experimental"};
	const char *equals = strchr(text, '=');
	AUTO(strbuf) name = STRBUF_INIT;
	AUTO(strbuf) value = STRBUF_INIT;
	const char *near;

	strbuf_add(&name, text, equals ? (size_t)(equals - text) : strlen(text));
	strbuf_trim(&name);
	strbuf_puts(&value, equals ? equals + 1 : "");
	strbuf_trim(&value);
	if (equals && strcasecmp(name.buf, "skip") == 0) {
		read_rules(&out->skip, &out->skip_all, value.buf);
		return 0;
	}
	if (equals && strcasecmp(name.buf, "experimental") == 0) {
		read_rules(&out->experimental, &out->experimental_all, value.buf);
		return 0;
	}
	if (equals && strcasecmp(name.buf, "error") == 0) {
		if (value_bool(&out->error, value.buf))
			return 0;
		return error_set(
			err, ERROR_SYNTAX,
			"failed to parse check option \"error=%s\": true or false is wanted",
			value.buf);
	}
	near = word_suggest(name.buf, names, ARRAY_SIZE(names));
	return error_set(
		err, ERROR_SYNTAX,
		"invalid check option \"%s\"%s%s%s: skip=, error= and experimental= are known",
		name.buf, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

int check_config_parse(struct check_config *out, const char *text, struct error *err)
{
	AUTO(strlist) parts = STRLIST_INIT;
	size_t i;

	strlist_split(&parts, text, ';');
	for (i = 0; i < parts.n; i++) {
		if (parts.items[i][strspn(parts.items[i], " \t\r")] == '\0')
			continue;
		if (read_option(out, parts.items[i], err) < 0)
			return -1;
	}
	return 0;
}

int check_override(struct check_list *list, const char *text, struct error *err)
{
	AUTO(check_config) config = {0};

	if (check_config_parse(&config, text, err) < 0) {
		if (err)
			err->kind = ERROR_USAGE;
		return error_wrap(err, "--build-arg BUILDKIT_DOCKERFILE_CHECK");
	}
	check_config_release(&list->config);
	list->config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

void check_add_comment(struct check_list *list, int line_first, int line_last, const char *text)
{
	AUTO(check_config) config = {0};

	if (check_config_parse(&config, text, NULL) < 0)
		return;
	GROW(list->comments, list->n_comments + 1, list->cap_comments);
	list->comments[list->n_comments++] = (struct check_comment){line_first, line_last, config};
	memset(&config, 0, sizeof(config));
}

static bool has_rule(const struct strlist *rules, const char *name)
{
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (strcasecmp(rules->items[i], name) == 0)
			return true;
	return false;
}

static bool is_named(const struct check_config *config, const struct check_rule_info *rule)
{
	if (rule->experimental)
		return config->experimental_all || has_rule(&config->experimental, rule->name);
	return config->skip_all || has_rule(&config->skip, rule->name);
}

static bool is_wanted(const struct check_list *list, const struct check_warning *w)
{
	const struct check_rule_info *rule = check_rule_info(w->rule);
	bool named = is_named(&list->config, rule);
	size_t i;

	for (i = 0; !named && i < list->n_comments; i++) {
		const struct check_comment *c = &list->comments[i];

		named = c->line_first <= w->line_last && w->line_first <= c->line_last &&
			is_named(&c->config, rule);
	}
	return named == rule->experimental;
}

static int by_line(const void *a, const void *b)
{
	const struct check_warning *x = a, *y = b;

	if (x->line_first != y->line_first)
		return x->line_first < y->line_first ? -1 : 1;
	if (x->rule != y->rule)
		return strcmp(check_rule_info(x->rule)->name, check_rule_info(y->rule)->name);
	return strcmp(x->message, y->message);
}

void check_finish(struct check_list *list)
{
	size_t i, kept = 0;

	for (i = 0; i < list->n; i++) {
		struct check_warning *w = &list->items[i];

		if (is_wanted(list, w))
			list->items[kept++] = *w;
		else
			free(w->message);
	}
	list->n = kept;
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_line);
}

static bool has_warning(const struct check_list *list, const struct check_warning *w)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i].rule == w->rule && list->items[i].line_first == w->line_first &&
		    list->items[i].column == w->column &&
		    strcmp(list->items[i].message, w->message) == 0)
			return true;
	return false;
}

void check_list_merge(struct check_list *out, struct check_list *from)
{
	size_t i;

	for (i = 0; i < from->n; i++) {
		struct check_warning *w = &from->items[i];

		if (out->n == MAX_WARNINGS || has_warning(out, w))
			continue;
		GROW(out->items, out->n + 1, out->cap);
		out->items[out->n++] = *w;
		w->message = NULL;
	}
	check_list_release(from);
	check_finish(out);
}

size_t check_count(const struct check_list *list, enum check_level level)
{
	size_t i, n = 0;

	for (i = 0; i < list->n; i++)
		n += check_rule_info(list->items[i].rule)->level == level;
	return n;
}

int check_enforce(const struct check_list *list, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;
	size_t i;

	for (i = 0; i < list->n; i++) {
		const struct check_rule_info *rule = check_rule_info(list->items[i].rule);

		if (rule->level == CHECK_WARNING && !strlist_has(&names, rule->name))
			strlist_add(&names, rule->name);
	}
	if (!list->config.error || !names.n)
		return 0;
	strlist_sort(&names);
	joined = strlist_join(&names, ", ");
	error_set(err, ERROR_SYNTAX, "lint violation found for rules: %s", joined);
	return error_hint(err,
			  "The option error=true of the checks makes warnings fail the build.");
}
