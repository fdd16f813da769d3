#include "dockerfile/source.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* Longer lines are shown as a window around the column. */
#define EXCERPT_BYTES 160

static size_t trimmed_length(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	return len;
}

static void index_lines(struct dockerfile_source *src)
{
	const char *at = src->text;
	const char *end = src->text + src->len;
	size_t n = 0, cap = 0;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		GROW(src->starts, n + 1, cap);
		src->starts[n++] = (size_t)(at - src->text);
		at = newline ? newline + 1 : end;
	}
	src->n_lines = (int)n;
}

static int check_lines(const struct dockerfile_source *src, struct error *err)
{
	int i;

	for (i = 1; i <= src->n_lines; i++) {
		size_t len;
		const char *line = source_line(src, i, &len);
		const char *nul = memchr(line, '\0', len);

		if (nul)
			return source_error(err, src, i, (int)(nul - line) + 1,
					    "the file has a NUL byte: it is not text");
		if (len > LIMIT_DOCKERFILE_LINE)
			return source_error(err, src, i, 0,
					    "line of %zu bytes: a line may have %u, longer "
					    "instructions can be continued with \\",
					    len, LIMIT_DOCKERFILE_LINE);
	}
	return 0;
}

int source_init(struct dockerfile_source *src, const char *name, const char *text, size_t len,
		struct error *err)
{
	memset(src, 0, sizeof(*src));
	if (len > LIMIT_DOCKERFILE_BYTES)
		return error_set(err, ERROR_SYNTAX, "%s: the file has %zu bytes, more than %u",
				 name, len, LIMIT_DOCKERFILE_BYTES);
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		len -= 3;
	}
	src->name = xstrdup(name);
	src->text = xmalloc(len + 1);
	if (len)
		memcpy(src->text, text, len);
	src->text[len] = '\0';
	src->len = len;
	index_lines(src);
	if (check_lines(src, err) < 0) {
		dockerfile_source_release(src);
		return -1;
	}
	return 0;
}

void dockerfile_source_release(struct dockerfile_source *src)
{
	if (!src)
		return;
	free(src->name);
	free(src->text);
	free(src->starts);
	memset(src, 0, sizeof(*src));
}

const char *source_line(const struct dockerfile_source *src, int line, size_t *len)
{
	size_t start, end;

	if (line < 1 || line > src->n_lines)
		return NULL;
	start = src->starts[line - 1];
	end = line < src->n_lines ? src->starts[line] : src->len;
	*len = trimmed_length(src->text + start, end - start);
	return src->text + start;
}

/* Blanks as wide as the text would be shown, tabs kept. */
static void add_indent(struct strbuf *out, const char *text, size_t len)
{
	AUTO(strbuf) shown = STRBUF_INIT;
	size_t at = 0;

	strbuf_add_printable(&shown, text, len, true);
	while (at < shown.len) {
		uint32_t code = 0;
		size_t n = utf8_decode(shown.buf + at, shown.len - at, &code);

		at += n ? n : 1;
		if (code == '\t')
			strbuf_putc(out, '\t');
		else
			strbuf_printf(out, "%*s", n ? utf8_width(code) : 1, "");
	}
}

/* "  3 | COPY a b" and, with a column, a second line with a caret below it. */
static void add_excerpt(struct strbuf *out, const struct dockerfile_source *src, int line,
			int column)
{
	size_t len, from = 0, margin;
	const char *text = source_line(src, line, &len);
	size_t col = column > 0 ? (size_t)column - 1 : 0;

	if (!text)
		return;
	if (col > len)
		col = len;
	if (col > EXCERPT_BYTES && len > EXCERPT_BYTES)
		from = col - EXCERPT_BYTES / 2;
	while (from < col && ((unsigned char)text[from] & 0xC0) == 0x80)
		from++;
	if (len - from > EXCERPT_BYTES)
		len = from + EXCERPT_BYTES;
	margin = out->len;
	strbuf_printf(out, "\n%3d | ", line);
	margin = out->len - margin - 3;
	strbuf_add_printable(out, text + from, len - from, true);
	if (column <= 0)
		return;
	strbuf_printf(out, "\n%*s| ", (int)margin, "");
	add_indent(out, text + from, col - from);
	strbuf_putc(out, '^');
}

static void add_place(struct strbuf *out, const struct dockerfile_source *src, int line, int column)
{
	strbuf_puts(out, src->name);
	strbuf_putc(out, ':');
	if (line > 0)
		strbuf_printf(out, "%d:", line);
	if (line > 0 && column > 0)
		strbuf_printf(out, "%d:", column);
	strbuf_putc(out, ' ');
}

/* For programs; people read it in the message. */
static void set_place(struct error *err, const struct dockerfile_source *src, int line, int column)
{
	if (!err)
		return;
	err->placed = true;
	if (src->inner)
		return;
	err->line = line;
	err->column = line > 0 ? column : 0;
}

int source_verror(struct error *err, enum error_kind kind, const struct dockerfile_source *src,
		  int line, int column, const char *fmt, va_list ap)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	/* The message may quote the file, whose bytes must not reach a terminal raw. */
	strbuf_vprintf(&text, fmt, ap);
	add_place(&out, src, line, column);
	strbuf_add_printable(&out, text.buf, text.len, true);
	add_excerpt(&out, src, line, column);
	error_set(err, kind, "%s", out.buf);
	set_place(err, src, line, column);
	return -1;
}

int source_error(struct error *err, const struct dockerfile_source *src, int line, int column,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	source_verror(err, ERROR_SYNTAX, src, line, column, fmt, ap);
	va_end(ap);
	return -1;
}

int source_error_kind(struct error *err, enum error_kind kind, const struct dockerfile_source *src,
		      int line, int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	source_verror(err, kind, src, line, column, fmt, ap);
	va_end(ap);
	return -1;
}

int source_error_place(struct error *err, const struct dockerfile_source *src, int line, int column)
{
	AUTO(strbuf) out = STRBUF_INIT;
	const char *message = err && err->message ? err->message : "";
	size_t len = err && err->hint_at ? err->hint_at : strlen(message), hint_at;

	if (!err || err->placed || err->kind == ERROR_CANCELLED)
		return -1;
	add_place(&out, src, line, column);
	strbuf_add_printable(&out, message, len, true);
	add_excerpt(&out, src, line, column);
	hint_at = message[len] ? out.len : 0;
	strbuf_add_printable(&out, message + len, strlen(message + len), true);
	free(err->message);
	err->message = strbuf_detach(&out, NULL);
	err->hint_at = hint_at;
	set_place(err, src, line, column);
	return -1;
}
