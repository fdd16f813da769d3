/* Base64 with the standard alphabet (RFC 4648 section 4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

void base64_encode(struct strbuf *out, const void *data, size_t len);
/* Appends the bytes of text; padding may be missing. False, with out unchanged, for anything else that is not Base64. */
bool base64_decode(struct strbuf *out, const char *text, size_t len);
