#include "builder/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FOLDER      "parts"
#define MAX_REASONS 3
#define TOO_MANY    "too many files"

struct view {
	const char *text;
	size_t len;
};

/* One line. Several of one name (the fields of a mount) are compared in their order. */
struct part {
	struct view name, mode, value; /* mode: of a file */
	const struct part *other;      /* the same of the other build */
};

struct parts {
	struct part *items, **sorted;
	size_t n, cap;
	bool too_many;
};

static void parts_release(struct parts *p)
{
	free(p->items);
	free(p->sorted);
}

CLEANUP_RELEASE(parts)

void explain_add_file(struct strbuf *parts, const char *path, char type, unsigned mode,
		      bool mode_counts, const char *hash)
{
	strbuf_add_printable(parts, path, strlen(path), false);
	if (mode_counts)
		strbuf_printf(parts, " %c%o %.16s\n", type, mode, hash);
	else
		strbuf_printf(parts, " %c- %.16s\n", type, hash);
}

void explain_add_too_many(struct strbuf *parts)
{
	strbuf_puts(parts, TOO_MANY "\t-\n");
}

static struct view view_of(const char *from, const char *to)
{
	return (struct view){from, (size_t)(to - from)};
}

static bool view_is(const struct view *v, const char *text)
{
	return v->len == strlen(text) && memcmp(v->text, text, v->len) == 0;
}

static bool view_starts(const struct view *v, const char *text)
{
	return v->len >= strlen(text) && memcmp(v->text, text, strlen(text)) == 0;
}

static bool view_equal(const struct view *a, const struct view *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

static bool is_file(const struct part *p)
{
	return p->mode.len > 0;
}

static bool parse_line(struct part *out, const char *line, const char *end)
{
	const char *tab = memrchr(line, '\t', (size_t)(end - line));
	const char *value = tab ? tab : memrchr(line, ' ', (size_t)(end - line));
	const char *mode;

	*out = (struct part){.other = NULL};
	if (!value)
		return false;
	out->value = view_of(value + 1, end);
	out->name = view_of(line, value);
	if (tab)
		return true;
	mode = memrchr(line, ' ', (size_t)(value - line));
	if (!mode || mode + 1 == value)
		return false;
	out->mode = view_of(mode + 1, value);
	out->name = view_of(line, mode);
	return true;
}

static int compare_names(const struct part *a, const struct part *b)
{
	size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = memcmp(a->name.text, b->name.text, len);

	if (order == 0)
		order = (a->name.len > b->name.len) - (a->name.len < b->name.len);
	return order ? order : is_file(a) - is_file(b);
}

static int compare_parts(const void *x, const void *y)
{
	const struct part *a = *(struct part *const *)x, *b = *(struct part *const *)y;
	int order = compare_names(a, b);

	return order ? order : (a > b) - (a < b);
}

static void parse(struct parts *out, const struct strbuf *text)
{
	const char *end = text->buf + text->len;

	*out = (struct parts){.n = 0};
	for (const char *at = text->buf; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		struct part p;

		if (parse_line(&p, at, stop)) {
			GROW(out->items, out->n + 1, out->cap);
			out->items[out->n++] = p;
			out->too_many |= !is_file(&p) && view_is(&p.name, TOO_MANY);
		}
		at = stop + 1;
	}
	out->sorted = xcalloc(out->n + 1, sizeof(*out->sorted));
	for (size_t i = 0; i < out->n; i++)
		out->sorted[i] = &out->items[i];
	qsort(out->sorted, out->n, sizeof(*out->sorted), compare_parts);
}

static void match(struct parts *a, struct parts *b)
{
	size_t i = 0, k = 0;

	while (i < a->n && k < b->n) {
		int order = compare_names(a->sorted[i], b->sorted[k]);

		if (order == 0) {
			a->sorted[i]->other = b->sorted[k];
			b->sorted[k]->other = a->sorted[i];
		}
		i += order <= 0;
		k += order >= 0;
	}
}

struct reasons {
	struct strbuf *out;
	const struct explain_step *step;
	struct view last; /* what was named last: fields of one mount are one reason */
	size_t n;
	bool no_files, platform_counts;
};

__attribute__((format(printf, 3, 4))) static void add(struct reasons *r, const struct view *name,
						      const char *fmt, ...)
{
	va_list ap;

	if (r->last.text && view_equal(&r->last, name))
		return;
	r->last = *name;
	if (r->n++ >= MAX_REASONS)
		return;
	if (r->n > 1)
		strbuf_puts(r->out, ", ");
	va_start(ap, fmt);
	strbuf_vprintf(r->out, fmt, ap);
	va_end(ap);
}

#define SHOWN(v) (int)(v).len, (v).text

/* Said of these only when nothing else can be. */
static bool is_secondary(const struct part *p)
{
	static const char *const names[] = {PLAN_BELOW, PLAN_FILES, TOO_MANY};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!is_file(p) && view_is(&p->name, names[i]))
			return true;
	return !is_file(p) &&
	       (view_starts(&p->name, "number of ") || view_starts(&p->name, PLAN_MOUNT_SOURCE));
}

