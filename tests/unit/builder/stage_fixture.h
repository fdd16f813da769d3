/* A stage FROM scratch that nothing was carried out in, for tests of what RUN is given. */
#pragma once

#include "builder/prepare.h"
#include "builder/stage.h"

#include "build_fixture.h"

struct stage_fixture {
	struct build build;
	struct stage *stage; /* of the only target */
};

/* text: the instructions of the stage; options are the caller's, and live as long. */
static inline void stage_fixture_init(struct stage_fixture *s, struct build_fixture *f,
				      const struct build_options *o, const char *text)
{
	struct build_target *t;

	build_init(&s->build, f->store, o);
	t = &s->build.targets[0];
	t->file = parse_stage(text);
	assert_ok(graph_expand_bases(&t->bases, t->file, &t->globals, err));
	assert_ok(named_contexts_init(&s->build.contexts, f->store, o, err));
	base_images_init(&s->build.images, &s->build.contexts);
	assert_ok(build_plan(&s->build, false, err));
	t->stages = xcalloc(1, sizeof(*t->stages));
	assert_ok(stage_new(&t->stages[0], t, 0, err));
	s->stage = t->stages[0];
}

static inline void stage_fixture_release(struct stage_fixture *s)
{
	build_release(&s->build);
}
