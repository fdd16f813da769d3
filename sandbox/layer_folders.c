#include "sandbox/layer_folders.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/owner_mark.h"
#include "sandbox/boot.h"
#include "sandbox/helper.h"
#include "sandbox/run_folder.h"

#define OK_LIMIT 128
/* SHA-256 of a tar archive's end alone, two blocks of zeros. */
#define NO_ENTRIES "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

char *layer_folder(const struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain)
{
	return store_path(sb->store, "layers/%s/%s/fs", sandbox_mode_name(mode), digest_hex(chain));
}

bool layer_folder_is_void(const struct rootfs_layer *layers, size_t i)
{
	return i > 0 && strcmp(digest_hex(layers[i].diff_id), NO_ENTRIES) == 0;
}

static int lock_layers(struct sandbox *sb, enum sandbox_mode mode, int *fd, struct error *err)
{
	AUTO_FREE char *dir = store_path(sb->store, "layers/%s", sandbox_mode_name(mode));
	AUTO_FREE char *path = xstrfmt("%s/.lock", dir);
	AUTO_FD int lock = -1;

	if (fs_mkdir_p(dir, 0755, err) < 0)
		return -1;
	lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (lock < 0)
		return error_errno(err, "open %s", path);
	if (store_lock_fd(sb->store, lock, LOCK_SH, "removes extracted layers", err) < 0)
		return -1;
	*fd = take_fd(lock);
	return 0;
}

int layer_folders_use(struct sandbox *sb, enum sandbox_mode mode, struct error *err)
{
	int *held = &sb->layer_locks[mode], fd = -1;
	bool known;

	pthread_mutex_lock(&sb->lock);
	known = *held >= 0;
	pthread_mutex_unlock(&sb->lock);
	if (known)
		return 0;
	if (lock_layers(sb, mode, &fd, err) < 0)
		return -1;
	pthread_mutex_lock(&sb->lock);
	if (*held < 0)
		*held = take_fd(fd);
	pthread_mutex_unlock(&sb->lock);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* One folder under its lock. */
struct place {
	char *dir; /* ".../CHAINID" */
	int fd;    /* of dir, locked */
};

static void place_release(struct place *p)
{
	free(p->dir);
	if (p->fd >= 0)
		close(p->fd);
}
CLEANUP_RELEASE(place)

static char *place_dir(const struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain)
{
	return store_path(sb->store, "layers/%s/%s", sandbox_mode_name(mode), digest_hex(chain));
}

static bool is_whole(const char *dir)
{
	AUTO_FREE char *path = xstrfmt("%s/.ok", dir);
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, OK_LIMIT, NULL) < 0)
		return false;
	strbuf_trim(&text);
	return boot_id()[0] && strcmp(text.buf, boot_id()) == 0;
}

/* Asked once for each folder: by every step for every layer below it this would add up. */
static bool is_known_whole(struct sandbox *sb, const char *dir)
{
	bool known;

	pthread_mutex_lock(&sb->lock);
	known = strmap_has(&sb->whole, dir);
	pthread_mutex_unlock(&sb->lock);
	if (known || !is_whole(dir))
		return known;
	pthread_mutex_lock(&sb->lock);
	strmap_set(&sb->whole, dir, NULL);
	pthread_mutex_unlock(&sb->lock);
	return true;
}

static int mark_whole(const struct place *p, struct error *err)
{
	AUTO_FD int fd = openat(p->fd, ".ok", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fs_write_all(fd, boot_id(), strlen(boot_id()), ".ok", NULL) < 0)
		return error_errno(err, "mark %s as complete", p->dir);
	return 0;
}

