#include "builder/copy_collect.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "builder/copy_archive.h"

struct link_slot {
	uint64_t dev, ino;
	uint32_t group;
};

void copy_job_release(struct copy_job *j)
{
	copy_temp_release(&j->temp);
	plan_free(j->plan);
	free(j->links);
	free(j->top_name);
}

static size_t slot_of(const struct copy_job *j, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ (dev << 40)) * 0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(h >> 24) & (j->n_slots - 1);

	while (j->links[i].group && (j->links[i].dev != dev || j->links[i].ino != ino))
		i = (i + 1) & (j->n_slots - 1);
	return i;
}

static uint32_t link_group(struct copy_job *j, uint64_t dev, uint64_t ino)
{
	size_t i;

	if (!ino)
		return 0;
	if (j->n_links * 2 >= j->n_slots) {
		struct link_slot *old = j->links;
		size_t n_old = j->n_slots;

		j->n_slots = n_old ? n_old * 2 : 256;
		j->links = xcalloc(j->n_slots, sizeof(*j->links));
		for (size_t k = 0; k < n_old; k++)
			if (old[k].group)
				j->links[slot_of(j, old[k].dev, old[k].ino)] = old[k];
		free(old);
	}
	i = slot_of(j, dev, ino);
	if (!j->links[i].group)
		j->links[i] = (struct link_slot){dev, ino, (uint32_t)++j->n_links};
	return j->links[i].group;
}

/* --chown and --chmod, on whatever was copied. */
static void apply_flags(const struct copy_job *j, struct plan_node *n)
{
	const struct chmod_spec *chmod = &j->r->instruction->copy.chmod;

	if (chmod->given && n->type != ENTRY_SYMLINK)
		n->mode = (uint16_t)chmod_apply(chmod, n->mode, n->type == ENTRY_DIR);
	if (j->has_owner) {
		n->uid = j->owner.uid;
		n->gid = j->owner.gid;
	}
}

static void fill_node(struct copy_job *j, struct plan_node *n, const struct copy_item *item)
{
	const struct entry *e = &item->e;

	n->mode = (uint16_t)e->mode;
	n->uid = e->uid;
	n->gid = e->gid;
	n->mtime = e->mtime;
	n->size = e->size;
	n->link = e->link ? plan_text(j->plan, e->link) : NULL;
	n->dev_major = e->dev_major;
	n->dev_minor = e->dev_minor;
	n->xattrs = e->xattrs;
	n->n_xattrs = (uint32_t)e->n_xattrs;
	n->link_group = link_group(j, item->link_dev, item->link_ino);
	if (e->type == ENTRY_FILE && item->node) {
		n->content = PLAN_IMAGE;
		n->from.node = item->node;
	} else if (e->type == ENTRY_FILE) {
		n->content = PLAN_CONTEXT;
		n->from.path = plan_text(j->plan, item->path);
	}
	apply_flags(j, n);
}

/* The folder of the plan that holds rel, below the top of the match. Walks show folders first, so it is there. */
static struct plan_node *folder_of(struct plan_node *top, const char *rel, const char **name)
{
	struct plan_node *at = top;

