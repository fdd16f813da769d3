/* The rules about what a Dockerfile says: about the whole file, and about one instruction of a stage. */
#pragma once

#include "dockerfile/ast.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/expand.h"

/* FROM ... AS: from, as and stage are as written. Called by the reader of FROM. */
void check_from_names(struct check_list *list, const struct instruction *at, const char *from,
		      const char *as, const char *stage);
/* What needs no variables: casing, names, comments, continuations. */
void check_file(struct dockerfile *file, const struct ast *ast);

/* What the rules remember of one stage; zeroed at its beginning. */
struct check_stage {
	const struct instruction *cmd, *entrypoint, *healthcheck; /* the last ones */
	bool workdir_set; /* here or in the stage it is FROM */
	bool has_shell;   /* here or in its base */
};
/*
 * One instruction, before its effect on the scope: ins as parsed, ready expanded (ins itself for ARG), at where the
 * finding stands (the FROM for a trigger).
 */
void check_instruction(struct check_list *list, struct check_stage *s, const struct instruction *at,
		       const struct instruction *ins, const struct instruction *ready,
		       const struct expand_scope *scope);
