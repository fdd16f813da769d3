#include "oci/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/extract_folder.h"
#include "oci/layer_index.h"
#include "oci/layer_reader.h"
#include "oci/layer_writer.h"

#define BLOCK_BYTES ((size_t)256 << 10)

struct extraction {
	const struct extract_options *o;
	struct layer_reader *reader;
	struct index_writer *index; /* NULL: there is one already */
	struct folders folders;
	struct error drop_error; /* of removing what a flat folder must not keep */
	uint8_t *block;
};

static void extraction_release(struct extraction *x)
{
	layer_reader_free(x->reader);
	index_writer_free(x->index);
	folders_release(&x->folders);
	error_release(&x->drop_error);
	free(x->block);
}

CLEANUP_RELEASE(extraction)

static int out_of_ids(const struct entry *e, struct error *err)
{
	int number = errno;

	extract_failed("set the owner of", e->path, err);
	if (number == EINVAL)
		error_hint(err, "the ids %u:%u are not among those of /etc/subuid and /etc/subgid",
			   e->uid, e->gid);
	return -1;
}

/* The mode after the owner, because a change of owner clears setuid. */
static int set_attributes(const struct extraction *x, int dir, const char *name,
			  const struct entry *e, struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};

	if (x->o->owner == EXTRACT_OWNER_REAL &&
	    fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return out_of_ids(e, err);
	if (e->type != ENTRY_SYMLINK && fchmodat(dir, name, e->mode, 0) < 0)
		return extract_failed("set the mode of", e->path, err);
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return extract_failed("set the time of", e->path, err);
	extract_note_owner(x->o, dir, name, e);
	return 0;
}

static int set_file_attributes(const struct extraction *x, int fd, const struct entry *e,
			       struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};

	if (x->o->owner == EXTRACT_OWNER_REAL && fchown(fd, e->uid, e->gid) < 0)
		return out_of_ids(e, err);
	extract_mark_owner(x->o, fd, e->uid, e->gid);
	/* Before the mode, which may forbid it to us, and after the owner, whose change clears capabilities. */
	if (extract_set_xattrs(x->o, fd, e->xattrs, e->n_xattrs, e->path, err) < 0)
		return -1;
	if (fchmod(fd, e->mode) < 0 || futimens(fd, times) < 0)
		return extract_failed("set mode and time of", e->path, err);
	return 0;
}

static int write_file(struct extraction *x, int dir, const char *name, struct entry *e,
		      struct error *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	AUTO_FD int fd = openat(dir, name, flags, 0600);
	AUTO(sha256) hash = SHA256_INIT;
	int64_t got;

	if (fd < 0 && errno == EEXIST) {
		if (extract_clear(dir, name, err) < 0)
			return -1;
		fd = openat(dir, name, flags, 0600);
	}
	if (fd < 0)
		return extract_failed("create", e->path, err);
	while ((got = layer_reader_read(x->reader, x->block, BLOCK_BYTES, err)) > 0) {
		if (x->index)
			sha256_update(&hash, x->block, (size_t)got);
		for (int64_t done = 0; done < got;) {
			ssize_t n = write(fd, x->block + done, (size_t)(got - done));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return extract_failed("write", e->path, err);
			done += n;
		}
	}
	if (got < 0)
		return -1;
	if (x->index) {
		sha256_final(&hash, e->content);
		e->has_content = true;
	}
	return set_file_attributes(x, fd, e, err);
}

static int make_symlink(const struct extraction *x, int dir, const char *name,
			const struct entry *e, struct error *err)
{
	int made = symlinkat(e->link, dir, name);

	if (made < 0 && errno == EEXIST) {
		if (extract_clear(dir, name, err) < 0)
			return -1;
		made = symlinkat(e->link, dir, name);
	}
	if (made < 0)
		return extract_failed("create the symbolic link", e->path, err);
	return set_attributes(x, dir, name, e, err);
}

static int make_device(const struct extraction *x, int dir, const char *name, const struct entry *e,
		       struct error *err)
{
	bool fifo = e->type == ENTRY_FIFO;
	mode_t type = fifo ? S_IFIFO : e->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;
	dev_t device = fifo ? 0 : makedev(e->dev_major, e->dev_minor);
	int made;

	if (!fifo && x->o->no_devices) {
		type = S_IFREG;
		device = 0;
	} else if (type == S_IFCHR && device == 0 && !x->o->flat) {
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s is the character device 0:0, which an overlay takes for a "
				 "deleted file",
				 e->path);
	}
	made = mknodat(dir, name, type | 0600, device);
	if (made < 0 && errno == EEXIST) {
		if (extract_clear(dir, name, err) < 0)
			return -1;
		made = mknodat(dir, name, type | 0600, device);
	}
	if (made < 0)
		return extract_failed(fifo ? "create the fifo" : "create the device", e->path, err);
	return set_attributes(x, dir, name, e, err);
}

