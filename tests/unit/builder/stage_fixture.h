/* A stage FROM scratch that nothing was carried out in, for tests of what RUN is given. */
#pragma once

#include "builder/stage.h"

#include "build_fixture.h"

struct stage_fixture {
	struct build build;
	struct stage *stage;
};

/* text: the instructions of the stage; options are the caller's, and live as long. */
static inline void stage_fixture_init(struct stage_fixture *s, struct build_fixture *f,
				      const struct build_options *o, const char *text)
{
	*s = (struct stage_fixture){.build = {.options = o, .store = f->store, .epoch = -1}};
	s->build.file = parse_stage(text);
	assert_ok(graph_expand_bases(&s->build.bases, s->build.file, &s->build.globals, err));
	assert_ok(graph_plan(&s->build.plan, s->build.file, NULL, &s->build.bases, err));
	assert_ok(named_contexts_init(&s->build.contexts, f->store, o, err));
	base_images_init(&s->build.images, &s->build.contexts);
	platform_host(&s->build.host_platform);
	platform_host(&s->build.target_platform);
	assert_ok(stage_new(&s->stage, &s->build, 0, err));
}

static inline void stage_fixture_release(struct stage_fixture *s)
{
	stage_free(s->stage);
	base_images_release(&s->build.images);
	named_contexts_release(&s->build.contexts);
	graph_plan_release(&s->build.plan);
	stage_bases_release(&s->build.bases);
	platform_release(&s->build.host_platform);
	platform_release(&s->build.target_platform);
	strbuf_release(&s->build.certificates);
	dockerfile_free(s->build.file);
}
