/*
 * --chmod of COPY and ADD: octal, or the symbolic form of chmod(1) with umask
 * 0: [ugoa]*[-+=]([rwxXst]*|[ugo]), several separated by commas.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define CHMOD_CLAUSES 16

struct chmod_clause {
	char op;          /* '+', '-' or '=' */
	mode_t affected;  /* bits the classes before op allow to change */
	mode_t value;     /* bits named behind op, for all classes */
	bool exec_if_any; /* X: execution for folders, and for files that have it already */
	mode_t copy_from; /* 0700, 0070 or 0007: take that class's bits; else 0 */
};

struct chmod_spec {
	bool given;
	bool octal;
	mode_t mode; /* when octal: 0..07777 */
	struct chmod_clause clauses[CHMOD_CLAUSES];
	int n_clauses;
};

/* ERROR_SYNTAX: "invalid chmod parameter: '9z'. it should be octal string and between 0 and 07777 ...". */
int chmod_parse(struct chmod_spec *out, const char *text, struct error *err);
/* The permission bits (07777) that a file or folder of this mode gets; the type bits of mode are ignored. */
mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode, bool is_dir);
