/*
 * When to try again: connection failures and the statuses 408, 429, 499, 500, 502, 503, 504, 522; up to max_retries times with
 * a random delay that doubles from retry_base_ms to 30 s. 429, and Retry-After with any of them, pauses every request to the
 * host, for what Retry-After says (5 minutes at most). A transfer that moved 1 MiB, or went on for a minute, earns a fresh count. Each retry says its reason.
 *
 * At the very first contact a wrong address is likelier than a passing fault: a host that has not answered yet gets two more
 * knocks at a closed port (1.5 s at most), and none when its name is unknown or no connection came in time.
 *
 *	struct retry retry;
 *	retry_begin(&retry, host, step, "pull blob ..");
 *	do {
 *		... one attempt ...
 *	} while ((again = retry_again(&retry, res, &why, progress, err)) > 0);
 */
#pragma once

#include <stdatomic.h>

#include "registry/client.h"

struct retry {
	struct registry_host *host;
	int step;         /* progress step that is told the reasons; 0: the log */
	const char *what; /* view */
	int failures;     /* since the last progress */
	int64_t last_break_ns;
	const atomic_bool *stop; /* ends the wait; NULL: never. Set after retry_begin() */
};

void retry_begin(struct retry *r, struct registry_host *host, int step, const char *what);
/*
 * After an attempt: res is its answer, or NULL when it failed with *why. progress: bytes that it moved and that need not
 * move again. 1: waited, try again; 0: this is the result; -1: cancelled or stopped while waiting.
 */
int retry_again(struct retry *r, const struct http_response *res, const struct error *why,
		int64_t progress, struct error *err);

bool retry_status(int status);
/*
 * Nanoseconds that Retry-After asks for: seconds, or a date seen from the answer's own Date (now, seconds since 1970, when it
 * has none); at most 5 minutes; -1 when there is none.
 */
int64_t retry_after_ns(const struct http_response *res, int64_t now);
