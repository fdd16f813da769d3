/* The live lines at the bottom of a terminal: one a running step, cut to the width, cleared before anything else is printed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/strbuf.h"

struct live_view {
	size_t drawn; /* lines on the screen now */
	size_t columns, rows;
	struct strbuf lines;
	size_t n_lines, hidden;
	/* the ticker: a thread of its own pool */
	struct pool *pool;
	struct group group;
	int wake[2]; /* closing [1] ends it */
	void (*tick)(void *arg);
	void *arg;
};

/* Calls tick four times a second from a thread until live_view_stop(). */
void live_view_start(struct live_view *v, void (*tick)(void *arg), void *arg);
void live_view_stop(struct live_view *v);
void live_view_release(struct live_view *v);

void live_view_begin(struct live_view *v, int fd);
void live_view_add(struct live_view *v, const char *name, int64_t elapsed_ns, int64_t done,
		   int64_t total);
void live_view_end(struct live_view *v, struct strbuf *out, bool color);
void live_view_clear(struct live_view *v, struct strbuf *out);
/* "12.3MB / 40.1MB 3.2MB/s eta 9s": also for logs. */
void live_view_bytes(struct strbuf *out, int64_t done, int64_t total, int64_t elapsed_ns);
