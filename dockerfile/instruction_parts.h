/* What the instruction_*.c files share: one node being read. Included only there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "dockerfile/instruction.h"

struct reader {
	const struct ast_node *node;
	const struct dockerfile_source *src;
	char escape;
	char *rest;                  /* what follows name and flags, trimmed */
	struct check_list *warnings; /* NULL: nobody wants them */
	struct error *err;
};

/* An error at offset `at` of node->text; reader_rest_error: of r->rest. Both return -1. */
int reader_error(const struct reader *r, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int reader_rest_error(const struct reader *r, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int reader_unsupported(const struct reader *r, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Gives r->err, set without a place, the place of that offset. */
int reader_error_place(const struct reader *r, size_t at);

enum flag_type { FLAG_TEXT, FLAG_BOOL, FLAG_LIST };
struct flag {
	const char *name;
	enum flag_type type;
	bool given;
	bool on;           /* FLAG_BOOL */
	const char *value; /* FLAG_TEXT; a view into the node */
	size_t at;
};
/* Checks every flag of the node against flags[0..n) and fills them. */
int flags_read(const struct reader *r, struct flag *flags, size_t n);
/* The value when word is --NAME=value, else NULL: to walk through a FLAG_LIST. */
const char *flag_value(const struct word *word, const char *name);
/* For instructions that have none. */
int flags_refuse(const struct reader *r);

/* Each reads one kind; out is zeroed but for kind, source and place. */
int read_from(struct instruction *out, const struct reader *r);
int read_pairs(struct instruction *out, const struct reader *r);
int read_arg(struct instruction *out, const struct reader *r);
int read_run(struct instruction *out, const struct reader *r);
int read_copy(struct instruction *out, const struct reader *r);
int read_text(struct instruction *out, const struct reader *r);
int read_expose(struct instruction *out, const struct reader *r);
int read_volume(struct instruction *out, const struct reader *r);
int read_command(struct instruction *out, const struct reader *r);
int read_shell(struct instruction *out, const struct reader *r);
int read_healthcheck(struct instruction *out, const struct reader *r);
int read_onbuild(struct instruction *out, const struct reader *r);

/* JSON or shell form of text, whose offset in r->rest is at; out is zeroed. */
int command_read(struct command *out, const struct reader *r, const char *text, size_t at);
void command_release(struct command *c);
void command_copy(struct command *dst, const struct command *src);
