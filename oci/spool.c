#include "oci/spool.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/layer_reader.h"

#define BLOCK (256u << 10)
#define LARGE 50000u

struct wanted {
	const struct tree_node *node;
	uint64_t key; /* of the path in its layer; the content tells two paths of one key apart */
};

struct spool {
	struct store *store;
	int fd;
	int64_t size;
	struct wanted *wanted; /* until it is found */
	size_t n, cap;
	/* Where in the file the bytes are of the inode lowest, lowest + 1 .., -1: not there. Hard links have one number. */
	int64_t *offsets;
	uint32_t lowest, n_offsets;
};

int spool_open(struct spool **out, struct store *s, struct error *err)
{
	AUTO_PTR(spool) sp = xcalloc(1, sizeof(*sp));
	AUTO_FREE char *ingest = store_path(s, "ingest");

	sp->store = s;
	sp->fd = -1;
	if (fs_mkdir_p(ingest, 0700, err) < 0)
		return -1;
	sp->fd = fs_open_unnamed(ingest, err);
	if (sp->fd < 0)
		return -1;
	*out = take_ptr(sp);
	return 0;
}

void spool_free(struct spool *sp)
{
	if (!sp)
		return;
	if (sp->fd >= 0)
		close(sp->fd);
	free(sp->wanted);
	free(sp->offsets);
	free(sp);
}

/* FNV-1a: there are many paths, and nothing but a comparison of contents hangs on them. */
static uint64_t key_of(const char *path)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * 0x100000001b3ull;
	return h;
}

void spool_want(struct spool *sp, const struct tree_node *n)
{
	AUTO_FREE char *path = NULL;

	if (n->type != ENTRY_FILE)
		return;
	path = tree_source(n);
	GROW(sp->wanted, sp->n + 1, sp->cap);
	sp->wanted[sp->n++] = (struct wanted){n, key_of(path)};
}

static int by_place(const void *x, const void *y)
{
	const struct wanted *a = x, *b = y;

	if (a->node->layer != b->node->layer)
		return a->node->layer < b->node->layer ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

static int64_t *offset_of(const struct spool *sp, const struct tree_node *n)
{
	uint32_t i = n->inode - sp->lowest;

	return n->inode >= sp->lowest && i < sp->n_offsets ? &sp->offsets[i] : NULL;
}

/* Of a node that is wanted: it has one. */
static int64_t *wanted_offset(const struct spool *sp, const struct tree_node *n)
{
	return &sp->offsets[n->inode - sp->lowest];
}

static void make_offsets(struct spool *sp)
{
	uint32_t highest = 0;

	sp->lowest = UINT32_MAX;
	for (size_t i = 0; i < sp->n; i++) {
		uint32_t inode = sp->wanted[i].node->inode;

		if (inode < sp->lowest)
			sp->lowest = inode;
		if (inode > highest)
			highest = inode;
	}
	free(sp->offsets);
	sp->n_offsets = sp->n ? highest - sp->lowest + 1 : 0;
	sp->offsets = xreallocarray(NULL, (size_t)sp->n_offsets + 1, sizeof(*sp->offsets));
	for (uint32_t i = 0; i < sp->n_offsets; i++)
		sp->offsets[i] = -1;
}

/* The first of those that want the entry at path, and how many there are: links of one file, or a path that came twice. */
static size_t find_wanted(struct wanted *all, size_t n, const char *path, struct wanted **first)
{
	uint64_t key = key_of(path);
	size_t low = 0, high = n, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < n && all[end].key == key;)
		end++;
	*first = &all[low];
	return end - low;
}

static bool is_it(const struct tree_node *n, int64_t size, const uint8_t sum[SHA256_SIZE])
{
	const uint8_t *content = tree_content(n);

	return n->file.size == size && (!content || memcmp(content, sum, SHA256_SIZE) == 0);
}

/* The present entry, for each of group that its bytes belong to. */
static int copy_out(struct spool *sp, struct layer_reader *reader, struct wanted *group, size_t n,
		    char *block, size_t *n_found, struct error *err)
{
	AUTO(sha256) hash = SHA256_INIT;
	uint8_t sum[SHA256_SIZE];
	int64_t start = sp->size, got;

	sha256_init(&hash);
	if (lseek(sp->fd, start, SEEK_SET) < 0)
		return error_errno(err, "write a temporary file");
	while ((got = layer_reader_read(reader, block, BLOCK, err)) > 0) {
		sha256_update(&hash, block, (size_t)got);
		if (fs_write_all(sp->fd, block, (size_t)got, "a temporary file", err) < 0)
			return -1;
		sp->size += got;
	}
	if (got < 0)
		return -1;
	sha256_final(&hash, sum);
	for (size_t i = 0; i < n; i++)
		*n_found += *wanted_offset(sp, group[i].node) < 0 &&
			    is_it(group[i].node, sp->size - start, sum);
	for (size_t i = 0; i < n; i++)
		if (is_it(group[i].node, sp->size - start, sum))
			*wanted_offset(sp, group[i].node) = start;
	return 0;
}

/*
 * One pass over a layer, that ends when everything is found: each file is held against the hash in its index, so
 * that the rest of the layer need not be read for its digest.
 */
static int fill_layer(struct spool *sp, struct wanted *all, size_t n,
		      const struct descriptor *layer, const struct digest *diff_id,
		      struct error *err)
{
	AUTO_FREE char *block = xmalloc(BLOCK);
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	size_t n_found = 0;
	int more = 1;

