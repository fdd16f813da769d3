#include "oci/extract_folder.h"
#include "oci/owner_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW)
#define MAKING_MODE  0700 /* until folders_finish(): whoever extracts must get in */

void folders_init(struct folders *f, int root, struct tree *below, const struct extract_options *o)
{
	*f = (struct folders){
		.root = root, .o = o, .below = below, .view = tree_clone(below), .open_fd = -1};
	tree_begin_layer(f->view);
	f->layer = (uint16_t)(tree_layers(f->view) - 1);
}

void folders_release(struct folders *f)
{
	folders_forget(f);
	tree_free(f->view);
	free(f->touched);
}

void folders_forget(struct folders *f)
{
	if (f->open_fd >= 0)
		close(f->open_fd);
	f->open_fd = -1;
	f->open_node = NULL;
}

int extract_failed(const char *tried, const char *path, struct error *err)
{
	int number = errno;
	AUTO(strbuf) shown = STRBUF_INIT;

	strbuf_add_printable(&shown, path, strlen(path), false);
	errno = number;
	error_errno(err, "%s /%s", tried, shown.buf);
	if (number == ENOSPC || number == EDQUOT)
		return error_hint(err, "free space there (slipway prune removes what no image "
				       "needs), or choose another folder with SLIPWAY_ROOT");
	return -1;
}

static void touch(struct folders *f, struct tree_node *n)
{
	if (n->mark)
		return;
	n->mark = true;
	GROW(f->touched, f->n_touched + 1, f->cap_touched);
	f->touched[f->n_touched++] = n;
}

static int open_path(const struct folders *f, const char *path, int flags)
{
	return fs_openat_beneath(f->root, *path ? path : ".", flags, 0);
}

/* Is there a folder in lower layers, in the very place of n, that an overlay would merge with n? */
static bool is_over_folder(const struct folders *f, const struct tree_node *n, const char *path)
{
	const struct tree_node *lower;

	if (n->parent && n->parent->born == f->layer)
		return false;
	lower = tree_lookup(f->below, path, false);
	return lower && lower->type == ENTRY_DIR;
}

static int set_opaque(const struct folders *f, int parent, const char *name, const char *path,
		      struct error *err)
{
	const char *attribute = f->o->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	AUTO_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fsetxattr(fd, attribute, "y", 1, 0) == 0)
		return 0;
	extract_failed("mark as opaque the folder", path, err);
	return error_hint(err, "the file system of the store must support %s", attribute);
}

int extract_clear(int dir, const char *name, struct error *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_errno(err, "remove %s", name);
	return fs_remove_tree(dir, name, err);
}

static int make_folder(struct folders *f, struct tree_node *n, const char *path, int parent,
		       struct error *err)
{
	if (mkdirat(parent, n->name, MAKING_MODE) < 0) {
		if (errno != EEXIST)
			return extract_failed("create the folder", path, err);
		/* What this layer had there before, a whiteout perhaps. */
		if (extract_clear(parent, n->name, err) < 0)
			return -1;
		if (mkdirat(parent, n->name, MAKING_MODE) < 0)
			return extract_failed("create the folder", path, err);
	}
	if (!f->o->flat && n->born == f->layer && is_over_folder(f, n, path))
		return set_opaque(f, parent, n->name, path, err);
	return 0;
}

/* A folder that was there before may keep its owner out. */
static int let_us_in(const struct folders *f, int fd, const char *path, struct error *err)
{
	char proc[32];
	struct stat st;

	if (!f->o->flat || geteuid() == 0)
		return 0;
	fs_fd_path(fd, proc);
	if (fstat(fd, &st) < 0)
		return extract_failed("look at the folder", path, err);
	if ((st.st_mode & 0700) == 0700 || chmod(proc, (st.st_mode & 07777) | 0700) == 0)
		return 0;
	return extract_failed("open up the folder", path, err);
}

/* Opens or makes, from the parent down; the depth of folders is limited by the tree. */
static int reach(struct folders *f, struct tree_node *n, int *fd, struct error *err)
{
	AUTO_FREE char *path = tree_path(n);
	AUTO_FD int parent = -1;

	*fd = open_path(f, path, FOLDER_FLAGS);
	if (*fd < 0) {
		if ((errno != ENOENT && errno != ENOTDIR && errno != ELOOP) || !n->parent)
			return extract_failed("open the folder", path, err);
		if (reach(f, n->parent, &parent, err) < 0 ||
		    make_folder(f, n, path, parent, err) < 0)
			return -1;
		*fd = openat(parent, n->name, FOLDER_FLAGS | O_CLOEXEC);
		if (*fd < 0)
			return extract_failed("open the folder", path, err);
	}
	if (let_us_in(f, *fd, path, err) < 0) {
		close(take_fd(*fd));
		return -1;
	}
	touch(f, n);
	return 0;
}

