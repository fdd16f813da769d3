/* Small values written in instructions. All errors are ERROR_SYNTAX without a place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool value_bool(bool *out, const char *text);
/* Decimal (octal: base 8), digits only, at most max. */
bool value_number(uint64_t *out, const char *text, int base, uint64_t max);
/* "64m", "1.5GiB", "4096": powers of 1024, in bytes, at least 1. */
int value_size(int64_t *out, const char *text, struct error *err);
/* A signal of Linux: number 1..64, name with or without SIG, RTMIN+n, RTMAX-n. */
int value_signal(const char *text, struct error *err);
