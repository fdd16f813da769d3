/*
 * The variables of a stage (dockerfile.md 5): what $NAME and a RUN see is one ordered environment that ENV and ARG both
 * write to, so the later instruction wins, while the image's Env is written by ENV alone.
 */
#pragma once

#include "base/strbuf.h"
#include "base/strmap.h"
#include "dockerfile/instruction.h"

struct scope {
	struct strmap env;        /* of expansions and RUN */
	struct strmap args;       /* ARGs declared so far, in order; a NULL value: without one */
	struct strlist undefined; /* names that expansions used and nothing sets: for a warning */
	char escape;
};

#define SCOPE_INIT \
	{          \
		0  \
	}

void scope_release(struct scope *s);
/* Begins a stage: the variables of the stage it is FROM (NULL: none), then its image's Env over them. */
void scope_start(struct scope *s, const struct scope *parent, const struct strlist *image_env,
		 char escape);
void scope_set_env(struct scope *s, const char *key, const char *value);
/*
 * Declares item i of an ARG instruction. A --build-arg beats the default, without both the global of that name is taken;
 * with none of them it stays unset. *value is a view of the result or NULL.
 */
int scope_declare(struct scope *s, const struct instruction *arg, size_t i,
		  const struct strmap *build_args, const struct strmap *globals, const char **value,
		  struct error *err);
/* For instruction_expand(); valid as long as s. */
struct expand_scope scope_expand(struct scope *s);
/* "|2 A=1 B=2 ", the head of a RUN's history; nothing without ARGs. */
void scope_history(const struct scope *s, struct strbuf *out);

CLEANUP_RELEASE(scope)
