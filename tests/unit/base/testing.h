/* What the tests of base share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"

/* The call fails with this kind, and the message holds text. */
#define assert_error(call, wanted_kind, text)                                        \
	do {                                                                         \
		AUTO(error) err_ = ERROR_INIT;                                       \
		struct error *err = &err_;                                           \
		assert_int_equal(call, -1);                                          \
		assert_int_equal(err->kind, wanted_kind);                            \
		if (!strstr(err->message, text))                                     \
			fail_msg("\"%s\" does not hold \"%s\"", err->message, text); \
	} while (0)

/* The call succeeds; else its message is shown. */
#define assert_ok(call)                                          \
	do {                                                     \
		AUTO(error) err_ = ERROR_INIT;                   \
		struct error *err = &err_;                       \
		if ((call) != 0)                                 \
			fail_msg("%s: %s", #call, err->message); \
		assert_int_equal(err->kind, ERROR_NONE);         \
	} while (0)
