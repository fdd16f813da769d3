#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/time.h"
#include "builder/copy_source.h"

bool copy_same_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int copy_changed(const struct copy_request *r, const char *path, struct error *err)
{
	error_set(err, ERROR_CORRUPT, "%s/%s changed while the build was reading it",
		  r->context->path, path);
	return error_hint(err, "Build again when nothing writes to it, or exclude it in "
			       ".dockerignore.");
}

int copy_cannot_open(const struct copy_request *r, const char *path, struct error *err)
{
	bool denied = errno == EACCES || errno == EPERM;

	error_errno(err, "open %s/%s", r->context->path, path);
	if (denied)
		error_hint(err, "Make it readable for the user who builds, or exclude it in "
				".dockerignore.");
	return -1;
}

int copy_open_file(const struct copy_request *r, const char *path, const struct entry *e, int *fd,
		   struct stat *st, struct error *err)
{
	AUTO_FD int opened = fs_openat_beneath(r->context->dirfd, path, O_RDONLY | O_NONBLOCK, 0);

	if (opened < 0)
		return copy_cannot_open(r, path, err);
	if (fstat(opened, st) < 0)
		return error_errno(err, "look at %s/%s", r->context->path, path);
	if (!S_ISREG(st->st_mode) || st->st_size != e->size)
		return copy_changed(r, path, err);
	*fd = take_fd(opened);
	return 0;
}

/* Reads size bytes; fewer mean that somebody cut the file. */
static int hash_file(const struct copy_request *r, int fd, const char *path, int64_t size,
		     uint8_t digest[SHA256_SIZE], struct error *err)
{
	AUTO(sha256) h = SHA256_INIT;
	char block[65536];
	int64_t left = size;

	sha256_init(&h);
	while (left > 0) {
		ssize_t n = read(fd, block,
				 left < (int64_t)sizeof(block) ? (size_t)left : sizeof(block));

		if (n < 0)
			return error_errno(err, "read %s/%s", r->context->path, path);
		if (n == 0)
			return copy_changed(r, path, err);
		sha256_update(&h, block, (size_t)n);
		left -= n;
		if (cancel_check(r->cancel, err) < 0)
			return -1;
	}
	sha256_final(&h, digest);
	return 0;
}

int copy_item_digest(const struct copy_request *r, const struct copy_item *item,
		     uint8_t digest[SHA256_SIZE], struct error *err)
{
	AUTO_FD int fd = -1;
	struct stat st, after;
	int64_t now;

	if (item->node) {
		memcpy(digest, tree_content(item->node), SHA256_SIZE);
		return 0;
	}
	if (r->stat_cache && stat_cache_get(r->stat_cache, item->st, digest))
		return 0;
	now = time_now_ns();
	if (copy_open_file(r, item->path, &item->e, &fd, &st, err) < 0 ||
	    hash_file(r, fd, item->path, st.st_size, digest, err) < 0)
		return -1;
	if (fstat(fd, &after) < 0)
		return error_errno(err, "look at %s/%s", r->context->path, item->path);
	if (!copy_same_state(&st, &after))
		return copy_changed(r, item->path, err);
	if (r->stat_cache)
		stat_cache_put(r->stat_cache, &st, now, digest);
	return 0;
}
