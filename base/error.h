/*
 * Errors. Every fallible function takes a struct error last and returns 0 or
 * -1: untouched on success, set exactly once on failure; callers add context
 * with error_wrap(). The kind is for programs, the message for people: what was
 * attempted, on what, why it failed, what to try.
 *
 *	AUTO(error) err = ERROR_INIT;
 *	if (image_load(&image, store, ref, &err) < 0)
 *		return error_wrap(outer, ...);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum error_kind {
	ERROR_NONE,
	ERROR_SYSTEM,      /* a system call failed; number holds errno */
	ERROR_USAGE,       /* the command line is wrong: exit code 2 */
	ERROR_SYNTAX,      /* a file we read is malformed (Dockerfile, JSON, ...) */
	ERROR_NOT_FOUND,   /* image, file, stage, blob ... does not exist */
	ERROR_DENIED,      /* refused by permission, policy or login */
	ERROR_NETWORK,     /* could not connect, timed out, connection lost */
	ERROR_REMOTE,      /* the other side answered with an error */
	ERROR_CORRUPT,     /* bytes do not match what was promised */
	ERROR_STEP,        /* a RUN or a container ended badly; status holds its exit code */
	ERROR_UNSUPPORTED, /* understood, and not done here */
	ERROR_CANCELLED,   /* by signal */
};

struct error {
	enum error_kind kind;
	int number;    /* errno of ERROR_SYSTEM (also set by error_errno for other kinds), else 0 */
	int status;    /* exit code of ERROR_STEP; HTTP status of ERROR_REMOTE; else 0 */
	char *message; /* owned; one or more lines without a final newline */
	size_t hint_at;   /* where its hints begin; 0: it has none */
	bool placed;      /* it names and shows a place in a text */
	int line, column; /* the place, when the text is the Dockerfile itself; else 0 */
};

#define ERROR_INIT \
	{          \
		0  \
	}

/* Each sets *err and returns -1. A NULL err is allowed and drops the error. */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Appends ": " and strerror(errno). Kind NOT_FOUND for ENOENT, DENIED for EACCES and EPERM, else SYSTEM. */
int error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "context: " before the message; keeps kind, number and status. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds a line after the message: what to try. */
int error_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Moves src into dst (NULL allowed) and returns -1. */
int error_move(struct error *dst, struct error *src);

/* Lets compilers and analysers see the -1: what a failed call leaves unset is then known to be unused. */
static inline int error_result(void)
{
	return -1;
}
#define error_set(...)   (error_set(__VA_ARGS__), error_result())
#define error_errno(...) (error_errno(__VA_ARGS__), error_result())
#define error_wrap(...)  (error_wrap(__VA_ARGS__), error_result())
#define error_hint(...)  (error_hint(__VA_ARGS__), error_result())
#define error_move(...)  (error_move(__VA_ARGS__), error_result())

void error_release(struct error *err);
void error_clear(struct error *err);
/* "not found", "denied" ...: a word for logs and JSON. */
const char *error_kind_name(enum error_kind kind);

CLEANUP_RELEASE(error)
