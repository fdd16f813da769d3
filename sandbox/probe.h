/*
 * Which mode works here: found out by really starting an empty step on the actual state folder, up to the point where
 * its command would run. The best one is remembered per boot, state folder and file system, so that only the first build tries.
 */
#pragma once

#include "sandbox/sandbox_private.h"

/* The best mode that works, or the one asked for. SANDBOX_NONE: *why says what failed in each. */
enum sandbox_mode probe_best(struct sandbox *sb, enum sandbox_storage *storage, char **why);
/* Tries one mode. */
void probe_mode(struct sandbox *sb, enum sandbox_mode mode, struct sandbox_probe *out);
/* After a start that failed: the next process tries again. */
void probe_forget(struct sandbox *sb);
