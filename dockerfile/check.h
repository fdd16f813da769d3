/*
 * Build checks: warnings that fall out of parsing. Names and texts are those
 * of docker's checks.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct check_warning {
	const char *rule; /* "StageNameCasing"; static */
	char *message;    /* one line */
	int line;
};

struct check_list {
	struct check_warning *items; /* in the order of the lines */
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
