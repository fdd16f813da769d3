/* A local target on a port of its own, with a store and nothing in it, and an HTTP client. */
#pragma once

#include <fcntl.h>

#include "base/fs.h"
#include "local/local.h"
#include "net/http.h"
#include "tests/unit/base/testing.h"

struct ground {
	char *folder;
	struct store *store;
	struct local *local;
	struct http *http;
	struct http_response answer;
};

static inline int ground_start(void **state)
{
	struct ground *g = xcalloc(1, sizeof(*g));
	const struct http_options http = {.user_agent = "test"};
	struct local_options o = {.port = 0};

	assert_ok(fs_make_temp_dir("/tmp", "slipway-local-", &g->folder, err));
	AUTO_FREE char *root = xstrfmt("%s/store", g->folder);
	AUTO_FREE char *folder = xstrfmt("%s/local", g->folder);

	assert_ok(store_open(&g->store, root, err));
	o.folder = folder;
	o.store = g->store;
	assert_ok(local_open(&g->local, &o, err));
	assert_ok(http_new(&g->http, &http, err));
	*state = g;
	return 0;
}

static inline int ground_stop(void **state)
{
	struct ground *g = *state;

	http_response_release(&g->answer);
	http_free(g->http);
	local_close(g->local);
	store_free(g->store);
	assert_ok(fs_remove_tree(AT_FDCWD, g->folder, err));
	free(g->folder);
	free(g);
	return 0;
}

/* The status of the answer, which is g->answer until the next question. */
static inline int ground_ask(struct ground *g, const char *method, const char *path,
			     struct strlist *headers, const char *body)
{
	AUTO_FREE char *url = xstrfmt("http://127.0.0.1:%d%s", g->local->port, path);
	const struct http_request r = {.method = method,
				       .url = url,
				       .headers = headers,
				       .body = body,
				       .body_len = body ? (int64_t)strlen(body) : -1};

	http_response_release(&g->answer);
	assert_ok(http_send(g->http, &r, &g->answer, err));
	return g->answer.status;
}

#define G(name) cmocka_unit_test_setup_teardown(name, ground_start, ground_stop)
