#include "oci/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/extract_place.h"
#include "oci/layer_reader.h"
#include "oci/layer_writer.h"

#define BLOCK (256u << 10)

struct extraction {
	struct layer_reader *reader;
	struct index_writer *index; /* NULL: there is one already */
	const struct extract_options *o;
	struct places places;
	char *block;
};

static void extraction_release(struct extraction *x)
{
	layer_reader_free(x->reader);
	index_writer_free(x->index);
	places_release(&x->places);
	free(x->block);
}
CLEANUP_RELEASE(extraction)

/* Owner, mode, attributes and time of what was just made; the mode after the owner, which clears setuid. */
static int set_metadata(const struct extraction *x, int dir, const char *name,
			const struct entry *e, struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
	bool is_link = e->type == ENTRY_SYMLINK;

	if (x->o->owner == EXTRACT_OWNER_REAL &&
	    fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0) {
		error_errno(err, "set the owner of %s to %u:%u", e->path, e->uid, e->gid);
		if (errno == EINVAL)
			error_hint(err,
				   "That id is not among those of /etc/subuid and /etc/subgid.");
		return -1;
	}
	if (!is_link && fchmodat(dir, name, e->mode, 0) < 0)
		return error_errno(err, "set the mode of %s", e->path);
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the time of %s", e->path);
	return 0;
}

/* user.* may be unsupported by the file system; a lost capability is an error, since the program would not work. */
static int set_xattrs(const struct extraction *x, int fd, const struct entry *e, struct error *err)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct xattr *a = &e->xattrs[i];
		bool is_user = strncmp(a->name, "user.", 5) == 0;

		/* capabilities belong to an owner: with one id they would be of another root */
		if (!is_user && x->o->owner == EXTRACT_OWNER_NONE)
			continue;
		if (fsetxattr(fd, a->name, a->value, a->len, 0) < 0 &&
		    !(is_user && errno == ENOTSUP))
			return error_errno(err, "set %s of %s", a->name, e->path);
	}
	return 0;
}

static int write_file(struct extraction *x, int dir, const char *name, struct entry *e,
		      struct error *err)
{
	AUTO(sha256) hash = SHA256_INIT;
	AUTO_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0600);
	int64_t n;

	if (fd < 0)
		return error_errno(err, "create %s", e->path);
	while ((n = layer_reader_read(x->reader, x->block, BLOCK, err)) > 0) {
		if (x->index)
			sha256_update(&hash, x->block, (size_t)n);
		if (fs_write_all(fd, x->block, (size_t)n, e->path, err) < 0)
			return -1;
	}
	if (n < 0)
		return -1;
	if (x->index && !e->has_content) {
		if (!e->size)
			sha256_init(&hash);
		sha256_final(&hash, e->content);
		e->has_content = true;
	}
	if (set_metadata(x, dir, name, e, err) < 0)
		return -1;
	/* after the owner: chown drops capabilities */
	return set_xattrs(x, fd, e, err);
}

static int make_device(const struct extraction *x, int dir, const char *name, const struct entry *e,
		       struct error *err)
{
	mode_t type = e->type == ENTRY_FIFO ? S_IFIFO : e->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;
	dev_t device = e->type == ENTRY_FIFO ? 0 : makedev(e->dev_major, e->dev_minor);
	bool placeholder = x->o->no_devices && e->type != ENTRY_FIFO;

	/* a device 0:0 would be a whiteout of the overlay */
	if (e->type == ENTRY_CHAR && !e->dev_major && !e->dev_minor && !x->o->flat)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"%s is a character device 0:0, which an overlay takes for a deleted file",
			e->path);
	if (mknodat(dir, name, placeholder ? S_IFREG | 0600 : type | 0600,
		    placeholder ? 0 : device) < 0)
		return error_errno(err, "create the device %s", e->path);
	return set_metadata(x, dir, name, e, err);
}

static int make_hardlink(struct extraction *x, int dir, const char *name, const struct entry *e,
			 struct error *err)
{
	AUTO(place) target = PLACE_INIT;
	struct stat st;

	if (place_find(&x->places, e->link, &target, err) < 0)
		return error_wrap(err, "hard link %s to %s", e->path, e->link);
	if (target.fd < 0 || fstatat(target.fd, target.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(
			err,
			place_is_below(&x->places, e->link) ? ERROR_UNSUPPORTED : ERROR_CORRUPT,
			"hard link %s to %s: the target is not in this layer", e->path, e->link);
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode) || (S_ISCHR(st.st_mode) && !st.st_rdev))
		return error_set(err, ERROR_CORRUPT, "hard link %s to %s: the target is not a file",
				 e->path, e->link);
	if (linkat(target.fd, target.name, dir, name, 0) < 0)
		return error_errno(err, "hard link %s to %s", e->path, e->link);
	return 0;
}