/* What the text of an instruction says and selects: when that reads otherwise, it is the reason. */
static bool is_of_instruction(const struct part *p)
{
	static const char *const names[] = {"kind",        "command", "script",
					    "destination", "sources", "number of heredocs",
					    "path",        "network"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (view_is(&p->name, names[i]))
			return true;
	return is_file(p) || view_starts(&p->name, "--");
}

static bool is_left_out(const struct reasons *r, const struct part *p)
{
	if (is_secondary(p) || (is_file(p) && r->no_files))
		return true;
	if (r->step->how == STEP_LOG_EDITED && is_of_instruction(p))
		return true;
	if (is_file(p))
		return false;
	/* Another platform has another base: one reason. It is none where the step does not depend on it. */
	return (view_is(&p->name, PLAN_BASE) && r->platform_counts) ||
	       (view_is(&p->name, PLAN_PLATFORM) && !r->platform_counts);
}

/* "NAME@DIGEST", or "scratch" */
static void add_base(struct reasons *r, const struct part *was, const struct part *is)
{
	const char *old = memchr(was->value.text, '@', was->value.len);
	const char *new = memchr(is->value.text, '@', is->value.len);
	struct view old_name, new_name;

	old_name = view_of(was->value.text, old ? old : was->value.text + was->value.len);
	new_name = view_of(is->value.text, new ? new : is->value.text + is->value.len);
	if (!old || !new || !view_equal(&old_name, &new_name))
		add(r, &is->name, "base changed %.*s -> %.*s", SHOWN(old_name), SHOWN(new_name));
	else
		add(r, &is->name, "base moved %.*s -> %.*s (%.*s)",
		    (int)(was->value.text + was->value.len - old - 1), old + 1,
		    (int)(is->value.text + is->value.len - new - 1), new + 1, SHOWN(new_name));
}

static void add_change(struct reasons *r, const struct part *was, const struct part *is)
{
	bool same_type = is_file(is) && was->mode.text[0] == is->mode.text[0];

	if (is_file(is) && same_type && view_equal(&was->value, &is->value))
		add(r, &is->name, "mode of %.*s changed %.*s -> %.*s", SHOWN(is->name),
		    (int)was->mode.len - 1, was->mode.text + 1, (int)is->mode.len - 1,
		    is->mode.text + 1);
	else if (!is_file(is) && view_is(&is->name, PLAN_BASE))
		add_base(r, was, is);
	else if (!is_file(is) && view_is(&is->name, PLAN_PLATFORM))
		add(r, &is->name, "platform changed %.*s -> %.*s", SHOWN(was->value),
		    SHOWN(is->value));
	else
		add(r, &is->name, "%.*s changed", SHOWN(is->name));
}

static bool differs(const struct part *p)
{
	return p->other &&
	       !(view_equal(&p->value, &p->other->value) && view_equal(&p->mode, &p->other->mode));
}

/* A secondary part whose name begins so is another one. */
static bool has_changed(const struct parts *now, const char *name)
{
	for (size_t i = 0; i < now->n; i++)
		if (!is_file(&now->items[i]) && view_starts(&now->items[i].name, name) &&
		    differs(&now->items[i]))
			return true;
	return false;
}

static bool has_part(const struct parts *now, const char *name)
{
	for (size_t i = 0; i < now->n; i++)
		if (!is_file(&now->items[i]) && view_is(&now->items[i].name, name))
			return true;
	return false;
}

static void add_secondary(struct reasons *r, const struct parts *now)
{
	static const struct view none = {"", 0};

	for (size_t i = 0; i < now->n && !r->n; i++) {
		const struct part *p = &now->items[i];

		if (differs(p) && !is_file(p) && view_starts(&p->name, PLAN_MOUNT_SOURCE))
			add(r, &p->name, "%.*s changed", SHOWN(p->name));
	}
	if (!r->n && has_changed(now, PLAN_FILES))
		add(r, &none, "%s changed", PLAN_FILES);
	if (!r->n && has_changed(now, PLAN_BELOW))
		add(r, &none, "%s", r->step->below ? r->step->below : PLAN_BELOW " changed");
	if (!r->n)
		add(r, &none, "its inputs changed");
}

static void compare(struct reasons *r, struct parts *old, struct parts *now)
{
	static const struct view instruction = {"", 0};

	match(old, now);
	r->no_files = old->too_many || now->too_many;
	r->platform_counts = has_changed(now, PLAN_PLATFORM) &&
			     (has_changed(now, PLAN_BASE) || has_part(now, "command"));
	if (r->step->how == STEP_LOG_EDITED)
		add(r, &instruction, "instruction changed");
	for (size_t i = 0; i < now->n; i++) {
		const struct part *p = &now->items[i];

		if (is_left_out(r, p))
			continue;
		if (!p->other)
			add(r, &p->name, "%.*s added", SHOWN(p->name));
		else if (differs(p))
			add_change(r, p->other, p);
	}
	for (size_t i = 0; i < old->n; i++)
		if (!old->items[i].other && !is_left_out(r, &old->items[i]))
			add(r, &old->items[i].name, "%.*s removed", SHOWN(old->items[i].name));
	if (!r->n)
		add_secondary(r, now);
	if (r->n > MAX_REASONS)
		strbuf_printf(r->out, ", and %zu more", r->n - MAX_REASONS);
}

static void explain_same_key(struct strbuf *out, struct store *s, const char *key)
{
	AUTO(strbuf) record = STRBUF_INIT;
	AUTO_FREE char *name = xstrfmt("%s.json", key);
	bool there = cache_read_file(s, "steps", name, &record);

	if (there && strstr(record.buf, "\"one_owner\""))
		strbuf_puts(out,
			    "nothing changed, but it was made where there is one user id only, "
			    "so without the owners that the step gave");
	else if (there)
		strbuf_puts(out, "nothing changed, but its layer is no longer in the store");
	else
		strbuf_puts(out, "nothing changed, but it is no longer in the cache");
}

void explain_miss(struct strbuf *out, struct store *s, const struct explain_step *step)
{
	AUTO(strbuf) former = STRBUF_INIT;
	struct reasons r = {.out = out, .step = step};
	AUTO(parts) old = {.n = 0};
	AUTO(parts) now = {.n = 0};

	strbuf_reset(out);
	if (!step->former) {
		strbuf_puts(out, step->how == STEP_LOG_FIRST ? "first build of this step"
							     : "new instruction");
		return;
	}
	if (strcmp(step->former, step->key) == 0) {
		explain_same_key(out, s, step->key);
		return;
	}
	if (!cache_read_file(s, FOLDER, step->former, &former)) {
		strbuf_puts(out, step->how == STEP_LOG_EDITED
					 ? "instruction changed"
					 : "what it was made of before is not known");
		return;
	}
	parse(&old, &former);
	parse(&now, step->parts);
	compare(&r, &old, &now);
}

bool explain_is_kept(struct store *s, const char *key)
{
	return cache_file_begins(s, FOLDER, key, "");
}

void explain_keep(struct store *s, const char *key, const struct strbuf *parts)
{
	AUTO(strbuf) there = STRBUF_INIT;

	/* Equal keys have equal parts: a step that runs again need not write them again. */
	if (!cache_read_file(s, FOLDER, key, &there) || there.len != parts->len ||
	    memcmp(there.buf, parts->buf, parts->len) != 0)
		cache_write_file(s, FOLDER, key, parts->buf, parts->len);
}
