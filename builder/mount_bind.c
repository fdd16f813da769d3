#include "builder/mount_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "builder/cache.h"

struct mount_layer {
	struct mount_layer *next;
	struct cache_record record;
	struct rootfs_layer layer;
};

/* As a source of COPY, where these characters would be a pattern. */
static char *escape_pattern(const char *path)
{
	AUTO(strbuf) out = STRBUF_INIT;

	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			strbuf_putc(&out, '\\');
		strbuf_putc(&out, *path);
	}
	return strbuf_detach(&out, NULL);
}

/* "COPY SOURCE /": what of its source the mount shows. */
struct mount_part {
	struct instruction ins;
	struct copy_request request;
	struct copy_image image;
};

static void mount_part_init(struct mount_part *p, const struct run_mounts *m, size_t i)
{
	const struct build *b = m->stage->build;
	const struct build_folder *folder = m->sources[i].folder;

	p->ins = (struct instruction){.kind = INSTRUCTION_COPY, .source = m->ins->source};
	p->ins.line_first = m->ins->line_first;
	p->ins.line_last = m->ins->line_last;
	p->ins.copy = (struct copy_instruction){.n_heredocs = 0};
	strlist_take(&p->ins.copy.sources, escape_pattern(m->given[i].source));
	p->ins.copy.dest = xstrdup("/");
	p->request = (struct copy_request){
		.instruction = &p->ins,
		.working_dir = "/",
		.store = b->store,
		.reporter = b->options->reporter,
		.cancel = b->options->cancel,
		.pool = b->options->pool,
		.context = folder ? folder->context : NULL,
		.stat_cache = folder ? folder->stats : NULL,
		.folder_mtime = b->folder_mtime,
	};
}

static void mount_part_release(struct mount_part *p)
{
	instruction_release(&p->ins);
}

CLEANUP_RELEASE(mount_part)

static int context_stat(const struct context *c, const char *path, struct stat *st,
			struct error *err)
{
	AUTO_FD int fd = fs_openat_in_root(c->dirfd, path, O_PATH, 0);

	if (fd < 0 || fstat(fd, st) < 0)
		return error_errno(err, "open %s in the context %s", path, c->path);
	return 0;
}

/* The mode that a mounted folder shows: a context itself is 0755, as for docker, whatever the folder that it came from. */
static mode_t top_mode(const struct context *c, const char *path, const struct stat *st)
{
	struct entry e = {.mode = st->st_mode & 07777};
	struct stat root;

	if (fstat(c->dirfd, &root) == 0 && root.st_dev == st->st_dev && root.st_ino == st->st_ino)
		return 0755;
	context_adjust(c, path + strspn(path, "/"), true, 0, &e);
	return e.mode;
}

/* Of a mounted folder, unlike one that is copied, the mode is seen. */
static int hash_top(const struct run_mounts *m, size_t i, struct sha256 *h, struct error *err)
{
	const struct context *c = m->sources[i].folder->context;
	const char *path = m->given[i].source;
	struct stat st;

	if (context_stat(c, path, &st, err) < 0)
		return -1;
	sha256_frame_int(h, S_ISDIR(st.st_mode) ? (int64_t)top_mode(c, path, &st) : -1);
	return 0;
}

static int hash_context(struct run_mounts *m, size_t i, struct sha256 *h, struct strbuf *lines,
			struct error *err)
{
	AUTO(mount_part) part;
	int result;

	mount_part_init(&part, m, i);
	result = lines ? copy_hash_and_manifest(&part.request, h, lines, err)
		       : copy_hash(&part.request, h, err);
	return result < 0 ? -1 : hash_top(m, i, h, err);
}

int mount_bind_manifest(struct run_mounts *m, size_t i, struct strbuf *out, struct error *err)
{
	AUTO(mount_part) part = {.request = {.step = 0}};

	if (!m->sources[i].folder)
		return 0;
	mount_part_init(&part, m, i);
	return copy_manifest(&part.request, out, err);
}

static int hash_image(struct run_mounts *m, size_t i, struct sha256 *h, struct error *err)
{
	const char *path = m->given[i].source;
	struct tree_node *node;
	struct tree *tree;

	if (stack_tree(m->sources[i].stack, &tree, err) < 0)
		return -1;
	node = tree_lookup(tree, path, true);
	if (!node)
		return error_set(err, ERROR_NOT_FOUND, "\"%s\": not found in %s", path,
				 m->given[i].from);
	tree_hash(node, h);
	return 0;
}

int mount_bind_hash(struct run_mounts *m, size_t i, bool by_chain, struct error *err)
{
	const struct build_source *source = &m->sources[i];
	struct mount_input *input = &m->inputs[i];
	AUTO(sha256) hash = SHA256_INIT;

	if (!source->folder && !source->stack)
		return 0;
	/* A context's content is the same for both keys. */
	if (source->folder && input->has_content)
		return 0;
	sha256_init(&hash);
	if (source->folder) {
		if (hash_context(m, i, &hash, NULL, err) < 0)
			return -1;
	} else if (by_chain) {
		sha256_frame_str(&hash, stack_chain(source->stack)->text);
		sha256_frame_str(&hash, m->given[i].source);
	} else if (hash_image(m, i, &hash, err) < 0) {
		return -1;
	}
	sha256_final(&hash, input->content);
	input->has_content = true;
	return 0;
}

int mount_bind_recheck(struct run_mounts *m, size_t i, struct strbuf *lines, bool *changed,
		       struct error *err)
{
	const struct build_folder *folder = m->sources[i].folder;
	AUTO(sha256) hash = SHA256_INIT;
	uint8_t now[SHA256_SIZE];

