#include "builder/explain.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strmap.h"

#define FOLDER      "last"
#define MAX_REASONS 3

void explain_place(char out[SHA256_HEX_SIZE], const char *context, const char *dockerfile,
		   const char *stage, int step)
{
	AUTO(sha256) hash = SHA256_INIT;

	sha256_frame_str(&hash, context);
	sha256_frame_str(&hash, dockerfile);
	sha256_frame_str(&hash, stage);
	sha256_frame_int(&hash, step);
	sha256_final_hex(&hash, out);
}

/* Several lines of one name (the fields of a mount) count as one part. */
static void read_parts(struct strmap *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *tab = memrchr(text, '\t', len);
		const char *end = tab ? tab : memrchr(text, ' ', len);

		if (end) {
			AUTO_FREE char *name = xstrfmt("%s%.*s", tab ? "" : "./", (int)(end - text),
						       text);
			AUTO_FREE char *value = xstrndup(end + 1, len - (size_t)(end + 1 - text));
			const char *former = strmap_get(out, name);
			AUTO_FREE char *both = former ? xstrfmt("%s %s", former, value)
						      : xstrdup(value);

			strmap_set(out, name, both);
		}
		text += len;
		text += *text == '\n';
	}
}

struct reasons {
	struct strbuf *out;
	size_t n;
};

/* read_parts() marks files so. */
static bool is_file(const char *name)
{
	return str_starts(name, "./");
}

static void add_reason(struct reasons *r, const char *name, const char *what)
{
	if (is_file(name))
		name += 2;
	if (r->n < MAX_REASONS)
		strbuf_printf(r->out, "%s%s %s", r->n ? ", " : "", name, what);
	r->n++;
}

/* Without --explain files are not listed: then none of them is new. */
static bool lists_files(const struct strmap *parts)
{
	for (size_t i = parts->n; i > 0; i--)
		if (is_file(parts->entries[i - 1].key))
			return true;
	return false;
}

/* A number that counts others says less than what was added or removed; the layers below come last. */
static bool is_secondary(const char *name)
{
	return str_starts(name, "number of ") || strcmp(name, PLAN_BELOW) == 0 ||
	       strcmp(name, PLAN_FILES) == 0;
}

static void add_change(struct reasons *r, const char *name, const char *old, const char *now)
{
	AUTO_FREE char *what = NULL;

	if (str_starts(name, "base "))
		what = xstrfmt("moved %s -> %s", old, now);
	add_reason(r, name, what ? what : "changed");
}

static bool differs(const struct strmap *old, const struct strmap *now, const char *name)
{
	const char *a = strmap_get(old, name), *b = strmap_get(now, name);

	return a && b && strcmp(a, b) != 0;
}

static void compare(struct reasons *r, const struct strmap *old, const struct strmap *now)
{
	bool files = lists_files(old);

	for (size_t i = 0; i < now->n; i++) {
		const struct strmap_entry *e = &now->entries[i];
		const char *former = strmap_get(old, e->key);

		if (is_secondary(e->key) || (is_file(e->key) && !files))
			continue;
		if (!former)
			add_reason(r, e->key, "added");
		else if (strcmp(former, e->value) != 0)
			add_change(r, e->key, former, e->value);
	}
	for (size_t i = 0; i < old->n; i++)
		if (!is_secondary(old->entries[i].key) && !strmap_has(now, old->entries[i].key))
			add_reason(r, old->entries[i].key, "removed");
	if (!r->n && differs(old, now, PLAN_FILES))
		add_reason(r, PLAN_FILES, "changed");
	if (!r->n && differs(old, now, PLAN_BELOW))
		add_reason(r, "a step before it", "changed");
}

/* The first line of a remembered file is the key. */
static const char *former_parts(const struct strbuf *file, const char *key, bool *same)
{
	size_t len = strcspn(file->buf, "\n");

	*same = len == strlen(key) && memcmp(file->buf, key, len) == 0;
	return file->buf + len + (file->buf[len] == '\n');
}

void explain_miss(struct strbuf *out, struct store *s, const char *place, const char *key,
		  const struct strbuf *parts)
{
	AUTO(strbuf) file = STRBUF_INIT;
	AUTO(strmap) old = STRMAP_INIT;
	AUTO(strmap) now = STRMAP_INIT;
	struct reasons r = {.out = out};
	bool same;

	strbuf_reset(out);
	if (!cache_read_file(s, FOLDER, place, &file)) {
		strbuf_puts(out, "first build of this step");
		return;
	}
	read_parts(&old, former_parts(&file, key, &same));
	if (same) {
		strbuf_puts(out, "nothing changed, and its layer is no longer in the store");
		return;
	}
	read_parts(&now, parts->buf);
	compare(&r, &old, &now);
	if (!r.n)
		strbuf_puts(out, "its inputs changed");
	else if (r.n > MAX_REASONS)
		strbuf_printf(out, ", and %zu more", r.n - MAX_REASONS);
}

void explain_remember(struct store *s, const char *place, const char *key, struct strbuf *parts)
{
	AUTO_FREE char *line = xstrfmt("%s\n", key);

	if (cache_file_begins(s, FOLDER, place, line))
		return;
	strbuf_insert(parts, 0, line, strlen(line));
	cache_write_file(s, FOLDER, place, parts->buf, parts->len);
}
