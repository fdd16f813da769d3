/* A filter pattern, and a line it is held against: it fits when each of its parts says so, however it is written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "local/log_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct strlist *terms, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < terms->n; i++)
		n += memmem(text, len, terms->items[i], strlen(terms->items[i])) != NULL;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t len = end ? (size_t)(end - data) : size;
	AUTO_FREE char *pattern = xstrndup((const char *)data, len);
	const char *text = end ? (const char *)end + 1 : "";
	size_t text_len = end ? size - len - 1 : 0;
	struct log_pattern p = {0};
	AUTO(error) err = ERROR_INIT;

	if (log_pattern_parse(&p, pattern, &err) < 0) {
		if (!err.message)
			abort();
	} else {
		bool fits = count(&p.all, text, text_len) == p.all.n &&
			    count(&p.none, text, text_len) == 0 &&
			    (p.any.n == 0 || count(&p.any, text, text_len) > 0);

		if (log_pattern_fits(&p, text, text_len) != fits)
			abort();
	}
	log_pattern_release(&p);
	return 0;
}
