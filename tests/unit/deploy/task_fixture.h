/* Task definitions from a few lines of JSON in which ' stands for ". */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "deploy/task_definition.h"

static inline char *json_quotes(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static inline struct task_definition task_of(const char *text)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *json = json_quotes(text);
	struct task_definition td = {NULL, NULL, NULL};

	if (task_definition_read(&td, json, strlen(json), "task.json", &err) < 0)
		fail_msg("%s", err.message);
	return td;
}

static inline void assert_task(const struct task_definition *td, const char *wanted)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *json = json_quotes(wanted);

	json_write(td->json, &text);
	assert_string_equal(text.buf, json);
}

static inline void assert_lines(const struct strlist *lines, const char *wanted)
{
	AUTO_FREE char *text = strlist_join(lines, "\n");

	assert_string_equal(text, wanted);
}
