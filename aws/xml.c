#include "aws/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

#define MAX_DEPTH  64
#define MAX_NAME   128
#define BLANKS     " \t\r\n"
#define NAME_CHARS "-._"

void xml_reader_init(struct xml_reader *x, const char *text, size_t len, const char *what)
{
	*x = (struct xml_reader){.at = text, .end = text + len, .what = what};
	strbuf_init(&x->path);
	strbuf_init(&x->text);
}

void xml_reader_release(struct xml_reader *x)
{
	if (!x)
		return;
	strbuf_release(&x->path);
	if (x->text.buf)
		wipe(x->text.buf, x->text.len);
	strbuf_release(&x->text);
}

static int bad(const struct xml_reader *x, const char *why, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: not the XML that was expected: %s", x->what, why);
}

static bool starts(const struct xml_reader *x, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(x->end - x->at) >= n && memcmp(x->at, text, n) == 0;
}

/* Moves behind the next occurrence of text. */
static bool skip_past(struct xml_reader *x, const char *text)
{
	const char *found = memmem(x->at, (size_t)(x->end - x->at), text, strlen(text));

	if (found)
		x->at = found + strlen(text);
	return found != NULL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(NAME_CHARS, c)) || (unsigned char)c >= 0x80;
}

/* "ns:Name" gives "Name". */
static int read_name(struct xml_reader *x, const char **name, size_t *len, struct error *err)
{
	*name = x->at;
	while (x->at < x->end && (is_name_char(*x->at) || *x->at == ':')) {
		if (*x->at == ':')
			*name = x->at + 1;
		x->at++;
	}
	*len = (size_t)(x->at - *name);
	if (*len == 0 || *len > MAX_NAME)
		return bad(x, "an element has no name", err);
	return 0;
}

/* Up to the end of a tag, over its attributes. */
static int skip_attributes(struct xml_reader *x, bool *empty, struct error *err)
{
	char quote = 0, last = 0;

	for (; x->at < x->end; last = *x->at++) {
		if (quote) {
			if (*x->at == quote)
				quote = 0;
		} else if (*x->at == '"' || *x->at == '\'') {
			quote = *x->at;
		} else if (*x->at == '<') {
			break;
		} else if (*x->at == '>') {
			*empty = last == '/';
			x->at++;
			return 0;
		}
	}
	return bad(x, "a tag does not end", err);
}

static size_t depth(const struct xml_reader *x)
{
	size_t n = x->path.len > 0;

	for (size_t i = 0; i < x->path.len; i++)
		n += x->path.buf[i] == '/';
	return n;
}

static void leave(struct xml_reader *x)
{
	const char *slash = x->path.len ? strrchr(x->path.buf, '/') : NULL;

	strbuf_truncate(&x->path, slash ? (size_t)(slash - x->path.buf) : 0);
}

static int read_open(struct xml_reader *x, struct error *err)
{
	const char *name;
	size_t len;
	bool empty;

	x->at++;
	if (read_name(x, &name, &len, err) < 0 || skip_attributes(x, &empty, err) < 0)
		return -1;
	if (depth(x) >= MAX_DEPTH)
		return bad(x, "elements are nested too deeply", err);
	if (x->path.len)
		strbuf_putc(&x->path, '/');
	else if (x->started)
		return bad(x, "there is more than one document", err);
	x->started = true;
	strbuf_add(&x->path, name, len);
	x->close_again = empty;
	return 0;
}

static int read_close(struct xml_reader *x, struct error *err)
{
	const char *slash = x->path.len ? strrchr(x->path.buf, '/') : NULL;
	const char *top = slash ? slash + 1 : x->path.buf;
	const char *name;
	size_t len;
	bool empty;

	x->at += 2;
	if (read_name(x, &name, &len, err) < 0 || skip_attributes(x, &empty, err) < 0)
		return -1;
	if (!x->path.len || strlen(top) != len || memcmp(top, name, len) != 0)
		return bad(x, "an end tag has no start", err);
	return 0;
}

