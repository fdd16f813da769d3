#include "local/api_xml.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* U+FFFE and U+FFFF, which are characters of no document. */
static bool is_nonchar(const char *text, size_t len)
{
	return len >= 3 &&
	       (memcmp(text, "\xef\xbf\xbe", 3) == 0 || memcmp(text, "\xef\xbf\xbf", 3) == 0);
}

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	case '\t':
	case '\n':
		return NULL;
	default:
		return (unsigned char)c < ' ' ? REPLACEMENT : NULL;
	}
}

void api_xml_text(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *entity = entity_of(text[i]);

		if (entity) {
			strbuf_puts(out, entity);
		} else if (is_nonchar(text + i, len - i)) {
			strbuf_puts(out, REPLACEMENT);
			i += 2;
		} else {
			strbuf_putc(out, text[i]);
		}
	}
}

static void add_element(struct strbuf *out, const char *name, json_t *value, const char *item);

static void add_value(struct strbuf *out, json_t *value, const char *item)
{
	size_t i;
	json_t *each;

	if (json_is_object(value))
		api_xml_members(out, value, item);
	else if (json_is_array(value))
		json_array_foreach (value, i, each)
			add_element(out, item, each, item);
	else if (json_is_string(value))
		api_xml_text(out, json_string_value(value), json_string_length(value));
	else
		json_write(value, out);
}

static void add_element(struct strbuf *out, const char *name, json_t *value, const char *item)
{
	strbuf_printf(out, "<%s>", name);
	add_value(out, value, item);
	strbuf_printf(out, "</%s>", name);
}

void api_xml_members(struct strbuf *out, json_t *object, const char *item)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		if (!json_is_null(value))
			add_element(out, key, value, item);
}
