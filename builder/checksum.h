/* --checksum of ADD URL: "sha256:", "sha384:" or "sha512:" and as many lower-case hex digits as the algorithm has. */
#pragma once

#include "base/error.h"

/* ERROR_SYNTAX for anything else. */
int checksum_parse(const char *text, struct error *err);
/* All of fd from offset 0 on; ERROR_CORRUPT with what the bytes have. Leaves the offset at the end. */
int checksum_verify(const char *text, int fd, const char *name, struct error *err);
