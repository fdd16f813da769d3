#include "oci/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "oci/store.h"

/* Dirty pages are handed to the disk in pieces of this size while the next bytes arrive, so that the fsync at the end is short. */
#define WRITEBACK_STEP (16 << 20)
#define COPY_CHUNK     (1u << 20)
/* A new blob of at most this many bytes gets a file when it is known that the store lacks it. */
#define HELD_MAX 4096

struct ingest {
	struct sink sink;
	struct store *store;
	int fd;
	char name[INGEST_NAME_SIZE]; /* below the root; "" without a file that is ours */
	uint8_t *held;          /* all bytes, as long as there is no file; NULL: there was one */
	struct digest expected; /* unset: not known beforehand */
	struct digester digester;
	int64_t size, flushed;
	int64_t hashed; /* how many of the bytes the digester saw */
	bool present, failed;
	bool is_upload; /* the file stays until it is committed or discarded */
};

static void forget(struct ingest *in, bool remove)
{
	if (remove && in->name[0])
		unlinkat(store_dirfd(in->store), in->name, 0);
	in->name[0] = '\0';
	free(take_ptr(in->held));
}

static const char *describe(const struct ingest *in)
{
	return digest_is_set(&in->expected) ? in->expected.text : "a new blob";
}

static int write_failed(struct ingest *in, struct error *err)
{
	AUTO_FREE char *what = xstrfmt("%s (after %lld bytes)", describe(in), (long long)in->size);

	return store_write_failed(in->store, what, in->name, err);
}

static void start_writeback(struct ingest *in)
{
	if (in->size - in->flushed < WRITEBACK_STEP)
		return;
	/* Advice only: what fails here fails again in fsync. */
	sync_file_range(in->fd, in->flushed, in->size - in->flushed, SYNC_FILE_RANGE_WRITE);
	in->flushed = in->size;
}

static bool is_usable(const struct ingest *in)
{
	return !in->failed && (in->held || in->name[0]);
}

static int write_at(struct ingest *in, const void *data, size_t len, int64_t offset,
		    struct error *err)
{
	const char *p = data;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(in->fd, p + done, len - done, offset + (int64_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			in->failed = true;
			return write_failed(in, err);
		}
		done += (size_t)n;
	}
	return 0;
}

/* Gives what is held a file. */
static int spill(struct ingest *in, struct error *err)
{
	AUTO_FREE uint8_t *held = take_ptr(in->held);

	if (!held)
		return 0;
	if (ingest_temp_file(in->store, in->name, &in->fd, err) < 0) {
		in->name[0] = '\0';
		in->failed = true;
		return -1;
	}
	return write_at(in, held, (size_t)in->size, 0, err);
}

static int ingest_write(struct sink *s, const void *data, size_t len, struct error *err)
{
	struct ingest *in = (struct ingest *)s;

	if (!is_usable(in))
		return error_set(err, ERROR_SYSTEM, "write %s: an earlier write failed",
				 describe(in));
	if (in->size + (int64_t)len > LIMIT_BLOB_BYTES)
		return error_set(err, ERROR_CORRUPT, "%s is larger than the limit of %lld bytes",
				 describe(in), (long long)LIMIT_BLOB_BYTES);
	if (in->held && in->size + (int64_t)len <= HELD_MAX) {
		if (len)
			memcpy(in->held + in->size, data, len);
	} else if (spill(in, err) < 0 || write_at(in, data, len, in->size, err) < 0) {
		return -1;
	}
	/* What an upload has from before its process began is hashed at its end, and so is what follows. */
	if (in->hashed == in->size) {
		digester_update(&in->digester, data, len);
		in->hashed += (int64_t)len;
	}
	in->size += (int64_t)len;
	if (!in->held)
		start_writeback(in);
	return 0;
}

