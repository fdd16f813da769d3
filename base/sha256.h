/* SHA-256 (FIPS 180-4) and, for foreign digests, SHA-384 and SHA-512, over OpenSSL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with the NUL */

struct sha256 {
	void *ctx;   /* created on first use */
	bool active; /* started and not finished */
};

#define SHA256_INIT \
	{           \
		0   \
	}

void sha256_init(struct sha256 *h); /* (re)starts; a zeroed struct may also be updated directly */
void sha256_update(struct sha256 *h, const void *data, size_t len);
void sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE]); /* h may then be started again */
void sha256_final_hex(struct sha256 *h, char out[SHA256_HEX_SIZE]);
/* State of src as it is now, into dst. */
void sha256_copy(struct sha256 *dst, const struct sha256 *src);
void sha256_release(struct sha256 *h);
void sha256_buf(const void *data, size_t len, uint8_t out[SHA256_SIZE]);
void sha256_hex(const uint8_t in[SHA256_SIZE], char out[SHA256_HEX_SIZE]);

/* HMAC (RFC 2104) with SHA-256; out may be the key. */
void sha256_hmac(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[SHA256_SIZE]);

/* Of secrets, in a time that tells their lengths alone. */
bool sha256_equal_text(const char *a, const char *b);

/* Length-framed input for keys: the 8-byte little-endian length, then the bytes; unambiguous whatever they hold. */
void sha256_frame(struct sha256 *h, const void *data, size_t len);
void sha256_frame_str(struct sha256 *h, const char *s); /* NULL differs from "" */
void sha256_frame_int(struct sha256 *h, int64_t v);

/* SHA-1 (FIPS 180-4): for file names that others chose, never for trust. */
#define SHA1_HEX_SIZE 41
void sha1_hex(const void *data, size_t len, char out[SHA1_HEX_SIZE]);

struct sha512 {
	void *ctx;
	bool active;
};
void sha512_update(struct sha512 *h, const void *data, size_t len);
void sha512_final_hex(struct sha512 *h, char out[129]);
void sha512_release(struct sha512 *h);
/* SHA-384 in the same struct: one of either kind a start. */
void sha384_update(struct sha512 *h, const void *data, size_t len);
void sha384_final_hex(struct sha512 *h, char out[97]);

CLEANUP_RELEASE(sha256)
CLEANUP_RELEASE(sha512)
