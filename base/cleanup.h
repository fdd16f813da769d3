/*
 * Cleanup by scope: a variable marked AUTO* releases what it owns when it goes
 * out of scope; take_ptr() and take_fd() give ownership away.
 *
 *	AUTO_FD int fd = open(...);
 *	AUTO_FREE char *name = xstrdup("x");
 *	AUTO(strbuf) buf = STRBUF_INIT;            calls strbuf_release(&buf)
 *	AUTO_PTR(image) image = image_new();       calls image_free(image)
 *
 * A type T used with AUTO() says CLEANUP_RELEASE(T) once, one used with
 * AUTO_PTR() says CLEANUP_FREE(T) once, after the prototypes of T_release or
 * T_free.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FD   __attribute__((cleanup(cleanup_fd)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))

#define CLEANUP_RELEASE(T)                                \
	static inline void T##_scope_release(struct T *p) \
	{                                                 \
		T##_release(p);                           \
	}
#define CLEANUP_FREE(T)                                 \
	static inline void T##_scope_free(struct T **p) \
	{                                               \
		T##_free(*p);                           \
	}
#define AUTO(T)     __attribute__((cleanup(T##_scope_release))) struct T
#define AUTO_PTR(T) __attribute__((cleanup(T##_scope_free))) struct T *

/* Gives the pointer or descriptor away and leaves nothing to clean up. */
#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
#define take_fd(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})
