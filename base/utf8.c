#include "base/utf8.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *code)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first;
	uint32_t c;
	size_t n;

	if (!len)
		return 0;
	first = (unsigned char)s[0];
	if (first < 0x80) {
		*code = first;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf)
		n = 2;
	else if ((first & 0xf0) == 0xe0)
		n = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	c = first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

void utf8_put(struct strbuf *out, uint32_t code)
{
	if (code < 0x80) {
		strbuf_putc(out, (char)code);
	} else if (code < 0x800) {
		strbuf_putc(out, (char)(0xC0 | (code >> 6)));
		strbuf_putc(out, (char)(0x80 | (code & 0x3F)));
	} else if (code < 0x10000) {
		strbuf_putc(out, (char)(0xE0 | (code >> 12)));
		strbuf_putc(out, (char)(0x80 | ((code >> 6) & 0x3F)));
		strbuf_putc(out, (char)(0x80 | (code & 0x3F)));
	} else {
		strbuf_putc(out, (char)(0xF0 | (code >> 18)));
		strbuf_putc(out, (char)(0x80 | ((code >> 12) & 0x3F)));
		strbuf_putc(out, (char)(0x80 | ((code >> 6) & 0x3F)));
		strbuf_putc(out, (char)(0x80 | (code & 0x3F)));
	}
}
