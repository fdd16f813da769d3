/* The tail of a log stream in pieces, as the status page asks for them. */
#pragma once

#include "base/json.h"
#include "local/log_store.h"

#define PAGE_LOG_TAIL  (-1)
#define PAGE_LOG_LINES 500          /* of a piece */
#define PAGE_LOG_BYTES (256u << 10) /* of a piece's texts, and then the event that passes them */

/*
 * {"events": [{"time": MS, "text"}], "next": POSITION, "more": BOOL}: what stands from the position on, of PAGE_LOG_TAIL the last lines. next is
 * where to go on, more whether there is more now. A stream that is not there yet is empty. A new reference; NULL with ERROR_CORRUPT when the stream
 * has no such position any more.
 */
json_t *page_log_piece(struct log_store *logs, const char *group, const char *stream,
		       int64_t position, struct error *err);
