#include "sandbox/init_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/init_target.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u
#endif

/* Open addressing by inode; a free place has inode 0. */
static struct owner_record *table;
static size_t n_used, n_places;
static int file = -1, upper = -1;
static uint64_t root_mount;

static size_t place_of(const struct owner_record *r)
{
	size_t i = (size_t)(r->ino * 0x9e3779b97f4a7c15ull >> 20) & (n_places - 1);

	while (table[i].ino != 0 && (table[i].ino != r->ino || table[i].born != r->born ||
				     table[i].born_ns != r->born_ns))
		i = (i + 1) & (n_places - 1);
	return i;
}

static void grow(void)
{
	struct owner_record *old = table;
	size_t n = n_places;

	n_places = n ? n * 2 : 256;
	table = init_alloc(n_places, sizeof(*table));
	for (size_t i = 0; i < n; i++)
		if (old[i].ino != 0)
			table[place_of(&old[i])] = old[i];
	free(old);
}

static void add(const struct owner_record *r)
{
	size_t i;

	if (r->ino == 0)
		return;
	if (2 * n_used >= n_places)
		grow();
	i = place_of(r);
	n_used += table[i].ino == 0;
	table[i] = *r;
}

static void read_file(int fd)
{
	struct owner_record some[128];
	ssize_t n;

	while ((n = read(fd, some, sizeof(some))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(*some); i++)
			add(&some[i]);
	close(fd);
}

static void read_beside(const char *folder)
{
	char path[INIT_PATH];
	int fd;

	snprintf(path, sizeof(path), "%s" OWNER_RECORDS, folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		read_file(fd);
}

static void read_layers(const struct list *folders)
{
	for (size_t i = folders->n; i > 0; i--)
		read_beside(folders->items[i - 1]);
}

void records_open(const struct orders *o)
{
	if (!o->owners)
		return;
	read_layers(&o->lowers);
	if (o->root)
		read_beside(o->root);
	for (size_t i = 0; i < o->n_mounts; i++)
		read_layers(&o->mounts[i].lowers);
	file = open(o->owners, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file >= 0)
		read_file(fcntl(file, F_DUPFD_CLOEXEC, 0));
	if (o->upper)
		upper = open(o->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static uint64_t mount_of(int dirfd, const char *path, int flags)
{
	struct statx x;

	memset(&x, 0, sizeof(x));
	if (statx(dirfd, path, flags, STATX_MNT_ID, &x) < 0 || !(x.stx_mask & STATX_MNT_ID))
		return 0;
	return x.stx_mnt_id;
}

void records_begin(void)
{
	root_mount = mount_of(AT_FDCWD, "/", 0);
}

bool record_is_in_root(int fd)
{
	return mount_of(fd, "", AT_EMPTY_PATH) == root_mount;
}

bool records_any(void)
{
	return n_used > 0;
}

bool record_find(int fd, struct owner_mark *m)
{
	struct owner_record r = {0};
	size_t i;

	if (n_used == 0 || !owner_record_identify(fd, "", &r))
		return false;
	i = place_of(&r);
	if (table[i].ino == 0)
		return false;
	*m = table[i].owner;
	return true;
}

static void note(const struct owner_record *r)
{
	add(r);
	if (file >= 0)
		(void)!write(file, r, sizeof(*r));
}

int record_set(int fd, const struct owner_mark *m)
{
	struct owner_record r = {.owner = *m};
	char path[INIT_PATH];

	if (!record_is_in_root(fd))
		return 0;
	/* Nothing changes by this, but the file is copied up from its layer: what is not in the change set has no owner there. */
	if (fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0)
		return -1;
	if (owner_record_identify(fd, "", &r))
		note(&r);
	/* For a while a file that was copied up shows the inode that it had in its layer. */
	if (upper >= 0 && target_name(fd, path) && owner_record_identify(upper, path + 1, &r))
		note(&r);
	return 0;
}

void record_keep(int fd)
{
	struct owner_mark m;

	if (record_find(fd, &m))
		(void)record_set(fd, &m);
}
