/* What is true of tasks that nobody runs: those of a process that was killed, or that were never begun. */
#pragma once

#include "local/runner.h"

/*
 * Kills what lives of the tasks that an earlier process ran, by pid, start time and boot; marks those tasks STOPPED; removes folder and
 * what else they left.
 */
int runner_recover(const struct runner_options *o, const char *folder, struct error *err);
/* Every task that is not STOPPED becomes so. */
void runner_mark_stopped(struct state *s, const char *reason, struct reporter *reporter);
