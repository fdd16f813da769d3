#include "builder/mounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "builder/mount_bind.h"

static int mount_error(const struct run_mounts *m, size_t i, struct error *err)
{
	if (err && err->kind == ERROR_CANCELLED)
		return -1;
	error_wrap(err, "--mount=%s", m->given[i].text);
	return instruction_error_at(err, m->ins, m->given[i].text);
}

/* Does it show files of a context, a stage or an image? */
static bool has_source(const struct run_mount *mount)
{
	return mount->kind == MOUNT_BIND || (mount->kind == MOUNT_CACHE && mount->from);
}

/* "scratch" is a source, too: an empty one. */
static int find_source(struct run_mounts *m, size_t i, struct error *err)
{
	const char *from = m->given[i].from;

	if (from && strcmp(from, "scratch") == 0 &&
	    !build_context_find(m->stage->target, STAGE_NONE, from))
		return 0;
	if (build_source_find(m->stage, from, &m->sources[i], err) < 0)
		return -1;
	m->from_image |= m->sources[i].stack != NULL;
	return 0;
}

static int init_one(struct run_mounts *m, size_t i, size_t *n_agents, struct error *err)
{
	const struct run_mount *mount = &m->given[i];

	/* A secret that only sets a variable has no place. */
	if (mount->target &&
	    mount_target(&m->targets[i], mount, stage_working_dir(m->stage), err) < 0)
		return -1;
	if (mount->kind == MOUNT_SSH) {
		if (!m->targets[i])
			m->targets[i] = xstrfmt("/run/buildkit/ssh_agent.%zu", *n_agents);
		if (!(*n_agents)++)
			m->agent_target = m->targets[i];
	}
	return has_source(mount) ? find_source(m, i, err) : 0;
}

int run_mounts_init(struct run_mounts *m, struct stage *st, const struct instruction *ins,
		    struct error *err)
{
	size_t n_agents = 0;

	*m = (struct run_mounts){
		.stage = st, .ins = ins, .given = ins->run.mounts, .n = ins->run.n_mounts};
	strbuf_init(&m->lines);
	m->targets = xcalloc(m->n + 1, sizeof(*m->targets));
	m->sources = xcalloc(m->n + 1, sizeof(*m->sources));
	m->inputs = xcalloc(m->n + 1, sizeof(*m->inputs));
	m->caches = xcalloc(m->n + 1, sizeof(*m->caches));
	for (size_t i = 0; i < m->n; i++)
		if (init_one(m, i, &n_agents, err) < 0)
			return mount_error(m, i, err);
	return 0;
}

int run_mounts_hash(struct run_mounts *m, bool by_chain, struct error *err)
{
	for (size_t i = 0; i < m->n; i++)
		if (has_source(&m->given[i]) && mount_bind_hash(m, i, by_chain, err) < 0)
			return mount_error(m, i, err);
	return 0;
}

int run_mounts_recheck(struct run_mounts *m, bool *changed, struct error *err)
{
	*changed = false;
	strbuf_reset(&m->lines);
	for (size_t i = 0; i < m->n && !*changed; i++)
		if (m->given[i].kind == MOUNT_BIND &&
		    mount_bind_recheck(m, i, &m->lines, changed, err) < 0)
			return mount_error(m, i, err);
	return 0;
}

int run_mounts_manifest(struct run_mounts *m, struct strbuf *out, struct error *err)
{
	if (m->lines.len) {
		strbuf_add(out, m->lines.buf, m->lines.len);
		return 0;
	}
	for (size_t i = 0; i < m->n; i++)
		if (has_source(&m->given[i]) && mount_bind_manifest(m, i, out, err) < 0)
			return mount_error(m, i, err);
	return 0;
}

struct sandbox_mount *run_mounts_add(struct run_mounts *m, enum sandbox_mount_kind kind,
				     const char *target)
{
	struct sandbox_mount *mount;

	GROW(m->mounts, m->n_mounts + 1, m->cap_mounts);
	mount = &m->mounts[m->n_mounts++];
	*mount = (struct sandbox_mount){.kind = kind, .target = target};
	return mount;
}

