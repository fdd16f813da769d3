#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Takes message. The old one is freed last: the caller may have formatted from it. */
static int error_fill(struct error *err, enum error_kind kind, int number, char *message)
{
	char *old = err->message;

	*err = (struct error){.kind = kind, .number = number, .message = message};
	free(old);
	return -1;
}

int(error_set)(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	error_fill(err, kind, 0, xstrvfmt(fmt, ap));
	va_end(ap);
	return -1;
}

static enum error_kind kind_of_errno(int number)
{
	switch (number) {
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERROR_DENIED;
	default:
		return ERROR_SYSTEM;
	}
}

int(error_errno)(struct error *err, const char *fmt, ...)
{
	int number = errno;
	AUTO_FREE char *what = NULL;
	char reason[128];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	what = xstrvfmt(fmt, ap);
	va_end(ap);
	error_fill(err, kind_of_errno(number), number,
		   xstrfmt("%s: %s", what, strerror_r(number, reason, sizeof(reason))));
	errno = number;
	return -1;
}

int(error_wrap)(struct error *err, const char *fmt, ...)
{
	AUTO_FREE char *context = NULL;
	char *message;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	context = xstrvfmt(fmt, ap);
	va_end(ap);
	message = xstrfmt("%s: %s", context, err->message ? err->message : "unknown error");
	if (err->hint_at)
		err->hint_at += strlen(context) + 2;
	free(err->message);
	err->message = message;
	return -1;
}

int(error_hint)(struct error *err, const char *fmt, ...)
{
	AUTO_FREE char *hint = NULL;
	char *message;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	hint = xstrvfmt(fmt, ap);
	va_end(ap);
	message = err->message ? xstrfmt("%s\n%s", err->message, hint) : xstrdup(hint);
	if (err->message && !err->hint_at)
		err->hint_at = strlen(err->message);
	free(err->message);
	err->message = message;
	return -1;
}

void error_release(struct error *err)
{
	if (err)
		free(err->message);
}

void error_clear(struct error *err)
{
	if (!err)
		return;
	error_release(err);
	*err = (struct error)ERROR_INIT;
}

int(error_move)(struct error *dst, struct error *src)
{
	if (dst == src)
		return -1;
	if (dst) {
		error_release(dst);
		*dst = *src;
		*src = (struct error)ERROR_INIT;
	} else {
		error_clear(src);
	}
	return -1;
}

const char *error_kind_name(enum error_kind kind)
{
	static const char *const names[] = {
		[ERROR_NONE] = "none",
		[ERROR_SYSTEM] = "system",
		[ERROR_USAGE] = "usage",
		[ERROR_SYNTAX] = "syntax",
		[ERROR_NOT_FOUND] = "not found",
		[ERROR_DENIED] = "denied",
		[ERROR_NETWORK] = "network",
		[ERROR_REMOTE] = "remote",
		[ERROR_CORRUPT] = "corrupt",
		[ERROR_STEP] = "step failed",
		[ERROR_UNSUPPORTED] = "unsupported",
		[ERROR_CANCELLED] = "cancelled",
	};

	if ((size_t)kind >= ARRAY_SIZE(names))
		return "unknown";
	return names[kind];
}
