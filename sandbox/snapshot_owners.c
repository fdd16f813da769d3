#include "sandbox/snapshot_owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"

/* A million links given away in one step is more than any does. */
#define FILE_LIMIT ((size_t)64 << 20)

void owners_release(struct owners *l)
{
	free(l->given);
	free(l->found);
}

static int compare(const void *a, const void *b)
{
	const struct owner_record *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	if (x->born != y->born)
		return x->born < y->born ? -1 : 1;
	return (x->born_ns > y->born_ns) - (x->born_ns < y->born_ns);
}

/* One of each file: the last. */
static void settle(struct owners *l)
{
	size_t n = 0;

	/* The order of what is equal counts: a number that the file has no use for tells it. */
	for (size_t i = 0; i < l->n_given; i++)
		l->given[i].unused = (uint32_t)i;
	qsort(l->given, l->n_given, sizeof(*l->given), compare);
	for (size_t i = 0; i < l->n_given; i++) {
		struct owner_record *r = &l->given[i];

		if (n > 0 && compare(&l->given[n - 1], r) == 0) {
			if (l->given[n - 1].unused < r->unused)
				l->given[n - 1] = *r;
		} else {
			l->given[n++] = *r;
		}
	}
	l->n_given = n;
}

int owners_read(struct owners *l, const char *file, struct error *err)
{
	AUTO(strbuf) bytes = STRBUF_INIT;

	if (access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fs_read_file(file, &bytes, FILE_LIMIT, err) < 0)
		return -1;
	l->n_given = bytes.len / sizeof(*l->given);
	if (l->n_given == 0)
		return 0;
	l->given = xreallocarray(NULL, l->n_given, sizeof(*l->given));
	memcpy(l->given, bytes.buf, l->n_given * sizeof(*l->given));
	settle(l);
	return 0;
}

bool owners_find(const struct owners *l, int dirfd, const char *name, struct owner_mark *m)
{
	struct owner_record wanted = {0};
	const struct owner_record *found;

	if (l->n_given == 0 || !owner_record_identify(dirfd, name, &wanted))
		return false;
	found = bsearch(&wanted, l->given, l->n_given, sizeof(wanted), compare);
	if (found)
		*m = found->owner;
	return found != NULL;
}

void owners_add(struct owners *l, int dirfd, const char *name, uint32_t uid, uint32_t gid)
{
	struct owner_record r = {.owner = {uid, gid}};

	if (!owner_record_identify(dirfd, name, &r))
		return;
	GROW(l->found, l->n_found + 1, l->cap_found);
	l->found[l->n_found++] = r;
}

int owners_write(const struct owners *l, const char *file, struct error *err)
{
	AUTO_FD int fd = -1;

	if (l->n_found == 0)
		return 0;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "create %s", file);
	return fs_write_all(fd, l->found, l->n_found * sizeof(*l->found), file, err);
}
