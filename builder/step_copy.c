#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/copy.h"
#include "builder/history.h"
#include "builder/layer_step.h"
#include "builder/remote_source.h"
#include "builder/source.h"
#include "builder/steps.h"

struct copy_step {
	struct layer_step step;
	struct build_source source;
	size_t n_remote; /* sources that are URLs or repositories */
	struct remote_files remote;
	struct copy_image view; /* of source.stack */
	struct copy_request request;
	bool prepared;
	uint8_t hash[SHA256_SIZE]; /* of the sources, as the key has it */
	struct strbuf lines;       /* of copy_manifest(), when a pass has brought them anyway */
};

/*
 * A linked copy does not look at what is below, so it depends on nothing below and stays a hit when the base moves.
 * --chmod takes --link back (dockerfile.md 9).
 */
static bool is_linked(const struct layer_step *s)
{
	return s->ins->copy.link && !s->ins->copy.chmod.given;
}

/* What both passes over the sources need; URLs and repositories are fetched here. */
static int prepare(struct copy_step *c, struct error *err)
{
	const struct layer_step *s = &c->step;
	struct build *b = s->stage->build;

	if (c->prepared)
		return 0;
	c->request = (struct copy_request){
		.instruction = s->ins,
		.is_add = s->ins->kind == INSTRUCTION_ADD,
		.working_dir = stage_working_dir(s->stage),
		.store = b->store,
		.reporter = b->options->reporter,
		.step = s->id,
		.cancel = b->options->cancel,
		.pool = b->options->pool,
		.folder_mtime = b->folder_mtime,
	};
	if (c->source.folder) {
		c->request.context = c->source.folder->context;
		c->request.stat_cache = c->source.folder->stats;
	} else {
		if (stack_view(c->source.stack, &c->view, err) < 0)
			return -1;
		c->request.from = &c->view;
	}
	if (c->n_remote) {
		if (remote_fetch(&c->remote, b, s->ins, err) < 0)
			return -1;
		c->request.fetched = c->remote.fetched;
	}
	c->prepared = true;
	return 0;
}

static void add_parameters(struct layer_step *s, struct step_key *k)
{
	plan_copy(k, s->ins, stage_working_dir(s->stage), s->stage->build->folder_mtime);
}

static void add_sources(const struct layer_step *s, struct step_key *k)
{
	const struct copy_instruction *c = &s->ins->copy;

	step_key_add_list(k, "sources", &c->sources);
	step_key_add_int(k, "number of heredocs", NULL, (int64_t)c->n_heredocs);
	for (size_t i = 0; i < c->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&c->heredocs[i]);

		step_key_add(k, "heredoc", NULL, c->heredocs[i].name);
		step_key_add(k, "body", NULL, body);
	}
}

static bool is_all_remote(const struct copy_step *c)
{
	return c->n_remote && c->n_remote == c->step.ins->copy.sources.n;
}

/* From layers, their ChainID says what the files are; of a repository the commit does, of a URL what the server tells. */
static int copy_quick(struct layer_step *s, struct step_key *k, struct error *err)
{
	struct copy_step *c = (struct copy_step *)s;

	if (!c->source.stack && !is_all_remote(c))
		return 0;
	if (c->n_remote && remote_identify(&c->remote, s->stage->build, s->ins, err) < 0)
		return -1;
	add_parameters(s, k);
	add_sources(s, k);
	step_key_add(k, "from", NULL, c->source.stack ? stack_chain(c->source.stack)->text : NULL);
	remote_key(&c->remote, s->ins, k);
	return 1;
}

static int copy_key(struct layer_step *s, struct step_key *k, struct error *err)
{
	struct copy_step *c = (struct copy_step *)s;
	AUTO(sha256) files = SHA256_INIT;

	sha256_init(&files);
	if (prepare(c, err) < 0 || copy_hash(&c->request, &files, err) < 0)
		return -1;
	sha256_final(&files, c->hash);
	add_parameters(s, k);
	step_key_add_content(k, "files", PLAN_FILES, c->hash);
	remote_key_names(&c->remote, k);
	return 0;
}

