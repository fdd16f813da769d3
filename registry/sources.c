#include "registry/sources.h"

#include <string.h>

#include "base/alloc.h"

#define KIND      "from"
#define MAX_LINES 16

static void read_lines(struct store *s, const struct digest *d, struct strlist *out)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) missing = ERROR_INIT;

	if (store_meta_get(s, KIND, digest_hex(d), &text, &missing) < 0)
		return;
	strbuf_trim(&text);
	strlist_split(out, text.buf, '\n');
}

void sources_add(struct registry_client *c, struct store *s, const struct digest *d,
		 const struct image_ref *repository)
{
	AUTO_FREE char *line = xstrfmt("%s/%s", repository->host, repository->path);
	AUTO_FREE char *text = NULL;
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;

	pthread_mutex_lock(&c->sources_lock);
	read_lines(s, d, &lines);
	if (lines.n == 0 || strcmp(lines.items[0], line) != 0) {
		for (size_t i = lines.n; i-- > 0;) {
			if (i >= MAX_LINES - 1 || strcmp(lines.items[i], line) == 0)
				strlist_remove(&lines, i);
		}
		strlist_insert(&lines, 0, line);
		strlist_add(&lines, "");
		text = strlist_join(&lines, "\n");
		if (store_meta_put(s, KIND, digest_hex(d), text, strlen(text), &err) < 0)
			report_log(c->o.reporter, LOG_DEBUG, "remember where %s is: %s", d->text,
				   err.message);
	}
	pthread_mutex_unlock(&c->sources_lock);
}

void sources_get(struct store *s, const struct digest *d, struct sources *out)
{
	AUTO(strlist) lines = STRLIST_INIT;

	*out = (struct sources){0};
	read_lines(s, d, &lines);
	out->refs = xcalloc(lines.n + 1, sizeof(*out->refs));
	for (size_t i = 0; i < lines.n && i < MAX_LINES; i++) {
		AUTO(error) ignored = ERROR_INIT;

		if (image_ref_parse(&out->refs[out->n], lines.items[i], &ignored) == 0)
			out->n++;
	}
}

void sources_release(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		image_ref_release(&s->refs[i]);
	free(s->refs);
	*s = (struct sources){0};
}
