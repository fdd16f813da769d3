/*
 * The end of a build whose stages run side by side: the first failure is the build's, and ends the processes of the
 * other stages, which nobody needs any more.
 */
#pragma once

#include <sys/types.h>

#include "builder/build_state.h"

/* Keeps the first failure (moved out of err) and ends what runs, unless it was cancelled. Any thread. */
void build_stop(struct build *b, struct error *err);
bool build_is_stopping(struct build *b);
/* A process of a step, to be ended by build_stop(); at once when that has been called. Returns what to give back. */
int build_process_add(struct build *b, pid_t pid);
void build_process_remove(struct build *b, int handle);
