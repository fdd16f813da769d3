/*
 * What people and machines see while slipway works: the implementation of struct reporter, on standard error.
 *
 *	tty    steps that run stay at the bottom, with elapsed time and bytes; all output scrolls above them
 *	plain  a line an event, "#3 [2/5] RUN make", as docker's --progress=plain
 *	json   an object an event and line
 *	quiet  warnings and errors only
 *
 * Nothing is clipped: every byte of every step is shown. On a terminal control characters are shown as \xNN; elsewhere output
 * passes as it is.
 */
#pragma once

#include "base/log.h"

enum progress_kind { PROGRESS_AUTO, PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_QUIET };

struct terminal;

int progress_parse(enum progress_kind *out, const char *text, struct error *err);
struct terminal *terminal_new(int fd, bool is_tty, bool color, bool verbose);
/* Chooses the kind (AUTO: tty on a terminal, else plain). Before the first step. */
void terminal_set_progress(struct terminal *t, enum progress_kind kind);
/* The widest line of the live view; read again at each SIGWINCH by the caller. */
struct reporter *terminal_reporter(struct terminal *t);
/* Whether standard error is an object a line (--progress json): nothing else may be written there. */
bool terminal_is_for_programs(const struct terminal *t);
/* Ends the live view. */
void terminal_finish(struct terminal *t);
void terminal_free(struct terminal *t);
