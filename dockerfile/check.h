/*
 * Build checks: warnings that fall out of parsing. Names and texts are those
 * of docker's checks. Every function accepts a NULL list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct check_warning {
	const char *rule; /* "StageNameCasing"; static */
	char *message;    /* one line */
	int line;
};

struct check_list {
	struct check_warning *items; /* after check_sort() in the order of the lines */
	size_t n, cap;
};

#define CHECK_LIST_INIT \
	{               \
		0       \
	}

void check_list_release(struct check_list *list);
CLEANUP_RELEASE(check_list)
void check_add(struct check_list *list, const char *rule, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void check_sort(struct check_list *list);

/* Rules about one instruction, called by its reader. */
void check_from_names(struct check_list *list, int line, const char *from, const char *as,
		      const char *stage);
void check_legacy_pair(struct check_list *list, int line, const char *instruction);
void check_secret_name(struct check_list *list, int line, const char *instruction, const char *key);
void check_port(struct check_list *list, int line, const char *text);

/* Rules about the whole file; then drops what "# check=skip=..." asks to, and sorts. */
struct dockerfile;
struct ast;
void check_file(struct dockerfile *file, const struct ast *ast);
/* Whether "check=skip=A,B;error=true" (all of it, or "skip=..." behind "check=") names this rule. */
bool check_skips(const char *options, const char *rule);
/* Whether the options turn warnings into a failed build. */
bool check_is_error(const char *options);
