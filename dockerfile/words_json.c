/* The JSON form of an instruction: an array of strings. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "dockerfile/words.h"

struct reader {
	const char *at;
	bool nul; /* a string held \u0000, which no argument can */
};

static void skip_space(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
		r->at++;
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
	int i;

	*out = 0;
	for (i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)*r->at;

		if (!isxdigit(c))
			return false;
		*out = *out * 16 +
		       (uint32_t)(isdigit(c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
		r->at++;
	}
	return true;
}

/* Behind "\u". A half of a surrogate pair that stands alone becomes U+FFFD. */
static bool read_unicode(struct reader *r, struct strbuf *out)
{
	uint32_t c, low;

	if (!read_hex4(r, &c))
		return false;
	if (c >= 0xD800 && c < 0xDC00 && r->at[0] == '\\' && r->at[1] == 'u') {
		struct reader second = {.at = r->at + 2};

		if (!read_hex4(&second, &low))
			return false;
		if (low >= 0xDC00 && low < 0xE000) {
			r->at = second.at;
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		}
	}
	if (c >= 0xD800 && c < 0xE000)
		c = 0xFFFD;
	if (c == 0)
		r->nul = true;
	utf8_put(out, c);
	return true;
}

static bool read_string(struct reader *r, struct strbuf *out)
{
	static const char codes[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";

	r->at++;
	for (;;) {
		char c = *r->at;
		const char *code;

		if ((unsigned char)c < 0x20)
			return false;
		r->at++;
		if (c == '"')
			return true;
		if (c != '\\') {
			strbuf_putc(out, c);
			continue;
		}
		c = *r->at;
		if (!c)
			return false;
		r->at++;
		code = strchr(codes, c);
		if (code)
			strbuf_putc(out, values[code - codes]);
		else if (c != 'u' || !read_unicode(r, out))
			return false;
	}
}

/* An array with something else than strings in it: wrong when it is JSON, else just not JSON. */
static enum words_json judge(const char *text)
{
	AUTO_JSON *json = NULL;

	if (json_parse(&json, text, strlen(text), "array", NULL) < 0)
		return WORDS_JSON_NO;
	return WORDS_JSON_BAD;
}

enum words_json words_json(struct strlist *out, const char *text)
{
	struct reader r = {.at = text};
	AUTO(strlist) items = STRLIST_INIT;
	AUTO(strbuf) item = STRBUF_INIT;

	skip_space(&r);
	if (*r.at != '[')
		return WORDS_JSON_NO;
	r.at++;
	skip_space(&r);
	if (*r.at == ']') {
		r.at++;
	} else {
		for (;;) {
			skip_space(&r);
			if (*r.at != '"')
				return judge(text);
			strbuf_reset(&item);
			if (!read_string(&r, &item))
				return WORDS_JSON_NO;
			strlist_addn(&items, item.buf, item.len);
			skip_space(&r);
			if (*r.at == ']') {
				r.at++;
				break;
			}
			if (*r.at != ',')
				return WORDS_JSON_NO;
			r.at++;
		}
	}
	skip_space(&r);
	if (*r.at)
		return WORDS_JSON_NO;
	if (r.nul)
		return WORDS_JSON_BAD;
	strlist_copy(out, &items);
	return WORDS_JSON_YES;
}

bool words_json_is_meant(const char *text)
{
	AUTO(strlist) items = STRLIST_INIT;
	const char *at = text + strspn(text, " \t");

	if (*at != '[' || words_json(&items, text) != WORDS_JSON_NO)
		return false;
	at++;
	at += strspn(at, " \t");
	return *at == '\'' || *at == '"';
}
