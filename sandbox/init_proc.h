/* What of /proc a step without a /proc of its own may see (proc(5)). */
#pragma once

#include "sandbox/init_notify.h"

enum proc_kind {
	PROC_MISSING,
	PROC_FILE,
	PROC_FOLDER,
	PROC_SELF,       /* a link to the caller's folder, or to one in there: self, net */
	PROC_LINK,       /* exe, cwd, root of a process of the step */
	PROC_DESCRIPTOR, /* fd/N of one */
	PROC_MOUNTS,     /* the step's: its root, not the container's */
	PROC_SYSTEM,     /* below sys: whatever is there, to be read */
};

/* path: below /proc, clean, relative. out: the same with the caller's number for "self". */
enum proc_kind proc_kind(struct call *c, const char *path, char out[INIT_PATH]);
bool proc_is_written(const char *path);
/* The handler of calls. */
void proc_handle(struct call *c);

/* init_proc_folder: makes the folder below the root's /proc; with names, what is in it now. */
bool proc_make_folder(struct call *c, const char *path, bool names);
