/*
 * SOURCE_DATE_EPOCH where it is no number (dockerfile.md 14): "context", the name of a named context, or of a stage whose one step
 * is an ADD of a URL or repository. The time is that of the commit, of Last-Modified, or without that the newest in the tar.
 */
#pragma once

#include "builder/build_state.h"

/*
 * After the file was read and the contexts are known; what it names is fetched. *out: seconds since 1970, or -1: a folder has no
 * time of its own, nothing is set. ERROR_USAGE: it names nothing that has a time.
 */
int epoch_resolve(struct build *b, const char *text, int64_t *out, struct error *err);
