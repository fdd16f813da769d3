#include "oci/layer_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/layer_index_format.h"
#include "oci/layer_reader.h"
#include "oci/layer_writer.h"

#define FLUSH_BYTES ((size_t)64 << 10)

struct index_writer {
	struct store *store;
	char name[INGEST_NAME_SIZE];
	int fd; /* -1: no temporary file; small indexes need none */
	struct strbuf buf;
	struct sha256 hash;
	struct strbuf last; /* path of the record before */
	uint64_t records;
};

static void add_varint(struct strbuf *sb, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_putc(sb, (char)(v | 0x80));
	strbuf_putc(sb, (char)v);
}

static void add_zigzag(struct strbuf *sb, int64_t v)
{
	add_varint(sb, v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1);
}

static void add_string(struct strbuf *sb, const void *data, size_t len)
{
	add_varint(sb, len);
	strbuf_add(sb, data, len);
	strbuf_putc(sb, '\0');
}

struct index_writer *index_writer_new(struct store *s)
{
	struct index_writer *w = xcalloc(1, sizeof(*w));

	w->store = s;
	w->fd = -1;
	strbuf_init(&w->buf);
	strbuf_init(&w->last);
	strbuf_add(&w->buf, INDEX_MAGIC, INDEX_MAGIC_BYTES);
	return w;
}

static int flush(struct index_writer *w, struct error *err)
{
	size_t done = 0;

	if (w->fd < 0 && ingest_temp_file(w->store, w->name, &w->fd, err) < 0)
		return -1;
	sha256_update(&w->hash, w->buf.buf, w->buf.len);
	while (done < w->buf.len) {
		ssize_t n = write(w->fd, w->buf.buf + done, w->buf.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return store_write_failed(w->store, "the index of a layer", w->name, err);
		done += (size_t)n;
	}
	strbuf_reset(&w->buf);
	return 0;
}

/* Names repeat their folder's: what a path shares with the one before it, up to and with a "/". */
static size_t shared_prefix(const char *a, const char *b)
{
	size_t shared = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			shared = i + 1;
	return shared;
}

static void add_attributes(struct strbuf *sb, const struct entry *e)
{
	add_varint(sb, e->mode & 07777);
	add_varint(sb, e->uid);
	add_varint(sb, e->gid);
	add_zigzag(sb, e->mtime);
	if (e->type == ENTRY_FILE) {
		add_varint(sb, (uint64_t)e->size);
	} else if (e->type == ENTRY_SYMLINK) {
		add_string(sb, e->link, strlen(e->link));
	} else if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		add_varint(sb, e->dev_major);
		add_varint(sb, e->dev_minor);
	}
}

int index_writer_add(struct index_writer *w, const struct entry *e, struct error *err)
{
	bool marker = e->type == ENTRY_WHITEOUT || e->type == ENTRY_OPAQUE;
	bool plain = !marker && e->type != ENTRY_HARDLINK;
	bool content = e->type == ENTRY_FILE && e->has_content;
	bool xattrs = plain && e->n_xattrs;
	size_t shared = shared_prefix(w->last.buf, e->path);

	strbuf_putc(&w->buf, (char)((unsigned)e->type | (content ? INDEX_CONTENT : 0u) |
				    (xattrs ? INDEX_XATTRS : 0u)));
	add_varint(&w->buf, shared);
	add_string(&w->buf, e->path + shared, strlen(e->path + shared));
	if (plain)
		add_attributes(&w->buf, e);
	else if (!marker)
		add_string(&w->buf, e->link, strlen(e->link));
	if (content)
		strbuf_add(&w->buf, e->content, sizeof(e->content));
	if (xattrs)
		add_varint(&w->buf, e->n_xattrs);
	for (size_t i = 0; xattrs && i < e->n_xattrs; i++) {
		add_string(&w->buf, e->xattrs[i].name, strlen(e->xattrs[i].name));
		add_string(&w->buf, e->xattrs[i].value, e->xattrs[i].len);
	}
	strbuf_truncate(&w->last, shared);
	strbuf_puts(&w->last, e->path + shared);
	w->records++;
	return w->buf.len < FLUSH_BYTES ? 0 : flush(w, err);
}

