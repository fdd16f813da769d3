#include "oci/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/time.h"

#define LOCK_NAME "leases/lock"

struct lease {
	struct store *store;
	int fd;
	char name[96];
};

static int open_lock(struct store *s, int *fd, struct error *err)
{
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int opened = openat(store_dirfd(s), LOCK_NAME, flags, 0644);

	if (opened < 0 && errno == ENOENT && mkdirat(store_dirfd(s), "leases", 0755) == 0)
		opened = openat(store_dirfd(s), LOCK_NAME, flags, 0644);
	if (opened < 0)
		return store_write_failed(s, "the lock of leases", LOCK_NAME, err);
	*fd = opened;
	return 0;
}

/* Leases come and grow under a shared lock, prune works under an exclusive one. */
static int lock_leases(struct store *s, int how, int *fd, struct error *err)
{
	AUTO_FD int opened = -1;

	if (open_lock(s, &opened, err) < 0 || store_lock_fd(s, opened, how, "prunes", err) < 0)
		return -1;
	*fd = take_fd(opened);
	return 0;
}

int lease_lock(struct store *s, int *fd, struct error *err)
{
	return lock_leases(s, LOCK_EX, fd, err);
}

static bool is_read_only(struct store *s)
{
	struct statvfs st;

	return fstatvfs(store_dirfd(s), &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

static uint64_t nonce;

static void draw_nonce(void)
{
	if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		nonce = (uint64_t)time_monotonic_ns();
}

/*
 * What the names of this process's leases begin with. Containers that share a store have process ids of their own: the same
 * number may be at work in another one, and its lease must not be taken for ours.
 */
static char *own_prefix(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, draw_nonce);
	return xstrfmt("%d-%016" PRIx64 "-", (int)getpid(), nonce);
}

int lease_take(struct lease **out, struct store *s, struct error *err)
{
	static atomic_uint counter;
	AUTO_FD int lock = -1;
	AUTO_PTR(lease) l = xcalloc(1, sizeof(*l));
	AUTO_FREE char *prefix = own_prefix();

	l->store = s;
	l->fd = -1;
	/* Nobody prunes a store on a read-only file system, and what it holds can still be shown. */
	if (is_read_only(s)) {
		*out = take_ptr(l);
		return 0;
	}
	if (lock_leases(s, LOCK_SH, &lock, err) < 0)
		return -1;
	do {
		snprintf(l->name, sizeof(l->name), "leases/%s%u", prefix,
			 atomic_fetch_add(&counter, 1));
		l->fd = openat(store_dirfd(s), l->name,
			       O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       0644);
	} while (l->fd < 0 && errno == EEXIST);
	/* The file's own times move when lease_keep() adds to it, so its beginning is written down. */
	if (l->fd < 0 || flock(l->fd, LOCK_EX | LOCK_NB) < 0 ||
	    dprintf(l->fd, "since %lld\n", (long long)time_now()) < 0)
		return store_write_failed(s, "a lease", l->name, err);
	*out = take_ptr(l);
	return 0;
}

int lease_keep(struct lease *l, const struct digest *d, struct error *err)
{
	AUTO_FD int lock = -1;
	AUTO_FREE char *line = xstrfmt("%s\n", d->text);

	if (l->fd < 0)
		return 0;
	if (lock_leases(l->store, LOCK_SH, &lock, err) < 0)
		return -1;
	/* One write on an O_APPEND descriptor: threads that share the lease do not mix their lines. */
	if (write(l->fd, line, strlen(line)) != (ssize_t)strlen(line))
		return store_write_failed(l->store, "a lease", l->name, err);
	return 0;
}

void lease_free(struct lease *l)
{
	if (!l)
		return;
	if (l->fd >= 0) {
		unlinkat(store_dirfd(l->store), l->name, 0);
		close(l->fd);
	}
	free(l);
}

static void note_since(struct lease_summary *out, int64_t since)
{
	if (since < out->oldest)
		out->oldest = since;
}

static int read_kept(struct lease_summary *out, int fd, const char *name, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) lines = STRLIST_INIT;
	size_t before = out->kept.n;

	if (fs_read_fd(fd, name, &text, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	strlist_split(&lines, text.buf, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		struct digest d;

		if (str_starts(lines.items[i], "since "))
			note_since(out, strtoll(lines.items[i] + strlen("since "), NULL, 10));
		else if (digest_parse(&d, lines.items[i], NULL) == 0)
			strlist_add(&out->kept, d.text);
	}
	out->general += out->kept.n == before;
	return 0;
}

/* One file of leases/. A dead one is removed; own tells that it is of this process. */
static int survey_one(struct lease_summary *out, int dirfd, const char *name, bool own,
		      struct error *err)
{
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "read the lease %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		unlinkat(dirfd, name, 0);
		return 0;
	}
	if (own)
		return 0;
	out->live++;
	return read_kept(out, fd, name, err);
}

static int survey(struct store *s, bool skip_own, struct lease_summary *out, struct error *err)
{
	AUTO_FREE char *own = own_prefix();
	int fd = openat(store_dirfd(s), "leases", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	int result = 0;

	out->oldest = INT64_MAX;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT ? 0
				       : error_errno(err, "list the leases of %s", store_root(s));
	}
	while (result == 0 && (e = readdir(dir)) != NULL)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			result = survey_one(out, fd, e->d_name,
					    skip_own && str_starts(e->d_name, own), err);
	closedir(dir);
	return result;
}

int lease_survey(struct store *s, struct lease_summary *out, struct error *err)
{
	AUTO(lease_summary) found = {0};

	if (survey(s, true, &found, err) < 0)
		return -1;
	*out = found;
	memset(&found, 0, sizeof(found));
	return 0;
}

int lease_oldest(struct store *s, int64_t *since, struct error *err)
{
	AUTO(lease_summary) found = {0};
	AUTO_FD int lock = -1;

	if (lease_lock(s, &lock, err) < 0 || survey(s, false, &found, err) < 0)
		return -1;
	*since = found.oldest;
	return 0;
}

void lease_summary_release(struct lease_summary *l)
{
	if (!l)
		return;
	strlist_release(&l->kept);
	memset(l, 0, sizeof(*l));
}
