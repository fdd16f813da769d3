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
	free(j->shared.bytes);
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

static void grow_links(struct copy_job *j)
{
	struct link_slot *old = j->links;
	size_t n_old = j->n_slots;

	j->n_slots = n_old ? n_old * 2 : 256;
	j->links = xcalloc(j->n_slots, sizeof(*j->links));
	for (size_t k = 0; k < n_old; k++)
		if (old[k].group)
			j->links[slot_of(j, old[k].dev, old[k].ino)] = old[k];
	free(old);
}

static uint32_t link_group(struct copy_job *j, uint64_t dev, uint64_t ino)
{
	struct link_slot *slot;

	if (!ino)
		return 0;
	if (j->n_linked * 2 >= j->n_slots)
		grow_links(j);
	slot = &j->links[slot_of(j, dev, ino)];
	if (!slot->group) {
		*slot = (struct link_slot){dev, ino, (uint32_t)++j->n_links};
		j->n_linked++;
	}
	return slot->group;
}

static void set_bit(struct bits *b, uint32_t i)
{
	size_t need = i / 8 + 1, old = b->cap;

	if (need > b->cap) {
		GROW(b->bytes, need, b->cap);
		memset(b->bytes + old, 0, b->cap - old);
	}
	b->bytes[i / 8] |= (uint8_t)(1u << i % 8);
}

static bool has_bit(const struct bits *b, uint32_t i)
{
	return i / 8 < b->cap && b->bytes[i / 8] >> i % 8 & 1;
}

/* In an image every file has a number; which of them are there twice? */
static void find_shared(struct copy_job *j, struct bits *seen, const struct tree_node *n)
{
	if (n->type == ENTRY_FILE)
		set_bit(has_bit(seen, n->inode) ? &j->shared : seen, n->inode);
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++)
		find_shared(j, seen, n->folder.children[i]);
}

