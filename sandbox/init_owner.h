/*
 * Owners of files where one id is all there is (rootless-single): noted with the file and shown from there. The calls that set and show them,
 * that make files, and that a user other than root may not make on any file; everything else goes on in the kernel.
 */
#pragma once

#include "oci/owner_mark.h"
#include "sandbox/init_identity.h"

enum owner_op {
	OWNER_CHOWN = 1, /* arg: the uid, then the gid */
	OWNER_STAT,      /* arg: the buffer */
	OWNER_STATX,
	OWNER_OPEN, /* arg: flags, then the mode */
	OWNER_OPENAT2,
	OWNER_CREAT,
	OWNER_MKDIR, /* arg: the mode */
	OWNER_MKNOD, /* arg: the mode, then the device */
	OWNER_SYMLINK,
	OWNER_ACCESS, /* arg: the mode */
	OWNER_REMOVE,
	OWNER_RENAME,
	OWNER_LINK,
	OWNER_CHMOD,
	OWNER_EXEC,
	OWNER_GET_ID,
	OWNER_SET_ID,
	OWNER_PEER,
	OWNER_LIMIT,
	OWNER_KEEP_CAPS,
};

/* Numbers of arguments, -1 for those that a call has not. */
struct owner_call {
	int number;
	enum owner_op op;
	int dirfd, path, arg, flags;
	bool nofollow;
};

/* init_owner: the table, and who answers what. */
void owner_handle(struct call *c);

/* init_owner_mark */
/* Who owns the file: what is noted with it, else root, or who is not known here. False: it does not exist any more. */
bool owner_read(int fd, const struct stat *st, struct owner_mark *m);
/* fd: O_PATH. Returns 0, or -1 with errno. */
int owner_write(int fd, const struct stat *st, const struct owner_mark *m);
bool owner_device(int fd, struct device_mark *d);
void owner_chown(struct call *c, const struct owner_call *f);
void owner_show(struct call *c, const struct owner_call *f);

/* init_owner_make: files are made here, and then are whose they are. */
void owner_open(struct call *c, const struct owner_call *f);
void owner_mkdir(struct call *c, const struct owner_call *f);
void owner_mknod(struct call *c, const struct owner_call *f);
void owner_symlink(struct call *c, const struct owner_call *f);

/* init_owner_permit: what the modes of files and folders allow others than root. */
/* want: R_OK, W_OK, X_OK. */
bool owner_may(const struct identity *id, int fd, int want);
/* May whoever it is get to what is in the folder, and do that with it? */
bool owner_may_in(const struct identity *id, int folder, int want);
void owner_access(struct call *c, const struct owner_call *f);
void owner_remove(struct call *c, const struct owner_call *f);
/* Renames and links. */
void owner_move(struct call *c, const struct owner_call *f);
void owner_chmod(struct call *c, const struct owner_call *f);
void owner_exec(struct call *c, const struct owner_call *f);
