#include "oci/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/layer_reader.h"

#define BLOCK (256u << 10)

struct wanted {
	const struct tree_node *node;
	char *source; /* path in its layer */
};

struct spool {
	struct store *store;
	char *path;
	int dirfd;
	struct wanted *wanted;
	size_t n, cap;
};

int spool_open(struct spool **out, struct store *s, struct error *err)
{
	AUTO_PTR(spool) sp = xcalloc(1, sizeof(*sp));
	AUTO_FREE char *ingest = store_path(s, "ingest");

	sp->store = s;
	sp->dirfd = -1;
	if (fs_make_temp_dir(ingest, "spool-", &sp->path, err) < 0)
		return -1;
	sp->dirfd = open(sp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->dirfd < 0)
		return error_errno(err, "open %s", sp->path);
	*out = take_ptr(sp);
	return 0;
}

void spool_free(struct spool *sp)
{
	if (!sp)
		return;
	if (sp->dirfd >= 0)
		close(sp->dirfd);
	if (sp->path)
		fs_remove_tree(AT_FDCWD, sp->path, NULL);
	for (size_t i = 0; i < sp->n; i++)
		free(sp->wanted[i].source);
	free(sp->wanted);
	free(sp->path);
	free(sp);
}

void spool_want(struct spool *sp, const struct tree_node *n)
{
	if (n->type != ENTRY_FILE)
		return;
	GROW(sp->wanted, sp->n + 1, sp->cap);
	sp->wanted[sp->n++] = (struct wanted){n, tree_source(n)};
}

/* Hard links of one file have one number, and so one file here. */
static void file_name(const struct tree_node *n, char out[16])
{
	snprintf(out, 16, "%x", n->inode);
}

static int by_place(const void *x, const void *y)
{
	const struct wanted *a = x, *b = y;

	if (a->node->layer != b->node->layer)
		return a->node->layer < b->node->layer ? -1 : 1;
	return strcmp(a->source, b->source);
}

static const struct wanted *find_wanted(const struct wanted *first, size_t n, const char *path)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;
		int order = strcmp(first[middle].source, path);

		if (order == 0)
			return &first[middle];
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return NULL;
}

static int copy_out(const struct spool *sp, struct layer_reader *reader, const struct wanted *w,
		    char *block, struct error *err)
{
	AUTO_FD int fd = -1;
	char name[16];
	int64_t n;

	file_name(w->node, name);
	/* a path that comes twice in its layer: the last one counts */
	fd = openat(sp->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "create a temporary file for %s", w->source);
	while ((n = layer_reader_read(reader, block, BLOCK, err)) > 0)
		if (fs_write_all(fd, block, (size_t)n, w->source, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

/* One pass over a layer, to its end: digest and diff ID are verified there. */
static int fill_layer(const struct spool *sp, const struct wanted *first, size_t n,
		      const struct descriptor *layer, const struct digest *diff_id,
		      struct error *err)
{
	AUTO_FREE char *block = xmalloc(BLOCK);
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	int got;

	if (layer_reader_open(&reader, sp->store, layer, diff_id, err) < 0)
		return -1;
	while ((got = layer_reader_next(reader, &e, err)) > 0) {
		const struct wanted *w = e->type == ENTRY_FILE ? find_wanted(first, n, e->path)
							       : NULL;

		if (w && copy_out(sp, reader, w, block, err) < 0)
			return -1;
	}
	return got;
}

int spool_fill(struct spool *sp, const struct descriptor *layers, const struct digest *diff_ids,
	       size_t n, struct error *err)
{
	size_t first = 0;

	qsort(sp->wanted, sp->n, sizeof(*sp->wanted), by_place);
	while (first < sp->n) {
		uint32_t layer = sp->wanted[first].node->layer;
		size_t end = first;

		while (end < sp->n && sp->wanted[end].node->layer == layer)
			end++;
		if (layer >= n)
			return error_set(err, ERROR_CORRUPT, "%s is in layer %u of an image of %zu",
					 sp->wanted[first].source, layer, n);
		if (fill_layer(sp, sp->wanted + first, end - first, &layers[layer],
			       &diff_ids[layer], err) < 0)
			return error_wrap(err, "read files of layer %s", layers[layer].digest.text);
		first = end;
	}
	return 0;
}

int spool_file(struct spool *sp, const struct tree_node *n, int *fd, struct error *err)
{
	char name[16];

	file_name(n, name);
	*fd = openat(sp->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (*fd < 0) {
		AUTO_FREE char *path = tree_path(n);

		if (errno == ENOENT)
			return error_set(err, ERROR_CORRUPT,
					 "/%s is in the index of its layer, but not in it", path);
		return error_errno(err, "open the copy of /%s", path);
	}
	return 0;
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
	char hex[SHA256_HEX_SIZE];
	AUTO_FD int fd = -1;
	size_t before = out->len;

	if (!node || node->type != ENTRY_FILE)
		return error_set(err, ERROR_NOT_FOUND, "the image has no file /%s", path);
	if (node->size > (int64_t)limit)
		return error_set(err, ERROR_CORRUPT, "/%s of the image is larger than %zu bytes",
				 path, limit);
	sha256_hex(node->content, hex);
	if (recall(s, hex, node->content, out))
		return 0;
	if (spool_open(&sp, s, err) < 0)
		return -1;
	spool_want(sp, node);
	if (spool_fill(sp, layers, diff_ids, n, err) < 0 || spool_file(sp, node, &fd, err) < 0 ||
	    fs_read_fd(fd, path, out, limit, err) < 0)
		return -1;
	/* only spares work: a failure to remember is none */
	store_meta_put(s, "file", hex, out->buf + before, out->len - before, NULL);
	return 0;
}
