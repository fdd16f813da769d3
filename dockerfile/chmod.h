/* --chmod of COPY and ADD: octal, or the symbolic form of chmod(1) with umask 0. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define CHMOD_CLAUSES 32

/* One action: of the classes in who (a mode mask), '+', '-' or '='. */
struct chmod_clause {
	mode_t who; /* mask of 0700, 0070, 0007 and, for s and t, 04000, 02000, 01000 */
	char op;
	mode_t bits;      /* permissions for all three classes, as 0777-and-special bits */
	bool exec_if_any; /* X: x for folders, and for files that have an x already */
	char copy_from;   /* 'u', 'g' or 'o': take that class's bits; else 0 */
};

struct chmod_spec {
	bool given;
	bool octal;
	mode_t mode; /* when octal: 0..07777 */
	struct chmod_clause clauses[CHMOD_CLAUSES];
	int n_clauses;
};

/* ERROR_SYNTAX: "invalid chmod parameter: '9z'. it should be octal string and between 0 and 07777". */
int chmod_parse(struct chmod_spec *out, const char *text, struct error *err);
/* The permission bits (07777) a file or folder of this mode gets. */
mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode, bool is_dir);
