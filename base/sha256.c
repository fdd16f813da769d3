#include "base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Fetched once: an implicit fetch for each hash takes longer than hashing a small file. */
static EVP_MD *md256, *md384, *md512;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch_digests(void)
{
#ifdef SLIPWAY_STATIC
	/* What a system's configuration of OpenSSL names are modules for the system's own OpenSSL. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
#endif
	md256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	md384 = EVP_MD_fetch(NULL, "SHA384", NULL);
	md512 = EVP_MD_fetch(NULL, "SHA512", NULL);
}

/*
 * OpenSSL fails here only without memory or without its own default provider: as for malloc, there
 * is no way on.
 */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

static EVP_MD_CTX *context(void **ctx)
{
	if (!*ctx) {
		*ctx = EVP_MD_CTX_new();
		must(*ctx != NULL);
	}
	return *ctx;
}

static void start(void **ctx, bool *active, EVP_MD **md)
{
	pthread_once(&fetch_once, fetch_digests);
	must(*md != NULL);
	must(EVP_DigestInit_ex2(context(ctx), *md, NULL));
	*active = true;
}

static void hex(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

static void update(void **ctx, bool *active, EVP_MD **md, const void *data, size_t len)
{
	if (!*active)
		start(ctx, active, md);
	if (len)
		must(EVP_DigestUpdate(*ctx, data, len));
}

static void finish(void **ctx, bool *active, EVP_MD **md, uint8_t *out)
{
	if (!*active)
		start(ctx, active, md);
	must(EVP_DigestFinal_ex(*ctx, out, NULL));
	*active = false;
}

void sha256_init(struct sha256 *h)
{
	start(&h->ctx, &h->active, &md256);
}

void sha256_update(struct sha256 *h, const void *data, size_t len)
{
	update(&h->ctx, &h->active, &md256, data, len);
}

void sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE])
{
	finish(&h->ctx, &h->active, &md256, out);
}

void sha256_final_hex(struct sha256 *h, char out[SHA256_HEX_SIZE])
{
	uint8_t bytes[SHA256_SIZE];

	sha256_final(h, bytes);
	sha256_hex(bytes, out);
}

void sha256_copy(struct sha256 *dst, const struct sha256 *src)
{
	if (!src->active) {
		sha256_init(dst);
		return;
	}
	must(EVP_MD_CTX_copy_ex(context(&dst->ctx), src->ctx));
	dst->active = true;
}

void sha256_release(struct sha256 *h)
{
	if (h)
		EVP_MD_CTX_free(h->ctx);
}

void sha256_buf(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
	AUTO(sha256) h = SHA256_INIT;

	sha256_update(&h, data, len);
	sha256_final(&h, out);
}

void sha256_hex(const uint8_t in[SHA256_SIZE], char out[SHA256_HEX_SIZE])
{
	hex(in, SHA256_SIZE, out);
}

static void update_length(struct sha256 *h, uint64_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(len >> (8 * i));
	sha256_update(h, bytes, sizeof(bytes));
}

void sha256_hmac(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[SHA256_SIZE])
{
	must(HMAC(EVP_sha256(), key, (int)key_len, data, len, out, NULL) != NULL);
}

void sha256_frame(struct sha256 *h, const void *data, size_t len)
{
	update_length(h, len);
	sha256_update(h, data, len);
}

void sha256_frame_str(struct sha256 *h, const char *s)
{
	/* No string is this long: NULL cannot be mistaken for one. */
	if (!s)
		update_length(h, UINT64_MAX);
	else
		sha256_frame(h, s, strlen(s));
}

void sha256_frame_int(struct sha256 *h, int64_t v)
{
	update_length(h, sizeof(v));
	update_length(h, (uint64_t)v);
}

void sha1_hex(const void *data, size_t len, char out[SHA1_HEX_SIZE])
{
	uint8_t raw[EVP_MAX_MD_SIZE];

	must(EVP_Digest(data, len, raw, NULL, EVP_sha1(), NULL));
	hex(raw, (SHA1_HEX_SIZE - 1) / 2, out);
}

void sha512_update(struct sha512 *h, const void *data, size_t len)
{
	update(&h->ctx, &h->active, &md512, data, len);
}

void sha512_final_hex(struct sha512 *h, char out[129])
{
	uint8_t bytes[64];

	finish(&h->ctx, &h->active, &md512, bytes);
	hex(bytes, sizeof(bytes), out);
}

void sha384_update(struct sha512 *h, const void *data, size_t len)
{
	update(&h->ctx, &h->active, &md384, data, len);
}

void sha384_final_hex(struct sha512 *h, char out[97])
{
	uint8_t bytes[48];

	finish(&h->ctx, &h->active, &md384, bytes);
	hex(bytes, sizeof(bytes), out);
}

void sha512_release(struct sha512 *h)
{
	if (h)
		EVP_MD_CTX_free(h->ctx);
}

bool sha256_equal_text(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strlen(b) == n && CRYPTO_memcmp(a, b, n) == 0;
}
