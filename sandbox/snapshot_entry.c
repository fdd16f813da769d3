#include "sandbox/snapshot_entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"

void names_release(struct names *l)
{
	strbuf_release(&l->bytes);
	free(l->at);
}

void snapshot_release(struct snapshot *s)
{
	strmap_release(&s->links);
	strbuf_release(&s->path);
	file_xattrs_release(&s->xattrs);
}

static int compare_in(const void *a, const void *b, void *bytes)
{
	return strcmp((const char *)bytes + *(const size_t *)a,
		      (const char *)bytes + *(const size_t *)b);
}

int names_read(int fd, struct names *l, const char *path, struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!dir) {
		error_errno(err, "read folder /%s", path);
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (errno = 0, (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		GROW(l->at, l->n + 1, l->cap);
		l->at[l->n++] = l->bytes.len;
		strbuf_add(&l->bytes, e->d_name, strlen(e->d_name) + 1);
	}
	if (errno) {
		error_errno(err, "read folder /%s", path);
		closedir(dir);
		return -1;
	}
	closedir(dir);
	if (l->n > 1)
		qsort_r(l->at, l->n, sizeof(*l->at), compare_in, l->bytes.buf);
	return 0;
}

size_t snapshot_push(struct snapshot *s, const char *name)
{
	size_t before = s->path.len;

	if (before > 0)
		strbuf_putc(&s->path, '/');
	strbuf_puts(&s->path, name);
	return before;
}

int snapshot_check_name(const struct snapshot *s, const char *name, struct error *err)
{
	if (str_starts(name, ".wh.")) {
		error_set(err, ERROR_UNSUPPORTED,
			  "/%s: a name that begins with \".wh.\" means a removed file in a layer",
			  s->path.buf);
		return error_hint(err, "remove or rename it in the same RUN");
	}
	if (s->path.len >= LIMIT_PATH_BYTES)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"/%.80s...: a path of %zu bytes is too long for a layer (at most %d)",
			s->path.buf, s->path.len, LIMIT_PATH_BYTES - 1);
	return 0;
}

/* What is at this path in the layers below; *node NULL when nothing is, or there are no layers. */
static int find_below(struct snapshot *s, struct tree_node **node, struct error *err)
{
	*node = NULL;
	if (!s->asked_below && s->o->below) {
		if (s->o->below(s->o->arg, &s->below, err) < 0)
			return -1;
		s->asked_below = true;
	}
	if (s->below)
		*node = tree_lookup(s->below, s->path.buf, false);
	return 0;
}

int snapshot_add_marker(struct snapshot *s, enum entry_type type, struct error *err)
{
	struct entry e = {.type = type, .path = s->path.buf};

	return layer_writer_add(s->writer, &e, NULL, err);
}

static void fill(const struct snapshot *s, enum entry_type type, const struct stat *st,
		 struct entry *e)
{
	memset(e, 0, sizeof(*e));
	e->type = type;
	e->path = s->path.buf;
	e->mode = st->st_mode & 07777;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime = st->st_mtim.tv_sec;
}

/* With one id the files are all ours: who owned them is known from the layers below, else it is root. */
static int fix_owner(struct snapshot *s, struct entry *e, struct error *err)
{
	struct tree_node *node;

	if (!s->o->single)
		return 0;
	if (s->has_owner) {
		e->uid = s->owner.uid;
		e->gid = s->owner.gid;
		return 0;
	}
	e->uid = e->gid = 0;
	/* Files and folders of the layers below have notes of their own when they are not root's. */
	if (e->type == ENTRY_FILE || e->type == ENTRY_DIR)
		return 0;
	if (find_below(s, &node, err) < 0)
		return -1;
	e->uid = node && node->type == e->type ? node->uid : 0;
	e->gid = node && node->type == e->type ? node->gid : 0;
	return 0;
}

static int add_entry(struct snapshot *s, struct entry *e, struct source *content, struct error *err)
{
	if (fix_owner(s, e, err) < 0)
		return -1;
	if (s->at >= 0 && s->o->owners && (e->uid != 0 || e->gid != 0))
		owners_add(s->o->owners, s->at, s->name, e->uid, e->gid);
	return layer_writer_add(s->writer, e, content, err);
}

/* A file with several names: the first in order is the file, the others are links to it. 1: was a link. */
static int add_link(struct snapshot *s, const struct stat *st, struct error *err)
{
	char key[48];
	const char *first;
	struct entry e;

	if (st->st_nlink < 2)
		return 0;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	first = strmap_get(&s->links, key);
	if (!first) {
		strmap_set(&s->links, key, s->path.buf);
		return 0;
	}
	fill(s, ENTRY_HARDLINK, st, &e);
	e.link = first;
	return add_entry(s, &e, NULL, err) < 0 ? -1 : 1;
}

/* Where device nodes cannot exist, the extracted layers hold empty files in their places. */
static int restore_device(struct snapshot *s, struct entry *e, struct error *err)
{
	struct tree_node *node;

	if (find_below(s, &node, err) < 0)
		return -1;
	if (!node || !tree_is_device(node))
		return 0;
	e->type = (enum entry_type)node->type;
	e->dev_major = node->device.major;
	e->dev_minor = node->device.minor;
	return 0;
}

