#include "builder/copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "builder/copy_collect.h"

/* The plan, written as a layer. */
struct writing {
	struct copy_job *job;
	struct layer_writer *writer;
	struct spool *spool;
	const struct plan_node **first; /* of each group of hard links */
	struct strbuf path;
	int64_t done;
};

static void want_images(struct spool *sp, const struct plan_node *n)
{
	if (n->content == PLAN_IMAGE)
		spool_want(sp, n->file.from.node);
	if (n->type != ENTRY_DIR)
		return;
	for (uint32_t i = 0; i < plan_n_children(n); i++)
		want_images(sp, n->folder.children->items[i]);
}

static void fill_entry(const struct plan_node *n, const char *path, struct entry *e)
{
	*e = (struct entry){
		.type = (enum entry_type)n->type,
		.path = path,
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
		.mtime = n->mtime,
		.xattrs = n->xattrs,
		.n_xattrs = n->n_xattrs,
	};
	if (e->type == ENTRY_FILE)
		e->size = n->file.size;
	if (e->type == ENTRY_SYMLINK)
		e->link = n->link;
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		e->dev_major = n->device.major;
		e->dev_minor = n->device.minor;
	}
}

/* Bytes of a file on their way into the layer: counted, and hashed when what the first pass saw has to be proved. */
struct passing {
	struct source source;
	struct source *in;
	struct writing *w;
	struct sha256 *hash; /* or NULL */
};

static int64_t read_passing(struct source *s, void *data, size_t len, struct error *err)
{
	struct passing *p = (struct passing *)s;
	const struct copy_request *r = p->w->job->r;
	int64_t n;

	if (cancel_check(r->cancel, err) < 0)
		return -1;
	n = source_read(p->in, data, len, err);
	if (n <= 0)
		return n;
	if (p->hash)
		sha256_update(p->hash, data, (size_t)n);
	p->w->done += n;
	report_step_progress(r->reporter, r->step, p->w->done, -1);
	return n;
}

static int add_file(struct writing *w, const struct entry *e, struct source *in,
		    struct sha256 *hash, struct error *err)
{
	struct passing p = {.source = {.read = read_passing}, .in = in, .w = w, .hash = hash};

	return layer_writer_add(w->writer, e, &p.source, err);
}

static int add_proved(struct writing *w, const struct entry *e, struct source *in, const char *path,
		      struct error *err)
{
	AUTO(sha256) hash = SHA256_INIT;
	uint8_t now[SHA256_SIZE];

	sha256_init(&hash);
	if (add_file(w, e, in, &hash, err) < 0)
		return -1;
	sha256_final(&hash, now);
	if (memcmp(now, e->content, SHA256_SIZE) != 0)
		return copy_changed(w->job->r, path, err);
	return 0;
}

static int write_context_file(struct writing *w, const struct copy_request *r, const char *path,
			      struct entry *e, struct error *err)
{
	struct fd_source in;
	struct stat st, after;
	AUTO_FD int fd = -1;
	bool settled = true;
	int result;

	if (copy_open_file(r, path, e, &fd, &st, err) < 0)
		return -1;
	fd_source_init(&in, fd, path);
	/* the digest of the first pass holds as long as the file is what it was then */
	e->has_content = r->stat_cache && stat_cache_find(r->stat_cache, &st, e->content, &settled);
	result = e->has_content && !settled ? add_proved(w, e, &in.source, path, err)
					    : add_file(w, e, &in.source, NULL, err);
	if (result < 0)
		return -1;
	if (fstat(fd, &after) < 0)
		return error_errno(err, "look at %s/%s", r->context->path, path);
	return copy_same_state(&st, &after) ? 0 : copy_changed(r, path, err);
}

static int write_image_file(struct writing *w, const struct tree_node *from, struct entry *e,
			    struct error *err)
{
	struct spool_source in;

	if (spool_source(&in, w->spool, from, err) < 0)
		return -1;
	memcpy(e->content, tree_content(from), SHA256_SIZE);
	e->has_content = true;
	return add_file(w, e, &in.source, NULL, err);
}

static int write_fetched_file(struct writing *w, const struct plan_fetched *from, struct entry *e,
			      struct error *err)
{
	const struct copy_request own = copy_request_of_fetched(w->job->r, from->source);

	return write_context_file(w, &own, from->path, e, err);
}

static int write_file(struct writing *w, const struct plan_node *n, struct entry *e,
		      struct error *err)
{
	const struct plan_file_part *file = &n->file;
	AUTO_FREE char *path = NULL;
	struct temp_source temp;

