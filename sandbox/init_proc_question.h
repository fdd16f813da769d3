/* A call that names something below /proc: what it asks, and of what. */
#pragma once

#include "sandbox/init_proc.h"

enum operation {
	OP_OPEN,
	OP_STAT,
	OP_STATX,
	OP_READLINK,
	OP_ACCESS,
	OP_EXEC,
	OP_CHDIR,
	OP_CHOWN,
	OP_CHMOD,
};

/* Numbers of arguments, -1 for those that a call has not. */
struct form {
	int number;
	enum operation op;
	int dirfd, path, flags, buffer, size;
};

struct question {
	struct call *c;
	const struct form *form;
	int flags;            /* O_* or AT_* */
	bool follow;          /* a link at the end */
	char path[INIT_PATH]; /* below /proc */
	enum proc_kind kind;
};

/* Is it about /proc, be it by a link of the root's? Then q->path is below it, and q->kind tells what it is. q->c is given. */
bool question_read(struct question *q);
/* The argument of that number; 0 for -1. */
uint64_t question_arg(const struct question *q, int number);