static int add_file(struct snapshot *s, int dirfd, const char *name, struct error *err)
{
	AUTO_FD int fd = openat(dirfd, name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct fd_source source;
	struct marks marks;
	struct entry e;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "read /%s", s->path.buf);
	if (marks_read(fd, s->o->userns, &marks, &s->xattrs, s->path.buf, err) < 0)
		return -1;
	s->has_owner = marks.has_owner;
	s->owner = marks.owner;
	r = add_link(s, &st, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	fill(s, ENTRY_FILE, &st, &e);
	e.size = st.st_size;
	e.xattrs = s->xattrs.items;
	e.n_xattrs = s->xattrs.n;
	if (marks.has_device) {
		e.type = marks.device.type == S_IFBLK ? ENTRY_BLOCK : ENTRY_CHAR;
		e.dev_major = marks.device.major;
		e.dev_minor = marks.device.minor;
	} else if (s->o->userns && e.size == 0 && marks.copied_up &&
		   restore_device(s, &e, err) < 0) {
		return -1;
	}
	fd_source_init(&source, fd, s->path.buf);
	return add_entry(s, &e, e.type == ENTRY_FILE ? &source.source : NULL, err);
}

static int add_symlink(struct snapshot *s, int dirfd, const char *name, const struct stat *st,
		       struct error *err)
{
	char text[LIMIT_PATH_BYTES];
	ssize_t n = readlinkat(dirfd, name, text, sizeof(text));
	struct entry e;
	int r;

	if (n < 0 || n == (ssize_t)sizeof(text)) {
		errno = n < 0 ? errno : ENAMETOOLONG;
		return error_errno(err, "read link /%s", s->path.buf);
	}
	text[n] = '\0';
	r = add_link(s, st, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	fill(s, ENTRY_SYMLINK, st, &e);
	e.mode = 0777;
	e.link = text;
	return add_entry(s, &e, NULL, err);
}

static int add_node(struct snapshot *s, const struct stat *st, struct error *err)
{
	struct entry e;
	int r = add_link(s, st, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	fill(s,
	     S_ISFIFO(st->st_mode)  ? ENTRY_FIFO
	     : S_ISCHR(st->st_mode) ? ENTRY_CHAR
				    : ENTRY_BLOCK,
	     st, &e);
	if (e.type != ENTRY_FIFO) {
		e.dev_major = major(st->st_rdev);
		e.dev_minor = minor(st->st_rdev);
	}
	return add_entry(s, &e, NULL, err);
}

/* The folder goes on as the lower folder of later steps: what the layer cannot hold must not be there either. */
static int drop_socket(struct snapshot *s, int dirfd, const char *name, struct error *err)
{
	if (unlinkat(dirfd, name, 0) < 0)
		return error_errno(err, "remove socket /%s", s->path.buf);
	if (s->o->notes)
		strlist_addf(s->o->notes, "/%s is a socket: a layer cannot hold it, left out",
			     s->path.buf);
	return 0;
}

int snapshot_stat(const struct snapshot *s, int dirfd, const char *name, struct stat *st,
		  struct error *err)
{
	if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "read /%s", s->path.buf);
	return 0;
}

int snapshot_add_root(struct snapshot *s, const struct stat *st, struct error *err)
{
	const struct stat *lower = s->o->lower_root;
	const struct stat plain = {.st_mode = S_IFDIR | 0755};
	struct entry e;

	if (!lower)
		lower = &plain;
	if ((st->st_mode & 07777) == (lower->st_mode & 07777) && st->st_uid == lower->st_uid &&
	    st->st_gid == lower->st_gid)
		return 0;
	fill(s, ENTRY_DIR, st, &e);
	return add_entry(s, &e, NULL, err);
}

int snapshot_add_leaf(struct snapshot *s, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	s->at = S_ISREG(st->st_mode) ? -1 : dirfd;
	s->name = name;
	if (!S_ISREG(st->st_mode))
		s->has_owner = s->o->owners && owners_find(s->o->owners, dirfd, name, &s->owner);
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return add_file(s, dirfd, name, err);
	case S_IFLNK:
		return add_symlink(s, dirfd, name, st, err);
	case S_IFSOCK:
		return drop_socket(s, dirfd, name, err);
	default:
		return add_node(s, st, err);
	}
}

int snapshot_add_folder(struct snapshot *s, int fd, bool *opaque, struct error *err)
{
	struct marks marks;
	struct entry e;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "read folder /%s", s->path.buf);
	if (marks_read(fd, s->o->userns, &marks, &s->xattrs, s->path.buf, err) < 0)
		return -1;
	s->at = -1;
	s->has_owner = marks.has_owner;
	s->owner = marks.owner;
	fill(s, ENTRY_DIR, &st, &e);
	e.xattrs = s->xattrs.items;
	e.n_xattrs = s->xattrs.n;
	*opaque = marks.opaque;
	return add_entry(s, &e, NULL, err);
}
