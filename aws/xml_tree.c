#include "aws/xml_tree.h"

#include <string.h>

#include "aws/xml.h"
#include "base/alloc.h"

/* One open element: what was found in it so far. */
struct level {
	json_t *value; /* NULL: nothing but text yet */
	struct strbuf text;
};

struct levels {
	struct level *items;
	size_t n, cap;
};

static void levels_release(struct levels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		json_decref(l->items[i].value);
		strbuf_release(&l->items[i].text);
	}
	free(l->items);
}
CLEANUP_RELEASE(levels)

static void enter(struct levels *l)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->items = xreallocarray(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = (struct level){.text = STRBUF_INIT};
}

static const char *last_name(const struct xml_reader *x)
{
	const char *slash = strrchr(x->path.buf, '/');

	return slash ? slash + 1 : x->path.buf;
}

/* The innermost element ends: its value goes into the one around it. */
static void leave(struct levels *l, const char *name)
{
	struct level *inner = &l->items[--l->n];
	struct level *outer = l->n ? &l->items[l->n - 1] : NULL;
	json_t *value = inner->value ? inner->value
				     : json_textn(inner->text.buf ? inner->text.buf : "",
						  inner->text.len);
	bool in_list = strcmp(name, "member") == 0 || strcmp(name, "item") == 0;

	strbuf_release(&inner->text);
	if (!outer) {
		/* the document itself: kept for its reader */
		l->items[l->n++] = (struct level){.value = value, .text = STRBUF_INIT};
		return;
	}
	if (!outer->value)
		outer->value = in_list ? json_array() : json_object();
	if (json_is_array(outer->value))
		json_array_append_new(outer->value, value);
	else
		json_object_set_new(outer->value, name, value);
}

/* All of it; the one level that is left holds the document. */
static int read_all(struct xml_reader *x, struct levels *l, struct strbuf *root, struct error *err)
{
	enum xml_kind kind;
	int more;

	while ((more = xml_next(x, &kind, err)) > 0) {
		if (kind == XML_TEXT) {
			struct level *top = &l->items[l->n - 1];

			strbuf_add(&top->text, x->text.buf, x->text.len);
		} else if (kind == XML_OPEN) {
			if (l->n == 0)
				strbuf_puts(root, last_name(x));
			enter(l);
		} else if (l->n > 0) {
			leave(l, last_name(x));
		}
	}
	return more;
}

int xml_tree_read(json_t **out, const char *text, size_t len, const char *operation,
		  struct error *err)
{
	AUTO_FREE char *what = xstrfmt("the answer of %s", operation);
	AUTO_FREE char *response = xstrfmt("%sResponse", operation);
	AUTO_FREE char *result = xstrfmt("%sResult", operation);
	AUTO(levels) levels = {0};
	AUTO(strbuf) root = STRBUF_INIT;
	AUTO(xml_reader) x;
	json_t *document, *inner;

	xml_reader_init(&x, text, len, what);
	if (read_all(&x, &levels, &root, err) < 0)
		return -1;
	if (levels.n != 1 || strcmp(root.buf, response) != 0)
		return error_set(err, ERROR_CORRUPT, "%s: <%s> was expected", what, response);
	document = levels.items[0].value;
	inner = json_object_get(document, result);
	if (inner)
		document = inner;
	*out = json_is_object(document) ? json_incref(document) : json_object();
	return 0;
}
