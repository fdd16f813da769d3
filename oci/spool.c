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
	bool found;
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
	if (fs_mkdir_p(ingest, 0700, err) < 0 ||
	    fs_make_temp_dir(ingest, "spool-", &sp->path, err) < 0)
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
	sp->wanted[sp->n++] = (struct wanted){.node = n, .source = tree_source(n)};
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

/* The first of those that want the entry at path, and how many there are: links of one file, or a path that came twice. */
static size_t find_wanted(struct wanted *all, size_t n, const char *path, struct wanted **first)
{
	size_t low = 0, high = n, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(all[middle].source, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < n && strcmp(all[end].source, path) == 0;)
		end++;
	*first = &all[low];
	return end - low;
}

static int write_out(const struct spool *sp, struct layer_reader *reader, const char *name,
		     const char *path, char *block, uint8_t sum[SHA256_SIZE], struct error *err)
{
	AUTO_FD int fd = openat(sp->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	AUTO(sha256) hash = SHA256_INIT;
	int64_t got;

	if (fd < 0)
		return error_errno(err, "create a temporary file for /%s", path);
	while ((got = layer_reader_read(reader, block, BLOCK, err)) > 0) {
		sha256_update(&hash, block, (size_t)got);
		if (fs_write_all(fd, block, (size_t)got, "a temporary file", err) < 0)
			return -1;
	}
	sha256_final(&hash, sum);
	return got < 0 ? -1 : 0;
}

/* The present entry for each of group that its bytes belong to. */
static int copy_out(const struct spool *sp, struct layer_reader *reader, struct wanted *group,
		    size_t n, char *block, size_t *n_found, struct error *err)
{
	uint8_t sum[SHA256_SIZE];
	char first[16], name[16];
	bool keep_first = false;

	file_name(group[0].node, first);
	if (write_out(sp, reader, first, group[0].source, block, sum, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *content = group[i].node->content;

		if (content && memcmp(content, sum, sizeof(sum)) != 0)
			continue;
		file_name(group[i].node, name);
		if (strcmp(name, first) == 0)
			keep_first = true;
		else if (linkat(sp->dirfd, first, sp->dirfd, name, 0) < 0 && errno != EEXIST)
			return error_errno(err, "link a temporary file for /%s", group[i].source);
		*n_found += !group[i].found;
		group[i].found = true;
	}
	if (!keep_first)
		unlinkat(sp->dirfd, first, 0);
	return 0;
}

/*
 * One pass over a layer, that ends when everything is found: each file is held against the hash in its index, so
 * that the rest of the layer need not be read for its digest.
 */
static int fill_layer(const struct spool *sp, struct wanted *all, size_t n,
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
	for (size_t i = 0; i < n; i++)
		if (!all[i].found)
			return error_set(err, ERROR_CORRUPT,
					 "/%s is not in it with the content its index tells",
					 all[i].source);
	return 0;
}

int spool_fill(struct spool *sp, const struct descriptor *layers, const struct digest *diff_ids,
	       size_t n, struct error *err)
{
	size_t first = 0;

	if (sp->n)
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
					 "/%s was not asked for, or its layer does not have it",
					 path);
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
	if (node->content) {
		sha256_hex(node->content, hex);
		if (recall(s, hex, node->content, out))
			return 0;
	}
	if (spool_open(&sp, s, err) < 0)
		return -1;
	spool_want(sp, node);
	if (spool_fill(sp, layers, diff_ids, n, err) < 0 || spool_file(sp, node, &fd, err) < 0 ||
	    fs_read_fd(fd, path, out, limit, err) < 0)
		return -1;
	/* It only spares work: a failure to remember is none. */
	if (node->content)
		store_meta_put(s, "file", hex, out->buf + before, out->len - before, NULL);
	return 0;
}
