/* -e and --env-file, as docker run reads them. */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "cli/environment.h"

/*
 * Checks what -e gave and puts the lines of the files before it: NAME=VALUE or NAME, nothing unquoted; # begins a comment line.
 * ERROR_USAGE, ERROR_NOT_FOUND.
 */
int env_options_read(struct strlist *env, const struct strlist *files, struct error *err);
/* Sets them in order; a NAME alone takes its value from e and is left out when there is none. */
void env_options_set(struct strmap *out, const struct strlist *env, const struct environment *e);