void run_mounts_add_data(struct run_mounts *m, const char *target, const void *data, size_t len)
{
	struct sandbox_mount *mount = run_mounts_add(m, SANDBOX_MOUNT_DATA, target);

	mount->data = data;
	mount->data_len = len;
	mount->mode = 0444;
	mount->readonly = true;
}

void *run_mounts_keep(struct run_mounts *m, void *block)
{
	GROW(m->blocks, m->n_blocks + 1, m->cap_blocks);
	m->blocks[m->n_blocks++] = block;
	return block;
}

static const struct build_secret *find_secret(const struct build_options *o, const char *id)
{
	/* Of two with one id the later one counts, as with docker. */
	for (size_t i = o->n_secrets; i > 0; i--)
		if (strcmp(o->secrets[i - 1].id, id) == 0)
			return &o->secrets[i - 1];
	return NULL;
}

static int add_secret_env(struct run_mounts *m, const char *name, const struct build_secret *s,
			  struct error *err)
{
	size_t head = strlen(name) + 1;
	char *text;

	if (s->len && memchr(s->data, '\0', s->len))
		return error_set(err, ERROR_USAGE,
				 "the secret %s has a NUL byte: it cannot be a variable", s->id);
	text = xmalloc(head + s->len + 1);
	memcpy(text, name, head - 1);
	text[head - 1] = '=';
	if (s->len)
		memcpy(text + head, s->data, s->len);
	text[head + s->len] = '\0';
	strlist_take(&m->env, text);
	return 0;
}

static int open_secret(struct run_mounts *m, size_t i, struct output *output, struct error *err)
{
	const struct run_mount *given = &m->given[i];
	const struct build_secret *secret = find_secret(m->stage->build->options, given->id);
	struct sandbox_mount *mount;

	if (!secret) {
		if (!given->required)
			return 0;
		error_set(err, ERROR_NOT_FOUND, "secret %s: not found", given->id);
		return error_hint(err, "give it with --secret id=%s,src=FILE or env=NAME",
				  given->id);
	}
	mask_add(&output->mask, secret->data, secret->len);
	if (given->env && add_secret_env(m, given->env, secret, err) < 0)
		return -1;
	if (!m->targets[i])
		return 0;
	mount = run_mounts_add(m, SANDBOX_MOUNT_DATA, m->targets[i]);
	mount->data = secret->data;
	mount->data_len = secret->len;
	mount->mode = given->mode;
	mount->uid = given->uid;
	mount->gid = given->gid;
	mount->readonly = true;
	return 0;
}

static int open_agent(struct run_mounts *m, size_t i, struct error *err)
{
	const struct run_mount *given = &m->given[i];
	const struct build_options *o = m->stage->build->options;
	struct sandbox_mount *mount;
	size_t k;

	for (k = 0; k < o->n_ssh && strcmp(o->ssh[k].id, given->id) != 0; k++)
		;
	if (k == o->n_ssh) {
		if (!given->required)
			return 0;
		error_set(err, ERROR_NOT_FOUND, "SSH agent %s: not given", given->id);
		return error_hint(err, "give it with --ssh %s or --ssh %s=SOCKET|KEY", given->id,
				  given->id);
	}
	mount = run_mounts_add(m, SANDBOX_MOUNT_AGENT, m->targets[i]);
	mount->source_dir = o->ssh[k].socket;
	mount->mode = given->mode;
	mount->uid = given->uid;
	mount->gid = given->gid;
	return 0;
}

static int open_cache(struct run_mounts *m, size_t i, size_t *next, struct error *err)
{
	const struct run_mount *given = &m->given[i];
	const struct build_source *source = &m->sources[i];
	struct sandbox_mount *mount = run_mounts_add(m, SANDBOX_MOUNT_CACHE, m->targets[i]);

	mount->source_dir = m->caches[(*next)++].path;
	mount->readonly = given->readonly;
	mount->mode = given->mode;
	mount->uid = given->uid;
	mount->gid = given->gid;
	if (source->folder || source->stack)
		return mount_bind_fill(m, i, mount, err);
	if (strcmp(given->source, "/") != 0)
		mount->subpath = given->source;
	return 0;
}

