/* A folder for one test program, removed at its end; small file helpers below it. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "testing.h"

static char scratch_path[64];
static int scratch_fd = -1;

static inline int scratch_setup(void **state)
{
	(void)state;
	snprintf(scratch_path, sizeof(scratch_path), "/tmp/slipway-test-XXXXXX");
	if (!mkdtemp(scratch_path))
		return -1;
	scratch_fd = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch_fd < 0 ? -1 : 0;
}

static inline int scratch_teardown(void **state)
{
	(void)state;
	close(scratch_fd);
	return fs_remove_tree(AT_FDCWD, scratch_path, NULL);
}

/* scratch/name in a buffer that the next call overwrites. */
static inline const char *in_scratch(const char *name)
{
	static char path[4200];

	snprintf(path, sizeof(path), "%s/%s", scratch_path, name);
	return path;
}

static inline void make_dirs(const char *name)
{
	assert_ok(fs_mkdir_p(in_scratch(name), 0755, err));
}

static inline void make_file(const char *name, const char *content)
{
	AUTO_FREE char *dir = path_dir(name);
	AUTO_FD int fd = -1;

	make_dirs(dir);
	fd = openat(scratch_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, content, strlen(content), name, err));
}

static inline void make_link(const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, scratch_fd, name), 0);
}

static inline bool exists(const char *name)
{
	struct stat st;

	return fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The content must be this. */
static inline void assert_content(const char *name, const char *wanted)
{
	AUTO(strbuf) content = STRBUF_INIT;

	assert_ok(fs_read_file(in_scratch(name), &content, 1 << 20, err));
	assert_string_equal(content.buf, wanted);
}
