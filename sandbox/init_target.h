/* What a call that was handed over is about: files by the caller's root, folder and descriptors. Descriptors are O_PATH. */
#pragma once

#include "sandbox/init_notify.h"

/* A path as a call gives it, and the folder it starts from. */
struct target {
	char path[INIT_PATH];
	int base; /* a folder, or the file itself when path is ""; owned */
};

/*
 * Numbers of the arguments, -1 for one that the call has not. Returns 0, or -1 with errno, which is 0 when the kernel is to say what is wrong.
 */
int target_read(struct target *t, struct call *c, int dirfd_arg, int path_arg);
void target_release(struct target *t);
/* The file. nofollow: 0 or O_NOFOLLOW. Returns -1 with errno. */
int target_open(struct call *c, const struct target *t, int nofollow);
/* The folder that it is in or would be, and its name there. -1: there is no such folder, or the path does not end with a name. */
int target_parent(struct call *c, const struct target *t, char name[INIT_PATH]);
/* Continues with the text of the symbolic link parent/name. False when it cannot be read. */
bool target_follow(struct target *t, int parent, const char *name);
/* Does the path say that it is a device or a process's file? Those are nobody's business but the kernel's. */
bool target_is_special(const struct target *t);
/* In out the path of an open file as it is in here. False when it has none. */
bool target_name(int fd, char out[INIT_PATH]);
