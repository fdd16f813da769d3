/* HTTP tests against the scripted registry: what any server may do to a request. */
#pragma once

#include "net/http.h"

#include "tests/unit/base/scratch.h"

#include "tests/fakes/fake.h"

static struct fake plain, tls;

static inline int start(void **state)
{
	char folder[64];

	if (scratch_setup(state) < 0)
		return -1;
	snprintf(folder, sizeof(folder), "%s", scratch_path);
	return fake_start(&plain, NULL) < 0 || fake_start(&tls, "--tls", folder, NULL) < 0 ? -1 : 0;
}

static inline int stop(void **state)
{
	fake_stop(&plain);
	fake_stop(&tls);
	return scratch_teardown(state);
}

static inline int fresh(void **state)
{
	(void)state;
	fake_reset(&plain);
	fake_reset(&tls);
	return 0;
}

#define http_test(fn) cmocka_unit_test_setup(fn, fresh)

static inline struct http *client(const struct http_options *o)
{
	struct http *h = NULL;

	assert_ok(http_new(&h, o, err));
	return h;
}
