#include "builder/copy_archive.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "oci/layer_reader.h"

bool copy_is_archive(int fd)
{
	static const struct {
		size_t at, len;
		const char *magic;
	} magics[] = {
		{257, 5, "ustar"},       {0, 2, "\x1f\x8b"},         {0, 3, "BZh"},
		{0, 6, "\xfd\x37zXZ\0"}, {0, 4, "\x28\xb5\x2f\xfd"},
	};
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	struct fd_source in;
	char head[512];
	ssize_t have = pread(fd, head, sizeof(head), 0);
	bool likely = false, found;

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		likely = likely ||
			 (have >= (ssize_t)(magics[i].at + magics[i].len) &&
			  memcmp(head + magics[i].at, magics[i].magic, magics[i].len) == 0);
	if (!likely || lseek(fd, 0, SEEK_SET) < 0)
		return false;
	/* compressed data need not be a tar: its first member tells */
	fd_source_init(&in, fd, "an archive");
	found = layer_reader_open_source(&reader, &in.source, "an archive", false, NULL) == 0 &&
		layer_reader_next(reader, &e, NULL) > 0;
	lseek(fd, 0, SEEK_SET);
	return found;
}

/* Where a member goes: its parents resolve in what is unpacked already and in the image, never outside the root. */
static int place_member(struct copy_job *j, const char *dest, const char *path,
			struct plan_place *place, struct error *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = slash ? xstrfmt("%s/%.*s", dest, (int)(slash - path), path)
				    : xstrdup(dest);

	*place = (struct plan_place){.name = slash ? slash + 1 : path};
	return plan_folder(j->plan, dir, true, &place->dir, err);
}

static int link_member(struct copy_job *j, const char *dest, const struct entry *e,
		       struct plan_node *n, struct error *err)
{
	AUTO_FREE char *target = xstrfmt("%s/%s", dest, e->link);
	struct plan_place place;

	if (plan_resolve(j->plan, target, true, &place, err) < 0)
		return -1;
	for (uint32_t i = 0; i < place.dir->n_children; i++) {
		struct plan_node *to = place.dir->children[i];

		if (strcmp(to->name, place.name) != 0 || to->type != ENTRY_FILE || to == n)
			continue;
		if (!to->link_group)
			to->link_group = (uint32_t)++j->n_links;
		n->type = ENTRY_FILE;
		n->content = to->content;
		n->from = to->from;
		n->size = to->size;
		n->mode = to->mode;
		n->uid = to->uid;
		n->gid = to->gid;
		n->mtime = to->mtime;
		n->xattrs = to->xattrs;
		n->n_xattrs = to->n_xattrs;
		n->link_group = to->link_group;
		return 0;
	}
	return error_set(err, ERROR_CORRUPT,
			 "%s is a hard link to %s, which is not in the archive before it", e->path,
			 e->link);
}

/* Only security.capability stays, copied out of the reader's memory. */
static void keep_capability(struct copy_job *j, struct plan_node *n, const struct entry *e)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		struct xattr *kept;

		if (strcmp(e->xattrs[i].name, "security.capability") != 0)
			continue;
		kept = plan_keep(j->plan, sizeof(*kept) + e->xattrs[i].len);
		memcpy(kept + 1, e->xattrs[i].value, e->xattrs[i].len);
		*kept = (struct xattr){"security.capability", kept + 1, e->xattrs[i].len};
		n->xattrs = kept;
		n->n_xattrs = 1;
	}
}

static int add_member(struct copy_job *j, struct layer_reader *reader, const struct entry *e,
		      const char *dest, struct error *err)
{
	bool is_link = e->type == ENTRY_HARDLINK;
	struct plan_place place;
	struct plan_node *n;

	if (!*e->path)
		return 0;
	if (place_member(j, dest, e->path, &place, err) < 0 ||
	    plan_put(j->plan, place.dir, place.name, is_link ? ENTRY_FILE : e->type, true, &n,
		     err) < 0)
		return -1;
	if (is_link)
		return link_member(j, dest, e, n, err);
	n->mode = (uint16_t)e->mode;
	n->uid = j->has_owner ? j->owner.uid : e->uid;
	n->gid = j->has_owner ? j->owner.gid : e->gid;
	n->mtime = e->mtime;
	n->dev_major = e->dev_major;
	n->dev_minor = e->dev_minor;
	n->link = e->link ? plan_text(j->plan, e->link) : NULL;
	n->xattrs = NULL;
	n->n_xattrs = 0;
	keep_capability(j, n, e);
	if (e->type != ENTRY_FILE)
		return 0;
	n->content = PLAN_TEMP;
	return copy_temp_add(&j->temp, layer_reader_source(reader), &n->from.offset, &n->size, err);
}

int copy_unpack(struct copy_job *j, int fd, const char *dest, const char *name, struct error *err)
{
	AUTO_PTR(layer_reader) reader = NULL;
	struct plan_node *top;
	struct fd_source in;
	const struct entry *e;
	int got;

	fd_source_init(&in, fd, name);
	if (plan_folder(j->plan, dest, false, &top, err) < 0 ||
	    layer_reader_open_source(&reader, &in.source, name, false, err) < 0)
		return -1;
	while ((got = layer_reader_next(reader, &e, err)) > 0)
		if (cancel_check(j->r->cancel, err) < 0 || add_member(j, reader, e, dest, err) < 0)
			return error_wrap(err, "unpack %s", name);
	return got < 0 ? error_wrap(err, "unpack %s", name) : 0;
}
