/*
 * One page of log events, of at most so many events and bytes of text, whatever was looked at to fill it. Either those that come first in
 * the order of the looking (log_page_add), or those that come first by time of many streams that are looked at one after the other
 * (log_page_offer).
 */
#pragma once

#include "local/log_store.h"

#define LOG_PAGE_EVENTS 10000
#define LOG_PAGE_BYTES  (1u << 20)

/* Events of a group in the order of their times; of one time in that of streams and positions. */
struct log_key {
	int64_t time_ms;
	const char *stream; /* a view */
	int64_t position;
};

struct log_found {
	struct log_key key;
	int64_t came_ms;
	char *text;
	size_t len;
};

struct log_page {
	size_t limit; /* events; 1 .. LOG_PAGE_EVENTS */
	bool newest;  /* the last by time come first */
	struct log_found *list;
	size_t n, cap, bytes;
	bool more; /* some did not fit */
};

/* False: the page is full, and the event is not in it. */
bool log_page_add(struct log_page *p, const char *stream, const struct log_event *e);
/* Takes the event, and lets another go that comes later than all in the page. */
void log_page_offer(struct log_page *p, const char *stream, const struct log_event *e);
/* In the page's order, by time. */
void log_page_sort(struct log_page *p);
int log_key_compare(const struct log_key *a, const struct log_key *b);
void log_page_release(struct log_page *p);

CLEANUP_RELEASE(log_page)
