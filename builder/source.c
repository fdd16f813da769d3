#include "builder/source.h"

#include <string.h>

static int source_of_context(struct stage *st, struct named_context *nc, struct build_source *out,
			     struct error *err)
{
	return named_context_folder(&st->build->contexts, nc, &out->folder, err);
}

int build_source_find(struct stage *st, const char *from, struct build_source *out,
		      struct error *err)
{
	struct build *b = st->build;
	struct named_context *nc;
	struct base_image *image;
	int index;

	*out = (struct build_source){.folder = NULL};
	if (!from)
		return source_of_context(st, NULL, out, err);
	index = graph_find_stage(st->target->file, st->source->index, from);
	if (index != STAGE_NONE) {
		out->stack = &st->target->stages[index]->stack;
		return 0;
	}
	nc = build_context_find(st->target, STAGE_NONE, from);
	if (named_context_is_files(nc))
		return source_of_context(st, nc, out, err);
	if (nc ? nc->kind == NAMED_SCRATCH : strcmp(from, "scratch") == 0)
		return error_set(err, ERROR_SYNTAX, "--from=scratch: there is nothing in scratch");
	/* What goes into the result is the target's, whatever this stage runs on. */
	if (base_image_get(&b->images, from, &st->target->platform, &image, err) < 0)
		return -1;
	out->stack = &image->stack;
	return 0;
}