	*changed = false;
	if (!folder || folder->context->temporary)
		return 0;
	sha256_init(&hash);
	if (hash_context(m, i, &hash, lines, err) < 0)
		return -1;
	sha256_final(&hash, now);
	*changed = memcmp(now, m->inputs[i].content, SHA256_SIZE) != 0;
	return 0;
}

/* The layer is recorded by its content, so that an unchanged context is not copied at each miss of the step. */
static int make_layer(struct run_mounts *m, size_t i, struct cache_record *out, struct error *err)
{
	const struct build *b = m->stage->build;
	const struct layer_options plain = {
		.compression = COMPRESSION_NONE, .pool = b->options->pool, .mtime_limit = -1};
	const struct copy_image nothing = {.tree = NULL};
	const char *kind = m->sources[i].folder ? "context mount" : "image mount";
	static const struct digest no_chain;
	AUTO(step_key) key = {.hex = ""};
	AUTO(mount_part) part = {.request = {.step = 0}};
	bool changed;

	step_key_begin(&key, kind, &no_chain, &plain);
	step_key_add_content(&key, "files", NULL, m->inputs[i].content);
	step_key_finish(&key);
	if (cache_get(b->store, key.hex, out))
		return 0;
	mount_part_init(&part, m, i);
	if (m->sources[i].stack) {
		if (stack_view(m->sources[i].stack, &part.image, err) < 0 ||
		    stack_fetch(m->sources[i].stack, err) < 0)
			return -1;
		part.request.from = &part.image;
	}
	out->created = b->options->now;
	if (copy_layer(&part.request, &nothing, &plain, &out->layer, err) < 0 ||
	    mount_bind_recheck(m, i, NULL, &changed, err) < 0)
		return -1;
	if (!changed)
		cache_put(b->store, key.hex, kind, out);
	return 0;
}

/* The part as a layer of its own. */
static int open_layer(struct run_mounts *m, size_t i, struct sandbox_mount *mount,
		      struct error *err)
{
	struct mount_layer *l = xcalloc(1, sizeof(*l));

	l->next = m->made;
	m->made = l;
	if (make_layer(m, i, &l->record, err) < 0)
		return -1;
	l->layer = (struct rootfs_layer){.descriptor = &l->record.layer.descriptor,
					 .diff_id = &l->record.layer.diff_id};
	mount->layers = &l->layer;
	mount->n_layers = 1;
	return 0;
}

static int open_context(struct run_mounts *m, size_t i, struct sandbox_mount *mount,
			struct error *err)
{
	const struct context *c = m->sources[i].folder->context;
	const char *source = m->given[i].source;
	struct stat st;
	bool folder, filtered;

	if (context_stat(c, source, &st, err) < 0)
		return -1;
	folder = S_ISDIR(st.st_mode);
	mount->mode = folder ? top_mode(c, source, &st) : 0;
	/* A single file was found by the hash, so it is not an ignored one. */
	filtered = folder && c->ignore && ignore_count(c->ignore);
	/* A context belongs to root, whoever's it is here: "git" for one looks at that. */
	if (filtered || st.st_uid != geteuid() || st.st_gid != getegid()) {
		mount->top = folder && mount->mode != 0755; /* what a layer begins with */
		if (!folder)
			mount->subpath = run_mounts_keep(m, xstrfmt("/%s", path_base(source)));
		return open_layer(m, i, mount, err);
	}
	mount->top = folder && mount->mode != (st.st_mode & 07777);
	mount->source_dir = c->path;
	mount->subpath = m->given[i].source;
	return 0;
}

int mount_bind_open(struct run_mounts *m, size_t i, struct error *err)
{
	struct sandbox_mount *mount = run_mounts_add(m, SANDBOX_MOUNT_BIND, m->targets[i]);
	struct stack *stack = m->sources[i].stack;

	mount->readonly = m->given[i].readonly;
	if (!stack && !m->sources[i].folder)
		return 0;
	if (!stack)
		return open_context(m, i, mount, err);
	if (stack_fetch(stack, err) < 0)
		return -1;
	mount->layers = run_mounts_keep(m, stack_rootfs(stack));
	mount->n_layers = stack->n;
	mount->subpath = m->given[i].source;
	return 0;
}

/* A new folder is what its source is; without a stage or an image behind it, root's. */
static void take_metadata(const struct run_mount *given, const struct tree_node *node,
			  struct sandbox_mount *mount)
{
	if (!given->has_mode)
		mount->mode = node->mode & 07777;
	if (!given->has_uid)
		mount->uid = node->uid;
	if (!given->has_gid)
		mount->gid = node->gid;
}

int mount_bind_fill(struct run_mounts *m, size_t i, struct sandbox_mount *mount, struct error *err)
{
	const struct run_mount *given = &m->given[i];
	bool folder = true;

	if (m->sources[i].folder) {
		struct stat st;

		if (context_stat(m->sources[i].folder->context, given->source, &st, err) < 0)
			return -1;
		folder = S_ISDIR(st.st_mode);
	} else {
		struct tree *tree;
		struct tree_node *node;

		if (stack_tree(m->sources[i].stack, &tree, err) < 0)
			return -1;
		node = tree_lookup(tree, given->source, true);
		folder = node && node->type == ENTRY_DIR;
		if (folder)
			take_metadata(given, node, mount);
	}
	if (!folder)
		return error_set(err, ERROR_UNSUPPORTED,
				 "source=%s is a file: a cache mount begins with a folder",
				 given->source);
	return open_layer(m, i, mount, err);
}

void mount_bind_release(struct run_mounts *m)
{
	while (m->made) {
		struct mount_layer *l = m->made;

		m->made = l->next;
		cache_record_release(&l->record);
		free(l);
	}
}
