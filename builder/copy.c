#include "builder/copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "builder/copy_collect.h"

/* What a cache key sees of the sources. Never: mtimes, owners in a context, absolute paths. */
struct hashing {
	const struct copy_request *r;
	struct sha256 *h; /* NULL: lines are written instead */
	struct strbuf *lines;
	const char *name; /* of the match */
};

static void frame_xattrs(struct sha256 *h, const struct entry *e)
{
	sha256_frame_int(h, (int64_t)e->n_xattrs);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		sha256_frame_str(h, e->xattrs[i].name);
		sha256_frame(h, e->xattrs[i].value, e->xattrs[i].len);
	}
}

static int hash_item(const struct copy_request *r, const struct copy_item *item, struct sha256 *h,
		     struct error *err)
{
	const struct entry *e = &item->e;
	const struct copy_instruction *c = &r->instruction->copy;
	/* the top folder itself is not copied: its mode and owner do not matter */
	bool top_folder = !*item->rel && e->type == ENTRY_DIR;
	bool mode_counts = !top_folder && e->type != ENTRY_SYMLINK &&
			   !(c->chmod.given && c->chmod.octal);
	uint8_t digest[SHA256_SIZE];

	sha256_frame_str(h, item->rel);
	sha256_frame_int(h, (int64_t)e->type);
	sha256_frame_int(h, mode_counts ? (int64_t)e->mode : -1);
	if (r->from && !top_folder) {
		sha256_frame_int(h, c->chown ? -1 : (int64_t)e->uid);
		sha256_frame_int(h, c->chown ? -1 : (int64_t)e->gid);
		frame_xattrs(h, e);
	}
	sha256_frame_str(h, e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		sha256_frame_int(h, (int64_t)e->dev_major);
		sha256_frame_int(h, (int64_t)e->dev_minor);
	}
	if (e->type != ENTRY_FILE)
		return 0;
	if (copy_item_digest(r, item, digest, err) < 0)
		return -1;
	sha256_frame(h, digest, sizeof(digest));
	return 0;
}

static int visit_hash(void *arg, const struct copy_item *item, struct error *err)
{
	struct hashing *g = arg;
	AUTO(sha256) one = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	if (g->h)
		return hash_item(g->r, item, g->h, err);
	if (!*item->rel && item->e.type == ENTRY_DIR)
		return 0;
	if (hash_item(g->r, item, &one, err) < 0)
		return -1;
	sha256_final_hex(&one, hex);
	strbuf_add_printable(g->lines, item->path, strlen(item->path), false);
	strbuf_printf(g->lines, " %s\n", hex);
	return 0;
}

/* A download or heredoc: its bytes. */
static int hash_bytes(struct hashing *g, const char *name, const void *data, size_t len)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t raw[SHA256_SIZE];

	sha256_buf(data, len, raw);
	if (g->h) {
		sha256_frame_str(g->h, name);
		sha256_frame(g->h, raw, sizeof(raw));
		return 0;
	}
	sha256_hex(raw, hex);
	strbuf_add_printable(g->lines, name, strlen(name), false);
	strbuf_printf(g->lines, " %s\n", hex);
	return 0;
}

static int hash_fetched(struct hashing *g, const char *url, const char *file, struct error *err)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	AUTO(sha256) h = SHA256_INIT;
	uint8_t raw[SHA256_SIZE];
	char block[65536];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open the download of %s", url);
	while ((n = read(fd, block, sizeof(block))) > 0)
		sha256_update(&h, block, (size_t)n);
	if (n < 0)
		return error_errno(err, "read the download of %s", url);
	sha256_final(&h, raw);
	return hash_bytes(g, url, raw, sizeof(raw));
}

static int hash_source(struct hashing *g, size_t i, struct error *err)
{
	const char *text = g->r->instruction->copy.sources.items[i];
	AUTO(copy_matches) matches = {0};

	if (g->r->fetched && g->r->fetched[i])
		return hash_fetched(g, text, g->r->fetched[i], err);
	if (copy_match_source(g->r, text, &matches, err) < 0)
		return -1;
	if (g->h)
		sha256_frame_int(g->h, (int64_t)matches.n);
	for (size_t k = 0; k < matches.n; k++) {
		const struct copy_match *m = &matches.items[k];

		if (g->h) {
			/* a folder's name is not copied, but --parents and excludes see it */
			sha256_frame_str(g->h, m->is_dir && !m->parents ? NULL : m->name);
			sha256_frame_str(g->h, m->parents);
		}
		if (copy_walk(g->r, m, visit_hash, g, err) < 0)
			return -1;
		if (g->h)
			sha256_frame_str(g->h, NULL); /* the end of a walk */
	}
	return 0;
}

