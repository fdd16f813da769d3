#include "oci/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/path.h"
#include "oci/store_private.h"

#define LAYOUT_TEXT  "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX  "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}"
#define EMPTY_SHA256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LAYOUT_LIMIT 4096

/* A symbolic link that a third person put there could lead us to write into a folder of ours that is none of slipway's business. */
static int check_link(const char *root, bool *missing, struct error *err)
{
	struct stat st;

	*missing = false;
	if (lstat(root, &st) < 0) {
		*missing = errno == ENOENT;
		return *missing ? 0 : error_errno(err, "open the state folder %s", root);
	}
	if (S_ISLNK(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(err, ERROR_DENIED,
				 "the state folder %s is a symbolic link made by user %u", root,
				 (unsigned)st.st_uid);
	return 0;
}

static bool is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool empty = dir != NULL;

	if (fd >= 0 && !dir)
		close(fd);
	while (empty && (e = readdir(dir)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return empty;
}

/*
 * A volume that was made for slipway, as Kubernetes gives them: open to everybody, and with nothing in it that others could have
 * written. With the sticky bit it would be a folder that everybody is meant to use.
 */
static bool make_private(const struct store *s, const struct stat *st)
{
	if ((st->st_mode & S_ISVTX) || !is_empty(s->dirfd) || fchmod(s->dirfd, 0700) < 0)
		return false;
	if (is_empty(s->dirfd))
		return true;
	(void)!fchmod(s->dirfd, st->st_mode & 07777);
	return false;
}

static int check_owner(const struct store *s, struct error *err)
{
	struct stat st;

	if (fstat(s->dirfd, &st) < 0)
		return error_errno(err, "open the state folder %s", s->root);
	if (st.st_uid != geteuid())
		error_set(err, ERROR_DENIED,
			  "the state folder %s belongs to user %u, and slipway runs as user %u",
			  s->root, (unsigned)st.st_uid, (unsigned)geteuid());
	else if ((st.st_mode & 022) && !make_private(s, &st))
		error_set(err, ERROR_DENIED,
			  "the state folder %s can be written by others (mode %04o); "
			  "run chmod 0700 %s if you trust what is in it",
			  s->root, (unsigned)(st.st_mode & 07777), s->root);
	else
		return 0;
	return error_hint(err, "another folder can be chosen with SLIPWAY_ROOT");
}

int store_check_layout(int dirfd, const char *folder, bool *missing, struct error *err)
{
	AUTO_FD int fd = openat(dirfd, "oci-layout", O_RDONLY | O_CLOEXEC);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = NULL;
	AUTO_FREE char *where = path_join(folder, "oci-layout");
	const char *version;

	*missing = fd < 0 && errno == ENOENT;
	if (*missing)
		return 0;
	if (fd < 0)
		return error_errno(err, "open %s", where);
	if (fs_read_fd(fd, where, &text, LAYOUT_LIMIT, err) < 0 ||
	    json_parse(&j, text.buf, text.len, where, err) < 0 ||
	    json_get_string(j, "imageLayoutVersion", &version, where, err) < 0)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: image layout version \"%s\"; only 1.0.0 is known", where,
				 version);
	return 0;
}

static int make_folders(struct store *s, struct error *err)
{
	static const char *const names[] = {"blobs", "blobs/sha256", "ingest", "layers",
					    "cache", "meta",         "leases"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mkdirat(s->dirfd, names[i], 0755) < 0 && errno != EEXIST)
			return store_write_failed(s, "a folder of the store", names[i], err);
	return 0;
}

/*
 * The folders on the way to the store, some of which were perhaps just made. One above its parent that cannot be synced is
 * not ours, so it was there.
 */
static int sync_above(const struct store *s, struct error *err)
{
	AUTO_FREE char *dir = path_dir(s->root);

	if (fs_fsync_dir(AT_FDCWD, dir, err) < 0)
		return -1;
	while (strcmp(dir, "/") != 0) {
		char *parent = path_dir(dir);

		free(dir);
		dir = parent;
		if (fs_fsync_dir(AT_FDCWD, dir, NULL) < 0)
			return 0;
	}
	return 0;
}

/* oci-layout is written last: a folder that has it is whole. */
static int make_layout(struct store *s, struct error *err)
{
	AUTO_FD int lock = -1;
	bool missing;

	if (store_lock(s, "index.lock", "is making the store", &lock, err) < 0 ||
	    store_check_layout(s->dirfd, s->root, &missing, err) < 0)
		return -1;
	if (!missing)
		return 0;
	/* Syncing blobs/sha256 makes its own name last on some file systems only. */
	if (make_folders(s, err) < 0 || fs_fsync_dir(s->dirfd, "blobs", err) < 0)
		return -1;
	if (faccessat(s->dirfd, "index.json", F_OK, 0) < 0 &&
	    store_write_file(s, "index.json", EMPTY_INDEX, strlen(EMPTY_INDEX), true, err) < 0)
		return -1;
	if (store_write_file(s, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), true, err) < 0)
		return -1;
	return sync_above(s, err);
}

int store_open(struct store **out, const char *root, struct error *err)
{
	AUTO_PTR(store) s = xcalloc(1, sizeof(*s));
	bool missing;

	s->dirfd = -1;
	s->root = path_is_absolute(root) ? xstrdup(root) : NULL;
	if (!s->root) {
		AUTO_FREE char *cwd = getcwd(NULL, 0);

		if (!cwd)
			return error_errno(err, "find the state folder %s", root);
		s->root = path_resolve(cwd, root);
	}
	if (check_link(s->root, &missing, err) < 0)
		return -1;
	if (missing && fs_mkdir_p(s->root, 0700, err) < 0) {
		error_wrap(err, "make the state folder %s", s->root);
		return error_hint(err, "choose a writable folder with SLIPWAY_ROOT");
	}
	s->dirfd = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0) {
		error_errno(err, "open the state folder %s", s->root);
		return error_hint(err, "another folder can be chosen with SLIPWAY_ROOT");
	}
	if (check_owner(s, err) < 0 || store_check_layout(s->dirfd, s->root, &missing, err) < 0)
		return -1;
	if (missing && make_layout(s, err) < 0)
		return error_wrap(err, "make the store %s", s->root);
	*out = take_ptr(s);
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->root);
	free(s);
}

