#include "net/git_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/strlist.h"

struct finish {
	const struct git_tree_options *o;
	int depth;
};

static int read_names(int dirfd, struct strlist *names, struct error *err)
{
	int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!d) {
		error_errno(err, "read a folder of the repository");
		if (own >= 0)
			close(own);
		return -1;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(names, entry->d_name);
	closedir(d);
	return 0;
}

static int set_time(const struct finish *f, int dirfd, const char *name, struct error *err)
{
	const struct timespec times[2] = {{.tv_sec = f->o->mtime}, {.tv_sec = f->o->mtime}};

	if (f->o->has_mtime && utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the time of %s", name);
	return 0;
}

static int finish_folder(struct finish *f, int dirfd, struct error *err);

static int enter(struct finish *f, int dirfd, const char *name, struct error *err)
{
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result;

	if (fd < 0)
		return error_errno(err, "open the folder %s", name);
	if (f->depth >= LIMIT_REPOSITORY_DEPTH)
		return error_set(err, ERROR_UNSUPPORTED, "folders nested deeper than %d",
				 LIMIT_REPOSITORY_DEPTH);
	f->depth++;
	result = finish_folder(f, fd, err);
	f->depth--;
	return result;
}

static int finish_name(struct finish *f, int dirfd, const char *name, struct error *err)
{
	struct stat st;

	/* git refuses the name in a tree: what has it is git's own */
	if (strcmp(name, ".git") == 0)
		return f->o->keep_git_dir ? 0 : fs_remove_tree(dirfd, name, err);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "look at %s", name);
	if (S_ISDIR(st.st_mode) && enter(f, dirfd, name, err) < 0)
		return -1;
	return set_time(f, dirfd, name, err);
}

static int finish_folder(struct finish *f, int dirfd, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;

	if (read_names(dirfd, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (finish_name(f, dirfd, names.items[i], err) < 0)
			return -1;
	return 0;
}

/* Of a kept .git: what only tells of this checkout. */
static void drop_traces(int dirfd)
{
	static const char *const traces[] = {".git/FETCH_HEAD", ".git/ORIG_HEAD", ".git/logs"};

	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		fs_remove_tree(dirfd, traces[i], NULL);
}

int git_tree_finish(const char *folder, const struct git_tree_options *o, struct error *err)
{
	AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct finish f = {.o = o};

	if (fd < 0)
		return error_errno(err, "open %s", folder);
	drop_traces(fd);
	if (finish_folder(&f, fd, err) < 0)
		return -1;
	return set_time(&f, AT_FDCWD, folder, err);
}
