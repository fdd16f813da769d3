#include "builder/step_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FOLDER     "last"
#define LINE_SIZE  (STEP_LOG_TEXT_SIZE + SHA256_HEX_SIZE) /* each with what follows it */
#define LINE_SPACE (STEP_LOG_TEXT_SIZE - 1)

void step_log_release(struct step_log *l)
{
	free(l->former.items);
	free(l->now.items);
	*l = (struct step_log){.store = NULL};
}

static void add(struct step_log_list *list, const struct step_log_entry *e)
{
	GROW(list->items, list->n + 1, list->cap);
	list->items[list->n++] = *e;
}

static void name_text(char out[STEP_LOG_TEXT_SIZE], const char *text)
{
	uint8_t raw[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256_buf(text, strlen(text), raw);
	sha256_hex(raw, hex);
	memcpy(out, hex, STEP_LOG_TEXT_SIZE - 1);
	out[STEP_LOG_TEXT_SIZE - 1] = '\0';
}

static void name_place(char out[SHA256_HEX_SIZE], const struct step_log_place *p,
		       const char *platform)
{
	AUTO(sha256) hash = SHA256_INIT;

	sha256_frame_str(&hash, p->context);
	sha256_frame_str(&hash, p->dockerfile);
	sha256_frame_str(&hash, p->stage);
	sha256_frame_str(&hash, platform);
	sha256_final_hex(&hash, out);
}

/* "TEXT KEY" a line. What is damaged is as good as nothing. */
static void parse(struct step_log_list *out, const struct strbuf *text)
{
	for (const char *at = text->buf; at + LINE_SIZE <= text->buf + text->len; at += LINE_SIZE) {
		struct step_log_entry e;

		if (at[LINE_SPACE] != ' ' || at[LINE_SIZE - 1] != '\n')
			return;
		memcpy(e.text, at, sizeof(e.text));
		memcpy(e.key, at + sizeof(e.text), sizeof(e.key));
		e.text[sizeof(e.text) - 1] = '\0';
		e.key[sizeof(e.key) - 1] = '\0';
		if (strspn(e.key, "0123456789abcdef") != sizeof(e.key) - 1)
			return;
		add(out, &e);
	}
}

void step_log_open(struct step_log *l, struct store *s, const struct step_log_place *place)
{
	AUTO(strbuf) text = STRBUF_INIT;

	*l = (struct step_log){.store = s};
	name_place(l->place, place, place->platform);
	name_place(l->any, place, NULL);
	if (cache_read_file(s, FOLDER, l->place, &text) ||
	    cache_read_file(s, FOLDER, l->any, &text))
		parse(&l->former, &text);
}

/* The index of the nth entry with that text, or n of the list. */
static size_t find(const struct step_log_list *list, const char *text, size_t nth)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->items[i].text, text) == 0 && nth-- == 0)
			break;
	return i;
}

static size_t count(const struct step_log_list *list, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += strcmp(list->items[i].text, text) == 0;
	return n;
}

const char *step_log_former(const struct step_log *l, const char *text, enum step_log_match *how)
{
	char name[STEP_LOG_TEXT_SIZE];
	size_t at;

	name_text(name, text);
	at = find(&l->former, name, count(&l->now, name));
	*how = STEP_LOG_SAME;
	if (at == l->former.n) {
		at = l->now.n;
		*how = at < l->former.n ? STEP_LOG_EDITED
		       : l->former.n    ? STEP_LOG_NEW
					: STEP_LOG_FIRST;
	}
	return at < l->former.n ? l->former.items[at].key : NULL;
}

void step_log_add(struct step_log *l, const char *text, const char *key)
{
	struct step_log_entry e;

	if (!*key)
		return;
	name_text(e.text, text);
	memcpy(e.key, key, sizeof(e.key));
	add(&l->now, &e);
}

static bool is_equal(const struct step_log_list *a, const struct step_log_list *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof(*a->items)) == 0);
}

static void keep_rest(struct step_log *l)
{
	for (size_t i = 0; i < l->former.n; i++) {
		const struct step_log_entry *e = &l->former.items[i];

		if (count(&l->now, e->text) < count(&l->former, e->text))
			add(&l->now, e);
	}
}

void step_log_close(struct step_log *l, bool done)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (!l->store)
		return;
	if (!done)
		keep_rest(l);
	if (!is_equal(&l->former, &l->now)) {
		for (size_t i = 0; i < l->now.n; i++)
			strbuf_printf(&text, "%s %s\n", l->now.items[i].text, l->now.items[i].key);
		cache_write_file(l->store, FOLDER, l->place, text.buf, text.len);
		cache_write_file(l->store, FOLDER, l->any, text.buf, text.len);
	}
	step_log_release(l);
}
