/* Lines of logs on a terminal: what a container wrote may colour its text, and do nothing else to whoever reads it. */
#pragma once

#include "base/strbuf.h"

/*
 * Appends the line: colours (SGR, "ESC [ 1;31 m") pass and end with the line; every other escape sequence and control character is
 * shown as \xNN. Tabs and newlines pass, a carriage return at the end is dropped.
 */
void log_text_add_safe(struct strbuf *out, const char *text, size_t len);
