#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_SHM_SIZE (64ull << 20)
#define N_LOOP_DEVICES   8
#define QUIET            (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int open_target_dir(int rootfd, const char *name)
{
	struct stat st;
	int fd = open_beneath(rootfd, name, O_PATH | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(STAGE_TARGET, errno, "open /%s of the image", name);
	if (S_ISLNK(st.st_mode))
		fail(STAGE_TARGET, 0,
		     "the image has /%s as a symbolic link: refused, a mount there would land elsewhere",
		     name);
	if (!S_ISDIR(st.st_mode))
		fail(STAGE_TARGET, 0, "the image has /%s as something else than a folder", name);
	return fd;
}

static void attach(enum stage stage, int mountfd, int targetfd, const char *what)
{
	if (mountfd < 0 || mount_attach(mountfd, targetfd) < 0)
		fail(stage, errno, "mount %s%s%s", what, mount_fs_message()[0] ? ": " : "",
		     mount_fs_message());
}

/* A device of the host, checked to be the one it is called. */
static int open_device(const char *name, unsigned int major_no, unsigned int minor_no)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(major_no, minor_no))
		fail(STAGE_DEV, 0, "/dev/%s of this machine is not the device it should be", name);
	return fd;
}

static void bind_file(int fromfd, int dirfd, const char *name)
{
	int target, clone = mount_clone(fromfd, false);

	if (clone < 0 || mount_set(clone, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false) < 0)
		fail(STAGE_DEV, errno, "bind /dev/%s", name);
	target = make_beneath(dirfd, name, true, 0666);
	if (target < 0)
		fail(STAGE_DEV, errno, "make /dev/%s", name);
	attach(STAGE_DEV, clone, target, name);
	close(clone);
	close(target);
}

static void bind_devices(int devfd)
{
	static const struct {
		const char *name;
		unsigned int minor_no;
		unsigned int major_no;
		bool needed;
	} devices[] = {
		{"null", 3, 1, true},   {"zero", 5, 1, true},    {"full", 7, 1, false},
		{"random", 8, 1, true}, {"urandom", 9, 1, true}, {"tty", 0, 5, false},
	};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		int fd = open_device(devices[i].name, devices[i].major_no, devices[i].minor_no);

		if (fd < 0 && devices[i].needed)
			fail(STAGE_DEV, errno, "open /dev/%s of this machine", devices[i].name);
		if (fd < 0)
			continue;
		bind_file(fd, devfd, devices[i].name);
		close(fd);
	}
}

/* What a privileged step mounts images with. */
static void make_loop_devices(int devfd)
{
	char name[16];

	if (mknodat(devfd, "loop-control", S_IFCHR | 0660, makedev(10, 237)) < 0)
		fail(STAGE_DEV, errno, "make /dev/loop-control");
	for (unsigned int i = 0; i < N_LOOP_DEVICES; i++) {
		snprintf(name, sizeof(name), "loop%u", i);
		if (mknodat(devfd, name, S_IFBLK | 0660, makedev(7, i)) < 0)
			fail(STAGE_DEV, errno, "make /dev/%s", name);
	}
}

static int mount_in_dev(int devfd, const char *name, const char *type,
			const struct mount_option *options, size_t n, unsigned int attr)
{
	int fd = mount_fs(type, options, n, attr), target;

	target = make_beneath(devfd, name, false, 0755);
	if (target < 0)
		fail(STAGE_DEV, errno, "make /dev/%s", name);
	attach(STAGE_DEV, fd, target, name);
	close(target);
	return fd;
}

