/* Content digests: "sha256:" and 64, or "sha512:" and 128 lower-case hex digits (OCI image-spec 1.1, descriptor.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strmap.h"

struct digest {
	char text[7 + 128 + 1]; /* "" when unset */
};

/* ERROR_SYNTAX for any other algorithm, length or letter. */
int digest_parse(struct digest *out, const char *text, struct error *err);
struct digest digest_from_sha256(const uint8_t raw[SHA256_SIZE]);
struct digest digest_of(const void *data, size_t len);
bool digest_is_set(const struct digest *d);
bool digest_equal(const struct digest *a, const struct digest *b);
const char *digest_hex(const struct digest *d); /* a view after the colon */
bool digest_is_sha512(const struct digest *d);
/* "sha256:0123456789ab": enough for people. */
void digest_short(const struct digest *d, char out[24]);

/*
 * Adds it to the set; false: it was there. Who follows indexes visits each once: a few that list each other's members many times
 * have billions of paths.
 */
bool digest_set_add(struct strmap *set, const struct digest *d);

/* ChainID(n) = sha256("ChainID(n-1) DiffID(n)"); chain is updated in place, unset for the first layer (config.md). */
void digest_chain(struct digest *chain, const struct digest *diff_id);

/* Verifies either algorithm while bytes pass by. */
struct digester {
	bool is_sha512;
	struct sha256 sha256;
	struct sha512 sha512;
};
/* expected NULL: SHA-256. */
void digester_init(struct digester *d, const struct digest *expected);
void digester_update(struct digester *d, const void *data, size_t len);
/* Everything from fd's present offset to its end; *bytes (may be NULL) is how much. */
int digester_update_fd(struct digester *d, int fd, const char *name, int64_t *bytes,
		       struct error *err);
struct digest digester_final(struct digester *d);
void digester_release(struct digester *d);

CLEANUP_RELEASE(digester)
