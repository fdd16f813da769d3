#include "cli/table.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"

void table_add(struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->columns; i++) {
		AUTO(strbuf) text = STRBUF_INIT;

		strbuf_add_printable(&text, cells[i], strlen(cells[i]), false);
		strlist_add(&t->cells, text.buf);
	}
}

void table_print(const struct table *t)
{
	AUTO_FREE size_t *widths = xcalloc(t->columns, sizeof(*widths));

	for (size_t i = 0; i < t->cells.n; i++) {
		size_t len = strlen(t->cells.items[i]);

		if (len > widths[i % t->columns])
			widths[i % t->columns] = len;
	}
	for (size_t i = 0; i < t->cells.n; i++) {
		bool last = i % t->columns == t->columns - 1;

		printf("%-*s", last ? 0 : (int)widths[i % t->columns], t->cells.items[i]);
		printf("%*s", last ? 1 : t->spacing ? t->spacing : 3, last ? "\n" : "");
	}
}

void table_release(struct table *t)
{
	strlist_release(&t->cells);
}
