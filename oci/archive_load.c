/* The stream of an archive: blobs go to the store at once, what is only understood at the end is kept. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sink.h"
#include "oci/archive.h"
#include "oci/archive_private.h"
#include "oci/layer_reader.h"
#include "oci/layout.h"

#define READ_BYTES (256u << 10)

static void load_release(struct load *l)
{
	strbuf_release(&l->index);
	strbuf_release(&l->manifest);
	for (size_t i = 0; i < l->n_loose; i++) {
		free(l->loose[i].path);
		free(l->loose[i].target);
		free(l->loose[i].text);
		descriptor_release(&l->loose[i].layer);
	}
	free(l->loose);
}

CLEANUP_RELEASE(load)

static struct loose *add_loose(struct load *l, const char *path)
{
	l->loose = xreallocarray(l->loose, l->n_loose + 1, sizeof(*l->loose));
	struct loose *f = &l->loose[l->n_loose++];

	memset(f, 0, sizeof(*f));
	f->path = xstrdup(path);
	return f;
}

const struct loose *load_find(const struct load *l, const char *path)
{
	AUTO_FREE char *wanted = xstrdup(path);

	for (int links = 0; links < ARCHIVE_LINKS; links++) {
		const struct loose *found = NULL;

		/* Of two files with one name the later one counts, as tar extracts them. */
		for (size_t i = 0; i < l->n_loose; i++)
			if (strcmp(l->loose[i].path, wanted) == 0)
				found = &l->loose[i];
		if (!found || !found->target)
			return found;
		free(wanted);
		wanted = xstrdup(found->target);
	}
	return NULL;
}

static int read_document(struct source *in, const struct entry *e, size_t limit, struct strbuf *out,
			 struct error *err)
{
	AUTO_FREE char *buf = xmalloc(READ_BYTES);

	if (e->size > (int64_t)limit)
		return error_set(err, ERROR_CORRUPT, "%s has %lld bytes; the limit is %zu", e->path,
				 (long long)e->size, limit);
	strbuf_reset(out);
	for (;;) {
		int64_t n = source_read(in, buf, READ_BYTES, err);

		if (n <= 0)
			return (int)n;
		strbuf_add(out, buf, (size_t)n);
	}
}

static int check_layout(struct load *l, const struct strbuf *text, struct error *err)
{
	AUTO_JSON *j = NULL;
	const char *version;

	if (json_parse(&j, text->buf, text->len, "oci-layout", err) < 0 ||
	    json_get_string(j, "imageLayoutVersion", &version, "oci-layout", err) < 0)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "oci-layout: version \"%s\"; only 1.0.0 is known", version);
	l->is_layout = true;
	return 0;
}

/* blobs/ALG/HEX: the name is only a promise, which the bytes must keep. */
static int load_blob(struct load *l, struct source *in, const struct digest *d, int64_t size,
		     struct error *err)
{
	AUTO_PTR(ingest) ingest = NULL;

	if (store_touch(l->store, d, size))
		return 0;
	if (ingest_begin(&ingest, l->store, d, err) < 0)
		return -1;
	if (ingest_is_present(ingest))
		return 0;
	if ((ingest_size(ingest) == 0 || ingest_restart(ingest, err) == 0) &&
	    load_pump(in, ingest_sink(ingest), err) == 0 &&
	    ingest_commit(ingest, NULL, size, err) == 0)
		return 0;
	/* The stream cannot be had again: nothing is kept to be continued. */
	ingest_restart(ingest, NULL);
	return -1;
}

static bool is_blob(const char *path, struct digest *d)
{
	static const char *const folders[] = {"blobs/sha256/", "blobs/sha512/"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		size_t n = strlen(folders[i]);

		if (strncmp(path, folders[i], n) != 0)
			continue;
		AUTO_FREE char *text = xstrfmt("%.6s:%s", folders[i] + strlen("blobs/"), path + n);

		return digest_parse(d, text, NULL) == 0;
	}
	return false;
}

static bool is_layer_name(const char *path)
{
	static const char *const ends[] = {".tar", ".tar.gz", ".tgz", ".tar.zst"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_ends(path, ends[i]))
			return true;
	return false;
}

static int load_loose_document(struct load *l, struct source *in, const struct entry *e,
			       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct loose *f;

	if (read_document(in, e, LIMIT_CONFIG_BYTES, &text, err) < 0)
		return -1;
	l->documents += text.len;
	if (l->documents > ARCHIVE_DOCUMENTS)
		return error_set(err, ERROR_CORRUPT,
				 "its documents have more than %d bytes together",
				 ARCHIVE_DOCUMENTS);
	f = add_loose(l, e->path);
	f->text = strbuf_detach(&text, &f->len);
	return 0;
}

