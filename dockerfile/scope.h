/*
 * The global scope: what FROM lines and defaults of global ARGs see. The scope
 * inside a stage is the builder's, instruction by instruction.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strmap.h"
#include "dockerfile/dockerfile.h"

/* HTTP_PROXY and kin, both cases: usable as --build-arg without ARG. */
bool arg_is_predefined(const char *name);
/* TARGETPLATFORM and kin: set in the global scope without ARG. */
bool arg_is_platform(const char *name);

/* An expand_scope.lookup whose ctx is a strmap. */
const char *scope_lookup_strmap(void *ctx, const char *name);

/*
 * The global scope: platform arguments and the ARGs before the first FROM,
 * each overridden by build_args (name to value; a NULL value is "not set").
 * Platforms are "os/arch[/variant]"; target is the --target, or NULL. An ARG
 * without any value is absent from out.
 */
int graph_eval_globals(struct strmap *out, const struct dockerfile *file,
		       const struct strmap *build_args, const char *target_platform,
		       const char *build_platform, const char *target, struct error *err);

struct stage_base {
	char *name;     /* stage, context, image or "scratch" */
	char *platform; /* NULL: the target's */
};
struct stage_bases {
	struct stage_base *items; /* one a stage */
	int n;
};
#define STAGE_BASES_INIT \
	{                \
		0        \
	}
void stage_bases_release(struct stage_bases *bases);
CLEANUP_RELEASE(stage_bases)
/*
 * Expands every FROM with the global scope. A name or platform that comes out
 * empty is ERROR_SYNTAX ("base name ($B) should not be blank").
 */
int graph_expand_bases(struct stage_bases *out, const struct dockerfile *file,
		       const struct strmap *globals, struct error *err);
