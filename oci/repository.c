#include "oci/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "oci/reference.h"

#define TOP        "repositories"
#define NAME_LIMIT 255
#define LINK_SIZE  140

bool repository_is_name(const char *name)
{
	return strlen(name) <= NAME_LIMIT && !image_ref_check_path(name);
}

/* "repositories/NAME/rest"; the name was checked, so that it cannot leave the folder. free() */
static char *path_of(const char *name, const char *rest)
{
	char *path = xstrfmt(TOP "/%s%s%s", name, *rest ? "/" : "", rest);

	for (char *p = path + strlen(TOP "/"); p < path + strlen(TOP "/") + strlen(name); p++)
		if (*p == '/')
			*p = ',';
	return path;
}

static void link_name(const struct digest *d, char out[LINK_SIZE])
{
	snprintf(out, LINK_SIZE, "%s-%s", digest_is_sha512(d) ? "sha512" : "sha256", digest_hex(d));
}

static char *link_path(const char *name, const char *kind, const struct digest *d)
{
	char link[LINK_SIZE];

	link_name(d, link);
	AUTO_FREE char *rest = xstrfmt("%s/%s", kind, link);

	return path_of(name, rest);
}

static bool parse_link(const char *link, struct digest *out)
{
	AUTO_FREE char *text = xstrdup(link);
	char *dash = strchr(text, '-');

	if (dash)
		*dash = ':';
	return digest_parse(out, text, NULL) == 0;
}

/* One folder, and its name in the one above lasts. */
static int make_folder(struct store *s, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *above = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");

	if (mkdirat(store_dirfd(s), path, 0755) < 0)
		return errno == EEXIST
			       ? 0
			       : store_write_failed(s, "a folder of a repository", path, err);
	return fs_fsync_dir(store_dirfd(s), above, err);
}

