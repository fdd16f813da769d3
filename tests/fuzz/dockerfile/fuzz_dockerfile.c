/*
 * A Dockerfile all the way to expanded instructions: parse, global scope,
 * bases, plan, and every instruction of every stage with variables that are
 * set, empty, patterns or missing.
 */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *ctx, const char *name)
{
	static const char *const values[] = {"", "a b", "*x?", "/usr/lib.so.1", NULL, "80-82/udp"};

	(void)ctx;
	return values[(unsigned char)name[0] % 6];
}

static void ignore_name(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
}

/* "tNAME" is --build-context tNAME=target:NAME, which may lead anywhere in the file. */
static const char *context_target(void *ctx, int from, const char *name)
{
	(void)ctx;
	return name[0] == 't' && name[1] && from % 2 ? name + 1 : NULL;
}

/* Whatever a stage needs comes before it, and is needed itself. */
static void check_plan(const struct graph_plan *plan)
{
	AUTO_FREE bool *done = xcalloc((size_t)plan->n_stages, sizeof(*done));

	if (plan->n_order < 1 || plan->order[plan->n_order - 1] != plan->target)
		__builtin_trap();
	for (int i = 0; i < plan->n_order; i++) {
		const struct plan_stage *stage = &plan->stages[plan->order[i]];

		for (size_t k = 0; k < stage->n_dependencies; k++)
			if (stage->dependencies[k].stage != STAGE_NONE &&
			    !done[stage->dependencies[k].stage])
				__builtin_trap();
		done[plan->order[i]] = true;
	}
}

static void expand_all(const struct dockerfile *file)
{
	const struct expand_scope scope = {
		.lookup = lookup,
		.undefined = ignore_name,
		.escape = file->escape,
	};
	int stage;
	size_t i;

	for (stage = 0; stage < file->n_stages; stage++) {
		const struct dockerfile_stage *s = &file->stages[stage];

		for (i = 0; i < s->n_instructions; i++) {
			AUTO(instruction) ready = INSTRUCTION_INIT;
			AUTO(error) err = ERROR_INIT;

			if (instruction_expand(&ready, &s->instructions[i], &scope, &err) < 0 &&
			    (!err.message || err.kind == ERROR_NONE))
				__builtin_trap();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(stage_bases) bases = STAGE_BASES_INIT;
	AUTO(graph_plan) plan = GRAPH_PLAN_INIT;
	AUTO(error) err = ERROR_INIT;

	if (dockerfile_parse(&file, "Dockerfile", (const char *)data, size, &err) < 0) {
		if (file || !err.message)
			__builtin_trap();
		return 0;
	}
	file->contexts.target = context_target;
	if (graph_eval_globals(&globals, file, NULL, "linux/arm64/v8", "linux/amd64", NULL, &err) <
		    0 ||
	    graph_expand_bases(&bases, file, &globals, &err) < 0 ||
	    graph_plan(&plan, file, NULL, &bases, &err) < 0) {
		if (!err.message)
			__builtin_trap();
		return 0;
	}
	check_plan(&plan);
	expand_all(file);
	return 0;
}
