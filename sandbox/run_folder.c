#include "sandbox/run_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/time.h"
#include "sandbox/sandbox_private.h"

#define PREFIX    "run-"
#define NEW       "new-run-"
#define ANCHOR    "mnt"
#define SWEEP_AGE 60 /* seconds: a younger folder may have an owner that has not locked it yet */

static bool take_kept(struct run_folder *f, struct sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	*f = sb->kept_folder;
	sb->kept_folder = (struct run_folder)RUN_FOLDER_INIT;
	pthread_mutex_unlock(&sb->lock);
	return f->path != NULL;
}

int run_folder_new(struct sandbox *sb, char **path, struct error *err)
{
	AUTO_FREE char *ingest = store_path(sb->store, "ingest");

	if (fs_mkdir_p(ingest, 0700, err) < 0)
		return -1;
	fs_scatter(ingest);
	return fs_make_temp_dir(ingest, NEW, path, err);
}

/* It has its name only when it is locked, so that a sweep knows by the lock whether somebody lives who wants it. */
static int make_locked(struct run_folder *f, struct sandbox *sb, struct error *err)
{
	AUTO_FREE char *made = NULL;

	if (run_folder_new(sb, &made, err) < 0)
		return -1;
	f->fd = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		return error_errno(err, "open %s", made);
	flock(f->fd, LOCK_EX | LOCK_NB);
	f->path = store_path(sb->store, "ingest/" PREFIX "%s", path_base(made) + strlen(NEW));
	if (rename(made, f->path) < 0)
		return store_write_failed(sb->store, "the writable folder of a step", made, err);
	return 0;
}

int run_folder_open(struct run_folder *f, struct sandbox *sb, struct error *err)
{
	AUTO_FREE char *anchor = NULL;

	if (take_kept(f, sb))
		return 0;
	if (make_locked(f, sb, err) < 0)
		return -1;
	anchor = path_join(f->path, ANCHOR);
	if (mkdir(anchor, 0755) < 0)
		return store_write_failed(sb->store, "the writable folder of a step", anchor, err);
	return 0;
}

struct emptying {
	const struct run_folder *folder;
	struct sandbox *sb;
};

static int remove_one(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	const struct emptying *e = arg;
	AUTO_FREE char *path = NULL;

	(void)dirfd;
	(void)st;
	if (strcmp(entry, ANCHOR) == 0)
		return 0;
	path = path_join(e->folder->path, entry);
	return sandbox_remove_tree(e->sb, path, err);
}

static int empty(const struct run_folder *f, struct sandbox *sb)
{
	struct emptying e = {.folder = f, .sb = sb};

	return fs_each_entry(AT_FDCWD, f->path, remove_one, &e, NULL);
}

/* False: there is one already. */
static bool give_back(struct run_folder *f, struct sandbox *sb)
{
	bool given;

	pthread_mutex_lock(&sb->lock);
	given = !sb->kept_folder.path;
	if (given)
		sb->kept_folder = *f;
	pthread_mutex_unlock(&sb->lock);
	return given;
}

void run_folder_close(struct run_folder *f, struct sandbox *sb, bool keep)
{
	AUTO(error) err = ERROR_INIT;

	if (!f->path)
		return;
	if (keep && empty(f, sb) == 0 && give_back(f, sb)) {
		*f = (struct run_folder)RUN_FOLDER_INIT;
		return;
	}
	if (sandbox_remove_tree(sb, f->path, &err) < 0)
		report_log(sb->reporter, LOG_WARNING, "%s", err.message);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	*f = (struct run_folder)RUN_FOLDER_INIT;
}

/* A folder of a process that was killed: nobody holds its lock. */
static int sweep_one(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	struct sandbox *sb = arg;
	AUTO(error) why = ERROR_INIT;
	AUTO_FREE char *path = NULL;

	(void)err;
	if (!str_starts(entry, PREFIX) &&
	    (!str_starts(entry, NEW) || time_now() - st->st_mtime < SWEEP_AGE))
		return 0;
	AUTO_FD int fd = openat(dirfd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	path = store_path(sb->store, "ingest/%s", entry);
	if (sandbox_remove_tree(sb, path, &why) < 0)
		report_log(sb->reporter, LOG_DEBUG, "left behind: %s", why.message);
	return 0;
}

void run_folder_sweep(struct sandbox *sb)
{
	(void)fs_each_entry(store_dirfd(sb->store), "ingest", sweep_one, sb, NULL);
}