static int load_file(struct load *l, struct source *in, const struct entry *e, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct digest d;

	if (strcmp(e->path, "index.json") == 0)
		return read_document(in, e, LIMIT_MANIFEST_BYTES, &l->index, err);
	if (strcmp(e->path, "manifest.json") == 0)
		return read_document(in, e, LIMIT_MANIFEST_BYTES, &l->manifest, err);
	if (strcmp(e->path, "oci-layout") == 0)
		return read_document(in, e, LIMIT_MANIFEST_BYTES, &text, err) < 0
			       ? -1
			       : check_layout(l, &text, err);
	l->has_repositories |= strcmp(e->path, "repositories") == 0;
	if (is_blob(e->path, &d))
		return load_blob(l, in, &d, e->size, err);
	if (str_ends(e->path, ".json"))
		return load_loose_document(l, in, e, err);
	if (!is_layer_name(e->path))
		return 0;
	if (l->n_loose > LIMIT_MANIFEST_LAYERS)
		return error_set(err, ERROR_CORRUPT, "it has more than %u layers",
				 LIMIT_MANIFEST_LAYERS);
	struct loose *f = add_loose(l, e->path);

	return load_layer(l->store, in, e->path, &f->layer, &f->diff_id, err);
}

/* "ID/layer.tar -> ../OTHER/layer.tar" of old archives; a hard link names the path itself. */
static void load_link(struct load *l, const struct entry *e)
{
	AUTO_FREE char *folder = path_dir(e->path);
	AUTO_FREE char *joined = e->type == ENTRY_HARDLINK ? xstrdup(e->link)
							   : path_resolve(folder, e->link);
	AUTO_FREE char *clean = path_clean_absolute(joined);
	struct loose *f = add_loose(l, e->path);

	f->target = xstrdup(clean + 1);
}

static int load_stream(struct load *l, struct layer_reader *r, struct error *err)
{
	const struct entry *e;
	size_t n = 0;
	int more;

	while ((more = layer_reader_next(r, &e, err)) > 0) {
		bool is_link = e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK;

		if (++n > ARCHIVE_ENTRIES || l->n_loose > ARCHIVE_ENTRIES)
			return error_set(err, ERROR_CORRUPT, "it has more than %d entries",
					 ARCHIVE_ENTRIES);
		if (is_link)
			load_link(l, e);
		else if (e->type == ENTRY_FILE && load_file(l, layer_reader_source(r), e, err) < 0)
			return -1;
	}
	return more;
}

int load_name(struct load *l, const char *name, const struct descriptor *d, struct error *err)
{
	AUTO(image_ref) ref = {0};

	if (image_ref_parse(&ref, name, err) < 0 || layout_tag(l->store, &ref, d, err) < 0)
		return -1;
	AUTO_FREE char *familiar = image_ref_familiar(&ref);

	if (!strlist_has(l->loaded, familiar))
		strlist_add(l->loaded, familiar);
	return 0;
}

int load_unnamed(struct load *l, const struct descriptor *d, struct error *err)
{
	if (layout_add(l->store, d, err) < 0)
		return -1;
	if (!strlist_has(l->loaded, d->digest.text))
		strlist_add(l->loaded, d->digest.text);
	return 0;
}

static int resolve(struct load *l, struct error *err)
{
	if (l->is_layout && l->index.len)
		return load_oci(l, err);
	if (l->manifest.len)
		return load_docker(l, err);
	if (l->has_repositories)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"it was saved by a docker before version 1.10; load it with docker "
			"and save it again");
	return error_set(err, ERROR_CORRUPT,
			 "it holds no image: neither an OCI layout nor manifest.json was found");
}

int archive_load(struct store *s, int in_fd, struct strlist *loaded, struct error *err)
{
	AUTO(load) l = {.store = s, .loaded = loaded};
	AUTO_PTR(layer_reader) r = NULL;
	struct fd_source in;

	strbuf_init(&l.index);
	strbuf_init(&l.manifest);
	fd_source_init(&in, in_fd, "the archive");
	if (layer_reader_open_source(&r, &in.source, "the archive", false, err) < 0 ||
	    load_stream(&l, r, err) < 0 || resolve(&l, err) < 0)
		return error_wrap(err, "load an archive");
	return 0;
}
