/* Tells a dead or dripping connection: less than 1 KiB in a stretch of time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define STALL_BYTES 1024

struct stall {
	int64_t mark_ns, mark_bytes; /* when the last KiB moved, and how much had moved then */
	bool answering;
};

void stall_begin(struct stall *s, int64_t now_ns);
/*
 * moved: bytes so far, both ways. answering: all was sent and the other side works on it; the change of it starts the
 * clock again. True when nothing worth the name moved for longer than limit_ns.
 */
bool stall_check(struct stall *s, int64_t now_ns, int64_t moved, bool answering, int64_t limit_ns);
