/*
 * What the last download of a URL was: the server's validators and the digest of the bytes, under meta/url. With them a build
 * asks whether the file changed, and need not have its bytes to know that a step is cached. Wrong or lost, it costs a download.
 */
#pragma once

#include "base/sha256.h"
#include "builder/build.h"

struct url_memory {
	struct fetch_answer answer;
	uint8_t digest[SHA256_SIZE];
};

bool url_memory_get(struct store *s, const char *url, struct url_memory *out);
/* Nothing is kept of an answer without validators. */
void url_memory_put(struct store *s, const char *url, const struct fetch_answer *answer,
		    const uint8_t digest[SHA256_SIZE]);
void url_memory_release(struct url_memory *m);

CLEANUP_RELEASE(url_memory)