/* What this layer has at the name already: the last of two entries wins, a folder stays a folder. */
static int clear_way(struct extraction *x, struct place *p, const struct entry *e,
		     bool *keep_folder, struct error *err)
{
	struct stat st;
	bool was_whiteout;

	*keep_folder = false;
	if (fstatat(p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "look at %s", e->path);
	if (S_ISDIR(st.st_mode) && e->type == ENTRY_DIR) {
		*keep_folder = true;
		return 0;
	}
	was_whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0 && !x->o->flat;
	if (fs_remove_tree(p->fd, p->name, err) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		places_forget(&x->places);
	if (!was_whiteout || e->type != ENTRY_DIR)
		return 0;
	/* the folder of the layers below was deleted: this one hides it */
	if (mkdirat(p->fd, p->name, 0700) < 0)
		return error_errno(err, "create the folder %s", e->path);
	*keep_folder = true;
	return places_mark_opaque(&x->places, p, err);
}

static int make_folder(struct extraction *x, const struct place *p, const struct entry *e,
		       bool there, struct error *err)
{
	AUTO_FD int fd = -1;

	if (!there && mkdirat(p->fd, p->name, 0700) < 0)
		return error_errno(err, "create the folder %s", e->path);
	if (e->n_xattrs) {
		fd = openat(p->fd, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || set_xattrs(x, fd, e, err) < 0)
			return fd < 0 ? error_errno(err, "open %s", e->path) : -1;
	}
	if (x->o->owner == EXTRACT_OWNER_REAL &&
	    fchownat(p->fd, p->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the owner of %s to %u:%u", e->path, e->uid, e->gid);
	/* mode and time when everything below it is there */
	places_finish_later(&x->places, p->real, e->mode, e->mtime);
	return 0;
}

static int extract_whiteout(struct extraction *x, const struct entry *e, struct error *err)
{
	AUTO(place) p = PLACE_INIT;
	struct stat st;
	bool there;

	if (place_make(&x->places, e->path, &p, err) < 0)
		return -1;
	there = fstatat(p.fd, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (x->o->flat) {
		/* only what lower layers put there: entries of this layer stay */
		if (there && places_is_ours(&x->places, p.real))
			return S_ISDIR(st.st_mode) ? places_empty(&x->places, &p, err) : 0;
		places_forget(&x->places);
		return fs_remove_tree(p.fd, p.name, err);
	}
	if (there)
		return S_ISDIR(st.st_mode) ? places_mark_opaque(&x->places, &p, err) : 0;
	if (mknodat(p.fd, p.name, S_IFCHR, 0) < 0)
		return error_errno(err, "create the whiteout of %s", e->path);
	return 0;
}

static int extract_opaque(struct extraction *x, const struct entry *e, struct error *err)
{
	AUTO(place) p = PLACE_INIT;

	/* the folder itself, as a parent: links resolve, and it is made when missing */
	if (place_make_folder(&x->places, e->path, &p, err) < 0)
		return -1;
	return x->o->flat ? places_empty(&x->places, &p, err)
			  : places_mark_opaque(&x->places, &p, err);
}

static int extract_root(struct extraction *x, const struct entry *e, struct error *err)
{
	if (e->type != ENTRY_DIR)
		return error_set(err, ERROR_CORRUPT, "the layer's root is not a folder");
	if (x->o->owner == EXTRACT_OWNER_REAL && fchown(x->places.root, e->uid, e->gid) < 0)
		return error_errno(err, "set the owner of the root to %u:%u", e->uid, e->gid);
	places_finish_later(&x->places, "", e->mode, e->mtime);
	return 0;
}

static int extract_entry(struct extraction *x, struct entry *e, struct error *err)
{
	AUTO(place) p = PLACE_INIT;
	bool there = false;

	if (e->type == ENTRY_WHITEOUT)
		return extract_whiteout(x, e, err);
	if (e->type == ENTRY_OPAQUE)
		return extract_opaque(x, e, err);
	if (!*e->path)
		return extract_root(x, e, err);
	if (place_make(&x->places, e->path, &p, err) < 0 || clear_way(x, &p, e, &there, err) < 0)
		return -1;
	places_note_ours(&x->places, p.real);
	switch (e->type) {
	case ENTRY_FILE:
		return write_file(x, p.fd, p.name, e, err);
	case ENTRY_DIR:
		return make_folder(x, &p, e, there, err);
	case ENTRY_SYMLINK:
		if (symlinkat(e->link, p.fd, p.name) < 0)
			return error_errno(err, "create the link %s", e->path);
		return set_metadata(x, p.fd, p.name, e, err);
	case ENTRY_HARDLINK:
		return make_hardlink(x, p.fd, p.name, e, err);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
	case ENTRY_FIFO:
		return make_device(x, p.fd, p.name, e, err);
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break;
	}
	return 0;
}

static int extract_all(struct extraction *x, struct error *err)
{
	const struct entry *view;
	int got;

	while ((got = layer_reader_next(x->reader, &view, err)) > 0) {
		struct entry e = *view;

		if (extract_entry(x, &e, err) < 0)
			return -1;
		if (x->index && index_writer_add(x->index, &e, err) < 0)
			return -1;
	}
	return got < 0 ? -1 : places_finish(&x->places, err);
}

int layer_extract(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		  int dirfd, struct tree *below, const struct extract_options *o, struct error *err)
{
	AUTO(extraction) x = {.o = o};
	struct index_reader *there = NULL;

	places_init(&x.places, dirfd, below, o);
	x.block = xmalloc(BLOCK);
	if (index_reader_open(&there, s, diff_id, NULL) == 0)
		index_reader_free(there);
	else if (index_writer_open(&x.index, s, err) < 0)
		return -1;
	if (layer_reader_open(&x.reader, s, blob, diff_id, err) < 0 || extract_all(&x, err) < 0)
		return error_wrap(err, "extract layer %s", blob->digest.text);
	if (x.index && index_writer_commit(x.index, diff_id, err) < 0)
		return -1;
	return layer_meta_put(s, &blob->digest, diff_id, layer_reader_bytes(x.reader), err);
}
