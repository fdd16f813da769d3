#include "builder/epoch.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "builder/context_remote.h"
#include "builder/remote_source.h"
#include "builder/scope.h"
#include "builder/stage.h"

static int refuse(const char *text, const char *why, struct error *err)
{
	error_set(err, ERROR_USAGE, "invalid SOURCE_DATE_EPOCH: %s%s%s", text, why ? ": " : "",
		  why ? why : "");
	return error_hint(err,
			  "It is a number of seconds since 1970, \"context\", or the name of a "
			  "context or of a stage that is one ADD of a URL or repository.");
}

static int declare(struct build *b, struct scope *s, const struct instruction *arg,
		   struct error *err)
{
	const char *value;

	for (size_t i = 0; i < arg->pairs.n; i++)
		if (scope_declare(s, arg, i, b->build_args, &b->targets[0].globals, &value, err) <
		    0)
			return -1;
	return 0;
}

/* The only step of the stage, expanded; *out stays empty when the stage is something else. */
static int find_add(struct build *b, const struct dockerfile_stage *stage, struct instruction *out,
		    struct error *err)
{
	AUTO(scope) scope = SCOPE_INIT;
	AUTO(strlist) env = STRLIST_INIT;
	size_t n = 0;

	scope_start(&scope, NULL, &env, b->targets[0].file->escape);
	for (size_t i = 0; i < dockerfile_stage_steps(stage); i++) {
		const struct instruction *ins = &stage->instructions[i];
		struct expand_scope view = scope_expand(&scope);
		AUTO(instruction) ready = INSTRUCTION_INIT;

		if (instruction_expand(&ready, ins, &view, err) < 0 ||
		    (ins->kind == INSTRUCTION_ARG && declare(b, &scope, &ready, err) < 0))
			return -1;
		for (size_t k = 0; ins->kind == INSTRUCTION_ENV && k < ready.pairs.n; k++)
			scope_set_env(&scope, ready.pairs.items[k].key, ready.pairs.items[k].value);
		n += ins->kind == INSTRUCTION_ADD || ins->kind == INSTRUCTION_COPY ||
		     ins->kind == INSTRUCTION_RUN || ins->kind == INSTRUCTION_WORKDIR;
		if (ins->kind == INSTRUCTION_ADD && n == 1) {
			*out = ready;
			ready = (struct instruction)INSTRUCTION_INIT;
		}
	}
	if (n != 1) {
		instruction_release(out);
		*out = (struct instruction)INSTRUCTION_INIT;
	}
	return 0;
}

static int time_of_url(struct build *b, const char *url, int64_t *out, struct error *err)
{
	AUTO_PTR(context) c = NULL;
	AUTO_FD int fd = -1;

	if (context_download(b->store, &b->options->fetch, url, &fd, out, err) < 0)
		return -1;
	if (*out >= 0 || !context_is_archive(fd))
		return 0;
	if (context_open_tar(&c, b->store, fd, url, err) < 0)
		return -1;
	*out = c->time;
	return 0;
}

static int time_of_git(struct build *b, const char *source, int64_t *out, struct error *err)
{
	AUTO(git_ref) ref = {.remote = NULL};
	AUTO_PTR(context) c = NULL;
	AUTO_FREE char *label = git_ref_redact(source);
	const struct context_git g = {
		.fetch = &b->options->fetch,
		.ref = &ref,
		.who = FETCH_FOR_ADD,
		.label = label,
	};

	if (git_ref_parse(&ref, source, err) < 0 || context_open_git(&c, b->store, &g, err) < 0)
		return -1;
	*out = c->time;
	return 0;
}

static int time_of_stage(struct build *b, const char *text, const struct dockerfile_stage *stage,
			 int64_t *out, struct error *err)
{
	AUTO(instruction) add = INSTRUCTION_INIT;
	const char *base = b->targets[0].bases.items[stage->index].name;
	const char *source;
	size_t n_remote;

	if (find_add(b, stage, &add, err) < 0)
		return -1;
	if (strcmp(base, "scratch") != 0 || add.kind != INSTRUCTION_ADD ||
	    add.copy.sources.n != 1 || add.copy.n_heredocs)
		return refuse(text, "the stage is more than FROM scratch and one ADD", err);
	if (remote_check(&add, &n_remote, err) < 0)
		return -1;
	if (!n_remote)
		return refuse(text, "what the stage adds comes from the context", err);
	source = add.copy.sources.items[0];
	if ((remote_kind_of(source) == REMOTE_GIT ? time_of_git(b, source, out, err)
						  : time_of_url(b, source, out, err)) < 0)
		return instruction_error_at(err, &add, source);
	return *out < 0 ? refuse(text, "the server tells no time of it", err) : 0;
}

static const struct dockerfile_stage *find_stage(const struct dockerfile *file, const char *name)
{
	for (int i = file->n_stages - 1; i >= 0; i--)
		if (file->stages[i].name && strcasecmp(file->stages[i].name, name) == 0)
			return &file->stages[i];
	return NULL;
}

static int time_of_context(struct build *b, const char *text, struct named_context *nc,
			   int64_t *out, struct error *err)
{
	struct build_folder *folder;

	if (named_context_folder(&b->contexts, nc, &folder, err) < 0)
		return -1;
	*out = folder->context->time;
	if (*out < 0 && folder->context->temporary)
		return refuse(text, "nothing tells the time of this context", err);
	if (*out < 0)
		report_log(b->options->reporter, LOG_WARNING,
			   "SOURCE_DATE_EPOCH=%s: a folder has no time of its own, so none is set",
			   text);
	return 0;
}

int epoch_resolve(struct build *b, const char *text, int64_t *out, struct error *err)
{
	struct build_target *t = &b->targets[0];
	const struct dockerfile_stage *stage;
	struct named_context *nc;

	*out = -1;
	if (strcmp(text, "context") == 0)
		return time_of_context(b, text, NULL, out, err);
	nc = named_context_find(&b->contexts, text, &t->platform);
	if (named_context_is_files(nc))
		return time_of_context(b, text, nc, out, err);
	if (nc && nc->kind != NAMED_TARGET)
		return refuse(text, "this context is an image", err);
	stage = find_stage(t->file, nc ? nc->path : text);
	return stage ? time_of_stage(b, text, stage, out, err) : refuse(text, NULL, err);
}
