/*
 * The terminal of a step (run -t): the master side of a pair whose slave side is the step's terminal, and the user's
 * own terminal, which is raw meanwhile so that keys like Ctrl-C reach the step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct terminal {
	int master;      /* -1: there is none */
	int user_fd;     /* where keys come from; -1: none */
	bool raw, ended; /* ended: no more keys */
	struct termios saved;
	unsigned short rows, columns;
	char pending[4096]; /* keys that the step has not taken yet */
	size_t n_pending;
};
#define TERMINAL_INIT                       \
	{                                   \
		.master = -1, .user_fd = -1 \
	}

/* Takes master over; user_fd stays the caller's. */
void terminal_start(struct terminal *t, int master, int user_fd);
/* Restores the user's terminal. */
void terminal_end(struct terminal *t);
/* Passes a changed size of the user's window on. */
void terminal_resize(struct terminal *t);
short terminal_events(const struct terminal *t);
/* The descriptor to read keys from, or -1 while the step must take earlier ones first. */
int terminal_input(const struct terminal *t);
void terminal_read(struct terminal *t);  /* keys from the user */
void terminal_write(struct terminal *t); /* keys to the step */