/* Never a copy: a link either is one, or the layer is refused. */
static int make_hardlink(struct extraction *x, const struct tree_node *target, int dir,
			 const char *name, const struct entry *e, struct error *err)
{
	AUTO_FREE char *from = tree_path(target->parent);
	AUTO_FD int source = -1;
	int made;

	if (!x->o->flat && target->set_by != x->folders.layer) {
		error_set(err, ERROR_UNSUPPORTED,
			  "%s is a hard link to %s, which only a lower layer has", e->path,
			  e->link);
		return error_hint(err, "image-spec's layer.md asks for both in one layer; "
				       "rebuild the image with a tool that keeps to it");
	}
	source = fs_openat_beneath(x->folders.root, *from ? from : ".", O_PATH | O_DIRECTORY, 0);
	if (source < 0)
		return extract_failed("open the folder", from, err);
	made = linkat(source, target->name, dir, name, 0);
	if (made < 0 && errno == EEXIST) {
		if (extract_clear(dir, name, err) < 0)
			return -1;
		made = linkat(source, target->name, dir, name, 0);
	}
	return made == 0 ? 0 : extract_failed("create the hard link", e->path, err);
}

/* The merged view has hidden what must go; an overlay is told of it, a flat folder has lost it already. */
static int extract_whiteout(struct extraction *x, const struct entry *e, struct tree_node *left,
			    bool hid, struct error *err)
{
	const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
	AUTO_FREE char *parent_path = xstrndup(e->path, slash ? (size_t)(slash - e->path) : 0);
	struct tree_node *parent;
	int dir;

	if (x->o->flat || !hid)
		return 0;
	if (left)
		return folders_make_opaque(&x->folders, left, err);
	parent = tree_lookup(x->folders.view, parent_path, true);
	if (!parent)
		return error_set(err, ERROR_CORRUPT, "the folder of whiteout %s is gone", e->path);
	if (folders_open(&x->folders, parent, &dir, err) < 0)
		return -1;
	if (mknodat(dir, name, S_IFCHR, 0) == 0 || errno == EEXIST)
		return 0;
	return extract_failed("create the whiteout of", e->path, err);
}

static int make_entry(struct extraction *x, struct entry *e, struct tree_node *n,
		      const struct tree_node *target, struct error *err)
{
	int dir;

	if (e->type == ENTRY_DIR)
		return folders_open(&x->folders, n, &dir, err);
	if (folders_open(&x->folders, n->parent, &dir, err) < 0)
		return -1;
	switch (e->type) {
	case ENTRY_FILE:
		return write_file(x, dir, n->name, e, err);
	case ENTRY_SYMLINK:
		return make_symlink(x, dir, n->name, e, err);
	case ENTRY_HARDLINK:
		return make_hardlink(x, target, dir, n->name, e, err);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
	case ENTRY_FIFO:
		return make_device(x, dir, n->name, e, err);
	case ENTRY_DIR:
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break;
	}
	return 0;
}

static int extract_entry(struct extraction *x, struct entry *e, struct error *err)
{
	const struct tree_node *target = NULL;
	struct tree_node *n;
	bool hid;

	if (e->type == ENTRY_HARDLINK)
		target = tree_lookup(x->folders.view, e->link, false);
	if (tree_put(x->folders.view, e, &n, &hid, err) < 0)
		return -1;
	if (x->drop_error.kind != ERROR_NONE)
		return error_move(err, &x->drop_error);
	if (e->type == ENTRY_WHITEOUT)
		return extract_whiteout(x, e, n, hid, err);
	if (e->type == ENTRY_OPAQUE)
		return n && !x->o->flat ? folders_make_opaque(&x->folders, n, err) : 0;
	/* Its place may be open as the folder that it was. */
	if (n == x->folders.open_node && e->type != ENTRY_DIR)
		folders_forget(&x->folders);
	return make_entry(x, e, n, target, err);
}

/* Flat: what the merged view drops leaves the folder too. */
static void drop(void *arg, struct tree_node *n)
{
	struct extraction *x = arg;
	struct error *err = x->drop_error.kind == ERROR_NONE ? &x->drop_error : NULL;
	AUTO_FREE char *from = tree_path(n->parent);
	AUTO_FD int dir = -1;

	folders_forget(&x->folders);
	dir = fs_openat_beneath(x->folders.root, *from ? from : ".", O_PATH | O_DIRECTORY, 0);
	if (dir >= 0)
		extract_clear(dir, n->name, err);
	else if (errno != ENOENT)
		extract_failed("open the folder", from, err);
}

static int extract_all(struct extraction *x, struct error *err)
{
	const struct entry *view;
	int more;

	while ((more = layer_reader_next(x->reader, &view, err)) > 0) {
		struct entry e = *view;

		if (extract_entry(x, &e, err) < 0)
			return -1;
		if (x->index && index_writer_add(x->index, &e, err) < 0)
			return -1;
	}
	return more < 0 ? -1 : folders_finish(&x->folders, err);
}

int layer_extract(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		  int dirfd, struct tree *below, const struct extract_options *o, struct error *err)
{
	AUTO(extraction) x = {.o = o};
	AUTO_PTR(index_reader) there = NULL;

	folders_init(&x.folders, dirfd, below, o);
	x.block = xmalloc(BLOCK_BYTES);
	if (o->flat)
		tree_on_drop(x.folders.view, drop, &x);
	if (index_reader_open(&there, s, diff_id, NULL) < 0)
		x.index = index_writer_new(s);
	if (layer_reader_open(&x.reader, s, blob, diff_id, err) < 0 || extract_all(&x, err) < 0)
		return error_wrap(err, "extract layer %s", blob->digest.text);
	if (!x.index)
		return 0;
	if (index_writer_commit(x.index, diff_id, err) < 0)
		return -1;
	return layer_meta_put(s, &blob->digest, diff_id, layer_reader_bytes(x.reader), err);
}