int ingest_temp_file(struct store *s, char name[INGEST_NAME_SIZE], int *fd, struct error *err)
{
	static atomic_uint counter;
	int dirfd = store_dirfd(s);

	for (;;) {
		snprintf(name, INGEST_NAME_SIZE, "ingest/tmp-%d-%u", (int)getpid(),
			 atomic_fetch_add(&counter, 1));
		AUTO_FD int opened = openat(
			dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (opened >= 0) {
			/* Nobody else knows the name: it cannot be locked but by a prune that is looking. */
			flock(opened, LOCK_EX);
			*fd = take_fd(opened);
			return 0;
		}
		if (errno == ENOENT && mkdirat(dirfd, "ingest", 0700) == 0)
			continue;
		if (errno != EEXIST)
			return store_write_failed(s, "a temporary file", name, err);
	}
}

/* Does the name still mean the locked file? Its former owner may have renamed it into place, or prune removed it. */
static bool is_same_file(const struct ingest *in)
{
	struct stat here, there;

	return fstat(in->fd, &here) == 0 &&
	       fstatat(store_dirfd(in->store), in->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static void partial_name(char name[INGEST_NAME_SIZE], const struct digest *d)
{
	snprintf(name, INGEST_NAME_SIZE, "ingest/%s.part", digest_hex(d));
}

static int open_partial(struct ingest *in, struct error *err)
{
	int dirfd = store_dirfd(in->store);
	AUTO_FREE char *what = xstrfmt("is fetching %s", in->expected.text);

	for (;;) {
		in->fd = openat(dirfd, in->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (in->fd < 0 && errno == ENOENT && mkdirat(dirfd, "ingest", 0700) == 0)
			continue;
		if (in->fd < 0)
			return store_write_failed(in->store, describe(in), in->name, err);
		if (store_lock_fd(in->store, in->fd, LOCK_EX, what, err) < 0)
			return -1;
		if (is_same_file(in))
			return 0;
		close(in->fd);
		in->fd = -1;
	}
}

/* Hashes what an earlier attempt left; what cannot be read is fetched again. */
static int continue_partial(struct ingest *in, struct error *err)
{
	AUTO(error) unreadable = ERROR_INIT;

	if (digester_update_fd(&in->digester, in->fd, in->name, &in->size, &unreadable) < 0 ||
	    in->size > LIMIT_BLOB_BYTES)
		return ingest_restart(in, err);
	in->flushed = in->hashed = in->size;
	return 0;
}

/* An ingest without a file. */
static struct ingest *ingest_new(struct store *s, const struct digest *expected)
{
	struct ingest *in = xcalloc(1, sizeof(*in));

	in->sink.write = ingest_write;
	in->store = s;
	in->fd = -1;
	digester_init(&in->digester, expected);
	return in;
}

int ingest_begin(struct ingest **out, struct store *s, const struct digest *expected,
		 struct error *err)
{
	AUTO_PTR(ingest) in = ingest_new(s, expected);

	if (!expected) {
		in->held = xmalloc(HELD_MAX);
		*out = take_ptr(in);
		return 0;
	}
	in->expected = *expected;
	partial_name(in->name, expected);
	if (open_partial(in, err) < 0) {
		/* Another process's file is not ours to remove. */
		forget(in, false);
		return -1;
	}
	/* Whoever comes here missed it: it arrived in the meantime, or is damaged and then makes room. */
	in->present = store_touch(s, expected, -1) && store_verify_blob(s, expected, -1, NULL) == 0;
	if (!in->present && continue_partial(in, err) < 0)
		return -1;
	*out = take_ptr(in);
	return 0;
}

int ingest_upload(struct ingest **out, struct store *s, const char *id, bool make,
		  struct error *err)
{
	int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | (make ? O_CREAT | O_EXCL : 0);
	AUTO_PTR(ingest) in = ingest_new(s, NULL);
	struct stat st;

	in->is_upload = true;
	snprintf(in->name, sizeof(in->name), INGEST_UPLOAD "%s", id);
	in->fd = openat(store_dirfd(s), in->name, flags, 0600);
	if (in->fd < 0 && make)
		return store_write_failed(s, "an upload", in->name, err);
	if (in->fd < 0)
		return error_errno(err, "continue the upload %s", id);
	if (flock(in->fd, LOCK_EX | LOCK_NB) < 0 || fstat(in->fd, &st) < 0 || !is_same_file(in))
		return error_errno(err, "continue the upload %s", id);
	/* A crash of the machine may take the bytes, not the name. */
	if (make && fs_fsync_dir(store_dirfd(s), "ingest", err) < 0)
		return -1;
	in->size = in->flushed = st.st_size;
	*out = take_ptr(in);
	return 0;
}

int64_t ingest_upload_size(struct store *s, const char *id)
{
	char name[INGEST_NAME_SIZE];
	struct stat st;

	snprintf(name, sizeof(name), INGEST_UPLOAD "%s", id);
	return fstatat(store_dirfd(s), name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : -1;
}

int ingest_expect(struct ingest *in, const struct digest *expected, struct error *err)
{
	bool is_hashed = in->hashed == in->size &&
			 (in->size == 0 || in->digester.is_sha512 == digest_is_sha512(expected));

	in->expected = *expected;
	if (is_hashed && in->size > 0)
		return 0;
	digester_release(&in->digester);
	digester_init(&in->digester, expected);
	in->hashed = 0;
	if (in->size > 0 &&
	    (lseek(in->fd, 0, SEEK_SET) < 0 ||
	     digester_update_fd(&in->digester, in->fd, in->name, &in->hashed, err) < 0))
		return error_wrap(err, "hash what was uploaded");
	return 0;
}

int ingest_cut(struct ingest *in, int64_t size, struct error *err)
{
	if (size >= in->size)
		return 0;
	if (size == 0)
		return ingest_restart(in, err);
	if (ftruncate(in->fd, size) < 0)
		return store_write_failed(in->store, describe(in), in->name, err);
	in->size = in->flushed = size;
	in->hashed = -1;
	return 0;
}

void ingest_discard(struct ingest *in)
{
	if (in)
		forget(in, true);
	ingest_free(in);
}

bool ingest_is_present(const struct ingest *in)
{
	return in->present;
}

bool ingest_has_failed(const struct ingest *in)
{
	return in->failed;
}

struct sink *ingest_sink(struct ingest *in)
{
	return &in->sink;
}

int64_t ingest_size(const struct ingest *in)
{
	return in->size;
}

int ingest_restart(struct ingest *in, struct error *err)
{
	digester_release(&in->digester);
	digester_init(&in->digester, digest_is_set(&in->expected) ? &in->expected : NULL);
	in->size = in->flushed = in->hashed = 0;
	in->sink.failed = ERROR_NONE;
	if (in->held)
		return 0;
	in->failed = !in->name[0];
	if (in->failed || ftruncate(in->fd, 0) < 0 || lseek(in->fd, 0, SEEK_SET) < 0) {
		in->failed = true;
		return store_write_failed(in->store, describe(in), in->name, err);
	}
	return 0;
}

int ingest_copy(struct ingest *in, int fd, const char *name, struct error *err)
{
	if (spill(in, err) < 0)
		return -1;
	if (in->size == 0 && lseek(fd, 0, SEEK_CUR) == 0 && ioctl(in->fd, FICLONE, fd) == 0) {
		if (digester_update_fd(&in->digester, in->fd, in->name, &in->size, err) < 0)
			return -1;
		in->hashed = in->size;
		return 0;
	}

	AUTO_FREE char *buf = xmalloc(COPY_CHUNK);

	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (;;) {
		ssize_t n = read(fd, buf, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s", name);
		if (n == 0)
			return 0;
		if (sink_write(&in->sink, buf, (size_t)n, err) < 0)
			return -1;
	}
}

static int move_into_place(struct ingest *in, const struct digest *d, struct error *err)
{
	const char *folder = digest_is_sha512(d) ? "blobs/sha512" : "blobs/sha256";
	int dirfd = store_dirfd(in->store);
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	if (renameat(dirfd, in->name, dirfd, path) < 0) {
		/* sha512 blobs are rare: their folder is made when the first one comes. */
		if (errno != ENOENT || (mkdirat(dirfd, folder, 0755) < 0 && errno != EEXIST) ||
		    renameat(dirfd, in->name, dirfd, path) < 0)
			return store_write_failed(in->store, d->text, path, err);
		if (fs_fsync_dir(dirfd, "blobs", err) < 0)
			return error_wrap(err, "store %s", d->text);
	}
	forget(in, false);
	if (fs_fsync_dir(dirfd, folder, err) < 0)
		return error_wrap(err, "store %s", d->text);
	return 0;
}

/* ERROR_CORRUPT when the bytes are not the promised ones. */
static int check_bytes(const struct ingest *in, const struct digest *got, int64_t size,
		       struct error *err)
{
	if (size >= 0 && in->size != size)
		return error_set(err, ERROR_CORRUPT, "%s: got %lld bytes instead of %lld",
				 describe(in), (long long)in->size, (long long)size);
	if (digest_is_set(&in->expected) && !digest_equal(&in->expected, got))
		return error_set(err, ERROR_CORRUPT, "%s: the bytes that came have the digest %s",
				 in->expected.text, got->text);
	return 0;
}

static int verify(struct ingest *in, struct digest *got, int64_t size, struct error *err)
{
	if (!is_usable(in))
		return error_set(err, ERROR_SYSTEM, "store %s: an earlier write failed",
				 describe(in));
	*got = digester_final(&in->digester);
	if (check_bytes(in, got, size, err) == 0)
		return 0;
	forget(in, true);
	return -1;
}

int ingest_check(struct ingest *in, int64_t size, struct error *err)
{
	struct digest got;

	if (verify(in, &got, size, err) < 0)
		return -1;
	in->failed = true;
	return 0;
}

int ingest_reader(const struct ingest *in, int *fd, struct error *err)
{
	/* Opened anew: a duplicate would share the lock of the owner, and hold it longer. */
	*fd = openat(store_dirfd(in->store), in->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? error_errno(err, "read %s", in->name) : 0;
}

int ingest_commit(struct ingest *in, struct digest *digest, int64_t size, struct error *err)
{
	struct digest got;

	if (verify(in, &got, size, err) < 0)
		return -1;
	if (store_touch(in->store, &got, in->size)) {
		forget(in, true);
	} else {
		/*
		 * After a failed fsync the kernel may have dropped the pages and a second call would say
		 * yes: the file is given up.
		 */
		if (spill(in, err) < 0 || (fsync(in->fd) < 0 && write_failed(in, err) < 0)) {
			forget(in, true);
			return -1;
		}
		if (move_into_place(in, &got, err) < 0)
			return -1;
	}
	if (digest)
		*digest = got;
	return 0;
}

void ingest_free(struct ingest *in)
{
	if (!in)
		return;
	forget(in,
	       !in->is_upload && (!digest_is_set(&in->expected) || in->present || in->size == 0));
	if (in->fd >= 0)
		close(in->fd);
	digester_release(&in->digester);
	free(in);
}

void ingest_forget_whole(struct store *s, const struct digest *d, int64_t size)
{
	char name[INGEST_NAME_SIZE];
	struct stat st;

	partial_name(name, d);
	AUTO_FD int fd = openat(store_dirfd(s), name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	/* Who opens it later finds, when the lock is free, that the name is gone. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
	    st.st_size == size)
		unlinkat(store_dirfd(s), name, 0);
}
