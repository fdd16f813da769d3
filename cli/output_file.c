#include "cli/output_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

int output_file_open(struct output_file *f, const char *path, mode_t mode, struct error *err)
{
	struct stat st;

	f->path = xstrdup(path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (S_ISDIR(st.st_mode))
			return error_set(err, ERROR_USAGE, "cannot write to %s: it is a folder",
					 path);
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
		return f->fd < 0 ? error_errno(err, "open %s", path) : 0;
	}
	f->temp = xstrfmt("%s.XXXXXX", path);
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		free(f->temp);
		f->temp = NULL;
		return error_errno(err, "create %s", path);
	}
	if (fchmod(f->fd, mode) < 0)
		return error_errno(err, "set the mode of %s", path);
	return 0;
}

int output_file_commit(struct output_file *f, struct error *err)
{
	if (!f->temp)
		return 0;
	if (fsync(f->fd) < 0)
		return error_errno(err, "write %s", f->path);
	if (rename(f->temp, f->path) < 0)
		return error_errno(err, "rename to %s", f->path);
	free(f->temp);
	f->temp = NULL;
	return 0;
}

void output_file_release(struct output_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp)
		unlink(f->temp);
	free(f->temp);
	free(f->path);
	*f = (struct output_file)OUTPUT_FILE_INIT;
}
