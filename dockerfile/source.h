/*
 * The text of one Dockerfile (or of one ONBUILD trigger), with a table of its
 * physical lines, so that every message can name and show its place:
 *
 *	Dockerfile:3:6: unknown flag "--form" for COPY
 *	  3 | COPY --form=build /a /b
 *	    |      ^
 *
 * Lines and columns count from 1; a column counts bytes, and the caret stands
 * where a terminal shows them. A UTF-8 byte order mark is dropped, CRLF is accepted, NUL bytes and lines over
 * LIMIT_DOCKERFILE_LINE are ERROR_SYNTAX.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct dockerfile_source {
	char *name; /* for messages */
	bool inner; /* not a file of its own (a trigger): errors get no line for programs */
	char *text; /* NUL-terminated */
	size_t len;
	size_t *starts; /* offset of each line */
	int n_lines;
};

#define DOCKERFILE_SOURCE_INIT \
	{                      \
		0              \
	}

/* Copies len bytes of text. */
int source_init(struct dockerfile_source *src, const char *name, const char *text, size_t len,
		struct error *err);
void dockerfile_source_release(struct dockerfile_source *src);
/* The line without its end (LF or CRLF); NULL when there is no such line. */
const char *source_line(const struct dockerfile_source *src, int line, size_t *len);

/*
 * ERROR_SYNTAX "NAME:LINE:COL: message", the source line and a caret. Column 0:
 * no caret; line 0: only the message. Returns -1. Hints are added by
 * error_hint() afterwards.
 */
int source_error(struct error *err, const struct dockerfile_source *src, int line, int column,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int source_error_kind(struct error *err, enum error_kind kind, const struct dockerfile_source *src,
		      int line, int column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
int source_verror(struct error *err, enum error_kind kind, const struct dockerfile_source *src,
		  int line, int column, const char *fmt, va_list ap)
	__attribute__((format(printf, 6, 0)));
/*
 * Gives an error that has no place yet (from expansion, say) its place, the source line in front of its hints; keeps
 * kind, number, status. One that has a place is left alone: whoever knew better was first. So is ERROR_CANCELLED.
 */
int source_error_place(struct error *err, const struct dockerfile_source *src, int line,
		       int column);

CLEANUP_RELEASE(dockerfile_source)
