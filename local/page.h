/*
 * The status page of the local target, which shows and changes nothing: one HTML file with its style and script inside, and the JSON
 * that it asks for again and again.
 *
 *	GET /                     the page
 *	GET /status.json          what runs (local/status.h); 304 as long as the state's version stays
 *	GET /status/images.json   {"repositories": [..]} (local/status_images.h); 304 as long as nothing was pushed
 *	GET /status/logs?group=G&stream=S&position=P   {"events": [{"time", "text"}], "next", "more"} (local/page_logs.h)
 *
 * All but the page itself want its key (page_key.h) in the header X-Slipway-Key; the page has it from its own address, "/#key=..", which no
 * server sees, and keeps it. Whoever calls has refused what asks for other hosts or comes from pages elsewhere.
 */
#pragma once

#include "local/local.h"
#include "net/server.h"

/* Answers, when the headers are there: what is none of these by 404. Any thread, without the state's lock. */
void page_answer(struct local *l, struct server_request *r);
