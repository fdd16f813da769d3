#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strmap.h"
#include "sandbox/snapshot_entry.h"

/* Folders on the way down that stay open; below, they are opened again by their path. */
#define OPEN_DEPTH  64
#define FLUSH_BYTES (256u << 10)

/*
 * A record is the root's status, then a block for each folder in the order of the walk: head, path, and for each name
 * in it a status and the name. Numbers are native: it never leaves the machine, nor the life of a process.
 */
struct status {
	uint64_t ino, rdev;
	int64_t size, mtime, ctime;
	uint32_t mtime_ns, ctime_ns;
	uint32_t mode, uid, gid;
	uint32_t name_len; /* of the name that follows; 0 for the root's */
};

struct block_head {
	uint32_t path_len, n;
	uint64_t len; /* of the statuses and names */
};

struct block {
	const char *path;
	size_t path_len;
	const char *items; /* the next one */
	size_t left;
};

struct old_record {
	const char *data; /* mapped; NULL: nothing to compare with */
	size_t len, at;   /* at: of the next block */
};

struct walk {
	struct snapshot s;
	struct old_record old;
	int out; /* -1: nothing is recorded */
	struct strbuf buffer;
};

static void walk_release(struct walk *w)
{
	if (w->old.data)
		munmap((void *)(uintptr_t)w->old.data, w->old.len);
	if (w->out >= 0)
		close(w->out);
	strbuf_release(&w->buffer);
	snapshot_release(&w->s);
}
CLEANUP_RELEASE(walk)

static struct status status_of(const struct stat *st, size_t name_len)
{
	return (struct status){
		.ino = st->st_ino,
		.rdev = st->st_rdev,
		/* The size of a folder is the file system's own affair. */
		.size = S_ISDIR(st->st_mode) ? 0 : st->st_size,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.name_len = (uint32_t)name_len,
	};
}

static bool is_changed(const struct walk *w, const struct status *a, const struct status *b)
{
	if (a->ino != b->ino || a->rdev != b->rdev || a->size != b->size || a->mtime != b->mtime ||
	    a->mtime_ns != b->mtime_ns || a->mode != b->mode || a->uid != b->uid ||
	    a->gid != b->gid)
		return true;
	if (a->ctime == b->ctime && a->ctime_ns == b->ctime_ns)
		return false;
	return !w->s.o->pardoned || !strmap_has(w->s.o->pardoned, w->s.path.buf);
}

static int flush(struct walk *w, struct error *err)
{
	int r = fs_write_all(w->out, w->buffer.buf, w->buffer.len, "the record of a root", err);

	strbuf_reset(&w->buffer);
	return r;
}

static int write_block(struct walk *w, const struct names *l, const struct stat *stats,
		       struct error *err)
{
	struct block_head head = {.path_len = (uint32_t)w->s.path.len, .n = (uint32_t)l->n};

	if (w->out < 0)
		return 0;
	head.len = l->n * sizeof(struct status) + l->bytes.len - l->n;
	strbuf_add(&w->buffer, &head, sizeof(head));
	strbuf_add(&w->buffer, w->s.path.buf, w->s.path.len);
	for (size_t i = 0; i < l->n; i++) {
		const char *name = l->bytes.buf + l->at[i];
		struct status st = status_of(&stats[i], strlen(name));

		strbuf_add(&w->buffer, &st, sizeof(st));
		strbuf_add(&w->buffer, name, st.name_len);
	}
	return w->buffer.len >= FLUSH_BYTES ? flush(w, err) : 0;
}

static int record_torn(struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "the record of a root is cut short");
}

/* The block at the record's position; 0 at its end. */
static int peek_block(const struct old_record *old, struct block *b, size_t *next,
		      struct error *err)
{
	struct block_head head;
	size_t at = old->at;

