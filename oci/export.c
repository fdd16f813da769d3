#include "oci/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "oci/image_tree.h"
#include "oci/layer_writer.h"
#include "oci/spool.h"

struct export
{
	struct tree *tree;
	struct spool *spool;
	/* first path of each hard-linked file, by inode number */
	char **first;
	size_t n_first;
	struct tar_writer *tar;
	int dirfd;
	bool root;
	uint64_t skipped;
};

static void export_release(struct export *x)
{
	for (size_t i = 0; i < x->n_first; i++)
		free(x->first[i]);
	free(x->first);
	if (x->dirfd >= 0)
		close(x->dirfd);
	spool_free(x->spool);
	tree_free(x->tree);
}
CLEANUP_RELEASE(export)

static uint32_t want_files(struct export *x, const struct tree_node *n)
{
	uint32_t highest = n->inode;

	if (n->type == ENTRY_FILE)
		spool_want(x->spool, n);
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++) {
		uint32_t below = want_files(x, n->folder.children[i]);

		if (below > highest)
			highest = below;
	}
	return highest;
}

static int export_open(struct export *x, struct store *s, const struct image *image,
		       struct error *err)
{
	x->dirfd = -1;
	x->root = geteuid() == 0;
	if (image_tree(&x->tree, s, image, err) < 0)
		return -1;
	if (spool_open(&x->spool, s, err) < 0)
		return -1;
	x->n_first = want_files(x, tree_root(x->tree)) + 1u;
	x->first = xcalloc(x->n_first, sizeof(*x->first));
	return spool_fill(x->spool, image->manifest.layers, image->config.diff_ids,
			  image->manifest.n_layers, err);
}

static int add_to_tar(struct export *x, const struct tree_node *n, const char *path,
		      struct error *err)
{
	struct spool_source content;
	struct entry e;

	tree_entry(n, path, &e);
	if (n->type != ENTRY_FILE)
		return tar_writer_add(x->tar, &e, NULL, err);
	if (x->first[n->inode]) {
		e.type = ENTRY_HARDLINK;
		e.link = x->first[n->inode];
		return tar_writer_add(x->tar, &e, NULL, err);
	}
	x->first[n->inode] = xstrdup(path);
	if (spool_source(&content, x->spool, n, err) < 0)
		return -1;
	return tar_writer_add(x->tar, &e, &content.source, err);
}

static int open_parent(struct export *x, const char *path)
{
	AUTO_FREE char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash)
		return fs_openat_beneath(x->dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	*slash = '\0';
	return fs_openat_beneath(x->dirfd, dir, O_RDONLY | O_DIRECTORY, 0);
}

static int write_file(struct export *x, const struct tree_node *n, int parent, const char *path,
		      struct error *err)
{
	AUTO_FD int out = -1;

	if (x->first[n->inode]) {
		if (linkat(x->dirfd, x->first[n->inode], parent, n->name, 0) < 0)
			return error_errno(err, "link %s", path);
		return 0;
	}
	x->first[n->inode] = xstrdup(path);
	out = openat(parent, n->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return error_errno(err, "create %s", path);
	return spool_copy(x->spool, n, out, path, err);
}

static int make_node(struct export *x, const struct tree_node *n, int parent, const char *path,
		     struct error *err)
{
	struct stat st;

	if (n->type == ENTRY_DIR && fstatat(parent, n->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	if (n->type != ENTRY_DIR && unlinkat(parent, n->name, 0) < 0 && errno != ENOENT)
		return error_errno(err, "replace %s", path);
	switch ((enum entry_type)n->type) {
	case ENTRY_DIR:
		/* ours until its content is there: the image's mode may lock us out */
		if (mkdirat(parent, n->name, 0700) < 0)
			return error_errno(err, "create folder %s", path);
		return 0;
	case ENTRY_SYMLINK:
		if (symlinkat(n->link, parent, n->name) < 0)
			return error_errno(err, "create link %s", path);
		return 0;
	case ENTRY_FIFO:
		if (mkfifoat(parent, n->name, 0600) < 0)
			return error_errno(err, "create fifo %s", path);
		return 0;
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		if (!x->root ||
		    mknodat(parent, n->name, (n->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK) | 0600,
			    makedev(n->device.major, n->device.minor)) < 0)
			x->skipped++;
		return 0;
	case ENTRY_FILE:
	case ENTRY_HARDLINK:
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break;
	}
	return write_file(x, n, parent, path, err);
}

static int finish_node(const struct tree_node *n, int parent, const char *path, struct error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = n->mtime}};
	const char *name = *n->name ? n->name : ".";

	if (n->type != ENTRY_SYMLINK && fchmodat(parent, name, n->mode & 07777, 0) < 0 &&
	    errno != ENOENT)
		return error_errno(err, "set the mode of %s", path);
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return error_errno(err, "set the time of %s", path);
	return 0;
}

static int add_to_folder(struct export *x, const struct tree_node *n, const char *path,
			 struct error *err)
{
	AUTO_FD int parent = open_parent(x, path);

	if (parent < 0)
		return error_errno(err, "open the folder of %s", path);
	if (make_node(x, n, parent, path, err) < 0)
		return -1;
	return n->type == ENTRY_DIR ? 0 : finish_node(n, parent, path, err);
}

/* Depth first, a folder before its content; the folder's own mode and time after it. */
static int walk(struct export *x, const struct tree_node *n, const char *path, struct error *err)
{
	if (*path && (x->tar ? add_to_tar(x, n, path, err) : add_to_folder(x, n, path, err)) < 0)
		return -1;
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++) {
		const struct tree_node *child = n->folder.children[i];
		AUTO_FREE char *below = *path ? xstrfmt("%s/%s", path, child->name)
					      : xstrdup(child->name);

		if (walk(x, child, below, err) < 0)
			return -1;
	}
	if (*path && !x->tar && n->type == ENTRY_DIR) {
		AUTO_FD int parent = open_parent(x, path);

		return parent < 0 ? error_errno(err, "open the folder of %s", path)
				  : finish_node(n, parent, path, err);
	}
	return 0;
}

static int add_part(struct tar_writer *tar, struct store *s, const struct export_part *part,
		    struct error *err)
{
	AUTO(export) x = {0};

	if (export_open(&x, s, part->image, err) < 0)
		return -1;
	x.tar = tar;
	return walk(&x, tree_root(x.tree), part->folder ? part->folder : "", err);
}

int export_tar(struct store *s, const struct export_part *parts, size_t n, int out_fd,
	       struct error *err)
{
	AUTO_PTR(tar_writer) tar = NULL;
	struct fd_sink out;

	fd_sink_init(&out, out_fd, "the tar");
	if (tar_writer_open(&tar, &out.sink, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_part(tar, s, &parts[i], err) < 0)
			return -1;
	return tar_writer_finish(tar, err);
}

int export_folder(struct store *s, const struct image *image, const char *path, uint64_t *skipped,
		  struct error *err)
{
	AUTO(export) x = {0};

	if (export_open(&x, s, image, err) < 0 || fs_mkdir_p(path, 0755, err) < 0)
		return -1;
	x.dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x.dirfd < 0)
		return error_errno(err, "open %s", path);
	if (walk(&x, tree_root(x.tree), "", err) < 0)
		return -1;
	*skipped = x.skipped;
	return 0;
}
