#include "local/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define MAX_TOKEN 8192

static void sign(const char *secret_key, const char *text, size_t len, char out[SHA256_HEX_SIZE])
{
	uint8_t raw[SHA256_SIZE];

	sha256_hmac(secret_key, strlen(secret_key), text, len, raw);
	sha256_hex(raw, out);
}

char *token_make(const char *secret_key, const char *use, const char *subject, int64_t expires)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) token = STRBUF_INIT;
	char mac[SHA256_HEX_SIZE];

	strbuf_printf(&text, "%s %lld %s", use, (long long)expires, subject);
	sign(secret_key, text.buf, text.len, mac);
	strbuf_printf(&text, " %s", mac);
	base64_encode(&token, text.buf, text.len);
	return strbuf_detach(&token, NULL);
}

enum token_state token_check(const char *secret_key, const char *use, const char *token,
			     int64_t now, char **subject)
{
	AUTO(strbuf) text = STRBUF_INIT;
	char wanted[SHA256_HEX_SIZE], *mac, *end;
	size_t n = strlen(use);
	int64_t expires;

	if (strlen(token) > MAX_TOKEN || !base64_decode(&text, token, strlen(token)) ||
	    strlen(text.buf) != text.len)
		return TOKEN_FOREIGN;
	mac = strrchr(text.buf, ' ');
	if (!mac)
		return TOKEN_FOREIGN;
	*mac++ = '\0';
	sign(secret_key, text.buf, strlen(text.buf), wanted);
	if (!sha256_equal_text(mac, wanted) || !str_starts(text.buf, use) || text.buf[n] != ' ')
		return TOKEN_FOREIGN;
	expires = strtoll(text.buf + n + 1, &end, 10);
	if (subject)
		*subject = xstrdup(*end ? end + 1 : end);
	return now < expires ? TOKEN_GOOD : TOKEN_EXPIRED;
}
