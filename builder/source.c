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
	index = graph_find_stage(b->file, st->source->index, from);
	if (index != STAGE_NONE) {
		out->stack = &b->stages[index]->stack;
		return 0;
	}
	nc = named_context_find(&b->contexts, from);
	if (nc && nc->kind == NAMED_FOLDER)
		return source_of_context(st, nc, out, err);
	if (!nc && strcmp(from, "scratch") == 0)
		return error_set(err, ERROR_SYNTAX, "--from=scratch: there is nothing in scratch");
	if (base_image_get(&b->images, from, &st->platform, &image, err) < 0)
		return -1;
	out->stack = &image->stack;
	return 0;
}
