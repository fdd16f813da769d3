/*
 * Who owns a file where only one id exists: noted in an extended attribute of the file itself, so that it goes where the file goes, by
 * whatever name, and ends with it. Shared with slipway-init, which includes nothing of base/.
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define OWNER_MARK    "user.slipway.owner"
#define DEVICE_MARK   "user.slipway.device" /* on an empty file: the device that could not be made */
#define OWNER_RECORDS ".owners"             /* after the path of a folder: its file of records */

/* Native numbers: marked files never leave their machine. */
struct owner_mark {
	uint32_t uid, gid;
};

struct device_mark {
	uint32_t type; /* S_IFCHR or S_IFBLK */
	uint32_t major, minor;
};

/* Of files that take no such attribute, as symbolic links: one record after the other, a later one counts. */
struct owner_record {
	uint64_t ino;
	int64_t born; /* seconds; an inode's number may be taken again */
	uint32_t born_ns;
	struct owner_mark owner;
	uint32_t unused;
};

#ifndef STATX_BTIME
#define STATX_BTIME 0x800u
#endif

/* Fills in which file it is: dirfd/name itself, dirfd with the name "". False: there is none. */
static inline bool owner_record_identify(int dirfd, const char *name, struct owner_record *r)
{
	struct statx x;

	memset(&x, 0, sizeof(x));
	if (statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &x) <
	    0)
		return false;
	r->ino = x.stx_ino;
	r->born = x.stx_btime.tv_sec;
	r->born_ns = x.stx_btime.tv_nsec;
	return true;
}
