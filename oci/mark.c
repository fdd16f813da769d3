#include "oci/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "oci/config.h"
#include "oci/layout.h"
#include "oci/manifest.h"

#define RECORD_LIMIT (1u << 20)

void mark_release(struct mark *m)
{
	if (!m)
		return;
	strmap_release(&m->hex);
	strmap_release(&m->walked);
}

bool mark_has_hex(const struct mark *m, const char *hex)
{
	return strmap_has(&m->hex, hex);
}

bool mark_has(const struct mark *m, const struct digest *d)
{
	return mark_has_hex(m, digest_hex(d));
}

static void add(struct mark *m, const struct digest *d)
{
	strmap_set(&m->hex, digest_hex(d), NULL);
}

/*
 * That a digest is kept says nothing of what is below it: any image may name any digest, as a layer or a diff ID. Met nearer to
 * the top, a document is walked again, and deeper.
 */
static bool was_walked(const struct mark *m, const struct digest *d, int depth)
{
	const char *at = strmap_get(&m->walked, digest_hex(d));

	return at && *at - '0' <= depth;
}

/* The layers' diff IDs and chain IDs. */
static void mark_config(struct mark *m, const struct strbuf *text)
{
	AUTO(image_config) c;
	struct digest chain = {0};

	image_config_init(&c);
	if (image_config_parse(&c, text->buf, text->len, "config", NULL) < 0)
		return;
	for (size_t i = 0; i < c.n_diff_ids; i++) {
		add(m, &c.diff_ids[i]);
		digest_chain(&chain, &c.diff_ids[i]);
		add(m, &chain);
	}
}

static void mark_document(struct mark *m, struct store *s, const struct digest *d, int depth);

static void mark_manifest(struct mark *m, struct store *s, const struct strbuf *text)
{
	AUTO(manifest) doc = {0};

	if (manifest_parse(&doc, text->buf, text->len, NULL, "manifest", NULL) < 0)
		return;
	mark_document(m, s, &doc.config.digest, LIMIT_INDEX_DEPTH);
	for (size_t i = 0; i < doc.n_layers; i++)
		add(m, &doc.layers[i].digest);
}

static void mark_index(struct mark *m, struct store *s, const struct strbuf *text, int depth)
{
	AUTO(image_index) doc = {0};

	if (image_index_parse(&doc, text->buf, text->len, NULL, "index", NULL) < 0)
		return;
	for (size_t i = 0; i < doc.n_manifests; i++)
		if (depth < LIMIT_INDEX_DEPTH)
			mark_document(m, s, &doc.manifests[i].digest, depth + 1);
		else
			add(m, &doc.manifests[i].digest);
}

/* Layers are not read: only a file that begins as JSON is a document. */
static bool read_if_json(struct store *s, const struct digest *d, struct strbuf *text)
{
	AUTO_FD int fd = -1;
	int64_t size;
	char first;

	return store_has(s, d, -1) && store_open_blob(s, d, -1, &fd, &size, NULL) == 0 &&
	       size <= LIMIT_MANIFEST_BYTES && pread(fd, &first, 1, 0) == 1 && first == '{' &&
	       fs_read_fd(fd, d->text, text, LIMIT_MANIFEST_BYTES, NULL) == 0;
}

static void mark_document(struct mark *m, struct store *s, const struct digest *d, int depth)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = NULL;
	const char at[] = {(char)('0' + depth), '\0'};

	add(m, d);
	if (was_walked(m, d, depth))
		return;
	strmap_set(&m->walked, digest_hex(d), at);
	if (!read_if_json(s, d, &text) || json_parse(&j, text.buf, text.len, d->text, NULL) < 0)
		return;
	if (json_object_get(j, "manifests"))
		mark_index(m, s, &text, depth);
	else if (json_object_get(j, "layers"))
		mark_manifest(m, s, &text);
	else if (json_object_get(j, "rootfs"))
		mark_config(m, &text);
}

void mark_digest(struct mark *m, struct store *s, const struct digest *d)
{
	mark_document(m, s, d, 0);
}

int mark_names(struct mark *m, struct store *s, struct error *err)
{
	AUTO(image_index) index = {0};

	if (layout_read(s, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		AUTO(strbuf) text = STRBUF_INIT;

		if (was_walked(m, &d->digest, 0))
			continue;
		if (store_read_blob(s, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0)
			return error_wrap(err,
					  "a listed image cannot be read (slipway fsck --repair "
					  "takes it off the list)");
		mark_digest(m, s, &d->digest);
	}
	return 0;
}

static void mark_json(struct mark *m, struct store *s, const json_t *j)
{
	const char *key;
	json_t *value;
	struct digest d;
	size_t i;

	if (json_is_string(j) && digest_parse(&d, json_string_value(j), NULL) == 0)
		mark_digest(m, s, &d);
	json_object_foreach ((json_t *)(uintptr_t)j, key, value)
		mark_json(m, s, value);
	json_array_foreach (j, i, value)
		mark_json(m, s, value);
}

static int mark_record(struct mark *m, struct store *s, int dirfd, const char *name,
		       struct error *err)
{
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = NULL;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "read the cache record %s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > RECORD_LIMIT)
		return 0;
	if (fs_read_fd(fd, name, &text, RECORD_LIMIT, err) < 0)
		return -1;
	/* A record that is no JSON is a miss to the build as well. */
	if (text.len && text.buf[0] == '{' && json_parse(&j, text.buf, text.len, name, NULL) == 0)
		mark_json(m, s, j);
	return 0;
}

struct marking {
	struct mark *mark;
	struct store *store;
	int depth;
};

/* Records lie in cache/ or one or two folders below; deeper there are only mount caches, which hold no records. */
static int mark_entry(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	const struct marking *m = arg;
	struct marking below = {m->mark, m->store, m->depth + 1};
	AUTO(error) why = ERROR_INIT;

	if (S_ISREG(st->st_mode) && str_ends(name, ".json"))
		return mark_record(m->mark, m->store, dirfd, name, err);
	if (!S_ISDIR(st->st_mode) || m->depth == 2 ||
	    fs_each_entry(dirfd, name, mark_entry, &below, &why) == 0)
		return 0;
	/* A folder of a mount cache may belong to a mapped user and be closed to us. */
	return why.number == EACCES && below.depth == 2 ? 0 : error_move(err, &why);
}

int mark_cache(struct mark *m, struct store *s, struct error *err)
{
	struct marking all = {m, s, 0};

	return fs_each_entry(store_dirfd(s), "cache", mark_entry, &all, err);
}