static int open_caches(struct run_mounts *m, int step, struct error *err)
{
	const struct build *b = m->stage->build;
	const struct strmap *args = b->options->build_args;
	const char *name_space = args ? strmap_get(args, "BUILDKIT_CACHE_MOUNT_NS") : NULL;

	for (size_t i = 0; i < m->n; i++)
		if (m->given[i].kind == MOUNT_CACHE)
			cache_mount_init(&m->caches[m->n_caches++], &m->given[i], m->targets[i],
					 name_space,
					 m->inputs[i].has_content ? m->inputs[i].content : NULL);
	return cache_mounts_open(m->caches, m->n_caches, b->store, b->options->cancel,
				 b->options->reporter, step, err);
}

static int open_one(struct run_mounts *m, size_t i, size_t *next_cache, struct output *output,
		    struct error *err)
{
	struct sandbox_mount *mount;

	switch (m->given[i].kind) {
	case MOUNT_BIND:
		return mount_bind_open(m, i, err);
	case MOUNT_CACHE:
		return open_cache(m, i, next_cache, err);
	case MOUNT_TMPFS:
		mount = run_mounts_add(m, SANDBOX_MOUNT_TMPFS, m->targets[i]);
		mount->size = m->given[i].size;
		mount->readonly = m->given[i].readonly;
		return 0;
	case MOUNT_SECRET:
		return open_secret(m, i, output, err);
	case MOUNT_SSH:
		return open_agent(m, i, err);
	}
	return 0;
}

/* The script of "RUN <<EOF" with "#!": a file that can be executed, which those in memory cannot. */
static int open_script(struct run_mounts *m, struct error *err)
{
	const struct run_instruction *run = &m->ins->run;
	AUTO_FREE char *ingest = store_path(m->stage->build->store, "ingest");
	struct sandbox_mount *mount;
	AUTO_FD int fd = -1;
	char *path;

	if (fs_mkdir_p(ingest, 0700, err) < 0 ||
	    fs_make_temp_dir(ingest, "script-", &m->temp, err) < 0)
		return -1;
	path = run_mounts_keep(m, path_join(m->temp, path_base(run->script_path)));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		return error_errno(err, "create %s", path);
	if (fs_write_all(fd, run->script, strlen(run->script), path, err) < 0)
		return -1;
	if (fchmod(fd, 0755) < 0)
		return error_errno(err, "create %s", path);
	mount = run_mounts_add(m, SANDBOX_MOUNT_BIND, run->script_path);
	mount->source_dir = m->temp;
	mount->subpath = path_base(path);
	mount->readonly = true;
	return 0;
}

/* A folder before what is mounted inside it, whatever the order they are written in; of equals the later one covers. */
static void sort_mounts(struct run_mounts *m)
{
	for (size_t i = 1; i < m->n_mounts; i++) {
		const struct sandbox_mount moved = m->mounts[i];
		size_t k = i;

		for (; k > 0 && strcmp(m->mounts[k - 1].target, moved.target) > 0; k--)
			m->mounts[k] = m->mounts[k - 1];
		m->mounts[k] = moved;
	}
}

int run_mounts_open(struct run_mounts *m, int step, struct output *output, struct error *err)
{
	size_t next_cache = 0;

	if (open_caches(m, step, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n; i++)
		if (open_one(m, i, &next_cache, output, err) < 0)
			return mount_error(m, i, err);
	if (m->ins->run.script && open_script(m, err) < 0)
		return -1;
	sort_mounts(m);
	return 0;
}

void run_mounts_release(struct run_mounts *m)
{
	if (!m->stage)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->targets[i]);
	for (size_t i = 0; i < m->n_caches; i++)
		cache_mount_release(&m->caches[i]);
	for (size_t i = 0; i < m->env.n; i++)
		wipe(m->env.items[i], strlen(m->env.items[i]));
	for (size_t i = 0; i < m->n_blocks; i++)
		free(m->blocks[i]);
	if (m->temp)
		fs_remove_tree(AT_FDCWD, m->temp, NULL);
	mount_bind_release(m);
	strbuf_release(&m->lines);
	strlist_release(&m->env);
	free(m->blocks);
	free(m->temp);
	free(m->targets);
	free(m->sources);
	free(m->inputs);
	free(m->caches);
	free(m->mounts);
}
