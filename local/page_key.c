#include "local/page_key.h"

#include <string.h>

#include "base/sha256.h"

#define PURPOSE "the status page"

void page_key_make(const char *secret_key, char out[PAGE_KEY_SIZE])
{
	uint8_t raw[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256_hmac(secret_key, strlen(secret_key), PURPOSE, strlen(PURPOSE), raw);
	sha256_hex(raw, hex);
	memcpy(out, hex, PAGE_KEY_SIZE - 1);
	out[PAGE_KEY_SIZE - 1] = '\0';
}