	if (at == old->len)
		return 0;
	if (old->len - at < sizeof(head))
		return record_torn(err);
	memcpy(&head, old->data + at, sizeof(head));
	at += sizeof(head);
	if (old->len - at < head.path_len || old->len - at - head.path_len < head.len)
		return record_torn(err);
	*b = (struct block){.path = old->data + at,
			    .path_len = head.path_len,
			    .items = old->data + at + head.path_len,
			    .left = head.len};
	*next = at + head.path_len + head.len;
	return 1;
}

/* What was recorded of the folder at the path; empty for one that was not there. Blocks before it are of folders that are gone. */
static int find_block(struct walk *w, struct block *b, struct error *err)
{
	AUTO(strbuf) path = STRBUF_INIT;
	size_t next;
	int r;

	while (w->old.data && (r = peek_block(&w->old, b, &next, err)) != 0) {
		int order;

		if (r < 0)
			return -1;
		strbuf_reset(&path);
		strbuf_add(&path, b->path, b->path_len);
		order = entry_path_compare(path.buf, w->s.path.buf);
		if (order > 0)
			break;
		w->old.at = next;
		if (order == 0)
			return 0;
	}
	*b = (struct block){.left = 0};
	return 0;
}

/* The next recorded name; NULL at the end. */
static const char *next_item(struct block *b, struct status *st)
{
	const char *name;

	if (b->left < sizeof(*st))
		return NULL;
	memcpy(st, b->items, sizeof(*st));
	if (b->left - sizeof(*st) < st->name_len)
		return NULL;
	name = b->items + sizeof(*st);
	b->items += sizeof(*st) + st->name_len;
	b->left -= sizeof(*st) + st->name_len;
	return name;
}

static int compare_names(const char *recorded, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	int r = memcmp(recorded, name, len < name_len ? len : name_len);

	return r ? r : (len > name_len) - (len < name_len);
}

static int add_gone(struct walk *w, const char *name, size_t len, struct error *err)
{
	AUTO_FREE char *text = xstrndup(name, len);
	size_t before = snapshot_push(&w->s, text);
	int r = snapshot_add_marker(&w->s, ENTRY_WHITEOUT, err);

	strbuf_truncate(&w->s.path, before);
	return r;
}

/* Whiteouts come before everything else of their folder; changed[i] tells of the names that are there. */
static int compare_folder(struct walk *w, struct block b, const struct names *l,
			  const struct stat *stats, bool *changed, struct error *err)
{
	struct status old;
	const char *name;
	size_t i = 0;

	while ((name = next_item(&b, &old))) {
		int order = -1;

		while (i < l->n &&
		       (order = compare_names(name, old.name_len, l->bytes.buf + l->at[i])) > 0)
			changed[i++] = true;
		if (i < l->n && order == 0) {
			size_t before = snapshot_push(&w->s, l->bytes.buf + l->at[i]);
			struct status now = status_of(&stats[i], old.name_len);

			changed[i++] = is_changed(w, &old, &now);
			strbuf_truncate(&w->s.path, before);
		} else if (add_gone(w, name, old.name_len, err) < 0) {
			return -1;
		}
	}
	while (i < l->n)
		changed[i++] = true;
	return 0;
}

static int walk_folder(struct walk *w, int *fd, struct error *err);

static int walk_name(struct walk *w, int *dirfd, const char *name, const struct stat *st,
		     bool changed, struct error *err)
{
	AUTO_FD int fd = -1;
	bool opaque;
	int r;

	if (changed && snapshot_check_name(&w->s, name, err) < 0)
		return -1;
	if (!S_ISDIR(st->st_mode))
		return changed ? snapshot_add_leaf(&w->s, *dirfd, name, st, err) : 0;
	fd = openat(*dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "read folder /%s", w->s.path.buf);
	if (changed && snapshot_add_folder(&w->s, fd, &opaque, err) < 0)
		return -1;
	if (w->s.depth > OPEN_DEPTH)
		close(take_fd(*dirfd));
	w->s.depth++;
	r = walk_folder(w, &fd, err);
	w->s.depth--;
	return r;
}

