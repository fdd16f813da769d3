#include "oci/layer_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/layer_ahead.h"
#include "oci/layer_locale.h"
#include "oci/layer_name.h"
#include "oci/layer_xattr.h"

#define AHEAD_BYTES (1 << 20) /* compressed: below it a thread is not worth its start */

/* The compressed bytes as they pass: counted, and hashed when they are a blob of the store. */
struct passing {
	struct source source;
	struct source *from;
	bool hashed;
	struct digester digester;
	_Atomic int64_t bytes; /* read by another thread than the one that counts */
};

/* The bytes of the tar as they pass, for the diff ID. */
struct plain {
	struct source source;
	struct decompressor *decompressor;
	struct sha256 hash;
};

struct layer_reader {
	struct source source; /* of the present file */
	char *name;           /* for messages */
	struct store *store;  /* NULL: not from a blob */
	struct digest blob, want_diff, diff;
	int64_t blob_size;
	int fd;
	struct fd_source file;
	struct passing passing;
	struct plain plain;
	struct ahead *ahead;
	struct archive *archive;
	struct error err; /* of our own sources, kept across libarchive */
	bool whiteouts, ended;
	int64_t bytes; /* of the tar */
	int64_t n_entries, left, logical, given;
	const char *raw; /* the present name as the archive has it */
	struct entry entry;
	struct strbuf path, link;
	struct layer_xattrs xattrs;
};

static int64_t passing_read(struct source *source, void *data, size_t len, struct error *err)
{
	struct passing *p = (struct passing *)source;
	int64_t got = source_read(p->from, data, len, err);

	if (got <= 0)
		return got;
	p->bytes += got;
	if (p->hashed)
		digester_update(&p->digester, data, (size_t)got);
	return got;
}

static int64_t plain_read(struct source *source, void *data, size_t len, struct error *err)
{
	struct plain *p = (struct plain *)source;
	int64_t got = source_read(decompressor_source(p->decompressor), data, len, err);

	if (got > 0)
		sha256_update(&p->hash, data, (size_t)got);
	return got;
}

static la_ssize_t read_block(struct archive *a, void *arg, const void **data)
{
	struct layer_reader *r = arg;
	int64_t got = ahead_next(r->ahead, data, r->err.kind == ERROR_NONE ? &r->err : NULL);

	if (got < 0)
		archive_set_error(a, EIO, "the source failed");
	else
		r->bytes += got;
	return (la_ssize_t)got;
}

/* What libarchive or a source of ours said; damage of a blob is told from an archive that is bad in itself. */
static int failed(struct layer_reader *r, struct error *err)
{
	const char *text = archive_error_string(r->archive);
	AUTO(error) why = ERROR_INIT;

	if (r->err.kind != ERROR_NONE)
		error_move(&why, &r->err);
	else
		error_set(&why, ERROR_CORRUPT, "not a valid tar archive: %s",
			  text ? text : "unknown reason");
	if (r->store && why.kind == ERROR_CORRUPT &&
	    store_verify_blob(r->store, &r->blob, r->blob_size, err) < 0)
		return -1;
	error_wrap(&why, "read %s", r->name);
	return error_move(err, &why);
}

static int refuse(struct layer_reader *r, const char *what, struct error *err)
{
	AUTO(strbuf) shown = STRBUF_INIT;

	if (r->raw)
		strbuf_add_printable(&shown, r->raw, strnlen(r->raw, 200), false);
	error_set(err, ERROR_CORRUPT, "entry %lld (%s): %s", (long long)r->n_entries, shown.buf,
		  what);
	return error_wrap(err, "read %s", r->name);
}

/* Gzip and zstd are the decompressor's. Archives of users may be bzip2 and xz too, layers may not. */
static int open_archive(struct layer_reader *r, struct error *err)
{
	AUTO(locale_scope) scope = {0};

	locale_scope_enter(&scope);
	if (decompressor_new(&r->plain.decompressor, &r->passing.source, LIMIT_LAYER_BYTES, err) <
	    0)
		return -1;
	r->ahead = ahead_new(&r->plain.source, r->blob_size > AHEAD_BYTES);
	r->archive = archive_read_new();
	if (!r->archive)
		return error_set(err, ERROR_SYSTEM, "read %s: out of memory", r->name);
	if (!r->store) {
		archive_read_support_filter_bzip2(r->archive);
		archive_read_support_filter_xz(r->archive);
	}
	if (archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(r->archive) != ARCHIVE_OK ||
	    archive_read_open(r->archive, r, NULL, read_block, NULL) != ARCHIVE_OK)
		return failed(r, err);
	return 0;
}

static int64_t content_read(struct source *source, void *data, size_t len, struct error *err)
{
	return layer_reader_read((struct layer_reader *)source, data, len, err);
}

static struct layer_reader *reader_new(const char *name, bool whiteouts)
{
	struct layer_reader *r = xcalloc(1, sizeof(*r));

