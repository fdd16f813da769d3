/*
 * Carrying out instructions; each file step_*.c does one kind. The instruction is expanded, unless it is an ARG. Errors have
 * no place yet.
 */
#pragma once

#include "builder/stage.h"

int step_run(struct stage *st, const struct instruction *ins, struct error *err);
/* Is it allowed what it asks for (--security=insecure)? The error has its place. */
int step_run_allowed(const struct build *b, const struct instruction *ins, struct error *err);
int step_copy(struct stage *st, const struct instruction *ins, struct error *err); /* also ADD */
/* FROM of a context that is files: all of them, as the stage's first layer. */
int step_base_files(struct stage *st, struct named_context *files, struct error *err);
int step_workdir(struct stage *st, const struct instruction *ins, struct error *err);
/* Everything that only changes the configuration. */
int step_config(struct stage *st, const struct instruction *ins, struct error *err);

/* Does it count among the steps that are shown? */
bool step_is_shown(const struct instruction *ins);
/* CMD, ENTRYPOINT and RUN: the argv, a shell form wrapped with the SHELL in force. Appends. */
void step_argv(const struct stage *st, const struct command *c, struct strlist *argv);