int folders_open(struct folders *f, struct tree_node *n, int *fd, struct error *err)
{
	int found;

	if (f->open_node == n) {
		*fd = f->open_fd;
		return 0;
	}
	if (reach(f, n, &found, err) < 0)
		return -1;
	folders_forget(f);
	f->open_node = n;
	*fd = f->open_fd = found;
	return 0;
}

int folders_make_opaque(struct folders *f, struct tree_node *n, struct error *err)
{
	AUTO_FREE char *path = tree_path(n);
	int fd;

	if (folders_open(f, n, &fd, err) < 0)
		return -1;
	return is_over_folder(f, n, path) ? set_opaque(f, fd, ".", path, err) : 0;
}

void extract_mark_owner(const struct extract_options *o, int fd, uid_t uid, gid_t gid)
{
	const struct owner_mark m = {.uid = uid, .gid = gid};

	/* Where that does not work either, the file is root's in the step, and keeps its owner in layers. */
	if (o->owner == EXTRACT_OWNER_NONE && (uid != 0 || gid != 0))
		(void)!fsetxattr(fd, OWNER_MARK, &m, sizeof(m), 0);
}

static void append_record(const struct extract_options *o, int dir, const char *name,
			  const struct entry *e)
{
	struct owner_record r = {.owner = {e->uid, e->gid}};
	AUTO_FD int file = -1;

	if (!o->records || !owner_record_identify(dir, name, &r))
		return;
	file = open(o->records, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file >= 0)
		(void)!write(file, &r, sizeof(r));
}

void extract_note_owner(const struct extract_options *o, int dir, const char *name,
			const struct entry *e)
{
	const bool is_file = e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK;
	const struct device_mark device = {
		.type = e->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK,
		.major = e->dev_major,
		.minor = e->dev_minor,
	};
	AUTO_FD int fd = -1;

	if (o->owner != EXTRACT_OWNER_NONE)
		return;
	if (!is_file) {
		if (e->uid != 0 || e->gid != 0)
			append_record(o, dir, name, e);
		return;
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	extract_mark_owner(o, fd, e->uid, e->gid);
	(void)!fsetxattr(fd, DEVICE_MARK, &device, sizeof(device), 0);
}

int extract_set_xattrs(const struct extract_options *o, int fd, const struct xattr *xattrs,
		       size_t n, const char *what, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct xattr *x = &xattrs[i];
		bool is_user = str_starts(x->name, "user.");

		/* With one id for all, a capability would be that of another root. */
		if (!is_user && o->owner == EXTRACT_OWNER_NONE)
			continue;
		if (fsetxattr(fd, x->name, x->value, x->len, 0) == 0 ||
		    (is_user && (errno == ENOTSUP || errno == ENOSPC || errno == E2BIG)))
			continue;
		error_errno(err, "set %s of /%s", x->name, what);
		return is_user ? -1
			       : error_hint(err, "a program that needs it would not work; keep the "
						 "store on a file system with extended attributes");
	}
	return 0;
}

static int finish_folder(const struct folders *f, const struct tree_node *n, struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = n->mtime}};
	AUTO_FREE char *path = tree_path(n);
	AUTO_FD int fd = open_path(f, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		return extract_failed("open the folder", path, err);
	if (f->o->owner == EXTRACT_OWNER_REAL && fchown(fd, n->uid, n->gid) < 0)
		return extract_failed("set the owner of the folder", path, err);
	extract_mark_owner(f->o, fd, n->uid, n->gid);
	if (extract_set_xattrs(f->o, fd, n->xattrs, n->n_xattrs, path, err) < 0)
		return -1;
	if (fchmod(fd, n->mode) < 0 || futimens(fd, times) < 0)
		return extract_failed("set mode and times of the folder", path, err);
	return 0;
}

static size_t depth_of(const struct tree_node *n)
{
	size_t depth = 0;

	for (; n->parent; n = n->parent)
		depth++;
	return depth;
}

static int deeper_first(const void *x, const void *y)
{
	const struct tree_node *const *a = x, *const *b = y;
	size_t one = depth_of(*a), other = depth_of(*b);

	return (one < other) - (one > other);
}

int folders_finish(struct folders *f, struct error *err)
{
	int fd;

	/* The root shows when this is the topmost layer, so it is always given its metadata. */
	if (folders_open(f, tree_root(f->view), &fd, err) < 0)
		return -1;
	folders_forget(f);
	/* A folder's mode may lock out its owner, so that what is below comes first. */
	qsort(f->touched, f->n_touched, sizeof(struct tree_node *), deeper_first);
	for (size_t i = 0; i < f->n_touched; i++)
		if (!f->touched[i]->gone && f->touched[i]->type == ENTRY_DIR &&
		    finish_folder(f, f->touched[i], err) < 0)
			return -1;
	return 0;
}
