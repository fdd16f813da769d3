/*
 * Build checks: the rules of docker's "build --check" by its names and texts, and a few of our own, which are
 * suggestions: shown by --check alone, and no reason to fail.
 *
 * Rules add what they find to a list; check_finish() drops what the file's "# check=" options, or a "# check="
 * comment above the instruction, silence. So a rule never asks whether it is wanted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"

enum check_rule {
	CHECK_STAGE_NAME_CASING,
	CHECK_FROM_AS_CASING,
	CHECK_NO_EMPTY_CONTINUATION,
	CHECK_INSTRUCTION_CASING,
	CHECK_DUPLICATE_STAGE_NAME,
	CHECK_RESERVED_STAGE_NAME,
	CHECK_JSON_ARGS,
	CHECK_MAINTAINER,
	CHECK_UNDEFINED_ARG_IN_FROM,
	CHECK_WORKDIR_RELATIVE,
	CHECK_UNDEFINED_VAR,
	CHECK_MULTIPLE_INSTRUCTIONS,
	CHECK_LEGACY_KEY_VALUE,
	CHECK_BASE_IMAGE_PLATFORM,
	CHECK_REDUNDANT_TARGET_PLATFORM,
	CHECK_SECRETS,
	CHECK_DEFAULT_ARG_IN_FROM,
	CHECK_CONSTANT_PLATFORM,
	CHECK_COPY_IGNORED,
	CHECK_DEFINITION_DESCRIPTION,
	CHECK_EXPOSE_PROTO_CASING,
	CHECK_EXPOSE_FORMAT,
	/* Not docker's. */
	CHECK_SYNTAX_IGNORED,
	CHECK_COPY_UNWANTED,
	CHECK_CACHE_MOUNT,
};
#define N_CHECK_RULES (CHECK_CACHE_MOUNT + 1)

enum check_level { CHECK_SUGGESTION, CHECK_WARNING };

struct check_rule_info {
	const char *name; /* "StageNameCasing" */
	const char *page; /* of docker's documentation: "stage-name-casing"; NULL: it has none */
	const char *description; /* one sentence */
	enum check_level level;
	bool experimental; /* only when "experimental=" asks for it; "skip=" has no power over it */
};

const struct check_rule_info *check_rule_info(enum check_rule rule);
/* The address of docker's page; NULL when there is none; free(). */
char *check_rule_url(enum check_rule rule);

/* "skip=A,B;error=true;experimental=C"; "all" for every rule. */
struct check_config {
	bool skip_all, experimental_all;
	bool error; /* warnings fail the build */
	struct strlist skip, experimental;
};

/* out is zeroed before. ERROR_SYNTAX without a place: an unknown option, a value that is no boolean. */
int check_config_parse(struct check_config *out, const char *text, struct error *err);
void check_config_release(struct check_config *config);
CLEANUP_RELEASE(check_config)

struct check_warning {
	enum check_rule rule;
	char *message;             /* one line */
	int line_first, line_last; /* of the instruction, its heredocs included */
	int column;                /* 0: not known */
};

/* A "# check=" comment speaks of the lines of the instruction below it. */
struct check_comment {
	int line_first, line_last;
	struct check_config config;
};

struct check_list {
	struct check_warning *items; /* after check_finish() in the order of the lines */
	size_t n, cap;
	struct check_config config; /* of the file, or of BUILDKIT_DOCKERFILE_CHECK */
	struct check_comment *comments;
	size_t n_comments, cap_comments;
};

#define CHECK_LIST_INIT \
	{               \
		0       \
	}

void check_list_release(struct check_list *list);
CLEANUP_RELEASE(check_list)
/* Both accept a NULL list: nobody wants to know. */
struct instruction;
void check_add(struct check_list *list, enum check_rule rule, const struct instruction *at,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void check_add_line(struct check_list *list, enum check_rule rule, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Options in place of those of the file: --build-arg BUILDKIT_DOCKERFILE_CHECK. ERROR_USAGE. */
int check_override(struct check_list *list, const char *text, struct error *err);
/* Options that do not parse are no options, as docker has it. */
void check_add_comment(struct check_list *list, int line_first, int line_last, const char *text);
/* Drops what is silenced, and sorts. May be called again after more was added. */
void check_finish(struct check_list *list);
/* What from found and out has not; from is empty then. */
void check_list_merge(struct check_list *out, struct check_list *from);
/* How many warnings, or suggestions, there are. */
size_t check_count(const struct check_list *list, enum check_level level);
/* After check_finish(): ERROR_SYNTAX "lint violation found for rules: A, B" when "error=true" asks for it. */
int check_enforce(const struct check_list *list, struct error *err);
