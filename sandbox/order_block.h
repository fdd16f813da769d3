/*
 * The writing side of sandbox/orders.h: collects records and hands them over as a memory file, so that neither side
 * waits for the other and nothing of it, secrets included, touches a disk.
 *
 *	AUTO(order_block) b = ORDER_BLOCK_INIT;
 *	order_u32(&b, ORDER_TASK, TASK_RUN);
 *	if (order_finish(&b, &fd, err) < 0) ...
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "sandbox/orders.h"

struct order_block {
	struct strbuf buf; /* records not yet in the file; wiped on release */
	int fd;            /* -1 until the first large payload */
	int number;        /* errno of the first failed write */
};

#define ORDER_BLOCK_INIT                               \
	{                                              \
		.buf = {.buf = strbuf_empty}, .fd = -1 \
	}

void order_bytes(struct order_block *b, uint32_t tag, const void *data, size_t len);
void order_u32(struct order_block *b, uint32_t tag, uint32_t value);
void order_u64(struct order_block *b, uint32_t tag, uint64_t value);
/* NULL adds nothing. */
void order_str(struct order_block *b, uint32_t tag, const char *s);
void order_strings(struct order_block *b, uint32_t tag, char *const *items); /* up to NULL */
/* The caller closes *fd. */
int order_finish(struct order_block *b, int *fd, struct error *err);
void order_block_release(struct order_block *b);

CLEANUP_RELEASE(order_block)