	if (layer_reader_open(&reader, sp->store, layer, diff_id, err) < 0)
		return -1;
	while (n_found < n && (more = layer_reader_next(reader, &e, err)) > 0) {
		struct wanted *group;
		size_t size = e->type == ENTRY_FILE ? find_wanted(all, n, e->path, &group) : 0;

		if (size && copy_out(sp, reader, group, size, block, &n_found, err) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *path = NULL;

		if (*wanted_offset(sp, all[i].node) >= 0)
			continue;
		path = tree_source(all[i].node);
		return error_set(err, ERROR_CORRUPT,
				 "/%s is not in it with the content its index tells", path);
	}
	return 0;
}

int spool_fill(struct spool *sp, const struct descriptor *layers, const struct digest *diff_ids,
	       size_t n, struct error *err)
{
	size_t first = 0;

	make_offsets(sp);
	if (sp->n)
		qsort(sp->wanted, sp->n, sizeof(*sp->wanted), by_place);
	while (first < sp->n) {
		uint32_t layer = sp->wanted[first].node->layer;
		size_t end = first;

		while (end < sp->n && sp->wanted[end].node->layer == layer)
			end++;
		if (layer >= n)
			return error_set(err, ERROR_CORRUPT, "a file is in layer %u of %zu", layer,
					 n);
		if (fill_layer(sp, sp->wanted + first, end - first, &layers[layer],
			       &diff_ids[layer], err) < 0)
			return error_wrap(err, "read files of layer %s", layers[layer].digest.text);
		first = end;
	}
	free(take_ptr(sp->wanted));
	/* else the pages stay ours, below whatever was allocated after them */
	if (sp->cap > LARGE)
		malloc_trim(0);
	sp->n = sp->cap = 0;
	return 0;
}

static int64_t read_part(struct source *source, void *data, size_t len, struct error *err)
{
	struct spool_source *s = (struct spool_source *)source;
	int64_t left = s->end - s->at;
	ssize_t got;

	got = pread(s->fd, data, left < (int64_t)len ? (size_t)left : len, s->at);
	if (got < 0)
		return error_errno(err, "read a temporary file");
	s->at += got;
	return got;
}

int spool_source(struct spool_source *out, const struct spool *sp, const struct tree_node *n,
		 struct error *err)
{
	const int64_t *at = offset_of(sp, n);

	if (!at || *at < 0) {
		AUTO_FREE char *path = tree_path(n);

		return error_set(err, ERROR_CORRUPT,
				 "/%s was not asked for, or its layer does not have it", path);
	}
	*out = (struct spool_source){
		.source = {.read = read_part},
		.fd = sp->fd,
		.at = *at,
		.end = *at + n->file.size,
	};
	return 0;
}

int spool_copy(const struct spool *sp, const struct tree_node *n, int fd, const char *name,
	       struct error *err)
{
	struct spool_source in;

	if (spool_source(&in, sp, n, err) < 0)
		return -1;
	if (lseek(in.fd, in.at, SEEK_SET) < 0)
		return error_errno(err, "read a temporary file");
	return fs_copy_fd(in.fd, fd, in.end - in.at, name, err);
}

/* Small files are remembered by their digest: a look-up of a user must not inflate a base layer each time. */
static bool recall(struct store *s, const char *hex, const uint8_t want[SHA256_SIZE],
		   struct strbuf *out)
{
	AUTO(strbuf) text = STRBUF_INIT;
	uint8_t have[SHA256_SIZE];

	if (store_meta_get(s, "file", hex, &text, NULL) < 0)
		return false;
	sha256_buf(text.buf, text.len, have);
	if (memcmp(have, want, SHA256_SIZE) != 0)
		return false;
	strbuf_add(out, text.buf, text.len);
	return true;
}

int spool_read_small(struct store *s, struct tree *t, const struct descriptor *layers,
		     const struct digest *diff_ids, size_t n, const char *path, size_t limit,
		     struct strbuf *out, struct error *err)
{
	const struct tree_node *node = tree_lookup(t, path, true);
	AUTO_PTR(spool) sp = NULL;
	struct spool_source in;
	const uint8_t *content;
	char hex[SHA256_HEX_SIZE], block[4096];
	size_t before = out->len;
	int64_t got;

	if (!node || node->type != ENTRY_FILE)
		return error_set(err, ERROR_NOT_FOUND, "the image has no file /%s", path);
	if (node->file.size > (int64_t)limit)
		return error_set(err, ERROR_CORRUPT, "/%s of the image is larger than %zu bytes",
				 path, limit);
	content = tree_content(node);
	if (content) {
		sha256_hex(content, hex);
		if (recall(s, hex, content, out))
			return 0;
	}
	if (spool_open(&sp, s, err) < 0)
		return -1;
	spool_want(sp, node);
	if (spool_fill(sp, layers, diff_ids, n, err) < 0 || spool_source(&in, sp, node, err) < 0)
		return -1;
	while ((got = source_read(&in.source, block, sizeof(block), err)) > 0)
		strbuf_add(out, block, (size_t)got);
	if (got < 0) {
		strbuf_truncate(out, before);
		return -1;
	}
	/* It only spares work: a failure to remember is none. */
	if (content)
		store_meta_put(s, "file", hex, out->buf + before, out->len - before, NULL);
	return 0;
}
