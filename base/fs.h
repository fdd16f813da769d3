/*
 * File system helpers. Paths that come from an image or a context are only
 * opened below a directory descriptor with fs_open_in_root(); plain paths are
 * for slipway's own files and for what the user names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Appends a whole file of at most limit bytes to buf (buf->limit is ignored). ERROR_CORRUPT beyond. */
int fs_read_file(const char *path, struct strbuf *buf, size_t limit, struct error *err);
int fs_read_fd(int fd, const char *name, struct strbuf *buf, size_t limit, struct error *err);
/*
 * Temp file in the same folder, write, fsync, rename, fsync folder: old or new content, never half.
 * The umask applies to mode; a symbolic link at path is replaced, not followed.
 */
int fs_write_file_atomic(const char *path, const void *data, size_t len, mode_t mode,
			 struct error *err);
int fs_write_all(int fd, const void *data, size_t len, const char *name, struct error *err);
int fs_read_exact(int fd, void *data, size_t len, const char *name, struct error *err);
/* mkdir -p; existing folders are left as they are. */
int fs_mkdir_p(const char *path, mode_t mode, struct error *err);
/*
 * rm -rf of dirfd/name (dirfd may be AT_FDCWD) of any depth, without following symbolic links or
 * descending into a mount; folders without permission are given u+rwx. Missing is success. Stops at
 * the first error.
 */
int fs_remove_tree(int dirfd, const char *name, struct error *err);
/*
 * Calls fn for each entry of the folder at/name but "." and ".." until one gives something other than 0, which is the result. st is the
 * entry's own, not that of what a link points to; dirfd is the folder. A missing folder is empty, a symbolic link is no folder.
 */
int fs_each_entry(int at, const char *name,
		  int (*fn)(void *arg, int dirfd, const char *entry, const struct stat *st,
			    struct error *err),
		  void *arg, struct error *err);
/* What was created, renamed or removed in the folder dirfd/path lasts from now on. */
int fs_fsync_dir(int dirfd, const char *path, struct error *err);
#define FS_TEMP_PREFIX ".tmp-"
#define FS_TEMP_NAME   40
/*
 * A new file for writing in dirfd, whose name (FS_TEMP_PREFIX and random: process ids repeat from container to container) goes
 * to name. Or -1, and errno.
 */
int fs_create_temp(int dirfd, mode_t mode, char name[FS_TEMP_NAME]);
/* A new folder "prefix" + random in dir, mode 0700; *path is free()d by the caller. */
int fs_make_temp_dir(const char *dir, const char *prefix, char **path, struct error *err);

/*
 * New folders in dir get places of their own on the disk, away from dir and from each other, where the file system can (ext4: the
 * attribute T of chattr). For folders that trees are made in and removed from again and again: ext4 hands an inode that was freed
 * out again only minutes later, and looks at each of those before it gives a new file one.
 */
void fs_scatter(const char *dir);

/* A new file in dir for reading and writing that has no name any more: it goes when the descriptor does. Or -1. */
int fs_open_unnamed(const char *dir, struct error *err);

/*
 * Opens path below rootfd as if rootfd were "/": symbolic links (absolute and "..") stay inside, magic
 * links are refused (openat2 RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS; a component walk where the kernel
 * lacks openat2). O_CLOEXEC is added. Returns the descriptor or -1 with errno set.
 */
int fs_openat_in_root(int rootfd, const char *path, int flags, mode_t mode);
/*
 * The same with no symbolic link followed at all (RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS): ELOOP at a
 * link, EXDEV where ".." would leave the root.
 */
int fs_openat_beneath(int rootfd, const char *path, int flags, mode_t mode);
/*
 * mkdir -p in a root: links are followed inside it, a dangling one to where it points, which is
 * made. New folders have exactly mode, whatever the umask. Returns an O_PATH descriptor of the
 * folder, or -1 with errno.
 */
int fs_mkdir_p_in_root(int rootfd, const char *path, mode_t mode);
/* Tests force the component walk with this (also SLIPWAY_TEST_NO_OPENAT2 read by cli/app.c). */
extern bool fs_no_openat2;

/* Copies len bytes (or to the end with -1): copy_file_range, else read and write. */
int fs_copy_fd(int in, int out, int64_t len, const char *name, struct error *err);
/* Descriptor to /proc/self/fd/N text, for calls that want a path. */
void fs_fd_path(int fd, char out[32]);