	if (n->link_group && w->first[n->link_group]) {
		path = plan_path(w->first[n->link_group]);
		e->type = ENTRY_HARDLINK;
		e->link = path;
		e->size = 0;
		return layer_writer_add(w->writer, e, NULL, err);
	}
	if (n->link_group)
		w->first[n->link_group] = n;
	switch ((enum plan_content)n->content) {
	case PLAN_CONTEXT:
		return write_context_file(w, w->job->r, file->from.path, e, err);
	case PLAN_CONTEXT_FOLDER:
		path = *file->from.path ? path_join(file->from.path, n->name) : xstrdup(n->name);
		return write_context_file(w, w->job->r, path, e, err);
	case PLAN_FETCHED:
		return write_fetched_file(w, file->from.fetched, e, err);
	case PLAN_IMAGE:
		return write_image_file(w, file->from.node, e, err);
	case PLAN_TEMP:
	case PLAN_NO_CONTENT:
	case PLAN_OPAQUE:
	case PLAN_UNCHANGED:
		break;
	}
	temp_source_init(&temp, &w->job->temp, file->from.offset, file->size);
	return add_file(w, e, &temp.source, NULL, err);
}

static int write_entry(struct writing *w, const struct plan_node *n, struct error *err)
{
	struct entry e;

	fill_entry(n, w->path.buf, &e);
	if (n->type == ENTRY_FILE)
		return write_file(w, n, &e, err);
	if (layer_writer_add(w->writer, &e, NULL, err) < 0)
		return -1;
	if (n->content != PLAN_OPAQUE)
		return 0;
	e = (struct entry){.type = ENTRY_OPAQUE, .path = w->path.buf};
	return layer_writer_add(w->writer, &e, NULL, err);
}

static int write_node(struct writing *w, const struct plan_node *n, struct error *err)
{
	size_t len = w->path.len;
	int result = cancel_check(w->job->r->cancel, err);

	if (!plan_is_written(n))
		return result;
	if (result == 0 && n->parent) {
		if (len)
			strbuf_putc(&w->path, '/');
		strbuf_puts(&w->path, n->name);
		result = write_entry(w, n, err);
	}
	if (n->type == ENTRY_DIR)
		for (uint32_t i = 0; result == 0 && i < plan_n_children(n); i++)
			result = write_node(w, n->folder.children->items[i], err);
	strbuf_truncate(&w->path, len);
	return result;
}

static int write_plan(struct copy_job *j, const struct layer_options *o, struct layer *out,
		      struct error *err)
{
	AUTO_PTR(layer_writer) writer = NULL;
	AUTO_PTR(spool) spool = NULL;
	struct writing w = {.job = j};
	int result;

	if (j->r->from) {
		if (spool_open(&spool, j->r->store, err) < 0)
			return -1;
		want_images(spool, plan_root(j->plan));
		if (spool_fill(spool, j->r->from->layers, j->r->from->diff_ids,
			       j->r->from->n_layers, err) < 0)
			return -1;
	}
	if (layer_writer_open(&writer, j->r->store, o, err) < 0)
		return -1;
	w.writer = writer;
	w.spool = spool;
	w.first = xcalloc(j->n_links + 1, sizeof(*w.first));
	strbuf_init(&w.path);
	result = write_node(&w, plan_root(j->plan), err);
	if (result == 0)
		result = layer_writer_finish(writer, out, err);
	free(w.first);
	strbuf_release(&w.path);
	return result;
}

static bool follows_links(const struct copy_instruction *c)
{
	/* as docker: with --chmod, --link is not used */
	return !c->link || c->chmod.given;
}

static int read_user_file(const struct copy_request *r, const struct copy_image *below,
			  const char *path, char **out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) problem = ERROR_INIT;

	if (!below->tree || !follows_links(&r->instruction->copy))
		return 0;
	if (spool_read_small(r->store, below->tree, below->layers, below->diff_ids, below->n_layers,
			     path, LIMIT_PASSWD_BYTES, &text, &problem) < 0)
		return problem.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &problem);
	*out = strbuf_detach(&text, NULL);
	return 0;
}

static int find_owner(struct copy_job *j, const struct copy_image *below, struct error *err)
{
	const char *chown = j->r->instruction->copy.chown;
	AUTO_FREE char *passwd = NULL;
	AUTO_FREE char *group = NULL;

	if (!chown)
		return 0;
	j->has_owner = true;
	/* numbers need no look-up, and so no layer */
	if (strspn(chown, "0123456789:") != strlen(chown) &&
	    (read_user_file(j->r, below, "etc/passwd", &passwd, err) < 0 ||
	     read_user_file(j->r, below, "etc/group", &group, err) < 0))
		return -1;
	if (users_resolve_chown(&j->owner, chown, passwd, group, err) < 0) {
		error_wrap(err, "--chown=%s", chown);
		if (!follows_links(&j->r->instruction->copy))
			error_hint(err, "With --link only numbers can be given.");
		return instruction_error_at(err, j->r->instruction, "--chown");
	}
	return 0;
}

int copy_layer(const struct copy_request *r, const struct copy_image *below,
	       const struct layer_options *o, struct layer *out, struct error *err)
{
	AUTO(copy_job) j = {.r = r, .temp = {.fd = -1, .store = r->store, .cancel = r->cancel}};
	bool follows = follows_links(&r->instruction->copy);

	if (find_owner(&j, below, err) < 0)
		return -1;
	j.plan = plan_new(follows ? below->tree : NULL,
			  (struct plan_owner){j.owner.uid, j.owner.gid}, r->folder_mtime);
	if (copy_collect(&j, err) < 0)
		return -1;
	return write_plan(&j, o, out, err);
}
