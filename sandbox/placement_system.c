/* The folders that a kernel fills elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "sandbox/placement_place.h"

static const struct device {
	const char *name;
	unsigned int major_no, minor_no;
} devices[] = {
	{"full", 1, 7}, {"null", 1, 3},    {"random", 1, 8},
	{"tty", 5, 0},  {"urandom", 1, 9}, {"zero", 1, 5},
};

static const struct {
	const char *name, *text;
} links[] = {
	{"fd", "/proc/self/fd"},
	{"stderr", "/proc/self/fd/2"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
};

/* A file system may allow to make devices and then not to open them. tty is not there for a process without a terminal. */
static bool make_device(int devfd, const struct device *d)
{
	const dev_t number = makedev(d->major_no, d->minor_no);
	AUTO_FD int fd = -1;

	if (mknodat(devfd, d->name, S_IFCHR | 0666, number) < 0)
		return false;
	/* the umask took from it */
	if (fchmodat(devfd, d->name, 0666, 0) == 0)
		fd = openat(devfd, d->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 || errno == ENXIO)
		return true;
	(void)unlinkat(devfd, d->name, 0);
	return false;
}

static int make_folder(int dirfd, const char *name, mode_t mode, struct error *err)
{
	if (mkdirat(dirfd, name, mode) < 0 || fchmodat(dirfd, name, mode, 0) < 0)
		return error_errno(err, "make /dev/%s", name);
	return 0;
}

static int fill_dev(int devfd, struct strlist *missing, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (!make_device(devfd, &devices[i]))
			strlist_addf(missing, "/dev/%s", devices[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].text, devfd, links[i].name) < 0)
			return error_errno(err, "make /dev/%s", links[i].name);
	if (make_folder(devfd, "pts", 0755, err) < 0)
		return -1;
	return make_folder(devfd, "shm", 01777, err);
}

int placement_system(struct placement *p, struct strlist *missing, struct error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"dev", 0755}, {"proc", 0555}, {"sys", 0555}};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		AUTO_FD int fd = -1;
		struct place *place;

		if (place_take_top(p, folders[i].name, &place, err) < 0)
			return -1;
		if (mkdirat(place->parent, place->name, folders[i].mode) < 0)
			return error_errno(err, "make /%s", place->name);
		fd = openat(place->parent, place->name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fchmod(fd, folders[i].mode) < 0)
			return error_errno(err, "make /%s", place->name);
		if (i == 0 && fill_dev(fd, missing, err) < 0)
			return -1;
		place_done(p);
	}
	return 0;
}
