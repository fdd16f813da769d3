/* UTF-8 (RFC 3629) as bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * Length (1 to 4) of the valid sequence at s, at most len bytes long, and its
 * code point; 0 when the bytes are no UTF-8 (overlong forms, surrogates, code
 * points beyond U+10FFFF and cut sequences included).
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *code);
/* Appends a code point, at most U+10FFFF; surrogates are the caller's matter. */
void utf8_put(struct strbuf *out, uint32_t code);
/*
 * Columns that a terminal gives the code point, in every locale: 0 for what combines with the letter before it, 2 for
 * East Asian wide letters and emoji (Unicode UAX 11), else 1.
 */
int utf8_width(uint32_t code);
