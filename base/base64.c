#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *data, size_t len)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t word = (uint32_t)in[i] << 16;

		if (left > 1)
			word |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			word |= in[i + 2];
		strbuf_putc(out, ALPHABET[word >> 18]);
		strbuf_putc(out, ALPHABET[word >> 12 & 63]);
		strbuf_putc(out, left > 1 ? ALPHABET[word >> 6 & 63] : '=');
		strbuf_putc(out, left > 2 ? ALPHABET[word & 63] : '=');
	}
}

bool base64_decode(struct strbuf *out, const char *text, size_t len)
{
	size_t start = out->len, pad = 0;
	uint32_t word = 0;
	int bits = 0;

	while (len > 0 && pad < 2 && text[len - 1] == '=') {
		len--;
		pad++;
	}
	if (len % 4 == 1 || (pad && (len + pad) % 4 != 0))
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *at = memchr(ALPHABET, text[i], 64);

		if (!at) {
			strbuf_truncate(out, start);
			return false;
		}
		word = word << 6 | (uint32_t)(at - ALPHABET);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			strbuf_putc(out, (char)(word >> bits & 0xff));
		}
	}
	return true;
}
