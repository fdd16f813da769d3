/* What --from of COPY and of a mount names: a folder, or the layers of a stage or an image. */
#pragma once

#include "builder/stage.h"

struct build_source {
	struct build_folder *folder; /* NULL: stack */
	struct stack *stack;
};
/* from NULL: the build's context. Stages it names are done. */
int build_source_find(struct stage *st, const char *from, struct build_source *out,
		      struct error *err);
