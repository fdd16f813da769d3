/* Images into layout folders that others read: skopeo, BuildKit, another store of ours. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/time.h"
#include "oci/layout.h"

#define LAYOUT_TEXT  "{\"imageLayoutVersion\":\"1.0.0\"}"
#define BUFFER_BYTES ((size_t)256 << 10)
#define LEFT_BEHIND  (24 * 3600)

struct folder {
	struct store *store;
	const char *path;
	int dirfd;
};

/* Read whole: whoever damaged a blob there would be believed for ever. */
static bool has_blob(const struct folder *f, const struct descriptor *d, const char *name)
{
	AUTO_FD int fd = openat(f->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO(digester) digester = {.is_sha512 = false};
	struct digest got;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != d->size)
		return false;
	digester_init(&digester, &d->digest);
	if (digester_update_fd(&digester, fd, name, NULL, NULL) < 0)
		return false;
	got = digester_final(&digester);
	return digest_equal(&got, &d->digest);
}

/* Hashed on the way: a blob that is damaged here must not become one that is believed there. */
static int copy_bytes(int in, int out, const struct descriptor *d, const char *name,
		      struct error *err)
{
	AUTO_FREE char *buf = xmalloc(BUFFER_BYTES);
	AUTO(digester) digester;
	struct digest got;
	ssize_t n;

	digester_init(&digester, &d->digest);
	while ((n = read(in, buf, BUFFER_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read blob %s", d->digest.text);
		digester_update(&digester, buf, (size_t)n);
		if (fs_write_all(out, buf, (size_t)n, name, err) < 0)
			return -1;
	}
	got = digester_final(&digester);
	if (!digest_equal(&got, &d->digest))
		return error_set(err, ERROR_CORRUPT, "blob %s is damaged in the store",
				 d->digest.text);
	if (fsync(out) < 0)
		return error_errno(err, "write %s", name);
	return 0;
}

static int open_blob_folder(const struct folder *f, const char *blob, int *fd, struct error *err)
{
	AUTO_FREE char *whole = path_join(f->path, blob);
	AUTO_FREE char *dir = path_dir(whole);

	if (fs_mkdir_p(dir, 0755, err) < 0)
		return -1;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? error_errno(err, "open the folder %s", dir) : 0;
}

static int put_blob(const struct folder *f, const struct descriptor *d, struct error *err)
{
	char name[STORE_BLOB_PATH], temp[FS_TEMP_NAME];
	AUTO_FD int dir = -1;
	AUTO_FD int in = -1;
	AUTO_FD int out = -1;
	int64_t size;

	store_blob_path(&d->digest, name);
	if (has_blob(f, d, name))
		return 0;
	if (store_open_blob(f->store, &d->digest, d->size, &in, &size, err) < 0 ||
	    open_blob_folder(f, name, &dir, err) < 0)
		return -1;
	out = fs_create_temp(dir, 0644, temp);
	if (out < 0)
		return error_errno(err, "create a file for %s in %s", name, f->path);
	if (copy_bytes(in, out, d, name, err) == 0) {
		if (renameat(dir, temp, f->dirfd, name) == 0)
			return 0;
		error_errno(err, "rename %s/%s", f->path, name);
	}
	unlinkat(dir, temp, 0);
	return -1;
}

static int put_blobs(const struct folder *f, const struct image *image, struct error *err)
{
	for (size_t i = 0; i < image->manifest.n_layers; i++)
		if (put_blob(f, &image->manifest.layers[i], err) < 0)
			return -1;
	if (put_blob(f, &image->manifest.config, err) < 0)
		return -1;
	return put_blob(f, &image->descriptor, err);
}

static bool has_name(const struct descriptor *d, const char *name)
{
	const char *have = strmap_get(&d->annotations, ANNOTATION_REF_NAME);

	return have && strcmp(have, name) == 0;
}

static int put_index(const struct folder *f, const struct image *image, const char *ref_name,
		     struct error *err)
{
	AUTO_FREE char *marker = path_join(f->path, "oci-layout");
	AUTO_FREE char *file = path_join(f->path, "index.json");
	AUTO(image_index) index = {0};
	AUTO(descriptor) entry = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	if (faccessat(f->dirfd, "index.json", F_OK, 0) == 0 &&
	    layout_read_folder(f->path, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++)
		if (has_name(&index.manifests[i], ref_name))
			image_index_remove(&index, i--);
	descriptor_copy(&entry, &image->descriptor);
	strmap_clear(&entry.annotations);
	strmap_set(&entry.annotations, ANNOTATION_REF_NAME, ref_name);
	image_index_add(&index, &entry);
	image_index_write(&index, &text);
	if (fs_write_file_atomic(marker, LAYOUT_TEXT, strlen(LAYOUT_TEXT), 0644, err) < 0)
		return -1;
	return fs_write_file_atomic(file, text.buf, text.len, 0644, err);
}

/* Someone's own folder is not to be filled with blobs before that is noticed. */
static int check_folder(const struct folder *f, struct error *err)
{
	AUTO(image_index) index = {0};

	if (faccessat(f->dirfd, "index.json", F_OK, 0) < 0)
		return 0;
	return layout_read_folder(f->path, &index, err);
}

/* What killed exports left. Those of others who are at work are younger. */
static void sweep(int at, const char *name)
{
	AUTO_FD int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!d)
		return;
	(void)take_fd(fd);
	while ((entry = readdir(d)))
		if (str_starts(entry->d_name, FS_TEMP_PREFIX) &&
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime + LEFT_BEHIND < time_now())
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
}

int layout_export(struct store *s, const struct image *image, const char *folder,
		  const char *ref_name, struct error *err)
{
	struct folder f = {.store = s, .path = folder, .dirfd = -1};
	AUTO_FD int dirfd = -1;

	if (fs_mkdir_p(folder, 0755, err) < 0)
		return -1;
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return error_errno(err, "open the folder %s", folder);
	f.dirfd = dirfd;
	if (check_folder(&f, err) < 0)
		return -1;
	sweep(dirfd, ".");
	sweep(dirfd, "blobs/sha256");
	if (put_blobs(&f, image, err) < 0)
		return error_wrap(err, "write the OCI layout %s", folder);
	if (store_lock_fd(s, dirfd, LOCK_EX, "writes this OCI layout", err) < 0 ||
	    put_index(&f, image, ref_name, err) < 0)
		return error_wrap(err, "write the OCI layout %s", folder);
	return 0;
}
