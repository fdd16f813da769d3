/* What a form becomes can be written as XML, and our own reader of AWS's XML takes it back. */
#include <stdint.h>
#include <stdlib.h>

#include "aws/xml_tree.h"
#include "local/api_form.h"
#include "local/api_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Element names are chosen by us in answers: only the values are foreign there. */
static void write_values(struct strbuf *out, json_t *value)
{
	const char *key;
	json_t *each;
	size_t i;

	if (json_is_string(value)) {
		strbuf_puts(out, "<member>");
		api_xml_text(out, json_string_value(value), json_string_length(value));
		strbuf_puts(out, "</member>");
	}
	json_array_foreach (value, i, each)
		write_values(out, each);
	json_object_foreach (value, key, each)
		write_values(out, each);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON *object = json_object();
	AUTO_JSON *back = NULL;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	if (api_form_read(object, (const char *)data, size, &err) < 0) {
		if (!err.message || err.kind != ERROR_SYNTAX)
			abort();
		return 0;
	}
	strbuf_puts(&text, "<OpResponse><OpResult><A>");
	write_values(&text, object);
	strbuf_puts(&text, "</A></OpResult></OpResponse>");
	if (xml_tree_read(&back, text.buf, text.len, "Op", &err) < 0)
		abort();
	return 0;
}