	r->source.read = content_read;
	r->passing.source.read = passing_read;
	r->plain.source.read = plain_read;
	r->name = xstrdup(name);
	r->whiteouts = whiteouts;
	r->fd = -1;
	strbuf_init(&r->path);
	strbuf_init(&r->link);
	return r;
}

int layer_reader_open(struct layer_reader **out, struct store *s, const struct descriptor *desc,
		      const struct digest *diff_id, struct error *err)
{
	AUTO_FREE char *name = xstrfmt("layer %s", desc->digest.text);
	AUTO_PTR(layer_reader) r = reader_new(name, true);

	if (store_open_blob(s, &desc->digest, desc->size, &r->fd, &r->blob_size, err) < 0)
		return -1;
	r->store = s;
	r->blob = desc->digest;
	if (diff_id)
		r->want_diff = *diff_id;
	fd_source_init(&r->file, r->fd, r->name);
	r->passing.from = &r->file.source;
	r->passing.hashed = true;
	digester_init(&r->passing.digester, &r->blob);
	if (open_archive(r, err) < 0)
		return -1;
	*out = take_ptr(r);
	return 0;
}

int layer_reader_open_source(struct layer_reader **out, struct source *in, const char *name,
			     bool whiteouts, struct error *err)
{
	AUTO_PTR(layer_reader) r = reader_new(name, whiteouts);

	r->passing.from = in;
	if (open_archive(r, err) < 0)
		return -1;
	*out = take_ptr(r);
	return 0;
}

/* A tar archive ends before its stream may: what follows counts for the hashes. */
static int finish(struct layer_reader *r, struct error *err)
{
	uint8_t raw[SHA256_SIZE];
	struct digest blob;
	const void *data;
	int64_t got;

	while ((got = ahead_next(r->ahead, &data, &r->err)) > 0)
		r->bytes += got;
	if (got < 0)
		return failed(r, err);
	ahead_stop(r->ahead);
	sha256_final(&r->plain.hash, raw);
	r->diff = digest_from_sha256(raw);
	r->ended = true;
	if (r->passing.hashed) {
		blob = digester_final(&r->passing.digester);
		if (!digest_equal(&blob, &r->blob) || r->passing.bytes != r->blob_size) {
			store_quarantine(r->store, &r->blob);
			error_set(err, ERROR_CORRUPT,
				  "read %s: its bytes are damaged (they hash to %s)", r->name,
				  blob.text);
			return error_hint(err, "it was set aside; pull or build it again");
		}
	}
	if (!digest_is_set(&r->want_diff) || digest_equal(&r->diff, &r->want_diff))
		return 0;
	return error_set(err, ERROR_CORRUPT,
			 "read %s: it unpacks to diff ID %s, but the image's configuration says %s",
			 r->name, r->diff.text, r->want_diff.text);
}

static bool set_type(struct entry *e, struct archive_entry *from)
{
	if (archive_entry_hardlink(from)) {
		e->type = ENTRY_HARDLINK;
		return true;
	}
	switch (archive_entry_filetype(from)) {
	case AE_IFREG:
		e->type = ENTRY_FILE;
		return true;
	case AE_IFDIR:
		e->type = ENTRY_DIR;
		return true;
	case AE_IFLNK:
		e->type = ENTRY_SYMLINK;
		return true;
	case AE_IFCHR:
		e->type = ENTRY_CHAR;
		return true;
	case AE_IFBLK:
		e->type = ENTRY_BLOCK;
		return true;
	case AE_IFIFO:
		e->type = ENTRY_FIFO;
		return true;
	default:
		return false;
	}
}

static int set_link(struct layer_reader *r, struct archive_entry *from, struct error *err)
{
	struct entry *e = &r->entry;
	const char *target = e->type == ENTRY_HARDLINK ? archive_entry_hardlink(from)
						       : archive_entry_symlink(from);
	const char *why;

	strbuf_reset(&r->link);
	if (e->type == ENTRY_HARDLINK) {
		why = layer_name_clean(&r->link, target);
		if (!why && !r->link.len)
			why = "a hard link to the root folder";
		if (why)
			return refuse(r, why, err);
	} else {
		if (!target || !*target || strlen(target) > LIMIT_PATH_BYTES)
			return refuse(r, "a symbolic link with an empty or too long target", err);
		strbuf_puts(&r->link, target);
	}
	e->link = r->link.buf;
	return 0;
}

static int set_numbers(struct layer_reader *r, struct archive_entry *from, struct error *err)
{
	struct entry *e = &r->entry;
	int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);
	int64_t size = archive_entry_size(from);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return refuse(r, "an owner that is not a user or group id", err);
	if (size < 0 || size > LIMIT_LAYER_BYTES || size > LIMIT_LAYER_BYTES - r->logical)
		return refuse(r, "a size that is negative or beyond the limit of a layer", err);
	e->uid = (uid_t)uid;
	e->gid = (gid_t)gid;
	e->mode = archive_entry_perm(from) & 07777;
	e->mtime = archive_entry_mtime(from);
	if (e->type == ENTRY_FILE) {
		e->size = size;
		r->logical += size;
		r->left = size;
	}
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		e->dev_major = (uint32_t)archive_entry_rdevmajor(from);
		e->dev_minor = (uint32_t)archive_entry_rdevminor(from);
	}
	return 0;
}

