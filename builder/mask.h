/*
 * Takes the values of secrets out of a stream of output: each becomes "***", wherever the stream is cut. What might be
 * the beginning of one is held back until the next bytes decide.
 */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"

struct mask {
	char **values; /* wiped on release */
	size_t *lens;
	size_t n, cap;
	bool first[256]; /* bytes that a value begins with */
};

void mask_release(struct mask *m);
/*
 * The value without the line ends around it, and, when it has several lines, each of them that is long enough to be
 * told from ordinary text.
 */
void mask_add(struct mask *m, const void *data, size_t len);

struct mask_stream {
	const struct mask *mask;
	struct strbuf held;
};
/* Appends to out what can be shown. end: nothing follows. */
void mask_feed(struct mask_stream *s, const void *data, size_t len, bool end, struct strbuf *out);
void mask_stream_release(struct mask_stream *s); /* wipes */