int terminal_open(int ptsfd, int *slave)
{
	int unlock = 0;
	int master = openat(ptsfd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		fail(STAGE_DEV, errno, "make a terminal");
	*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		fail(STAGE_DEV, errno, "make a terminal");
	return master;
}

static void make_terminal(int devfd, int ptsfd, int *slave)
{
	char name[16];
	unsigned int number;
	int master = terminal_open(ptsfd, slave), node;

	if (ioctl(master, TIOCGPTN, &number) < 0)
		fail(STAGE_DEV, errno, "make a terminal");
	snprintf(name, sizeof(name), "%u", number);
	node = openat(ptsfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (node < 0)
		fail(STAGE_DEV, errno, "make a terminal");
	bind_file(node, devfd, "console");
	close(node);
	report_fd(REPORT_MASTER, 0, master);
	close(master);
}

static void dev_links(int devfd)
{
	static const struct {
		const char *name, *text;
	} links[] = {
		{"core", "/proc/kcore"},      {"fd", "/proc/self/fd"},
		{"ptmx", "pts/ptmx"},         {"stderr", "/proc/self/fd/2"},
		{"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].text, devfd, links[i].name) < 0)
			fail(STAGE_DEV, errno, "make /dev/%s", links[i].name);
}

/* apt leaves root's rights for a user that a namespace of one id does not have. */
static void apt_settings(int devfd)
{
	static const char text[] = "APT::Sandbox::User \"root\";\n";
	int fd = openat(devfd, "slipway-apt.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
		fail(STAGE_DEV, errno, "make /dev/slipway-apt.conf");
	close(fd);
}

void dev_mount(int rootfd, const struct orders *o, int *tty_slave)
{
	static const struct mount_option dev[] = {{"mode", "755"}, {"size", "64m"}};
	char shm_size[32];
	const struct mount_option shm[] = {{"mode", "1777"}, {"size", shm_size}};
	static const struct mount_option pts[] = {
		{"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}};
	int target = open_target_dir(rootfd, "dev");
	const bool privileged = o->flags & FLAG_PRIVILEGED;
	int devfd = mount_fs("tmpfs", dev, 2,
			     MOUNT_ATTR_NOSUID | (privileged ? 0u : MOUNT_ATTR_NODEV));
	int ptsfd;

	snprintf(shm_size, sizeof(shm_size), "%llu",
		 (unsigned long long)(o->shm_size ? o->shm_size : DEFAULT_SHM_SIZE));
	attach(STAGE_DEV, devfd, target, "/dev");
	close(target);
	bind_devices(devfd);
	if (privileged)
		make_loop_devices(devfd);
	dev_links(devfd);
	/* Group 5, tty, is not there in a namespace of one id. */
	ptsfd = mount_in_dev(devfd, "pts", "devpts", pts, o->flags & FLAG_SINGLE ? 3 : 4,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	close(mount_in_dev(devfd, "shm", "tmpfs", shm, 2, QUIET));
	close(mount_in_dev(devfd, "mqueue", "mqueue", NULL, 0, QUIET));
	if (o->flags & FLAG_SINGLE)
		apt_settings(devfd);
	*tty_slave = -1;
	if (o->flags & FLAG_TTY)
		make_terminal(devfd, ptsfd, tty_slave);
	close(ptsfd);
	close(devfd);
}

void proc_mount(int rootfd)
{
	int target = open_target_dir(rootfd, "proc");
	int fd = mount_fs("proc", NULL, 0, QUIET);

	attach(STAGE_PROC, fd, target, "/proc");
	if (!is_on_proc(fd))
		fail(STAGE_PROC, 0, "/proc is not what was mounted there");
	close(fd);
	close(target);
}

/* A fresh one belongs to a network namespace of ours; with the host's, its view is bound, read-only. */
void sys_mount(int rootfd, const struct orders *o)
{
	const unsigned int readonly = o->flags & FLAG_PRIVILEGED ? 0u : MOUNT_ATTR_RDONLY;
	int target = open_target_dir(rootfd, "sys"), host;
	int fd = -1;

	if (!(o->flags & FLAG_USERNS) || (o->flags & FLAG_NETNS))
		fd = mount_fs("sysfs", NULL, 0, QUIET | readonly);
	if (fd < 0) {
		host = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (host < 0 || (fd = mount_clone(host, true)) < 0 ||
		    mount_set(fd, QUIET | readonly, true) < 0)
			fail(STAGE_SYS, errno, "bind /sys");
		close(host);
	}
	attach(STAGE_SYS, fd, target, "/sys");
	close(fd);
	close(target);
}

static void mask(int rootfd, const char *path, int nullfd)
{
	int target = open_beneath(rootfd, path, O_PATH | O_NOFOLLOW), fd;
	static const struct mount_option empty[] = {{"mode", "755"}, {"nr_inodes", "1"}};
	struct stat st;

	if (target < 0) {
		if (errno == ENOENT || errno == EACCES)
			return;
		fail(STAGE_PROC, errno, "hide /%s", path);
	}
	if (fstat(target, &st) < 0)
		fail(STAGE_PROC, errno, "hide /%s", path);
	if (S_ISDIR(st.st_mode)) {
		fd = mount_fs("tmpfs", empty, 2, QUIET | MOUNT_ATTR_RDONLY);
	} else {
		fd = mount_clone(nullfd, false);
		if (fd >= 0 && mount_set(fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false) < 0)
			fail(STAGE_PROC, errno, "hide /%s", path);
	}
	attach(STAGE_PROC, fd, target, path);
	close(fd);
	close(target);
}

static void freeze(int rootfd, const char *path)
{
	int target = open_beneath(rootfd, path, O_PATH | O_NOFOLLOW), fd;

	if (target < 0) {
		if (errno == ENOENT)
			return;
		fail(STAGE_PROC, errno, "make /%s read-only", path);
	}
	fd = mount_clone(target, true);
	if (fd < 0 || mount_set(fd, QUIET | MOUNT_ATTR_RDONLY, true) < 0)
		fail(STAGE_PROC, errno, "make /%s read-only", path);
	attach(STAGE_PROC, fd, target, path);
	close(fd);
	close(target);
}

/* Per-CPU counters of overheating: a side channel of the host. */
static void mask_throttling(int rootfd, int nullfd)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	char path[80];

	for (long i = 0; i < cpus; i++) {
		snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%ld/thermal_throttle", i);
		mask(rootfd, path, nullfd);
	}
}

void masks_mount(int rootfd)
{
	static const char *const hidden[] = {
		"proc/acpi",        "proc/asound",        "proc/interrupts",
		"proc/kcore",       "proc/keys",          "proc/latency_stats",
		"proc/sched_debug", "proc/scsi",          "proc/timer_list",
		"proc/timer_stats", "sys/firmware",       "sys/devices/virtual/powercap",
		"sys/kernel/debug", "sys/kernel/tracing",
	};
	static const char *const frozen[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
					     "proc/sysrq-trigger"};
	int nullfd = open_device("null", 1, 3);

	if (nullfd < 0)
		fail(STAGE_DEV, errno, "open /dev/null of this machine");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		mask(rootfd, hidden[i], nullfd);
	mask_throttling(rootfd, nullfd);
	for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
		freeze(rootfd, frozen[i]);
	close(nullfd);
}