static bool is_there(struct store *s, const char *path)
{
	struct stat st;

	return fstatat(store_dirfd(s), path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool repository_exists(struct store *s, const char *name)
{
	AUTO_FREE char *path = path_of(name, "tags");

	return repository_is_name(name) && is_there(s, path);
}

int repository_make(struct store *s, const char *name, struct error *err)
{
	/* tags is last: with it the repository exists. */
	static const char *const parts[] = {"", "blobs", "manifests", "referrers", "tags"};

	if (!repository_is_name(name))
		return error_set(err, ERROR_SYNTAX, "\"%.300s\" is no name of a repository", name);
	if (repository_exists(s, name))
		return 0;
	if (make_folder(s, TOP, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		AUTO_FREE char *path = path_of(name, parts[i]);

		if (make_folder(s, path, err) < 0)
			return -1;
	}
	return 0;
}

static int add_name(void *arg, int dirfd, const char *entry, const struct stat *st,
		    struct error *err)
{
	AUTO_FREE char *name = xstrdup(entry);

	(void)dirfd;
	(void)err;
	for (char *p = name; *p; p++)
		if (*p == ',')
			*p = '/';
	if (S_ISDIR(st->st_mode) && repository_is_name(name))
		strlist_add(arg, name);
	return 0;
}

int repository_list(struct store *s, struct strlist *out, struct error *err)
{
	if (fs_each_entry(store_dirfd(s), TOP, add_name, out, err) < 0)
		return -1;
	strlist_sort(out);
	return 0;
}

int repository_lock(struct store *s, const char *name, int *fd, struct error *err)
{
	AUTO_FREE char *path = path_of(name, "lock");

	return repository_make(s, name, err) < 0
		       ? -1
		       : store_lock(s, path, "changes the repository", fd, err);
}

bool repository_has_blob(struct store *s, const char *name, const struct digest *d)
{
	AUTO_FREE char *path = link_path(name, "blobs", d);

	return is_there(s, path) && store_has(s, d, -1);
}

/* What another process renamed into place and did not live to sync becomes durable before its link does. */
static int sync_blobs(struct store *s, const struct digest *d, struct error *err)
{
	return fs_fsync_dir(store_dirfd(s), digest_is_sha512(d) ? "blobs/sha512" : "blobs/sha256",
			    err);
}

int repository_link_blob(struct store *s, const char *name, const struct digest *d,
			 struct error *err)
{
	AUTO_FREE char *path = link_path(name, "blobs", d);
	AUTO_FREE char *folder = path_of(name, "blobs");

	if (repository_make(s, name, err) < 0 || sync_blobs(s, d, err) < 0)
		return -1;
	AUTO_FD int fd = openat(store_dirfd(s), path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				0644);

	if (fd < 0 || futimens(fd, NULL) < 0)
		return store_write_failed(s, "the link of a blob", path, err);
	return fs_fsync_dir(store_dirfd(s), folder, err);
}

/* A file below the repository goes, and lastingly. */
static int remove_file(struct store *s, const char *path, const char *what, struct error *err)
{
	AUTO_FREE char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	if (unlinkat(store_dirfd(s), path, 0) < 0)
		return error_errno(err, "remove %s %s", what, path);
	return fs_fsync_dir(store_dirfd(s), folder, err);
}

int repository_unlink_blob(struct store *s, const char *name, const struct digest *d,
			   struct error *err)
{
	AUTO_FREE char *path = link_path(name, "blobs", d);

	return remove_file(s, path, "the link of a blob", err);
}

bool repository_find_blob(struct store *s, const struct digest *d, char **name)
{
	AUTO(strlist) names = STRLIST_INIT;

	if (repository_list(s, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (repository_has_blob(s, names.items[i], d)) {
			*name = xstrdup(names.items[i]);
			return true;
		}
	return false;
}

static int read_small(struct store *s, const char *path, struct strbuf *out, struct error *err)
{
	AUTO_FD int fd = openat(store_dirfd(s), path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "read %s", path);
	strbuf_reset(out);
	if (fs_read_fd(fd, path, out, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	strbuf_trim(out);
	return 0;
}

int repository_manifest(struct store *s, const char *name, const struct digest *d,
			struct strbuf *media_type, struct error *err)
{
	AUTO_FREE char *path = link_path(name, "manifests", d);

	return read_small(s, path, media_type, err);
}

int repository_link_manifest(struct store *s, const char *name, const struct digest *d,
			     const char *media_type, struct error *err)
{
	AUTO_FREE char *path = link_path(name, "manifests", d);

	if (repository_make(s, name, err) < 0 || sync_blobs(s, d, err) < 0)
		return -1;
	return store_write_file(s, path, media_type, strlen(media_type), true, err);
}

int repository_resolve(struct store *s, const char *name, const char *tag, struct digest *out,
		       struct error *err)
{
	AUTO_FREE char *rest = xstrfmt("tags/%s", tag);
	AUTO_FREE char *path = path_of(name, rest);
	AUTO(strbuf) text = STRBUF_INIT;

	if (image_ref_check_tag(tag))
		return error_set(err, ERROR_NOT_FOUND, "\"%.200s\" is no tag", tag);
	if (read_small(s, path, &text, err) < 0)
		return -1;
	return digest_parse(out, text.buf, err);
}

int repository_tag(struct store *s, const char *name, const char *tag, const struct digest *d,
		   struct error *err)
{
	AUTO_FREE char *rest = xstrfmt("tags/%s", tag);
	AUTO_FREE char *path = path_of(name, rest);
	const char *bad = image_ref_check_tag(tag);

	if (bad)
		return error_set(err, ERROR_SYNTAX, "tag \"%.200s\": %s", tag, bad);
	return store_write_file(s, path, d->text, strlen(d->text), true, err);
}

int repository_untag(struct store *s, const char *name, const char *tag, struct error *err)
{
	AUTO_FREE char *rest = xstrfmt("tags/%s", tag);
	AUTO_FREE char *path = path_of(name, rest);

	if (image_ref_check_tag(tag))
		return error_set(err, ERROR_NOT_FOUND, "\"%.200s\" is no tag", tag);
	return remove_file(s, path, "the tag", err);
}

static int add_tag(void *arg, int dirfd, const char *entry, const struct stat *st,
		   struct error *err)
{
	(void)dirfd;
	(void)err;
	if (S_ISREG(st->st_mode) && !image_ref_check_tag(entry))
		strlist_add(arg, entry);
	return 0;
}

int repository_tags(struct store *s, const char *name, struct strlist *out, struct error *err)
{
	AUTO_FREE char *path = path_of(name, "tags");

	return fs_each_entry(store_dirfd(s), path, add_tag, out, err);
}

int repository_unlink_manifest(struct store *s, const char *name, const struct digest *d,
			       struct error *err)
{
	AUTO_FREE char *path = link_path(name, "manifests", d);
	AUTO(strlist) tags = STRLIST_INIT;

	if (!is_there(s, path))
		return error_set(err, ERROR_NOT_FOUND, "manifest %s is not in the repository %s",
				 d->text, name);
	if (repository_tags(s, name, &tags, err) < 0)
		return -1;
	/* The tags first: a crash in between leaves none that leads nowhere. */
	for (size_t i = 0; i < tags.n; i++) {
		struct digest to;

		if (repository_resolve(s, name, tags.items[i], &to, NULL) == 0 &&
		    digest_equal(&to, d) && repository_untag(s, name, tags.items[i], err) < 0)
			return -1;
	}
	return remove_file(s, path, "the link of a manifest", err);
}

static char *referrers_folder(const char *name, const struct digest *subject)
{
	return link_path(name, "referrers", subject);
}

int repository_add_referrer(struct store *s, const char *name, const struct digest *subject,
			    const struct digest *referrer, const char *text, struct error *err)
{
	AUTO_FREE char *folder = referrers_folder(name, subject);
	char link[LINK_SIZE];

	link_name(referrer, link);
	AUTO_FREE char *path = xstrfmt("%s/%s", folder, link);

	if (repository_make(s, name, err) < 0 || make_folder(s, folder, err) < 0)
		return -1;
	return store_write_file(s, path, text, strlen(text), true, err);
}

int repository_remove_referrer(struct store *s, const char *name, const struct digest *subject,
			       const struct digest *referrer, struct error *err)
{
	AUTO_FREE char *folder = referrers_folder(name, subject);
	char link[LINK_SIZE];

	link_name(referrer, link);
	AUTO_FREE char *path = xstrfmt("%s/%s", folder, link);

	if (!is_there(s, path))
		return 0;
	if (remove_file(s, path, "the entry of a referrer", err) < 0)
		return -1;
	unlinkat(store_dirfd(s), folder, AT_REMOVEDIR);
	return 0;
}

static int add_file(void *arg, int dirfd, const char *entry, const struct stat *st,
		    struct error *err)
{
	struct digest d;

	(void)dirfd;
	(void)err;
	if (S_ISREG(st->st_mode) && parse_link(entry, &d))
		strlist_add(arg, entry);
	return 0;
}

int repository_each_referrer(struct store *s, const char *name, const struct digest *subject,
			     const char *after,
			     int (*fn)(void *arg, const struct digest *referrer, const char *text,
				       struct error *err),
			     void *arg, struct error *err)
{
	AUTO_FREE char *folder = referrers_folder(name, subject);
	AUTO(strlist) links = STRLIST_INIT;
	int result = 0;

	if (fs_each_entry(store_dirfd(s), folder, add_file, &links, err) < 0)
		return -1;
	strlist_sort(&links);
	for (size_t i = 0; result == 0 && i < links.n; i++) {
		AUTO_FREE char *path = xstrfmt("%s/%s", folder, links.items[i]);
		AUTO(strbuf) text = STRBUF_INIT;
		struct digest d;

		/* One that is gone by now was removed in the meantime. */
		if (parse_link(links.items[i], &d) && (!after || strcmp(d.text, after) > 0) &&
		    read_small(s, path, &text, NULL) == 0)
			result = fn(arg, &d, text.buf, err);
	}
	return result;
}

int repository_remove(struct store *s, const char *name, struct error *err)
{
	AUTO_FREE char *path = path_of(name, "");
	AUTO_FD int lock = -1;

	if (!repository_exists(s, name))
		return 0;
	if (repository_lock(s, name, &lock, err) < 0 ||
	    fs_remove_tree(store_dirfd(s), path, err) < 0 ||
	    fs_fsync_dir(store_dirfd(s), TOP, err) < 0)
		return error_wrap(err, "remove the repository %s", name);
	return 0;
}

static int add_folder(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	struct digest d;

	(void)dirfd;
	(void)err;
	if (S_ISDIR(st->st_mode) && parse_link(entry, &d))
		strlist_add(arg, d.text);
	return 0;
}

int repository_subjects(struct store *s, const char *name, struct strlist *out, struct error *err)
{
	AUTO_FREE char *path = path_of(name, "referrers");

	return fs_each_entry(store_dirfd(s), path, add_folder, out, err);
}

struct each_link {
	int (*fn)(void *arg, const struct digest *d, int64_t since, struct error *err);
	void *arg;
};

static int visit_link(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	const struct each_link *each = arg;
	struct digest d;

	(void)dirfd;
	if (!S_ISREG(st->st_mode) || !parse_link(entry, &d))
		return 0;
	return each->fn(each->arg, &d, st->st_mtime, err);
}

int repository_each_link(struct store *s, const char *name, const char *kind,
			 int (*fn)(void *arg, const struct digest *d, int64_t since,
				   struct error *err),
			 void *arg, struct error *err)
{
	struct each_link each = {fn, arg};
	AUTO_FREE char *path = path_of(name, kind);

	return fs_each_entry(store_dirfd(s), path, visit_link, &each, err);
}

int64_t repository_changed_ns(struct store *s, const char *name)
{
	static const char *const folders[] = {"", "manifests", "tags"};
	int64_t newest = 0;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		AUTO_FREE char *path = path_of(name, folders[i]);
		struct stat st;
		int64_t at;

		if (fstatat(store_dirfd(s), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		at = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
		newest = at > newest ? at : newest;
	}
	return newest;
}

static int open_serving(struct store *s, struct error *err)
{
	int fd;

	if (make_folder(s, TOP, err) < 0)
		return -1;
	fd = openat(store_dirfd(s), TOP "/.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? store_write_failed(s, "the lock", TOP "/.lock", err) : fd;
}

int repository_serve(struct store *s, int *fd, struct error *err)
{
	AUTO_FD int opened = open_serving(s, err);

	if (opened < 0 || store_lock_fd(s, opened, LOCK_SH, "prunes", err) < 0)
		return -1;
	*fd = take_fd(opened);
	return 0;
}

bool repository_is_served(struct store *s)
{
	AUTO_FD int fd = openat(store_dirfd(s), TOP "/.lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}
