#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "builder/context_kept.h"
#include "oci/layer_reader.h"

struct unpacking {
	int root;
	struct layer_reader *reader;
	int64_t newest;            /* time of a member; -1: there was none */
	struct context_kept *kept; /* paths as the tar has them, in its order */
	size_t n_kept, cap_kept;
};

static void unpacking_release(struct unpacking *u)
{
	for (size_t i = 0; i < u->n_kept; i++)
		free(u->kept[i].path);
	free(u->kept);
	layer_reader_free(u->reader);
	if (u->root >= 0)
		close(u->root);
}

CLEANUP_RELEASE(unpacking)

static void keep(struct unpacking *u, const char *path, bool is_dir, mode_t mode, int64_t mtime)
{
	GROW(u->kept, u->n_kept + 1, u->cap_kept);
	u->kept[u->n_kept++] = (struct context_kept){
		.path = xstrdup(path), .is_dir = is_dir, .mode = mode, .mtime = mtime};
}

static int write_file(struct unpacking *u, int parent, const char *name, const struct entry *e,
		      struct error *err)
{
	AUTO_FD int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0600);
	char block[65536];
	int64_t n;

	if (fd < 0)
		return error_errno(err, "create %s", e->path);
	while ((n = layer_reader_read(u->reader, block, sizeof(block), err)) > 0)
		if (fs_write_all(fd, block, (size_t)n, e->path, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int make_link(struct unpacking *u, int parent, const char *name, const struct entry *e,
		     struct error *err)
{
	AUTO_FREE char *dir = xstrdup(e->link);
	char *slash = strrchr(dir, '/');
	const char *target = slash ? slash + 1 : dir;
	AUTO_FD int from = -1;

	if (slash)
		*slash = '\0';
	from = fs_openat_in_root(u->root, slash ? dir : ".", O_PATH | O_DIRECTORY, 0);
	if (from < 0 || linkat(from, target, parent, name, 0) < 0)
		return error_errno(err, "link %s to %s", e->path, e->link);
	for (size_t i = u->n_kept; i-- > 0;)
		if (!u->kept[i].is_dir && strcmp(u->kept[i].path, e->link) == 0) {
			keep(u, e->path, false, u->kept[i].mode, u->kept[i].mtime);
			break;
		}
	return 0;
}

static int make_node(int parent, const char *name, const struct entry *e, struct error *err)
{
	mode_t type = e->type == ENTRY_CHAR ? S_IFCHR : e->type == ENTRY_BLOCK ? S_IFBLK : S_IFIFO;

	if (mknodat(parent, name, type | 0600, makedev(e->dev_major, e->dev_minor)) == 0)
		return 0;
	if (errno == EPERM)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s is a device, which only root can unpack", e->path);
	return error_errno(err, "create %s", e->path);
}

/* Our own rights stay, whatever the mode; what it really is, the context remembers. */
static int set_metadata(struct unpacking *u, int parent, const char *name, const struct entry *e,
			struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
	bool is_dir = e->type == ENTRY_DIR;
	mode_t needed = is_dir ? 0700 : 0400;

	if (e->type != ENTRY_SYMLINK && fchmodat(parent, name, e->mode | needed, 0) < 0)
		return error_errno(err, "set the mode of %s", e->path);
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the time of %s", e->path);
	if (is_dir || (e->type == ENTRY_FILE && (e->mode & needed) != needed))
		keep(u, e->path, is_dir, e->mode, e->mtime);
	return 0;
}

static int create(struct unpacking *u, int parent, const char *name, const struct entry *e,
		  struct error *err)
{
	switch (e->type) {
	case ENTRY_DIR:
		if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
			return error_errno(err, "create the folder %s", e->path);
		return 0;
	case ENTRY_SYMLINK:
		if (symlinkat(e->link, parent, name) < 0)
			return error_errno(err, "create the link %s", e->path);
		return 0;
	case ENTRY_HARDLINK:
		return make_link(u, parent, name, e, err);
	case ENTRY_FILE:
		return write_file(u, parent, name, e, err);
	case ENTRY_FIFO:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return make_node(parent, name, e, err);
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break;
	}
	return error_set(err, ERROR_UNSUPPORTED, "%s has an unknown type", e->path);
}

/* One member of the tar, below the folder of its parents; anything in the way is replaced, as tar does. */
static int unpack_member(struct unpacking *u, const struct entry *e, struct error *err)
{
	AUTO_FREE char *dir = xstrdup(e->path);
	char *slash = strrchr(dir, '/');
	const char *name = slash ? slash + 1 : dir;
	AUTO_FD int parent = -1;
	struct stat st;

	if (!*e->path)
		return 0;
	if (slash)
		*slash = '\0';
	parent = slash ? fs_mkdir_p_in_root(u->root, dir, 0755)
		       : fs_openat_in_root(u->root, ".", O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return error_errno(err, "create the folder of %s", e->path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !(S_ISDIR(st.st_mode) && e->type == ENTRY_DIR) && fs_remove_tree(parent, name, err) < 0)
		return -1;
	if (create(u, parent, name, e, err) < 0)
		return -1;
	return e->type == ENTRY_HARDLINK ? 0 : set_metadata(u, parent, name, e, err);
}

/* Where a path of the tar ended up, links of its folders resolved; NULL when something else is there now. free() */
static char *real_path(const struct unpacking *u, const struct context *c,
		       const struct context_kept *k)
{
	AUTO_FD int fd = fs_openat_in_root(u->root, k->path, O_PATH | O_NOFOLLOW, 0);
	size_t root_len = strlen(c->path);
	char link[32], path[2 * LIMIT_PATH_BYTES];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    !(k->is_dir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
		return NULL;
	fs_fd_path(fd, link);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (strncmp(path, c->path, root_len) != 0 || path[root_len] != '/')
		return NULL;
	return xstrdup(path + root_len + 1);
}

/* By path; of one path the last member first. */
static int compare_kept(const void *a, const void *b)
{
	const struct context_kept *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	if (order)
		return order;
	return left->order > right->order ? -1 : left->order < right->order;
}

static void give_kept(struct unpacking *u, struct context *c)
{
	size_t n = 0;

	c->kept = xcalloc(u->n_kept + 1, sizeof(*c->kept));
	for (size_t i = 0; i < u->n_kept; i++) {
		c->kept[n] = u->kept[i];
		c->kept[n].order = i;
		c->kept[n].path = real_path(u, c, &u->kept[i]);
		n += c->kept[n].path != NULL;
	}
	qsort(c->kept, n, sizeof(*c->kept), compare_kept);
	for (size_t i = 0; i < n; i++) {
		if (c->n_kept && strcmp(c->kept[c->n_kept - 1].path, c->kept[i].path) == 0)
			free(c->kept[i].path);
		else
			c->kept[c->n_kept++] = c->kept[i];
	}
}

static int unpack(struct unpacking *u, const char *path, int fd, struct error *err)
{
	struct fd_source in;
	const struct entry *e;
	int got;

	u->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->root < 0)
		return error_errno(err, "open %s", path);
	fd_source_init(&in, fd, "the context archive");
	if (layer_reader_open_source(&u->reader, &in.source, "the context archive", false, err) < 0)
		return -1;
	while ((got = layer_reader_next(u->reader, &e, err)) > 0) {
		if (unpack_member(u, e, err) < 0)
			return -1;
		if (e->mtime > u->newest)
			u->newest = e->mtime;
	}
	return got;
}

int context_open_tar(struct context **out, struct store *s, int fd, const char *label,
		     struct error *err)
{
	AUTO_FREE char *ingest = store_path(s, "ingest");
	AUTO(unpacking) u = {.root = -1, .newest = -1};
	AUTO_PTR(context) c = NULL;
	AUTO_FREE char *path = NULL;
	bool found;

	if (fs_make_temp_dir(ingest, "context-", &path, err) < 0)
		return -1;
	if (unpack(&u, path, fd, err) < 0 || context_open_plain(&c, "context", path, err) < 0) {
		fs_remove_tree(AT_FDCWD, path, NULL);
		return error_wrap(err, "unpack the context from %s", label);
	}
	c->temporary = true;
	c->unpacked = true;
	c->time = u.newest;
	c->label = xstrdup(label);
	if (context_use_ignore(c, ".dockerignore", &found, err) < 0)
		return -1;
	give_kept(&u, c);
	*out = take_ptr(c);
	return 0;
}