static int stat_all(struct walk *w, int fd, const struct names *l, struct stat *stats,
		    struct error *err)
{
	for (size_t i = 0; i < l->n; i++)
		if (snapshot_stat(&w->s, fd, l->bytes.buf + l->at[i], &stats[i], err) < 0)
			return -1;
	return 0;
}

/* *fd is the folder at the path. Far down it is closed while its folders are walked, and opened again by its path. */
static int walk_folder(struct walk *w, int *fd, struct error *err)
{
	AUTO(names) l = NAMES_INIT;
	AUTO_FREE struct stat *stats = NULL;
	AUTO_FREE bool *changed = NULL;
	struct block b;

	if (names_read(*fd, &l, w->s.path.buf, err) < 0)
		return -1;
	stats = xcalloc(l.n + 1, sizeof(*stats));
	changed = xcalloc(l.n + 1, sizeof(*changed));
	if (stat_all(w, *fd, &l, stats, err) < 0 || write_block(w, &l, stats, err) < 0 ||
	    find_block(w, &b, err) < 0)
		return -1;
	if (w->s.writer && compare_folder(w, b, &l, stats, changed, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		const char *name = l.bytes.buf + l.at[i];
		size_t before;

		if (!changed[i] && !S_ISDIR(stats[i].st_mode))
			continue;
		if (*fd < 0)
			*fd = fs_openat_beneath(w->s.rootfd, w->s.path.buf, O_RDONLY | O_DIRECTORY,
						0);
		if (*fd < 0)
			return error_errno(err, "read folder /%s", w->s.path.buf);
		before = snapshot_push(&w->s, name);
		if (walk_name(w, fd, name, &stats[i], changed[i], err) < 0)
			return -1;
		strbuf_truncate(&w->s.path, before);
	}
	return 0;
}

static int open_old(struct old_record *old, const char *file, struct status *root,
		    struct error *err)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open %s", file);
	if ((size_t)st.st_size < sizeof(*root))
		return record_torn(err);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(err, "read %s", file);
	old->data = data;
	old->len = (size_t)st.st_size;
	memcpy(root, old->data, sizeof(*root));
	old->at = sizeof(*root);
	return 0;
}

static int walk_root(struct walk *w, const char *file, struct error *err)
{
	struct status root;
	struct stat st;
	int fd = w->s.rootfd; /* stays open: depth 0 */

	if (fstat(fd, &st) < 0)
		return error_errno(err, "read the root of a step");
	w->out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->out < 0)
		return error_errno(err, "create %s", file);
	if (w->s.writer && snapshot_add_root(&w->s, &st, err) < 0)
		return -1;
	root = status_of(&st, 0);
	strbuf_add(&w->buffer, &root, sizeof(root));
	if (walk_folder(w, &fd, err) < 0)
		return -1;
	return flush(w, err);
}

int snapshot_record(int rootfd, const char *file, struct error *err)
{
	static const struct snapshot_options none = {.userns = false};
	AUTO(walk)
	w = {.s = SNAPSHOT_INIT(rootfd, &none, NULL), .out = -1, .buffer = STRBUF_INIT};

	return walk_root(&w, file, err);
}

int snapshot_copy(int rootfd, const struct snapshot_options *o, const char *before,
		  const char *after, struct layer_writer *writer, struct error *err)
{
	struct snapshot_options own = *o;
	struct stat lower = {0};
	struct status root;
	AUTO(walk)
	w = {.s = SNAPSHOT_INIT(rootfd, &own, writer), .out = -1, .buffer = STRBUF_INIT};

	if (open_old(&w.old, before, &root, err) < 0)
		return -1;
	lower.st_mode = root.mode;
	lower.st_uid = root.uid;
	lower.st_gid = root.gid;
	own.lower_root = &lower;
	return walk_root(&w, after, err);
}

void snapshot_settle(void)
{
	const struct timespec pause = {.tv_nsec = 500000};
	struct timespec start, now;

	/* Kernels without finer times stamp files with this clock. */
	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
}
