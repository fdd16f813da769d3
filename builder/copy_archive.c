#include "builder/copy_archive.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "oci/layer_reader.h"

bool copy_is_archive(int fd)
{
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	struct fd_source in;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return false;
	fd_source_init(&in, fd, "an archive");
	/* the first member tells: what is compressed need not be a tar; whether it may be unpacked is seen later */
	if (layer_reader_open_source(&reader, &in.source, "an archive", false, NULL) == 0)
		layer_reader_next(reader, &e, NULL);
	lseek(fd, 0, SEEK_SET);
	return reader && layer_reader_is_tar(reader);
}

struct unpacking {
	struct copy_job *job;
	struct layer_reader *reader;
	const char *dest;
	struct plan_node *top;
};

/* The folder of a member, made when missing; links on the way are followed inside the root. *name: the last component. */
static int folder_of_member(struct unpacking *u, const char *path, struct plan_node **dir,
			    const char **name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *full = NULL;

	*dir = u->top;
	*name = slash ? slash + 1 : path;
	if (!slash)
		return 0;
	full = xstrfmt("%s/%.*s", u->dest, (int)(slash - path), path);
	return plan_folder(u->job->plan, full, true, dir, err);
}

/* A hard link takes over what its target is; a link to something other than a file becomes its twin. */
static int link_member(struct unpacking *u, const struct entry *e, struct error *err)
{
	struct plan *plan = u->job->plan;
	struct plan_node *dir, *to, *n;
	const char *name;

	if (folder_of_member(u, e->link, &dir, &name, err) < 0)
		return -1;
	to = plan_child(dir, name, strlen(name));
	if (!to || to->type == ENTRY_DIR)
		return error_set(err, ERROR_CORRUPT,
				 "%s is a hard link to %s, which is not in the archive before it",
				 e->path, e->link);
	if (folder_of_member(u, e->path, &dir, &name, err) < 0)
		return -1;
	if (plan_child(dir, name, strlen(name)) == to)
		return 0;
	if (to->type == ENTRY_FILE && !to->link_group)
		to->link_group = (uint32_t)++u->job->n_links;
	if (plan_put(plan, dir, plan_text(plan, name), (enum entry_type)to->type, true, &n, err) <
	    0)
		return -1;
	plan_same(n, to);
	return 0;
}

/* Only security.capability stays, copied out of the reader's memory. */
static void keep_capability(struct copy_job *j, struct plan_node *n, const struct entry *e)
{
	n->xattrs = NULL;
	n->n_xattrs = 0;
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

static int fill_member(struct unpacking *u, struct plan_node *n, const struct entry *e,
		       struct error *err)
{
	struct copy_job *j = u->job;

	n->mode = (uint16_t)e->mode;
	n->uid = j->has_owner ? j->owner.uid : e->uid;
	n->gid = j->has_owner ? j->owner.gid : e->gid;
	n->mtime = e->mtime;
	keep_capability(j, n, e);
	if (e->type == ENTRY_SYMLINK)
		n->link = plan_text(j->plan, e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		n->device = (struct plan_device_part){e->dev_major, e->dev_minor};
	if (e->type != ENTRY_FILE)
		return 0;
	n->content = PLAN_TEMP;
	n->link_group = 0;
	return copy_temp_add(&j->temp, layer_reader_source(u->reader), &n->file.from.offset,
			     &n->file.size, err);
}

static int add_member(struct unpacking *u, const struct entry *e, struct error *err)
{
	struct plan_node *dir, *n;
	const char *name;

	if (e->type == ENTRY_HARDLINK)
		return link_member(u, e, err);
	/* "./" is the destination itself, which stays what it is: many archives have a mode of mktemp's there */
	if (!*e->path)
		return 0;
	if (folder_of_member(u, e->path, &dir, &name, err) < 0 ||
	    plan_put(u->job->plan, dir, plan_text(u->job->plan, name), e->type, true, &n, err) < 0)
		return -1;
	return fill_member(u, n, e, err);
}

int copy_unpack(struct copy_job *j, int fd, const char *name, struct error *err)
{
	struct unpacking u = {.job = j, .dest = j->dest};
	AUTO_PTR(layer_reader) reader = NULL;
	struct fd_source in;
	const struct entry *e;
	int got;

	fd_source_init(&in, fd, name);
	if (plan_folder(j->plan, j->dest, false, &u.top, err) < 0 ||
	    layer_reader_open_source(&reader, &in.source, name, false, err) < 0)
		return -1;
	u.reader = reader;
	while ((got = layer_reader_next(reader, &e, err)) > 0)
		if (cancel_check(j->r->cancel, err) < 0 || add_member(&u, e, err) < 0)
			return error_wrap(err, "unpack %s", name);
	return got < 0 ? error_wrap(err, "unpack %s", name) : 0;
}
