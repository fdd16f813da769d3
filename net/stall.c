#include "net/stall.h"

void stall_begin(struct stall *s, int64_t now_ns)
{
	*s = (struct stall){.mark_ns = now_ns};
}

bool stall_check(struct stall *s, int64_t now_ns, int64_t moved, bool answering, int64_t limit_ns)
{
	/* Fewer bytes than before: the request began again on another connection. */
	if (moved - s->mark_bytes >= STALL_BYTES || moved < s->mark_bytes ||
	    answering != s->answering) {
		s->mark_ns = now_ns;
		s->mark_bytes = moved;
		s->answering = answering;
	}
	return now_ns - s->mark_ns > limit_ns;
}