static int hash_all(struct hashing *g, struct error *err)
{
	const struct copy_instruction *c = &g->r->instruction->copy;

	for (size_t i = 0; i < c->sources.n; i++)
		if (hash_source(g, i, err) < 0)
			return -1;
	for (size_t i = 0; i < c->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&c->heredocs[i]);

		hash_bytes(g, c->heredocs[i].name, body, strlen(body));
	}
	return 0;
}

int copy_hash(const struct copy_request *r, struct sha256 *h, struct error *err)
{
	struct hashing g = {.r = r, .h = h};

	return hash_all(&g, err);
}

int copy_manifest(const struct copy_request *r, struct strbuf *out, struct error *err)
{
	struct hashing g = {.r = r, .lines = out};

	return hash_all(&g, err);
}

/* The second half: the plan, written as a layer. */
struct writing {
	struct copy_job *job;
	struct layer_writer *writer;
	struct spool *spool;
	char **first; /* path of the first of each group of hard links */
	struct strbuf path;
	int64_t done;
};

static void want_images(struct spool *sp, const struct plan_node *n)
{
	if (n->content == PLAN_IMAGE)
		spool_want(sp, n->from.node);
	for (uint32_t i = 0; i < n->n_children; i++)
		want_images(sp, n->children[i]);
}

static void fill_entry(const struct plan_node *n, const char *path, struct entry *e)
{
	*e = (struct entry){
		.type = (enum entry_type)n->type,
		.path = path,
		.link = n->link,
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
		.size = n->size,
		.mtime = n->mtime,
		.dev_major = n->dev_major,
		.dev_minor = n->dev_minor,
		.xattrs = n->xattrs,
		.n_xattrs = n->n_xattrs,
	};
}

static int write_context_file(struct writing *w, const struct plan_node *n, struct entry *e,
			      struct error *err)
{
	const struct copy_request *r = w->job->r;
	AUTO_FD int fd = -1;
	struct fd_source in;
	struct stat st;

	if (copy_open_file(r, n->from.path, e, &fd, &st, err) < 0)
		return -1;
	/* the digest of the first pass holds as long as the file is what it was then */
	e->has_content = r->stat_cache && stat_cache_get(r->stat_cache, &st, e->content);
	fd_source_init(&in, fd, n->from.path);
	return layer_writer_add(w->writer, e, &in.source, err);
}

static int write_file(struct writing *w, const struct plan_node *n, struct entry *e,
		      struct error *err)
{
	struct temp_source temp;
	struct fd_source in;
	AUTO_FD int fd = -1;

	if (n->link_group && w->first[n->link_group]) {
		e->type = ENTRY_HARDLINK;
		e->link = w->first[n->link_group];
		e->size = 0;
		return layer_writer_add(w->writer, e, NULL, err);
	}
	if (n->link_group)
		w->first[n->link_group] = xstrdup(e->path);
	if (n->content == PLAN_CONTEXT)
		return write_context_file(w, n, e, err);
	if (n->content == PLAN_TEMP) {
		temp_source_init(&temp, &w->job->temp, n->from.offset, n->size);
		return layer_writer_add(w->writer, e, &temp.source, err);
	}
	if (spool_file(w->spool, n->from.node, &fd, err) < 0)
		return -1;
	memcpy(e->content, n->from.node->content, SHA256_SIZE);
	e->has_content = true;
	fd_source_init(&in, fd, e->path);
	return layer_writer_add(w->writer, e, &in.source, err);
}

static int write_node(struct writing *w, const struct plan_node *n, struct error *err)
{
	size_t len = w->path.len;
	struct entry e;
	int result = 0;

	if (n->parent) {
		if (len)
			strbuf_putc(&w->path, '/');
		strbuf_puts(&w->path, n->name);
		fill_entry(n, w->path.buf, &e);
		result = n->type == ENTRY_FILE ? write_file(w, n, &e, err)
					       : layer_writer_add(w->writer, &e, NULL, err);
		w->done += n->size;
		report_step_progress(w->job->r->reporter, w->job->r->step, w->done, -1);
	}
	for (uint32_t i = 0; result == 0 && i < n->n_children; i++)
		result = write_node(w, n->children[i], err);
	strbuf_truncate(&w->path, len);
	if (result == 0)
		result = cancel_check(w->job->r->cancel, err);
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
	for (size_t i = 0; i <= j->n_links; i++)
		free(w.first[i]);
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
		return -1;
	}
	return 0;
}

int copy_layer(const struct copy_request *r, const struct copy_image *below,
	       const struct layer_options *o, struct layer *out, struct error *err)
{
	AUTO(copy_job) j = {.r = r, .temp = {.fd = -1, .store = r->store}};
	bool follows = follows_links(&r->instruction->copy);

	if (find_owner(&j, below, err) < 0)
		return -1;
	j.plan = plan_new(follows ? below->tree : NULL,
			  (struct plan_owner){j.owner.uid, j.owner.gid}, r->folder_mtime);
	if (copy_collect(&j, err) < 0)
		return -1;
	return write_plan(&j, o, out, err);
}