/* Hard links stay hard links inside one source. */
static void begin_links(struct copy_job *j, const struct copy_match *m)
{
	struct bits seen = {.cap = 0};

	free(j->links);
	j->links = NULL;
	j->n_slots = j->n_linked = 0;
	free(j->shared.bytes);
	j->shared = (struct bits){.cap = 0};
	if (m->node && m->is_dir)
		find_shared(j, &seen, m->node);
	free(seen.bytes);
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

/* Where a context file is read from. In a folder most files keep their names, and one text serves them all. */
static void fill_context(struct copy_job *j, struct plan_node *n, const char *path)
{
	const char *name = path_base(path);
	size_t len = name > path ? (size_t)(name - path) - 1 : 0;

	if (strcmp(name, n->name) != 0) {
		n->content = PLAN_CONTEXT;
		n->file.from.path = plan_text(j->plan, path);
		return;
	}
	if (!j->folder || strncmp(j->folder, path, len) != 0 || j->folder[len]) {
		AUTO_FREE char *folder = xstrndup(path, len);

		j->folder = plan_text(j->plan, folder);
	}
	n->content = PLAN_CONTEXT_FOLDER;
	n->file.from.path = j->folder;
}

static void fill_fetched(struct copy_job *j, struct plan_node *n, const char *path)
{
	size_t size = strlen(path) + 1;
	struct plan_fetched *kept = plan_keep(j->plan, sizeof(*kept) + size);

	kept->source = j->fetched_source;
	memcpy(kept->path, path, size);
	n->content = PLAN_FETCHED;
	n->file.from.fetched = kept;
}

static void fill_node(struct copy_job *j, struct plan_node *n, const struct copy_item *item)
{
	const struct entry *e = &item->e;

	n->mode = (uint16_t)e->mode;
	n->uid = e->uid;
	n->gid = e->gid;
	n->mtime = e->mtime;
	n->xattrs = e->xattrs;
	n->n_xattrs = (uint16_t)e->n_xattrs & 0xfff;
	if (e->type == ENTRY_SYMLINK)
		n->link = plan_text(j->plan, e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		n->device = (struct plan_device_part){e->dev_major, e->dev_minor};
	if (e->type == ENTRY_FILE) {
		n->file.size = e->size;
		n->link_group = item->node && !has_bit(&j->shared, item->node->inode)
					? 0
					: link_group(j, item->link_dev, item->link_ino);
		if (item->node) {
			n->content = PLAN_IMAGE;
			n->file.from.node = item->node;
		} else if (j->in_fetched) {
			fill_fetched(j, n, item->path);
		} else {
			fill_context(j, n, item->path);
		}
	}
	apply_flags(j, n);
}

/* The folder of the plan that holds rel, below the top of the match. Walks show folders first, so it is there. */
static struct plan_node *folder_of(struct plan_node *top, const char *rel, const char **name)
{
	struct plan_node *at = top;
	const char *slash;

	while ((slash = strchr(rel, '/'))) {
		at = plan_child(at, rel, (size_t)(slash - rel));
		rel = slash + 1;
	}
	*name = rel;
	return at;
}

static int put_item(struct copy_job *j, struct plan_node *dir, const char *name,
		    const struct copy_item *item, struct error *err)
{
	/* Most keep the name that they have in an image: one text serves both. */
	bool is_same = item->node && strcmp(item->node->name, name) == 0;
	const char *kept = is_same ? item->node->name : plan_text(j->plan, name);
	struct plan_node *n;

	if (plan_put(j->plan, dir, kept, item->e.type, false, &n, err) < 0)
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
static int place_file(struct copy_job *j, const char *name, struct error *err)
{
	struct plan_place place;

	free(j->top_name);
	j->top_name = NULL;
	if (!j->as_folder) {
		if (plan_resolve(j->plan, j->dest, false, &place, err) < 0)
			return -1;
		if (!place.is_dir) {
			j->top = place.dir;
			j->top_name = xstrdup(place.name);
			return 0;
		}
	}
	j->top_name = xstrdup(name);
	return plan_folder(j->plan, j->dest, false, &j->top, err);
}

static int put_temp_file(struct copy_job *j, int64_t offset, int64_t size, mode_t mode,
			 int64_t mtime, struct error *err)
{
	const char *name = plan_text(j->plan, j->top_name);
	struct plan_node *n;

	if (plan_put(j->plan, j->top, name, ENTRY_FILE, false, &n, err) < 0)
		return -1;
	n->mode = (uint16_t)mode;
	n->uid = 0;
	n->gid = 0;
	n->mtime = mtime;
	n->xattrs = NULL;
	n->n_xattrs = 0;
	n->content = PLAN_TEMP;
	n->link_group = 0;
	n->file = (struct plan_file_part){.from = {.offset = offset}, .size = size};
	apply_flags(j, n);
	return 0;
}

/* Destination as an absolute path, seen from the working folder. */
static char *destination(const struct copy_request *r)
{
	return path_resolve(r->working_dir && *r->working_dir ? r->working_dir : "/",
			    r->instruction->copy.dest);
}

/* ADD of a local file that is an archive: *fd is open then. */
static int open_archive(const struct copy_request *r, const struct copy_item *item, int *fd,
			struct error *err)
{
	const struct copy_instruction *c = &r->instruction->copy;
	AUTO_FD int opened = -1;
	struct stat st;

	if (!r->is_add || !item->st || item->e.type != ENTRY_FILE || (c->has_unpack && !c->unpack))
		return 0;
	if (copy_open_file(r, item->path, &item->e, &opened, &st, err) < 0)
		return -1;
	if (copy_is_archive(opened))
		*fd = take_fd(opened);
	return 0;
}

/* A match that is not a folder. */
static int visit_single(void *arg, const struct copy_item *item, struct error *err)
{
	struct copy_job *j = arg;
	AUTO_FD int archive = -1;

	if (open_archive(j->r, item, &archive, err) < 0)
		return -1;
	if (archive >= 0)
		return copy_unpack(j, archive, j->match->name, err);
	if (place_file(j, j->match->name, err) < 0)
		return -1;
	return put_item(j, j->top, j->top_name, item, err);
}

static int visit_below(void *arg, const struct copy_item *item, struct error *err)
{
	struct copy_job *j = arg;
	struct plan_node *dir;
	const char *name;

	if (!*item->rel) {
		/* the contents of a folder are copied, not the folder */
		if (!copy_match_keeps_folder(j->match))
			return 0;
		plan_touch(j->top);
		fill_node(j, j->top, item);
		return 0;
	}
	dir = folder_of(j->top, item->rel, &name);
	return put_item(j, dir, name, item, err);
}

/* The folder that takes a folder's contents. A new one is 0755, or what an octal --chmod says. */
static int open_top(struct copy_job *j, struct error *err)
{
	const struct chmod_spec *chmod = &j->r->instruction->copy.chmod;
	struct plan_place place;

	if (plan_resolve(j->plan, j->dest, false, &place, err) < 0 ||
	    plan_folder(j->plan, j->dest, false, &j->top, err) < 0)
		return -1;
	if (!place.exists && chmod->given && chmod->octal)
		j->top->mode = (uint16_t)chmod->mode;
	return 0;
}

static int collect_match(struct copy_job *j, const struct copy_match *m, const char *dest,
			 bool as_folder, struct error *err)
{
	AUTO_FREE char *below = NULL;

	if (m->parents)
		below = xstrfmt("%s/%s/%s", dest, m->parents, m->is_dir ? m->name : "");
	begin_links(j, m);
	j->match = m;
	j->dest = below ? below : dest;
	j->as_folder = as_folder || below;
	if (!m->is_dir)
		return copy_walk(j->r, m, visit_single, j, err);
	if (open_top(j, err) < 0)
		return -1;
	return copy_walk(j->r, m, visit_below, j, err);
}

static int collect_fetched(struct copy_job *j, const char *url, const char *file, struct error *err)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct fd_source in;
	int64_t offset, size;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open the download of %s", url);
	if (j->r->instruction->copy.unpack && copy_is_archive(fd))
		return copy_unpack(j, fd, url, err);
	if (place_file(j, path_base(file), err) < 0)
		return -1;
	fd_source_init(&in, fd, url);
	if (copy_temp_add(&j->temp, &in.source, &offset, &size, err) < 0)
		return -1;
	return put_temp_file(j, offset, size, 0600, st.st_mtim.tv_sec, err);
}

static int collect_matches(struct copy_job *j, const struct copy_matches *matches, const char *dest,
			   bool as_folder, struct error *err)
{
	for (size_t k = 0; k < matches->n; k++)
		if (collect_match(j, &matches->items[k], dest, as_folder, err) < 0)
			return err && err->kind == ERROR_SYNTAX
				       ? instruction_error_at_dest(err, j->r->instruction)
				       : -1;
	return 0;
}

/* A fetched folder is a context of its own. */
static int collect_folder(struct copy_job *j, size_t i, const char *dest, struct error *err)
{
	const struct copy_request *whole = j->r;
	const struct copy_request own = copy_request_of_fetched(whole, i);
	AUTO(copy_matches) matches = {0};
	int result;

	copy_match_everything(&matches);
	j->r = &own;
	j->in_fetched = true;
	j->fetched_source = i;
	result = collect_matches(j, &matches, dest, true, err);
	j->r = whole;
	j->in_fetched = false;
	return result;
}

static int collect_source(struct copy_job *j, size_t i, const char *dest, bool as_folder,
			  struct error *err)
{
	const char *text = j->r->instruction->copy.sources.items[i];
	AUTO(copy_matches) matches = {0};

	j->dest = dest;
	j->as_folder = as_folder;
	if (j->r->fetched && j->r->fetched[i].context)
		return collect_folder(j, i, dest, err);
	if (j->r->fetched && j->r->fetched[i].file)
		return collect_fetched(j, text, j->r->fetched[i].file, err);
	if (copy_match_source(j->r, text, &matches, err) < 0)
		return instruction_error_at_source(err, j->r->instruction, i);
	return collect_matches(j, &matches, dest, as_folder, err);
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

		j->dest = dest;
		j->as_folder = as_folder;
		if (place_file(j, c->heredocs[i].name, err) < 0 ||
		    copy_temp_add_bytes(&j->temp, body, strlen(body), &offset, err) < 0 ||
		    put_temp_file(j, offset, (int64_t)strlen(body), 0644, j->r->folder_mtime, err) <
			    0)
			return -1;
	}
	return 0;
}
