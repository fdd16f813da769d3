/*
 * Logins of a file as Apache's htpasswd -B makes it: "user:$2y$..." a line, bcrypt alone (crypt(3)). The file is read again when it has
 * changed. A login that was right is remembered by a keyed hash, since bcrypt is slow on purpose and clients log in with every
 * request.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct htpasswd;

/* ERROR_NOT_FOUND, ERROR_SYNTAX with file:line; ERROR_UNSUPPORTED for another hash than bcrypt. */
int htpasswd_open(struct htpasswd **out, const char *path, struct error *err);
void htpasswd_free(struct htpasswd *h);
/* In the same time whether the user or the password is wrong. A file that has become unreadable admits nobody. */
bool htpasswd_check(struct htpasswd *h, const char *user, const char *password);

CLEANUP_FREE(htpasswd)
