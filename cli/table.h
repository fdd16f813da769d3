/* Columns as wide as their widest cell, with blanks between: as docker prints lists. */
#pragma once

#include "base/strlist.h"

struct table {
	size_t columns;
	int spacing;          /* blanks between columns; 0: three */
	struct strlist cells; /* row by row */
};

/* The cells of one row; as many as columns. Control characters are shown as \xNN when printed. */
void table_add(struct table *t, const char *const *cells);
/* To standard output; the last column is not padded. */
void table_print(const struct table *t);
void table_release(struct table *t);

CLEANUP_RELEASE(table)