static bool add_reference(struct strbuf *out, const char *name, size_t len)
{
	static const struct {
		const char *name;
		char value;
	} known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
	unsigned long value;
	char text[12], *end;
	bool hex;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return strbuf_putc(out, known[i].value), true;
	if (len < 2 || len >= sizeof(text) || name[0] != '#')
		return false;
	hex = name[1] == 'x';
	memcpy(text, name + 1 + hex, len - 1 - hex);
	text[len - 1 - hex] = '\0';
	value = strtoul(text, &end, hex ? 16 : 10);
	if (*end || end == text || value == 0 || value > 0x10ffff)
		return false;
	utf8_put(out, (uint32_t)value);
	return true;
}

/* Up to the next tag. */
static int read_text(struct xml_reader *x, struct error *err)
{
	while (x->at < x->end && *x->at != '<') {
		const char *semicolon;

		if (*x->at != '&') {
			strbuf_putc(&x->text, *x->at++);
			continue;
		}
		semicolon = memchr(x->at, ';', (size_t)(x->end - x->at));
		if (!semicolon ||
		    !add_reference(&x->text, x->at + 1, (size_t)(semicolon - x->at - 1)))
			return bad(x, "an unknown entity", err);
		x->at = semicolon + 1;
	}
	return 0;
}

static int read_cdata(struct xml_reader *x, struct error *err)
{
	const char *start = x->at + strlen("<![CDATA[");

	x->at = start;
	if (!skip_past(x, "]]>"))
		return bad(x, "a CDATA section does not end", err);
	strbuf_add(&x->text, start, (size_t)(x->at - start) - strlen("]]>"));
	return 0;
}

/* Comments and declarations; 1: there was one. */
static int skip_other(struct xml_reader *x, struct error *err)
{
	if (starts(x, "<!--"))
		return skip_past(x, "-->") ? 1 : bad(x, "a comment does not end", err);
	if (starts(x, "<?"))
		return skip_past(x, "?>") ? 1 : bad(x, "a declaration does not end", err);
	if (starts(x, "<!"))
		return bad(x, "a document type is not accepted", err);
	return 0;
}

static int collect_text(struct xml_reader *x, struct error *err)
{
	strbuf_reset(&x->text);
	while (x->at < x->end) {
		int other;

		if (*x->at != '<') {
			if (read_text(x, err) < 0)
				return -1;
			continue;
		}
		if (starts(x, "<![CDATA[")) {
			if (read_cdata(x, err) < 0)
				return -1;
			continue;
		}
		other = skip_other(x, err);
		if (other <= 0)
			return other;
	}
	return 0;
}

int xml_next(struct xml_reader *x, enum xml_kind *kind, struct error *err)
{
	if (x->leaving)
		leave(x);
	x->leaving = x->close_again;
	if (x->close_again) {
		x->close_again = false;
		*kind = XML_CLOSE;
		return 1;
	}
	if (collect_text(x, err) < 0)
		return -1;
	if (x->text.len && strspn(x->text.buf, BLANKS) < x->text.len) {
		if (!x->path.len)
			return bad(x, "text outside of all elements", err);
		*kind = XML_TEXT;
		return 1;
	}
	if (x->at == x->end) {
		if (x->path.len || !x->started)
			return bad(x, "it ends too early", err);
		return 0;
	}
	if (starts(x, "</")) {
		*kind = XML_CLOSE;
		x->leaving = true;
		return read_close(x, err) < 0 ? -1 : 1;
	}
	*kind = XML_OPEN;
	return read_open(x, err) < 0 ? -1 : 1;
}

int xml_find(const char *text, size_t len, const char *what, const char *path, struct strbuf *out,
	     bool *found, struct error *err)
{
	AUTO(xml_reader) x;
	enum xml_kind kind;
	bool inside = false;
	int more;

	xml_reader_init(&x, text, len, what);
	*found = false;
	strbuf_reset(out);
	/* To the end, so that a torn answer is never half believed. */
	while ((more = xml_next(&x, &kind, err)) > 0) {
		if (strcmp(x.path.buf, path) != 0 || (*found && !inside))
			continue;
		if (kind == XML_TEXT)
			strbuf_add(out, x.text.buf, x.text.len);
		inside = kind != XML_CLOSE;
		*found = true;
	}
	return more;
}
