#include "sandbox/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/snapshot_entry.h"

/* Folders on the way down that stay open; below, they are opened again by their path. */
#define OPEN_DEPTH 64

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* An empty file with the overlay's mark, which newer kernels may use for a removed name. */
static int is_marked_whiteout(const struct snapshot *s, int dirfd, const char *name,
			      const struct stat *st, struct error *err)
{
	AUTO(file_xattrs) unused = {.bytes = STRBUF_INIT};
	struct marks marks;
	AUTO_FD int fd = -1;

	if (!S_ISREG(st->st_mode) || st->st_size != 0)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "read /%s", s->path.buf);
	if (marks_read(fd, s->o->userns, &marks, &unused, s->path.buf, err) < 0)
		return -1;
	return marks.whiteout;
}

/* Whiteouts come before everything else of their folder; their names leave the list. */
static int add_whiteouts(struct snapshot *s, int dirfd, struct names *l, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		const char *name = l->bytes.buf + l->at[i];
		size_t before = snapshot_push(s, name);
		struct stat st;
		int gone;

		if (snapshot_stat(s, dirfd, name, &st, err) < 0)
			return -1;
		gone = is_whiteout(&st);
		if (!gone)
			gone = is_marked_whiteout(s, dirfd, name, &st, err);
		if (gone < 0 || (gone && (snapshot_check_name(s, name, err) < 0 ||
					  snapshot_add_marker(s, ENTRY_WHITEOUT, err) < 0)))
			return -1;
		if (!gone)
			l->at[kept++] = l->at[i];
		strbuf_truncate(&s->path, before);
	}
	l->n = kept;
	return 0;
}

static int add_folder(struct snapshot *s, int *dirfd, const char *name, struct error *err);

static int add_name(struct snapshot *s, int *dirfd, const char *name, struct error *err)
{
	struct stat st;

	if (snapshot_check_name(s, name, err) < 0 || snapshot_stat(s, *dirfd, name, &st, err) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return add_folder(s, dirfd, name, err);
	return snapshot_add_leaf(s, *dirfd, name, &st, err);
}

/* *fd is the folder at s->path. Far down it is closed while its folders are walked, and opened again by its path. */
static int add_names(struct snapshot *s, int *fd, struct error *err)
{
	AUTO(names) l = NAMES_INIT;

	if (names_read(*fd, &l, s->path.buf, err) < 0 || add_whiteouts(s, *fd, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		const char *name = l.bytes.buf + l.at[i];
		size_t before;

		if (*fd < 0)
			*fd = fs_openat_beneath(s->rootfd, s->path.buf, O_RDONLY | O_DIRECTORY, 0);
		if (*fd < 0)
			return error_errno(err, "read folder /%s", s->path.buf);
		before = snapshot_push(s, name);
		if (add_name(s, fd, name, err) < 0)
			return -1;
		strbuf_truncate(&s->path, before);
	}
	return 0;
}

static int add_folder(struct snapshot *s, int *dirfd, const char *name, struct error *err)
{
	AUTO_FD int fd = openat(*dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool opaque;
	int r;

	if (fd < 0)
		return error_errno(err, "read folder /%s", s->path.buf);
	if (snapshot_add_folder(s, fd, &opaque, err) < 0 ||
	    (opaque && snapshot_add_marker(s, ENTRY_OPAQUE, err) < 0))
		return -1;
	if (s->depth > OPEN_DEPTH)
		close(take_fd(*dirfd));
	s->depth++;
	r = add_names(s, &fd, err);
	s->depth--;
	return r;
}

int snapshot_overlay(int upperfd, const struct snapshot_options *o, struct layer_writer *w,
		     struct error *err)
{
	AUTO(snapshot) s = SNAPSHOT_INIT(upperfd, o, w);
	struct stat st;
	int fd = upperfd; /* stays open: depth 0 */

	if (fstat(upperfd, &st) < 0)
		return error_errno(err, "read the change set");
	if (snapshot_add_root(&s, &st, err) < 0)
		return -1;
	return add_names(&s, &fd, err);
}