static int copy_manifest_lines(struct layer_step *s, struct strbuf *out, struct error *err)
{
	struct copy_step *c = (struct copy_step *)s;

	if (prepare(c, err) < 0)
		return -1;
	if (!c->lines.len)
		return copy_manifest(&c->request, out, err);
	strbuf_add(out, c->lines.buf, c->lines.len);
	strbuf_release(&c->lines);
	strbuf_init(&c->lines);
	return 0;
}

/* The key has what the server told of a file; the layer, what came when it was fetched. */
static void note_changed_download(struct copy_step *c)
{
	if (!c->remote.changed)
		return;
	c->step.unstable = true;
	report_step_note(c->request.reporter, c->step.id,
			 "a file changed while it was fetched: the step is not cached");
}

/*
 * A file that changed between the two passes would leave a record that lies. Files that did not change cost a look
 * at their times; a folder of our own making has nobody else to change it.
 */
static int check_unchanged(struct copy_step *c, struct error *err)
{
	const struct build_folder *folder = c->source.folder;
	AUTO(sha256) files = SHA256_INIT;
	uint8_t now[SHA256_SIZE];

	if (!folder || folder->context->temporary || is_all_remote(c))
		return 0;
	sha256_init(&files);
	if (copy_hash_and_manifest(&c->request, &files, &c->lines, err) < 0)
		return -1;
	sha256_final(&files, now);
	if (memcmp(now, c->hash, SHA256_SIZE) == 0)
		return 0;
	c->step.unstable = true;
	report_step_note(
		c->request.reporter, c->step.id,
		"files of the context changed while they were copied: the step is not cached");
	return 0;
}

static int copy_make(struct layer_step *s, struct layer *out, struct error *err)
{
	struct copy_step *c = (struct copy_step *)s;
	struct copy_image below = {.tree = NULL};

	if (prepare(c, err) < 0 || (c->source.stack && stack_fetch(c->source.stack, err) < 0) ||
	    (!is_linked(s) && s->stage->stack.n && stack_view(&s->stage->stack, &below, err) < 0))
		return -1;
	if (copy_layer(&c->request, &below, &s->stage->build->layer_options, out, err) < 0)
		return -1;
	note_changed_download(c);
	return check_unchanged(c, err);
}

static const struct layer_step_ops copy_ops = {
	.kind = "copy",
	.quick = copy_quick,
	.key = copy_key,
	.make = copy_make,
	.manifest = copy_manifest_lines,
};

static const struct layer_step_ops add_ops = {
	.kind = "add",
	.quick = copy_quick,
	.key = copy_key,
	.make = copy_make,
	.manifest = copy_manifest_lines,
};

static void copy_step_release(struct copy_step *c)
{
	strbuf_release(&c->lines);
	remote_files_release(&c->remote);
	layer_step_release(&c->step);
}

CLEANUP_RELEASE(copy_step)

int step_copy(struct stage *st, const struct instruction *ins, struct error *err)
{
	AUTO(copy_step) c = {.step = LAYER_STEP_INIT(st, ins), .lines = STRBUF_INIT};

	c.step.free_of_base = is_linked(&c.step);
	history_copy(&c.step.history, ins);
	if (remote_check(ins, &c.n_remote, err) < 0 ||
	    build_source_find(st, ins->copy.from, &c.source, err) < 0)
		return stage_error_place(err, ins);
	return layer_step_execute(&c.step, ins->kind == INSTRUCTION_ADD ? &add_ops : &copy_ops,
				  err);
}

int step_base_files(struct stage *st, struct named_context *files, struct error *err)
{
	const struct instruction *from = &st->source->from;
	AUTO(instruction)
	ins = {
		.kind = INSTRUCTION_COPY,
		.source = from->source,
		.line_first = from->line_first,
		.line_last = from->line_last,
		.text = xstrdup(from->text),
		.copy = {.dest = xstrdup("/")},
	};
	AUTO(copy_step) c = {.step = LAYER_STEP_INIT(st, &ins), .lines = STRBUF_INIT};

	strlist_add(&ins.copy.sources, "/");
	strbuf_printf(&c.step.history, "FROM %s", st->target->bases.items[st->source->index].name);
	if (named_context_folder(&st->build->contexts, files, &c.source.folder, err) < 0)
		return stage_error_place(err, from);
	return layer_step_execute(&c.step, &copy_ops, err);
}
