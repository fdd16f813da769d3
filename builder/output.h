/*
 * The output of a RUN on its way to the reporter: secrets masked, the last lines kept for the error message. Memory stays
 * small whatever the process prints.
 */
#pragma once

#include "base/limits.h"
#include "base/log.h"
#include "builder/mask.h"

struct output_line {
	struct strbuf text;
	size_t dropped; /* bytes beyond what is kept */
};

struct output {
	struct reporter *reporter;
	int step;
	struct mask mask;
	struct mask_stream streams[2]; /* descriptors 1 and 2 */
	struct output_line lines[LIMIT_STEP_TAIL_LINES];
	size_t n_lines; /* seen; the last ones are in lines[n % limit] */
	bool open;      /* the last line has no end yet */
};

/* The owner sets step before the first byte. */
void output_init(struct output *o, struct reporter *r);
void output_release(struct output *o);
/* fd 1 or 2. */
void output_write(struct output *o, int fd, const void *data, size_t len);
void output_end(struct output *o);
/* The last lines, as text for a message; nothing when there was no output. */
void output_tail(const struct output *o, struct strbuf *out);

CLEANUP_RELEASE(output)
