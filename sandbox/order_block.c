#include "sandbox/order_block.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/fs.h"

/* From here on a payload goes straight to the file: no copy of a secret stays behind in a grown buffer. */
#define DIRECT_BYTES 64u

static void write_out(struct order_block *b, const void *data, size_t len)
{
	if (b->number)
		return;
	if (b->fd < 0)
		b->fd = memfd_create("slipway-orders", MFD_CLOEXEC);
	if (b->fd < 0 || fs_write_all(b->fd, data, len, "orders", NULL) < 0)
		b->number = errno ? errno : EIO;
}

static void flush(struct order_block *b)
{
	if (b->buf.len > 0)
		write_out(b, b->buf.buf, b->buf.len);
	strbuf_reset(&b->buf);
}

void order_bytes(struct order_block *b, uint32_t tag, const void *data, size_t len)
{
	static const char zeros[8];
	struct order_head head = {.tag = tag, .len = (uint32_t)len};

	strbuf_add(&b->buf, &head, sizeof(head));
	if (len > DIRECT_BYTES && tag == MOUNT_DATA) {
		flush(b);
		write_out(b, data, len);
	} else if (len > 0) {
		strbuf_add(&b->buf, data, len);
	}
	strbuf_add(&b->buf, zeros, (8 - len % 8) % 8);
}

void order_u32(struct order_block *b, uint32_t tag, uint32_t value)
{
	order_bytes(b, tag, &value, sizeof(value));
}

void order_u64(struct order_block *b, uint32_t tag, uint64_t value)
{
	order_bytes(b, tag, &value, sizeof(value));
}

void order_str(struct order_block *b, uint32_t tag, const char *s)
{
	if (s)
		order_bytes(b, tag, s, strlen(s) + 1);
}

void order_strings(struct order_block *b, uint32_t tag, char *const *items)
{
	for (; items && *items; items++)
		order_str(b, tag, *items);
}

int order_finish(struct order_block *b, int *fd, struct error *err)
{
	flush(b);
	if (b->number || b->fd < 0) {
		errno = b->number ? b->number : EINVAL;
		return error_errno(err, "write the orders of the sandbox to memory");
	}
	*fd = take_fd(b->fd);
	return 0;
}

void order_block_release(struct order_block *b)
{
	if (b->buf.cap > 0)
		wipe(b->buf.buf, b->buf.cap);
	strbuf_release(&b->buf);
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}
