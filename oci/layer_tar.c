#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/layer_locale.h"
#include "oci/layer_writer.h"

#define BLOCK_BYTES   (128 << 10)
#define CONTENT_BYTES ((size_t)64 << 10)

struct tar_writer {
	struct archive *archive;
	struct archive_entry *entry; /* used again for each */
	struct sink *to;             /* NULL: bytes are dropped */
	struct error err;            /* of the sink, kept across libarchive */
	char content[CONTENT_BYTES];
};

static la_ssize_t write_block(struct archive *a, void *arg, const void *data, size_t len)
{
	struct tar_writer *w = arg;

	if (!w->to)
		return (la_ssize_t)len;
	if (sink_write(w->to, data, len, w->err.kind == ERROR_NONE ? &w->err : NULL) < 0) {
		archive_set_error(a, EIO, "the sink failed");
		return -1;
	}
	return (la_ssize_t)len;
}

static int failed(struct tar_writer *w, struct error *err)
{
	if (w->err.kind != ERROR_NONE)
		return error_move(err, &w->err);
	return error_set(err, ERROR_SYSTEM, "write tar: %s", archive_error_string(w->archive));
}

int tar_writer_open(struct tar_writer **out, struct sink *to, struct error *err)
{
	AUTO(locale_scope) scope = {0};
	AUTO_PTR(tar_writer) w = xmalloc(sizeof(*w));

	locale_scope_enter(&scope);
	w->to = to;
	w->err = (struct error)ERROR_INIT;
	w->archive = archive_write_new();
	w->entry = archive_entry_new();
	if (!w->archive || !w->entry)
		return error_set(err, ERROR_SYSTEM, "write tar: out of memory");
	/*
	 * Records of xattrs in one form, not in two. One byte in the last block: the archive ends after its two
	 * zero blocks, not at 10 KiB.
	 */
	if (archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
	    archive_write_set_options(w->archive, "xattrheader=SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(w->archive, BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(w->archive, 1) != ARCHIVE_OK ||
	    archive_write_open(w->archive, w, NULL, write_block, NULL) != ARCHIVE_OK)
		return failed(w, err);
	*out = take_ptr(w);
	return 0;
}

static mode_t file_type(enum entry_type type)
{
	switch (type) {
	case ENTRY_DIR:
		return AE_IFDIR;
	case ENTRY_SYMLINK:
		return AE_IFLNK;
	case ENTRY_CHAR:
		return AE_IFCHR;
	case ENTRY_BLOCK:
		return AE_IFBLK;
	case ENTRY_FIFO:
		return AE_IFIFO;
	case ENTRY_FILE:
	case ENTRY_HARDLINK:
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break;
	}
	return AE_IFREG;
}

/* image-spec layer.md: ".wh." before the name that is gone, or the opaque marker inside its folder. */
static void set_marker(struct archive_entry *to, const struct entry *e)
{
	AUTO(strbuf) path = STRBUF_INIT;
	const char *name = strrchr(e->path, '/');

	if (e->type == ENTRY_OPAQUE) {
		strbuf_printf(&path, "%s%s.wh..wh..opq", e->path, *e->path ? "/" : "");
	} else {
		name = name ? name + 1 : e->path;
		strbuf_add(&path, e->path, (size_t)(name - e->path));
		strbuf_printf(&path, ".wh.%s", name);
	}
	archive_entry_copy_pathname(to, path.buf);
	archive_entry_set_filetype(to, AE_IFREG);
	archive_entry_set_perm(to, 0);
	archive_entry_set_size(to, 0);
	archive_entry_set_mtime(to, 0, 0);
}

static void set_entry(struct archive_entry *to, const struct entry *e)
{
	archive_entry_clear(to);
	if (e->type == ENTRY_WHITEOUT || e->type == ENTRY_OPAQUE) {
		set_marker(to, e);
		return;
	}
	archive_entry_copy_pathname(to, *e->path ? e->path : "./");
	archive_entry_set_filetype(to, file_type(e->type));
	archive_entry_set_perm(to, e->mode & 07777);
	archive_entry_set_uid(to, e->uid);
	archive_entry_set_gid(to, e->gid);
	archive_entry_set_mtime(to, e->mtime, 0);
	archive_entry_set_size(to, e->type == ENTRY_FILE ? e->size : 0);
	if (e->type == ENTRY_SYMLINK)
		archive_entry_copy_symlink(to, e->link);
	else if (e->type == ENTRY_HARDLINK)
		archive_entry_copy_hardlink(to, e->link);
	else if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		archive_entry_set_rdevmajor(to, e->dev_major);
		archive_entry_set_rdevminor(to, e->dev_minor);
	}
	/* A link has the attributes of the file it names. libarchive writes what was added last first. */
	if (e->type != ENTRY_HARDLINK)
		for (size_t i = e->n_xattrs; i-- > 0;)
			archive_entry_xattr_add_entry(to, e->xattrs[i].name, e->xattrs[i].value,
						      e->xattrs[i].len);
}

static int write_content(struct tar_writer *w, const struct entry *e, struct source *content,
			 struct error *err)
{
	int64_t left = e->size;

	while (left > 0) {
		size_t want = left < (int64_t)sizeof(w->content) ? (size_t)left
								 : sizeof(w->content);
		int64_t got = source_read(content, w->content, want, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return error_set(
				err, ERROR_CORRUPT,
				"%s shrank while it was read: %lld of %lld bytes are missing",
				e->path, (long long)left, (long long)e->size);
		if (archive_write_data(w->archive, w->content, (size_t)got) != got)
			return failed(w, err);
		left -= got;
	}
	return 0;
}

/* A name beyond ASCII was written as bytes, marked hdrcharset=BINARY: what is wanted, to libarchive a warning. */
static bool name_warning(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text && str_starts(text, "Can't translate ");
}

int tar_writer_add(struct tar_writer *w, const struct entry *e, struct source *content,
		   struct error *err)
{
	AUTO(locale_scope) scope = {0};
	int result;

	locale_scope_enter(&scope);
	set_entry(w->entry, e);
	result = archive_write_header(w->archive, w->entry);
	if (result != ARCHIVE_OK && !(result == ARCHIVE_WARN && name_warning(w->archive)))
		return failed(w, err);
	if (e->type != ENTRY_FILE || !e->size)
		return 0;
	return write_content(w, e, content, err);
}

int tar_writer_finish(struct tar_writer *w, struct error *err)
{
	AUTO(locale_scope) scope = {0};

	locale_scope_enter(&scope);
	return archive_write_close(w->archive) == ARCHIVE_OK ? 0 : failed(w, err);
}

void tar_writer_free(struct tar_writer *w)
{
	AUTO(locale_scope) scope = {0};

	locale_scope_enter(&scope);
	if (!w)
		return;
	/* Freeing an archive that was given up writes its end, and the sink may be gone by then. */
	w->to = NULL;
	archive_write_free(w->archive);
	archive_entry_free(w->entry);
	error_release(&w->err);
	free(w);
}