const char *store_root(const struct store *s)
{
	return s->root;
}

int store_dirfd(const struct store *s)
{
	return s->dirfd;
}

char *store_path(const struct store *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *rest = xstrvfmt(fmt, ap);
	va_end(ap);
	return path_join(s->root, rest);
}

void store_only_look(struct store *s, bool on)
{
	s->only_looks = on;
}

bool store_only_looks(const struct store *s)
{
	return s->only_looks;
}

void store_blob_path(const struct digest *d, char out[STORE_BLOB_PATH])
{
	snprintf(out, STORE_BLOB_PATH, "blobs/%s/%s", digest_is_sha512(d) ? "sha512" : "sha256",
		 digest_hex(d));
}

static bool stat_blob(struct store *s, const struct digest *d, const char *path, struct stat *st)
{
	if (!digest_is_set(d) || fstatat(s->dirfd, path, st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st->st_mode))
		return false;
	/* A file cut to nothing by a crash of the machine is the commonest damage, and free to see. */
	return st->st_size > 0 || strcmp(d->text, EMPTY_SHA256) == 0 || digest_is_sha512(d);
}

bool store_has(struct store *s, const struct digest *d, int64_t size)
{
	char path[STORE_BLOB_PATH];
	struct stat st;

	store_blob_path(d, path);
	return stat_blob(s, d, path, &st) && (size < 0 || st.st_size == size);
}

bool store_touch(struct store *s, const struct digest *d, int64_t size)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	return store_has(s, d, size) &&
	       (utimensat(s->dirfd, path, NULL, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT);
}

static int not_here(const struct store *s, const struct digest *d, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "blob %s is not in the store %s", d->text, s->root);
}

static int open_any(struct store *s, const struct digest *d, int *fd, int64_t *found,
		    struct error *err)
{
	char path[STORE_BLOB_PATH];
	struct stat st;

	store_blob_path(d, path);
	if (!digest_is_set(d))
		return not_here(s, d, err);
	AUTO_FD int opened = openat(s->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (opened < 0 && errno == ENOENT)
		return not_here(s, d, err);
	if (opened < 0 || fstat(opened, &st) < 0)
		return error_errno(err, "open blob %s", d->text);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CORRUPT, "%s/%s is not a file", s->root, path);
	*found = st.st_size;
	*fd = take_fd(opened);
	return 0;
}

/* ERROR_CORRUPT with *is_damaged when the bytes are not the digest's (a disk that cannot read them included). */
static int check_blob(struct store *s, const struct digest *d, int64_t size, bool *is_damaged,
		      struct error *err)
{
	AUTO(digester) digester;
	AUTO(error) bad = ERROR_INIT;
	AUTO_FD int fd = -1;
	int64_t found;

