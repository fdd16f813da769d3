#include "sandbox/init_owner.h"

#include <stdlib.h>
#include <sys/syscall.h>

/* Sorted by nothing: found by a list that is made once. */
static const struct owner_call calls[] = {
#ifdef SYS_chown
	{SYS_chown, OWNER_CHOWN, -1, 0, 1, -1, false},
	{SYS_lchown, OWNER_CHOWN, -1, 0, 1, -1, true},
	{SYS_stat, OWNER_STAT, -1, 0, 1, -1, false},
	{SYS_lstat, OWNER_STAT, -1, 0, 1, -1, true},
	{SYS_open, OWNER_OPEN, -1, 0, 1, -1, false},
	{SYS_creat, OWNER_CREAT, -1, 0, 1, -1, false},
	{SYS_mkdir, OWNER_MKDIR, -1, 0, 1, -1, false},
	{SYS_mknod, OWNER_MKNOD, -1, 0, 1, -1, true},
	{SYS_symlink, OWNER_SYMLINK, -1, 1, 0, -1, true},
	{SYS_access, OWNER_ACCESS, -1, 0, 1, -1, false},
	{SYS_unlink, OWNER_REMOVE, -1, 0, -1, -1, true},
	{SYS_rmdir, OWNER_REMOVE, -1, 0, -1, -1, true},
	{SYS_rename, OWNER_RENAME, -1, 0, 1, -1, true},
	{SYS_link, OWNER_LINK, -1, 0, 1, -1, true},
	{SYS_chmod, OWNER_CHMOD, -1, 0, 1, -1, false},
#endif
	{SYS_fchown, OWNER_CHOWN, 0, -1, 1, -1, false},
	{SYS_fchownat, OWNER_CHOWN, 0, 1, 2, 4, false},
	{SYS_fstat, OWNER_STAT, 0, -1, 1, -1, false},
	{SYS_newfstatat, OWNER_STAT, 0, 1, 2, 3, false},
	{SYS_statx, OWNER_STATX, 0, 1, 4, 2, false},
	{SYS_openat, OWNER_OPEN, 0, 1, 2, -1, false},
	{SYS_openat2, OWNER_OPENAT2, 0, 1, 2, -1, false},
	{SYS_mkdirat, OWNER_MKDIR, 0, 1, 2, -1, false},
	{SYS_mknodat, OWNER_MKNOD, 0, 1, 2, -1, true},
	{SYS_symlinkat, OWNER_SYMLINK, 1, 2, 0, -1, true},
	{SYS_faccessat, OWNER_ACCESS, 0, 1, 2, -1, false},
#ifdef SYS_faccessat2
	{SYS_faccessat2, OWNER_ACCESS, 0, 1, 2, 3, false},
#endif
	{SYS_unlinkat, OWNER_REMOVE, 0, 1, -1, -1, true},
#ifdef SYS_renameat
	{SYS_renameat, OWNER_RENAME, 0, 1, 3, -1, true},
#endif
	{SYS_renameat2, OWNER_RENAME, 0, 1, 3, -1, true},
	{SYS_linkat, OWNER_LINK, 0, 1, 3, -1, true},
	{SYS_fchmod, OWNER_CHMOD, 0, -1, 1, -1, false},
	{SYS_fchmodat, OWNER_CHMOD, 0, 1, 2, -1, false},
	{452 /* fchmodat2 */, OWNER_CHMOD, 0, 1, 2, 3, false},
	{SYS_execve, OWNER_EXEC, -1, 0, -1, -1, false},
	{SYS_execveat, OWNER_EXEC, 0, 1, -1, 4, false},
	{SYS_getsockopt, OWNER_PEER, -1, -1, -1, -1, false},
	{SYS_prctl, OWNER_KEEP_CAPS, -1, -1, -1, -1, false},
#ifdef SYS_getrlimit
	{SYS_getrlimit, OWNER_LIMIT, -1, -1, -1, -1, false},
	{SYS_setrlimit, OWNER_LIMIT, -1, -1, -1, -1, false},
#endif
	{SYS_prlimit64, OWNER_LIMIT, -1, -1, -1, -1, false},
	{SYS_getuid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_geteuid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_getgid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_getegid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_getresuid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_getresgid, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_getgroups, OWNER_GET_ID, -1, -1, -1, -1, false},
	{SYS_setuid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setgid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setreuid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setregid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setresuid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setresgid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setfsuid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setfsgid, OWNER_SET_ID, -1, -1, -1, -1, false},
	{SYS_setgroups, OWNER_SET_ID, -1, -1, -1, -1, false},
};

#define MAX_NUMBER 512

static const struct owner_call *find(int number)
{
	static const struct owner_call *by_number[MAX_NUMBER];

	if (!by_number[calls[0].number])
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			by_number[calls[i].number] = &calls[i];
	return number >= 0 && number < MAX_NUMBER ? by_number[number] : NULL;
}

static const struct {
	void (*file)(struct call *c, const struct owner_call *f);
	void (*caller)(struct call *c);
} handlers[] = {
	[OWNER_CHOWN] = {.file = owner_chown},
	[OWNER_STAT] = {.file = owner_show},
	[OWNER_STATX] = {.file = owner_show},
	[OWNER_OPEN] = {.file = owner_open},
	[OWNER_OPENAT2] = {.file = owner_open},
	[OWNER_CREAT] = {.file = owner_open},
	[OWNER_MKDIR] = {.file = owner_mkdir},
	[OWNER_MKNOD] = {.file = owner_mknod},
	[OWNER_SYMLINK] = {.file = owner_symlink},
	[OWNER_ACCESS] = {.file = owner_access},
	[OWNER_REMOVE] = {.file = owner_remove},
	[OWNER_RENAME] = {.file = owner_move},
	[OWNER_LINK] = {.file = owner_move},
	[OWNER_CHMOD] = {.file = owner_chmod},
	[OWNER_EXEC] = {.file = owner_exec},
	[OWNER_GET_ID] = {.caller = identity_get},
	[OWNER_SET_ID] = {.caller = identity_set},
	[OWNER_PEER] = {.caller = identity_peer},
	[OWNER_LIMIT] = {.caller = identity_limit},
	[OWNER_KEEP_CAPS] = {.caller = identity_keep_caps},
};

void owner_handle(struct call *c)
{
	const struct owner_call *f = find(c->number);

	if (f && handlers[f->op].file)
		handlers[f->op].file(c, f);
	else if (f)
		handlers[f->op].caller(c);
}
