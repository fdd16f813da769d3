/* A source of bytes in memory, given in pieces of any size. */
#pragma once

#include <string.h>

#include "base/sink.h"

struct memory_source {
	struct source source;
	const char *data;
	size_t len, step; /* step 0: all that is asked for */
};

static inline int64_t memory_source_read(struct source *s, void *data, size_t len,
					 struct error *err)
{
	struct memory_source *m = (struct memory_source *)s;
	size_t n = m->len < len ? m->len : len;

	(void)err;
	if (m->step && n > m->step)
		n = m->step;
	if (n)
		memcpy(data, m->data, n);
	m->data += n;
	m->len -= n;
	return (int64_t)n;
}

static inline struct memory_source memory_source(const void *data, size_t len)
{
	return (struct memory_source){.source.read = memory_source_read, .data = data, .len = len};
}
