#include "builder/context_remote.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "builder/copy_collect.h"

void fetch_answer_release(struct fetch_answer *a)
{
	if (!a)
		return;
	free(a->etag);
	free(a->last_modified);
	*a = (struct fetch_answer){.mtime = -1};
}

void fetch_commit_release(struct fetch_commit *c)
{
	if (!c)
		return;
	free(c->ref);
	*c = (struct fetch_commit){.ref = NULL};
}

/* Makes a temporary folder the context's own. */
static int open_temporary(struct context **out, char *folder, const char *root, const char *label,
			  struct error *err)
{
	if (context_open_plain(out, "context", root, err) < 0) {
		fs_remove_tree(AT_FDCWD, folder, NULL);
		free(folder);
		return -1;
	}
	(*out)->temporary = true;
	(*out)->owned = folder;
	(*out)->label = xstrdup(label);
	return 0;
}

static int make_folder(struct store *s, char **folder, struct error *err)
{
	AUTO_FREE char *ingest = store_path(s, "ingest");

	if (fs_mkdir_p(ingest, 0700, err) < 0)
		return -1;
	return fs_make_temp_dir(ingest, "context-", folder, err);
}

static int checkout(struct store *s, const struct context_git *g, const struct fetch_commit *commit,
		    struct context **out, struct error *err)
{
	AUTO_FREE char *root = NULL;
	char *folder = NULL;
	int64_t time = -1;

	if (make_folder(s, &folder, err) < 0)
		return -1;
	if (g->fetch->git_checkout(g->fetch->arg, g->ref, g->who, g->keep_git_dir, commit, folder,
				   &root, &time, err) < 0) {
		fs_remove_tree(AT_FDCWD, folder, NULL);
		free(folder);
		return -1;
	}
	if (open_temporary(out, folder, root, g->label, err) < 0)
		return -1;
	(*out)->time = time;
	return 0;
}

int context_open_git(struct context **out, struct store *s, const struct context_git *g,
		     struct error *err)
{
	AUTO(fetch_commit) found = {.ref = NULL};

	if (!g->fetch->git_resolve || !g->fetch->git_checkout)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: this build cannot fetch git repositories", g->label);
	if (!g->commit && g->fetch->git_resolve(g->fetch->arg, g->ref, g->who, &found, err) < 0)
		return -1;
	return checkout(s, g, g->commit ? g->commit : &found, out, err);
}

int context_download(struct store *s, const struct fetch_source *fetch, const char *url, int *fd,
		     int64_t *mtime, struct error *err)
{
	AUTO_FREE char *ingest = store_path(s, "ingest");
	AUTO(fetch_answer) answer = {.mtime = -1};
	AUTO_FD int file = -1;

	if (!fetch->url)
		return error_set(err, ERROR_UNSUPPORTED, "this build cannot fetch URLs");
	if (fs_mkdir_p(ingest, 0700, err) < 0)
		return -1;
	file = fs_open_unnamed(ingest, err);
	if (file < 0 || fetch->url(fetch->arg, url, NULL, file, &answer, err) < 0)
		return -1;
	if (lseek(file, 0, SEEK_SET) < 0)
		return error_errno(err, "rewind what came from a URL");
	*fd = take_fd(file);
	*mtime = answer.mtime;
	return 0;
}

bool context_is_archive(int fd)
{
	static const struct {
		size_t len;
		const char *magic;
	} magics[] = {
		{3, "\x1f\x8b\x08"},
		{3, "BZh"},
		{6, "\xfd"
		    "7zXZ\0"},
		{4, "\x28\xb5\x2f\xfd"},
	};
	static const char zeros[512];
	char head[512];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (n >= (ssize_t)magics[i].len &&
		    memcmp(head, magics[i].magic, magics[i].len) == 0)
			return true;
	/* an empty archive is zeros */
	return (n == sizeof(head) && memcmp(head, zeros, sizeof(zeros)) == 0) ||
	       copy_is_archive(fd);
}

static int write_file(const char *folder, const char *file, int fd, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", folder, file);
	AUTO_FD int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0)
		return error_errno(err, "create %s", path);
	return fs_copy_fd(fd, to, -1, path, err);
}

int context_open_single(struct context **out, struct store *s, int fd, const char *file,
			const char *label, struct error *err)
{
	char *folder = NULL;

	if (make_folder(s, &folder, err) < 0)
		return -1;
	if (fd >= 0 && write_file(folder, file, fd, err) < 0) {
		fs_remove_tree(AT_FDCWD, folder, NULL);
		free(folder);
		return -1;
	}
	return open_temporary(out, folder, folder, label, err);
}

int context_open_empty(struct context **out, struct store *s, const char *label, struct error *err)
{
	return context_open_single(out, s, -1, NULL, label, err);
}

int context_open_url(struct context **out, struct store *s, const struct fetch_source *fetch,
		     const char *url, struct error *err)
{
	AUTO_FREE char *label = git_ref_redact(url);
	AUTO_FD int fd = -1;
	int64_t mtime;

	if (context_download(s, fetch, url, &fd, &mtime, err) < 0 ||
	    (context_is_archive(fd) ? context_open_tar(out, s, fd, label, err)
				    : context_open_single(out, s, fd, "context", label, err)) < 0)
		return -1;
	if (mtime >= 0)
		(*out)->time = mtime;
	return 0;
}
