/* The records of a foreign cache: what was read is written and read again the same, and names no layer that is not there. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/cache_document.h"

#define LAYERS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct cache_document *out, const char *text, size_t len)
{
	AUTO_JSON *j = NULL;

	if (json_parse(&j, text, len, "input", NULL) < 0)
		return -1;
	return cache_document_parse(out, j, LAYERS, "input", NULL);
}

static void write_text(const struct cache_document *d, struct strbuf *out)
{
	AUTO_JSON *j = cache_document_to_json(d);

	json_write(j, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(cache_document) d = {.n = 0};
	AUTO(cache_document) again = {.n = 0};
	AUTO(strbuf) first = STRBUF_INIT;
	AUTO(strbuf) second = STRBUF_INIT;

	if (parse(&d, (const char *)data, size) < 0)
		return 0;
	for (size_t i = 0; i < d.n; i++) {
		const struct cache_entry *e = &d.entries[i];

		if (e->layer >= LAYERS || (!e->key[0] && !e->quick[0]) || !e->kind[0])
			abort();
		if (strspn(e->key, "0123456789abcdef") != strlen(e->key) ||
		    (strlen(e->key) && strlen(e->key) != SHA256_HEX_SIZE - 1))
			abort();
	}
	write_text(&d, &first);
	if (parse(&again, first.buf, first.len) < 0 || again.n != d.n ||
	    again.n_images != d.n_images)
		abort();
	write_text(&again, &second);
	if (strcmp(first.buf, second.buf) != 0)
		abort();
	return 0;
}