	for (;;) {
		const char *slash = strchr(rel, '/');
		struct plan_node *next = NULL;

		if (!slash) {
			*name = rel;
			return at;
		}
		for (uint32_t low = 0, high = at->n_children; low < high && !next;) {
			uint32_t middle = low + (high - low) / 2;
			const char *have = at->children[middle]->name;
			int order = strncmp(have, rel, (size_t)(slash - rel));

			if (order == 0 && have[slash - rel])
				order = 1;
			if (order == 0)
				next = at->children[middle];
			else if (order < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (!next)
			return NULL;
		at = next;
		rel = slash + 1;
	}
}

static int visit_item(void *arg, const struct copy_item *item, struct error *err)
{
	struct copy_job *j = arg;
	struct plan_node *dir, *n;
	const char *name;

	if (!*item->rel && item->e.type == ENTRY_DIR)
		return 0; /* the contents of a folder are copied, never the folder itself */
	dir = *item->rel ? folder_of(j->top, item->rel, &name) : j->top;
	if (!*item->rel)
		name = j->top_name;
	if (!dir || dir->type != ENTRY_DIR)
		return error_set(err, ERROR_SYNTAX, "cannot copy to non-directory: /%s", item->rel);
	if (plan_put(j->plan, dir, name, item->e.type, false, &n, err) < 0)
		return -1;
	fill_node(j, n, item);
	return 0;
}

static bool names_folder(const char *dest)
{
	size_t n = strlen(dest);

	return n == 0 || dest[n - 1] == '/' || strcmp(dest, ".") == 0 || str_ends(dest, "/.");
}

/* Where one file goes: into dest when that is a folder or is written as one, else to dest itself. */
static int place_file(struct copy_job *j, const char *dest, bool as_folder, const char *name,
		      struct error *err)
{
	struct plan_place place;

	free(j->top_name);
	j->top_name = NULL;
	if (!as_folder && plan_resolve(j->plan, dest, false, &place, err) < 0)
		return -1;
	if (as_folder || place.is_dir) {
		if (!*name)
			return error_set(
				err, ERROR_SYNTAX,
				"cannot tell the file name for the folder %s: end the URL or the "
				"destination with one",
				dest);
		j->top_name = xstrdup(name);
		return plan_folder(j->plan, dest, false, &j->top, err);
	}
	j->top = place.dir;
	j->top_name = xstrdup(place.name);
	return 0;
}

static int put_temp_file(struct copy_job *j, int64_t offset, int64_t size, mode_t mode,
			 int64_t mtime, struct error *err)
{
	struct plan_node *n;

	if (plan_put(j->plan, j->top, j->top_name, ENTRY_FILE, false, &n, err) < 0)
		return -1;
	n->mode = (uint16_t)mode;
	n->uid = 0;
	n->gid = 0;
	n->mtime = mtime;
	n->size = size;
	n->content = PLAN_TEMP;
	n->from.offset = offset;
	apply_flags(j, n);
	return 0;
}

/* Destination as an absolute path, seen from the working folder. */
static char *destination(const struct copy_request *r)
{
	return path_resolve(r->working_dir && *r->working_dir ? r->working_dir : "/",
			    r->instruction->copy.dest);
}

static bool wants_unpacking(const struct copy_request *r, const struct copy_match *m, int *fd)
{
	const struct copy_instruction *c = &r->instruction->copy;
	struct entry e = {0};
	struct stat st;

	if (!r->is_add || m->is_dir || r->from || (c->has_unpack && !c->unpack))
		return false;
	if (fstatat(r->context->dirfd, m->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	e.size = st.st_size;
	if (copy_open_file(r, m->path, &e, fd, &st, NULL) < 0)
		return false;
	if (copy_is_archive(*fd))
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

static int collect_match(struct copy_job *j, const struct copy_match *m, const char *dest,
			 bool as_folder, struct error *err)
{
	AUTO_FREE char *below = NULL;
	AUTO_FD int archive = -1;

	if (m->parents) {
		const char *name = m->is_dir ? m->name : "";

		below = xstrfmt("%s/%s/%s", dest, m->parents, name);
		dest = below;
		as_folder = true;
	}
	if (wants_unpacking(j->r, m, &archive))
		return copy_unpack(j, archive, dest, m->name, err);
	if (m->is_dir) {
		if (plan_folder(j->plan, dest, false, &j->top, err) < 0)
			return -1;
	} else if (place_file(j, dest, as_folder, m->name, err) < 0) {
		return -1;
	}
	return copy_walk(j->r, m, visit_item, j, err);
}

/* Name of a download: the last part of the URL's path. */
static char *url_name(const char *url)
{
	const char *start = strstr(url, "://");
	size_t len;

	start = start ? start + 3 : url;
	start += strcspn(start, "/?#");
	len = strcspn(start, "?#");
	while (len > 0 && memchr(start, '/', len)) {
		start++;
		len--;
	}
	return xstrndup(start, len);
}

static int collect_fetched(struct copy_job *j, const char *url, const char *file, const char *dest,
			   bool as_folder, struct error *err)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *name = url_name(url);
	struct fd_source in;
	int64_t offset, size;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open the download of %s", url);
	if (j->r->instruction->copy.unpack && copy_is_archive(fd))
		return copy_unpack(j, fd, dest, url, err);
	if (place_file(j, dest, as_folder, name, err) < 0)
		return -1;
	fd_source_init(&in, fd, url);
	if (copy_temp_add(&j->temp, &in.source, &offset, &size, err) < 0)
		return -1;
	return put_temp_file(j, offset, size, 0600, st.st_mtim.tv_sec, err);
}

static int collect_source(struct copy_job *j, size_t i, const char *dest, bool as_folder,
			  struct error *err)
{
	const char *text = j->r->instruction->copy.sources.items[i];
	AUTO(copy_matches) matches = {0};

	if (j->r->fetched && j->r->fetched[i])
		return collect_fetched(j, text, j->r->fetched[i], dest, as_folder, err);
	if (copy_match_source(j->r, text, &matches, err) < 0)
		return -1;
	for (size_t k = 0; k < matches.n; k++)
		if (collect_match(j, &matches.items[k], dest, as_folder, err) < 0)
			return -1;
	return 0;
}

int copy_collect(struct copy_job *j, struct error *err)
{
	const struct copy_instruction *c = &j->r->instruction->copy;
	AUTO_FREE char *dest = destination(j->r);
	bool as_folder = names_folder(c->dest);

	for (size_t i = 0; i < c->sources.n; i++)
		if (collect_source(j, i, dest, as_folder, err) < 0)
			return -1;
	for (size_t i = 0; i < c->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&c->heredocs[i]);
		int64_t offset;

		if (place_file(j, dest, as_folder, c->heredocs[i].name, err) < 0 ||
		    copy_temp_add_bytes(&j->temp, body, strlen(body), &offset, err) < 0 ||
		    put_temp_file(j, offset, (int64_t)strlen(body), 0644, j->r->folder_mtime, err) <
			    0)
			return -1;
	}
	return 0;
}
