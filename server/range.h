/* Range of a GET (RFC 9110 section 14.2) and Content-Range of a chunk (OCI distribution-spec 1.1, Pushing a blob in chunks). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum range_answer {
	RANGE_WHOLE,   /* none, or not ours to understand: send everything with 200 */
	RANGE_PART,    /* 206 */
	RANGE_OUTSIDE, /* 416 */
};

/*
 * text: the header's value, NULL when absent; size: of the whole. Of several ranges, which we may ignore, everything is sent. first and last
 * are set for RANGE_PART.
 */
enum range_answer range_parse(const char *text, int64_t size, int64_t *first, int64_t *last);

/* "FIRST-LAST" as the specification has it, or "bytes FIRST-LAST/TOTAL" as RFC 9110 has. False for anything else. */
bool range_parse_content(const char *text, int64_t *first, int64_t *last);
