#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/layer_index.h"
#include "oci/layer_index_format.h"

struct index_reader {
	const uint8_t *at, *end; /* of the records */
	void *mapped;            /* NULL: the caller's memory */
	size_t mapped_len;
	uint64_t records;
	const char *name;
	const uint8_t *content;
	struct xattr *xattrs;
	size_t cap_xattrs;
	size_t path_len;
	char path[LIMIT_PATH_BYTES + 1];
};

static int damaged(struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "the index of a layer is damaged");
}

/* Each of the readers below returns false when the file ends early or the value cannot be. */
static bool read_varint(struct index_reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool read_number(struct index_reader *r, uint64_t max, uint32_t *out)
{
	uint64_t v;

	if (!read_varint(r, &v) || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool read_zigzag(struct index_reader *r, int64_t *out)
{
	uint64_t v;

	if (!read_varint(r, &v))
		return false;
	*out = (int64_t)(v & 1 ? ~(v >> 1) : v >> 1);
	return true;
}

static bool read_bytes(struct index_reader *r, size_t max, const char **out, size_t *len)
{
	uint64_t n;

	if (!read_varint(r, &n) || n > max || n >= (uint64_t)(r->end - r->at) || r->at[n])
		return false;
	*out = (const char *)r->at;
	*len = (size_t)n;
	r->at += n + 1;
	return true;
}

static bool read_string(struct index_reader *r, size_t max, const char **out, size_t *len)
{
	return read_bytes(r, max, out, len) && !memchr(*out, '\0', *len);
}

static bool read_path(struct index_reader *r, struct entry *e)
{
	const char *rest, *slash;
	uint64_t shared;
	size_t len;

	if (!read_varint(r, &shared) || shared > r->path_len ||
	    (shared && r->path[shared - 1] != '/') ||
	    !read_string(r, LIMIT_PATH_BYTES - (size_t)shared, &rest, &len))
		return false;
	memcpy(r->path + shared, rest, len + 1);
	r->path_len = (size_t)shared + len;
	slash = memrchr(rest, '/', len);
	r->name = slash ? slash + 1 : rest;
	e->path = r->path;
	return entry_path_is_clean(r->path);
}

static bool read_link(struct index_reader *r, struct entry *e)
{
	size_t len;

	if (!read_string(r, LIMIT_PATH_BYTES, &e->link, &len))
		return false;
	return e->type == ENTRY_HARDLINK ? entry_path_is_clean(e->link) : len > 0;
}

static bool read_attributes(struct index_reader *r, struct entry *e)
{
	uint64_t size;
	uint32_t mode;

	if (!read_number(r, 07777, &mode) || !read_number(r, UINT32_MAX, &e->uid) ||
	    !read_number(r, UINT32_MAX, &e->gid) || !read_zigzag(r, &e->mtime))
		return false;
	e->mode = mode;
	if (e->type == ENTRY_FILE) {
		if (!read_varint(r, &size) || size > (uint64_t)LIMIT_LAYER_BYTES)
			return false;
		e->size = (int64_t)size;
		return true;
	}
	if (e->type == ENTRY_SYMLINK)
		return read_link(r, e);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		return read_number(r, UINT32_MAX, &e->dev_major) &&
		       read_number(r, UINT32_MAX, &e->dev_minor);
	return true;
}

static bool read_xattrs(struct index_reader *r, struct entry *e)
{
	uint64_t n;

	if (!read_varint(r, &n) || n > LIMIT_XATTRS)
		return false;
	GROW(r->xattrs, (size_t)n, r->cap_xattrs);
	for (size_t i = 0; i < n; i++) {
		const char *value;
		size_t len;

		if (!read_string(r, LIMIT_XATTR_BYTES, &r->xattrs[i].name, &len) ||
		    !read_bytes(r, LIMIT_XATTR_BYTES, &value, &r->xattrs[i].len))
			return false;
		r->xattrs[i].value = value;
	}
	e->xattrs = r->xattrs;
	e->n_xattrs = (size_t)n;
	return true;
}

static bool read_record(struct index_reader *r, struct entry *e)
{
	unsigned head = *r->at++;
	bool marker, ok;

	r->content = NULL;
	*e = (struct entry){.type = (enum entry_type)(head & INDEX_TYPE)};
	if ((head & INDEX_TYPE) > ENTRY_OPAQUE ||
	    head & ~(INDEX_TYPE | INDEX_CONTENT | INDEX_XATTRS) || !read_path(r, e))
		return false;
	marker = e->type == ENTRY_WHITEOUT || e->type == ENTRY_OPAQUE;
	ok = marker || (e->type == ENTRY_HARDLINK ? read_link(r, e) : read_attributes(r, e));
	if (!ok)
		return false;
	if (head & INDEX_CONTENT) {
		if (e->type != ENTRY_FILE || r->end - r->at < SHA256_SIZE)
			return false;
		e->has_content = true;
		r->content = r->at;
		memcpy(e->content, r->at, SHA256_SIZE);
		r->at += SHA256_SIZE;
	}
	return !(head & INDEX_XATTRS) || read_xattrs(r, e);
}

int index_reader_next(struct index_reader *r, struct entry *e, struct error *err)
{
	uint64_t records;

	if (r->at >= r->end)
		return damaged(err);
	if (*r->at == INDEX_END) {
		const uint8_t *mark = r->at++;

		if (!read_varint(r, &records) || records != r->records || r->at != r->end)
			return damaged(err);
		r->at = mark; /* the end again, when asked again */
		return 0;
	}
	if (!read_record(r, e))
		return damaged(err);
	r->records++;
	return 1;
}

const char *index_reader_name(const struct index_reader *r)
{
	return r->name;
}

const uint8_t *index_reader_content(const struct index_reader *r)
{
	return r->content;
}

static int check(struct index_reader *r, const void *data, size_t len, struct error *err)
{
	uint8_t sum[SHA256_SIZE];

	if (len < INDEX_MAGIC_BYTES + SHA256_SIZE ||
	    memcmp(data, INDEX_MAGIC, INDEX_MAGIC_BYTES) != 0)
		return damaged(err);
	r->at = (const uint8_t *)data + INDEX_MAGIC_BYTES;
	r->end = (const uint8_t *)data + len - SHA256_SIZE;
	sha256_buf(data, len - SHA256_SIZE, sum);
	return memcmp(sum, r->end, SHA256_SIZE) == 0 ? 0 : damaged(err);
}

int index_reader_open_memory(struct index_reader **out, const void *data, size_t len,
			     struct error *err)
{
	AUTO_PTR(index_reader) r = xcalloc(1, sizeof(*r));

	r->name = r->path;
	if (check(r, data, len, err) < 0)
		return -1;
	*out = take_ptr(r);
	return 0;
}

static int map(struct index_reader *r, int fd, const char *name, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "read %s", name);
	if (!S_ISREG(st.st_mode) || st.st_size < 1)
		return damaged(err);
	r->mapped_len = (size_t)st.st_size;
	r->mapped = mmap(NULL, r->mapped_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (r->mapped == MAP_FAILED) {
		r->mapped = NULL;
		return error_errno(err, "read %s", name);
	}
	return check(r, r->mapped, r->mapped_len, err);
}

static char *index_name(const struct digest *diff_id)
{
	return xstrfmt("meta/" INDEX_FOLDER "/%s", digest_hex(diff_id));
}

bool layer_index_exists(struct store *s, const struct digest *diff_id)
{
	AUTO_FREE char *name = index_name(diff_id);

	return faccessat(store_dirfd(s), name, F_OK, 0) == 0;
}

int index_reader_open(struct index_reader **out, struct store *s, const struct digest *diff_id,
		      struct error *err)
{
	AUTO_FREE char *name = index_name(diff_id);
	AUTO_PTR(index_reader) r = xcalloc(1, sizeof(*r));
	AUTO_FD int fd = openat(store_dirfd(s), name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(error) why = ERROR_INIT;

	if (fd < 0)
		return error_errno(err, "open the index of layer %s", diff_id->text);
	r->name = r->path;
	if (map(r, fd, name, &why) < 0) {
		/* It is made again from the blob when the next one asks. */
		if (why.kind == ERROR_CORRUPT && !store_only_looks(s))
			unlinkat(store_dirfd(s), name, 0);
		return error_move(err, &why);
	}
	*out = take_ptr(r);
	return 0;
}

void index_reader_free(struct index_reader *r)
{
	if (!r)
		return;
	if (r->mapped)
		munmap(r->mapped, r->mapped_len);
	free(r->xattrs);
	free(r);
}
