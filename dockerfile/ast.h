/*
 * What parse.c makes of a source: the parser directives and one node an
 * instruction, still text. A node knows where each of its bytes came from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "dockerfile/source.h"
#include "dockerfile/words.h"

struct heredoc {
	char *name;                /* the terminator, quotes removed: EOF */
	char *content;             /* body lines, each with its newline; leading tabs still there */
	int fd;                    /* 0 unless written as N<<NAME */
	bool expand;               /* NAME was not quoted */
	bool chomp;                /* <<-: leading tabs of the body are dropped by heredoc_body() */
	int line_first, line_last; /* of the body with its terminator */
};

/* The bytes of text from `at` on stand at line:column of the source (until the next piece). */
struct ast_piece {
	size_t at;
	int line, column;
};

struct ast_node {
	char *name; /* upper case */
	char *text; /* the logical line: continuations joined, trimmed, name as written */
	size_t name_len;
	struct words flags; /* "--name=value", quotes removed; `at` is the offset in text */
	size_t rest;        /* offset in text of what follows name and flags */
	struct heredoc *heredocs;
	size_t n_heredocs;
	int line_first, line_last; /* with heredocs */
	struct ast_piece *pieces;
	size_t n_pieces;
};

struct ast {
	char escape;     /* \ or ` */
	char *syntax;    /* value of "# syntax=", or NULL; never fetched */
	int syntax_line; /* 0 when missing */
	char *check;     /* value of "# check=", or NULL */
	struct ast_node *nodes;
	size_t n_nodes, cap_nodes;
	int *empty_lines; /* blank lines inside continuations, for NoEmptyContinuation */
	size_t n_empty_lines, cap_empty_lines;
};

#define AST_INIT  \
	{         \
		0 \
	}

void ast_release(struct ast *ast);
/* Line and column of the byte at offset `at` of node->text. */
void ast_position(const struct ast_node *node, size_t at, int *line, int *column);

void heredoc_release(struct heredoc *h);
void heredoc_copy(struct heredoc *dst, const struct heredoc *src);
/* The body as the file or the shell gets it: leading tabs dropped when chomp; free(). */
char *heredoc_body(const struct heredoc *h);

CLEANUP_RELEASE(ast)
