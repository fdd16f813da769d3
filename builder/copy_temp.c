#include "builder/copy_temp.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

static int open_temp(struct copy_temp *t, struct error *err)
{
	AUTO_FREE char *dir = store_path(t->store, "ingest");

	if (t->fd < 0)
		t->fd = fs_open_unnamed(dir, err);
	return t->fd < 0 ? -1 : 0;
}

int copy_temp_add_bytes(struct copy_temp *t, const void *data, size_t len, int64_t *offset,
			struct error *err)
{
	if (open_temp(t, err) < 0 || fs_write_all(t->fd, data, len, "a temporary file", err) < 0)
		return -1;
	*offset = t->size;
	t->size += (int64_t)len;
	return 0;
}

int copy_temp_add(struct copy_temp *t, struct source *source, int64_t *offset, int64_t *size,
		  struct error *err)
{
	int64_t start = t->size, at, n;
	char block[65536];

	while ((n = source_read(source, block, sizeof(block), err)) > 0)
		if (cancel_check(t->cancel, err) < 0 ||
		    copy_temp_add_bytes(t, block, (size_t)n, &at, err) < 0)
			return -1;
	if (n < 0)
		return -1;
	*offset = start;
	*size = t->size - start;
	return 0;
}

void copy_temp_release(struct copy_temp *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static int64_t read_temp(struct source *s, void *data, size_t len, struct error *err)
{
	struct temp_source *t = (struct temp_source *)s;
	ssize_t n;

	if ((int64_t)len > t->end - t->at)
		len = (size_t)(t->end - t->at);
	if (!len)
		return 0;
	n = pread(t->temp->fd, data, len, t->at);
	if (n < 0)
		return error_errno(err, "read a temporary file");
	t->at += n;
	return n;
}

void temp_source_init(struct temp_source *s, const struct copy_temp *t, int64_t offset,
		      int64_t size)
{
	*s = (struct temp_source){
		.source = {.read = read_temp},
		.temp = t,
		.at = offset,
		.end = offset + size,
	};
}
