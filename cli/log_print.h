/* Lines of logs on standard output, with prefix and time as they are asked for. */
#pragma once

#include "cli/app.h"
#include "deploy/logs.h"

struct log_printer {
	bool terminal; /* nothing but colours passes */
	bool runner;   /* GitHub's: the same, and no line may be a workflow command ("::error::") */
	bool timestamps; /* each line begins with its time */
	bool tasks;      /* the prefix says which task, too */
	int width;       /* of the prefix; 0: none */
	struct strbuf out;
};

/* The prefix is as wide as the widest container's name; none for a single container of a single task. */
void log_printer_init(struct log_printer *p, const struct app *a, const struct log_places *places,
		      bool tasks);
void log_printer_release(struct log_printer *p);
/* arg: the printer. As the function that log_reader_poll() calls. */
int log_printer_line(void *arg, const struct log_line *line, struct error *err);

CLEANUP_RELEASE(log_printer)