	*is_damaged = false;
	digester_init(&digester, d);
	if (open_any(s, d, &fd, &found, err) < 0)
		return -1;
	if (digester_update_fd(&digester, fd, d->text, NULL, &bad) < 0) {
		*is_damaged = bad.number == EIO;
		return *is_damaged
			       ? error_set(err, ERROR_CORRUPT, "blob %s: %s", d->text, bad.message)
			       : error_move(err, &bad);
	}
	struct digest got = digester_final(&digester);

	*is_damaged = !digest_equal(&got, d);
	if (*is_damaged)
		return error_set(err, ERROR_CORRUPT,
				 "blob %s in the store %s is damaged: its bytes have the digest %s",
				 d->text, s->root, got.text);
	if (size >= 0 && size != found)
		return error_set(err, ERROR_CORRUPT,
				 "blob %s has %lld bytes, but a descriptor says %lld", d->text,
				 (long long)found, (long long)size);
	return 0;
}

int store_check_blob(struct store *s, const struct digest *d, int64_t size, struct error *err)
{
	bool is_damaged;

	return check_blob(s, d, size, &is_damaged, err);
}

static int quarantined(struct store *s, const struct digest *d, struct error *err)
{
	if (s->only_looks)
		return -1;
	store_quarantine(s, d);
	return error_hint(err,
			  "it was set aside as ingest/corrupt-%.12s...; fetch or build it again",
			  digest_hex(d));
}

int store_verify_blob(struct store *s, const struct digest *d, int64_t size, struct error *err)
{
	bool is_damaged;

	if (check_blob(s, d, size, &is_damaged, err) == 0)
		return 0;
	return is_damaged ? quarantined(s, d, err) : -1;
}

int store_open_blob(struct store *s, const struct digest *d, int64_t size, int *fd, int64_t *found,
		    struct error *err)
{
	int64_t have;

	/* Between the two looks another process may have put a good blob in the place of a damaged one. */
	for (int look = 0; look < 2; look++) {
		AUTO_FD int opened = -1;

		if (open_any(s, d, &opened, &have, err) < 0)
			return -1;
		if (size < 0 || have == size) {
			*fd = take_fd(opened);
			if (found)
				*found = have;
			return 0;
		}
		if (store_verify_blob(s, d, size, err) < 0)
			return -1;
	}
	return error_set(err, ERROR_CORRUPT, "blob %s changes while it is being opened", d->text);
}

int store_read_blob(struct store *s, const struct digest *d, int64_t size, struct strbuf *out,
		    size_t limit, struct error *err)
{
	AUTO_FD int fd = -1;
	int64_t found;

	if (store_open_blob(s, d, size, &fd, &found, err) < 0)
		return -1;
	strbuf_reset(out);
	if (found > (int64_t)limit)
		return error_set(err, ERROR_CORRUPT, "blob %s has %lld bytes; the limit is %zu",
				 d->text, (long long)found, limit);
	if (fs_read_fd(fd, d->text, out, limit, err) < 0)
		return -1;
	AUTO(digester) digester;

	digester_init(&digester, d);
	digester_update(&digester, out->buf, out->len);
	struct digest got = digester_final(&digester);

	if (digest_equal(&got, d))
		return 0;
	error_set(err, ERROR_CORRUPT,
		  "blob %s in the store %s is damaged: its bytes have the digest %s", d->text,
		  s->root, got.text);
	return quarantined(s, d, err);
}

void store_quarantine(struct store *s, const struct digest *d)
{
	char from[STORE_BLOB_PATH], to[STORE_BLOB_PATH];

	if (!digest_is_set(d) || s->only_looks)
		return;
	store_blob_path(d, from);
	snprintf(to, sizeof(to), "ingest/corrupt-%s", digest_hex(d));
	if (renameat(s->dirfd, from, s->dirfd, to) == 0)
		/* Prune drops it a day after this moment, not after the blob was made. */
		utimensat(s->dirfd, to, NULL, AT_SYMLINK_NOFOLLOW);
}

int store_delete_blob(struct store *s, const struct digest *d, struct error *err)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	if (digest_is_set(d) && unlinkat(s->dirfd, path, 0) < 0 && errno != ENOENT)
		return error_errno(err, "remove blob %s", d->text);
	return 0;
}

int store_put(struct store *s, const char *media_type, const void *data, size_t len,
	      struct descriptor *desc, struct error *err)
{
	struct digest d = digest_of(data, len);
	AUTO_PTR(ingest) in = NULL;

	if (!store_touch(s, &d, (int64_t)len)) {
		if (ingest_begin(&in, s, NULL, err) < 0 ||
		    sink_write(ingest_sink(in), data, len, err) < 0 ||
		    ingest_commit(in, NULL, (int64_t)len, err) < 0)
			return -1;
	}
	descriptor_set(desc, media_type, &d, (int64_t)len);
	return 0;
}
