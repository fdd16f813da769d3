#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From <sys/mount.h>, which cannot be included beside <linux/mount.h> in every C library. */
#define PROPAGATION_PRIVATE (1 << 18)

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static char message[256];

const char *mount_fs_message(void)
{
	return message;
}

/* The kernel's words come as "e overlay: ..."; the last one tells most. */
static void keep_message(int fsfd)
{
	char line[sizeof(message)];
	ssize_t n;

	message[0] = '\0';
	while ((n = read(fsfd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		snprintf(message, sizeof(message), "%s", n > 2 && line[1] == ' ' ? line + 2 : line);
	}
}

int mount_fs(const char *type, const struct mount_option *options, size_t n, unsigned int attr)
{
	int fsfd = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), fd = -1, saved;
	bool good;

	message[0] = '\0';
	if (fsfd < 0)
		return -1;
	/* What df and others show as the device. */
	good = syscall(SYS_fsconfig, fsfd, FSCONFIG_SET_STRING, "source", type, 0) == 0;
	for (size_t i = 0; good && i < n; i++)
		good = syscall(SYS_fsconfig, fsfd,
			       options[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			       options[i].key, options[i].value, 0) == 0;
	if (good && syscall(SYS_fsconfig, fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fsfd, FSMOUNT_CLOEXEC, attr);
	saved = errno;
	if (fd < 0)
		keep_message(fsfd);
	close(fsfd);
	errno = saved;
	return fd;
}

int mount_clone(int fd, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;

	return (int)syscall(SYS_open_tree, fd, "", flags | (recursive ? AT_RECURSIVE : 0u));
}

int mount_set(int mountfd, unsigned int attr, bool recursive)
{
	struct mount_attr ma;

	memset(&ma, 0, sizeof(ma));
	ma.attr_set = attr;
	ma.propagation = PROPAGATION_PRIVATE;
	return (int)syscall(SYS_mount_setattr, mountfd, "",
			    AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u), &ma, sizeof(ma));
}

int mount_attach(int mountfd, int targetfd)
{
	return (int)syscall(SYS_move_mount, mountfd, "", targetfd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