/* Or -1 and errno. One that is going to be filled is made where its files find room at once, and moved. */
static int make_place(struct sandbox *sb, const char *dir, bool scattered)
{
	AUTO_FREE char *made = NULL;

	if (scattered && run_folder_new(sb, &made, NULL) == 0) {
		if (chmod(made, 0755) == 0 &&
		    renameat2(AT_FDCWD, made, AT_FDCWD, dir, RENAME_NOREPLACE) == 0)
			return 0;
		(void)rmdir(made);
	}
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* Locks the folder of a chain, which is made when missing. Somebody may have removed it while we waited. */
static int lock_place(struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain,
		      bool scattered, struct place *p, struct error *err)
{
	struct stat held, named;

	p->dir = place_dir(sb, mode, chain);
	for (;;) {
		AUTO_FD int fd = -1;

		if (access(p->dir, F_OK) < 0 && make_place(sb, p->dir, scattered) < 0)
			return store_write_failed(sb->store, "an extracted layer", p->dir, err);
		fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_errno(err, "open %s", p->dir);
		if (store_lock_fd(sb->store, fd, LOCK_EX, "extracts the same layer", err) < 0)
			return -1;
		if (fstat(fd, &held) == 0 && stat(p->dir, &named) == 0 &&
		    held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
			p->fd = take_fd(fd);
			return 0;
		}
	}
}

/* Owners of what takes no attribute lie beside a folder. */
static int adopt_records(const char *upper, const char *dir, struct error *err)
{
	AUTO_FREE char *from = xstrfmt("%s" OWNER_RECORDS, upper);
	AUTO_FREE char *to = xstrfmt("%s" OWNER_RECORDS, dir);

	if (rename(from, to) == 0)
		return 0;
	if (errno != ENOENT || (unlink(to) < 0 && errno != ENOENT))
		return error_errno(err, "move %s to %s", from, to);
	return 0;
}

/* What a process left that was killed, or what a power cut may have torn. */
static int clear_place(struct sandbox *sb, const struct place *p, struct error *err)
{
	AUTO_FREE char *fs = xstrfmt("%s/fs", p->dir);

	if (unlinkat(p->fd, ".ok", 0) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s/.ok", p->dir);
	if (faccessat(p->fd, "fs", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return sandbox_remove_tree(sb, fs, err);
}

static int extract(struct sandbox *sb, enum sandbox_mode mode, struct tree_cache *cache,
		   const struct rootfs_layer *layers, size_t n, const struct digest *chain,
		   struct error *err)
{
	AUTO(place) p = {.fd = -1};
	AUTO_FREE char *dir = layer_folder(sb, mode, chain);
	struct extract_job job = {.mode = mode, .layers = layers, .n = n, .dir = dir};
	char digest[24];

	if (lock_place(sb, mode, chain, true, &p, err) < 0)
		return -1;
	if (is_whole(p.dir))
		return 0;
	if (clear_place(sb, &p, err) < 0)
		return -1;
	if (helper_extract(sb, cache, &job, err) < 0) {
		digest_short(&layers[n - 1].descriptor->digest, digest);
		return error_wrap(err, "extract layer %s", digest);
	}
	return mark_whole(&p, err);
}

int layer_folders_ensure(struct sandbox *sb, enum sandbox_mode mode,
			 const struct rootfs_layer *layers, size_t n, struct digest *chains,
			 struct error *err)
{
	AUTO(tree_cache) cache = {0};
	struct digest chain = {0};

	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *dir = NULL;

		digest_chain(&chain, layers[i].diff_id);
		chains[i] = chain;
		if (layer_folder_is_void(layers, i))
			continue;
		dir = place_dir(sb, mode, &chain);
		if (is_known_whole(sb, dir))
			continue;
		if (cancel_check(sb->cancel, err) < 0 ||
		    extract(sb, mode, &cache, layers, i + 1, &chain, err) < 0)
			return -1;
	}
	return 0;
}

int layer_folder_adopt(struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain,
		       const char *upper, struct error *err)
{
	AUTO(place) p = {.fd = -1};
	AUTO_FREE char *dir = layer_folder(sb, mode, chain);

	if (lock_place(sb, mode, chain, false, &p, err) < 0)
		return -1;
	if (is_whole(p.dir))
		return 0;
	if (clear_place(sb, &p, err) < 0 || adopt_records(upper, dir, err) < 0 ||
	    helper_rename(sb, mode, upper, dir, err) < 0)
		return -1;
	return mark_whole(&p, err);
}