static int index_rename(struct index_writer *w, const struct digest *diff_id, struct error *err)
{
	AUTO_FREE char *name = xstrfmt("meta/" INDEX_FOLDER "/%s", digest_hex(diff_id));
	int dirfd = store_dirfd(w->store);

	if (renameat(dirfd, w->name, dirfd, name) == 0)
		return 0;
	if (errno == ENOENT && (mkdirat(dirfd, "meta", 0755) == 0 || errno == EEXIST) &&
	    (mkdirat(dirfd, "meta/" INDEX_FOLDER, 0755) == 0 || errno == EEXIST) &&
	    renameat(dirfd, w->name, dirfd, name) == 0)
		return 0;
	return store_write_failed(w->store, "the index of a layer", name, err);
}

/* It fits the buffer: one write, none at all when the same layer was made before. */
static int commit_small(struct index_writer *w, const struct digest *diff_id, struct error *err)
{
	uint8_t sum[SHA256_SIZE];

	sha256_update(&w->hash, w->buf.buf, w->buf.len);
	sha256_final(&w->hash, sum);
	strbuf_add(&w->buf, sum, sizeof(sum));
	return store_meta_put(w->store, INDEX_FOLDER, digest_hex(diff_id), w->buf.buf, w->buf.len,
			      err);
}

int index_writer_commit(struct index_writer *w, const struct digest *diff_id, struct error *err)
{
	uint8_t sum[SHA256_SIZE];

	strbuf_putc(&w->buf, (char)INDEX_END);
	add_varint(&w->buf, w->records);
	if (w->fd < 0)
		return commit_small(w, diff_id, err);
	if (flush(w, err) < 0)
		return -1;
	sha256_final(&w->hash, sum);
	strbuf_add(&w->buf, sum, sizeof(sum));
	if (flush(w, err) < 0 || index_rename(w, diff_id, err) < 0)
		return -1;
	close(take_fd(w->fd));
	return 0;
}

void index_writer_free(struct index_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		unlinkat(store_dirfd(w->store), w->name, 0);
		close(w->fd);
	}
	sha256_release(&w->hash);
	strbuf_release(&w->buf);
	strbuf_release(&w->last);
	free(w);
}

static int add_all(struct index_writer *w, struct layer_reader *r, struct error *err)
{
	AUTO_FREE uint8_t *buf = xmalloc(FLUSH_BYTES);
	const struct entry *e;
	int more;

	while ((more = layer_reader_next(r, &e, err)) > 0) {
		AUTO(sha256) hash = SHA256_INIT;
		struct entry mine = *e;
		int64_t got = 0;

		if (e->type == ENTRY_FILE) {
			while ((got = layer_reader_read(r, buf, FLUSH_BYTES, err)) > 0)
				sha256_update(&hash, buf, (size_t)got);
			sha256_final(&hash, mine.content);
			mine.has_content = true;
		}
		if (got < 0 || index_writer_add(w, &mine, err) < 0)
			return -1;
	}
	return more;
}

int layer_index_ensure(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		       struct error *err)
{
	AUTO_PTR(index_reader) there = NULL;
	AUTO_PTR(index_writer) w = index_writer_new(s);
	AUTO_PTR(layer_reader) r = NULL;

	if (index_reader_open(&there, s, diff_id, NULL) == 0)
		return 0;
	if (layer_reader_open(&r, s, blob, diff_id, err) < 0 || add_all(w, r, err) < 0 ||
	    index_writer_commit(w, diff_id, err) < 0)
		return error_wrap(err, "index layer %s", blob->digest.text);
	return layer_meta_put(s, &blob->digest, diff_id, layer_reader_bytes(r), err);
}
