/* The records of a path index, with the frame and the checksum that let them be read. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "oci/layer_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all of it, so that a sanitizer sees what is not there. */
static unsigned sum_bytes(const void *data, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)data)[i];
	return sum;
}

static void check_entry(const struct index_reader *r, const struct entry *e)
{
	const char *slash = strrchr(e->path, '/');

	if (!entry_path_is_clean(e->path) || e->type > ENTRY_OPAQUE || e->mode > 07777 ||
	    e->size < 0)
		abort();
	if ((e->type == ENTRY_HARDLINK || e->type == ENTRY_SYMLINK) != (e->link != NULL))
		abort();
	if (strcmp(index_reader_name(r), slash ? slash + 1 : e->path) != 0)
		abort();
	if (e->has_content != (index_reader_content(r) != NULL) ||
	    (e->has_content && memcmp(index_reader_content(r), e->content, SHA256_SIZE) != 0))
		abort();
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct xattr *x = &e->xattrs[i];
		size_t name = strlen(x->name);

		if (x->name[name] || sum_bytes(x->value, x->len) > 255 * x->len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(strbuf) file = STRBUF_INIT;
	AUTO_PTR(index_reader) r = NULL;
	uint8_t sum[SHA256_SIZE];
	struct entry e;

	strbuf_puts(&file, "slipway index 1\n");
	strbuf_add(&file, data, size);
	sha256_buf(file.buf, file.len, sum);
	strbuf_add(&file, sum, sizeof(sum));
	if (index_reader_open_memory(&r, file.buf, file.len, NULL) < 0)
		abort();
	while (index_reader_next(r, &e, NULL) > 0)
		check_entry(r, &e);
	return 0;
}
