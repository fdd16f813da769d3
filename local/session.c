#include "local/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define KEY_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

void session_release(struct session *s)
{
	if (!s)
		return;
	wipe_free(s->secret_key);
	wipe_free(s->token);
	free(s->access_key);
	free(s->arn);
	memset(s, 0, sizeof(*s));
}

/* 40 characters, as AWS's own: 30 bytes of an HMAC over the token. */
static char *secret_of(const char *target_key, const char *token)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) secret = STRBUF_INIT;
	uint8_t raw[SHA256_SIZE];

	strbuf_printf(&text, "secret of %s", token);
	sha256_hmac(target_key, strlen(target_key), text.buf, text.len, raw);
	base64_encode(&secret, raw, 30);
	wipe(raw, sizeof(raw));
	wipe(text.buf, text.len);
	return strbuf_detach(&secret, NULL);
}

void session_make(struct session *out, const char *target_key, const char *arn, int64_t expires)
{
	char letters[17];
	AUTO_FREE char *subject = NULL;

	random_letters(letters, sizeof(letters) - 1, KEY_LETTERS);
	out->access_key = xstrfmt("ASIA%s", letters);
	subject = xstrfmt("%s %s", out->access_key, arn);
	out->token = token_make(target_key, TOKEN_SESSION, subject, expires);
	out->secret_key = secret_of(target_key, out->token);
	out->arn = xstrdup(arn);
	out->expires = expires;
}

enum token_state session_read(struct session *out, const char *target_key, const char *access_key,
			      const char *token, int64_t now)
{
	AUTO_FREE char *subject = NULL;
	enum token_state state = token_check(target_key, TOKEN_SESSION, token, now, &subject);
	char *arn = subject ? strchr(subject, ' ') : NULL;

	if (state == TOKEN_FOREIGN || !arn)
		return TOKEN_FOREIGN;
	*arn++ = '\0';
	if (strcmp(subject, access_key) != 0)
		return TOKEN_FOREIGN;
	out->access_key = xstrdup(access_key);
	out->secret_key = secret_of(target_key, token);
	out->token = xstrdup(token);
	out->arn = xstrdup(arn);
	return state;
}
