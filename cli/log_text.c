#include "cli/log_text.h"

#include <string.h>

#define SGR_RESET "\033[0m"

/* Length of the SGR sequence at s; 0: there is none. */
static size_t sgr_length(const char *s, size_t len)
{
	size_t n = 2;

	if (len < 3 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (n < len && s[n] && strchr("0123456789;:", s[n]))
		n++;
	return n < len && s[n] == 'm' ? n + 1 : 0;
}

void log_text_add_safe(struct strbuf *out, const char *text, size_t len)
{
	bool coloured = false;

	while (len && text[len - 1] == '\r')
		len--;
	while (len) {
		size_t sgr = sgr_length(text, len), n;
		const char *escape = memchr(text + (sgr ? 0 : 1), '\033', len - (sgr ? 0 : 1));

		if (sgr) {
			strbuf_add(out, text, sgr);
			coloured = true;
			n = sgr;
		} else {
			n = escape ? (size_t)(escape - text) : len;
			strbuf_add_printable(out, text, n, true);
		}
		text += n;
		len -= n;
	}
	if (coloured)
		strbuf_puts(out, SGR_RESET);
}