/* 1: r->entry is filled, 0: an entry that is none of a layer's, -1. */
static int convert(struct layer_reader *r, struct archive_entry *from, struct error *err)
{
	struct entry *e = &r->entry;
	enum layer_mark mark = LAYER_MARK_NONE;
	const char *why;

	*e = (struct entry){0};
	r->left = 0;
	strbuf_reset(&r->path);
	r->raw = archive_entry_pathname(from);
	why = layer_name_clean(&r->path, r->raw);
	if (!why && !set_type(e, from))
		why = "a kind of file that a layer cannot hold";
	if (!why && r->whiteouts)
		why = layer_name_mark(&r->path, &mark);
	if (!why && mark != LAYER_MARK_NONE && e->type == ENTRY_DIR && mark != LAYER_MARK_SKIP)
		why = "a whiteout that is a folder";
	if (!why && !r->path.len && mark != LAYER_MARK_OPAQUE && e->type != ENTRY_DIR)
		why = "something other than a folder in the place of the root folder";
	if (why)
		return refuse(r, why, err);
	e->path = r->path.buf;
	if (mark == LAYER_MARK_SKIP)
		return 0;
	if (mark != LAYER_MARK_NONE) {
		e->type = mark == LAYER_MARK_OPAQUE ? ENTRY_OPAQUE : ENTRY_WHITEOUT;
		return 1;
	}
	if (set_numbers(r, from, err) < 0)
		return -1;
	if ((e->type == ENTRY_HARDLINK || e->type == ENTRY_SYMLINK) && set_link(r, from, err) < 0)
		return -1;
	if (e->type != ENTRY_HARDLINK && layer_xattrs_read(&r->xattrs, from, e) < 0)
		return refuse(r, "extended attributes beyond the limit", err);
	return 1;
}

/* A name in another character set than the locale's is wanted as it is; libarchive warns and gives the bytes. */
static bool charset_warning(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text && strstr(text, "can't be converted from");
}

int layer_reader_next(struct layer_reader *r, const struct entry **e, struct error *err)
{
	AUTO(locale_scope) scope = {0};
	int result = 0;

	locale_scope_enter(&scope);
	if (r->ended)
		return 0;
	while (result == 0) {
		struct archive_entry *from;
		int code = archive_read_next_header(r->archive, &from);

		if (code == ARCHIVE_EOF)
			return finish(r, err);
		if (code != ARCHIVE_OK && !(code == ARCHIVE_WARN && charset_warning(r->archive)))
			return failed(r, err);
		if (++r->n_entries > LIMIT_LAYER_ENTRIES)
			return error_set(err, ERROR_CORRUPT, "read %s: more than %lld entries",
					 r->name, LIMIT_LAYER_ENTRIES);
		result = convert(r, from, err);
	}
	*e = &r->entry;
	return result;
}

int64_t layer_reader_read(struct layer_reader *r, void *data, size_t len, struct error *err)
{
	size_t want = r->left < (int64_t)len ? (size_t)r->left : len;
	la_ssize_t got;

	if (!want)
		return 0;
	got = archive_read_data(r->archive, data, want);
	/* A file that is one hole: libarchive ends before it, and gives the zeros when it is asked again. */
	if (got == 0)
		got = archive_read_data(r->archive, data, want);
	if (got < 0)
		return failed(r, err);
	if (got == 0)
		return refuse(r, "its content ends early", err);
	r->left -= got;
	r->given += got;
	/* Holes of a sparse file come out of nothing, so the rule of the decompressor does not see them. */
	if (r->given > LIMIT_LAYER_RATIO_AFTER && r->given / LIMIT_LAYER_RATIO > r->passing.bytes)
		return refuse(r, "decompression bomb: a sparse file that is nearly all holes", err);
	return got;
}

struct source *layer_reader_source(struct layer_reader *r)
{
	return &r->source;
}

struct digest layer_reader_diff_id(const struct layer_reader *r)
{
	return r->diff;
}

int64_t layer_reader_bytes(const struct layer_reader *r)
{
	return r->bytes;
}

bool layer_reader_is_tar(const struct layer_reader *r)
{
	return r->n_entries > 0;
}

void layer_reader_free(struct layer_reader *r)
{
	if (!r)
		return;
	archive_read_free(r->archive);
	ahead_free(r->ahead);
	decompressor_free(r->plain.decompressor);
	digester_release(&r->passing.digester);
	sha256_release(&r->plain.hash);
	layer_xattrs_release(&r->xattrs);
	strbuf_release(&r->path);
	strbuf_release(&r->link);
	error_release(&r->err);
	if (r->fd >= 0)
		close(r->fd);
	free(r->name);
	free(r);
}
