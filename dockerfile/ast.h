/*
 * What parse.c makes of a source: the parser directives and one node an
 * instruction, still text. A node knows where each of its bytes came from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/strlist.h"
#include "dockerfile/source.h"
#include "dockerfile/words.h"

struct heredoc {
	char *name;                /* the terminator, quotes removed: EOF */
	char *content;             /* body lines, each with its newline; leading tabs still there */
	int fd;                    /* 0 unless written as N<<NAME */
	bool expand;               /* NAME was not quoted */
	bool chomp;                /* <<-: heredoc_body() drops leading tabs */
	int line_first, line_last; /* of the body with its terminator */
};

/* The bytes of text from `at` on stand at line:column of the source (until the next piece). */
struct ast_piece {
	size_t at;
	int line, column;
};

struct ast_node {
	char *name;         /* as written */
	char *text;         /* the logical line: continuations joined, blanks at its end kept */
	struct words flags; /* "--name=value", quotes removed; `at` is the offset in text */
	size_t rest;        /* offset in text of what follows name and flags */
	size_t end;         /* offset of the blanks at the end */
	struct heredoc *heredocs;
	size_t n_heredocs;
	int line_first, line_last; /* with heredocs */
	char *check;               /* of a "# check=" comment directly above, or NULL */
	struct strlist comments;   /* the lines directly above, without "#" and blanks */
	struct ast_piece *pieces;
	size_t n_pieces, cap_pieces;
};

struct ast {
	char escape;     /* \ or ` */
	char *syntax;    /* value of "# syntax=", or NULL; never fetched */
	int syntax_line; /* 0 when missing */
	char *check;     /* value of "# check=", or NULL */
	int check_line;  /* 0 when missing */
	struct ast_node *nodes;
	size_t n_nodes, cap_nodes;
	int *empty_lines; /* instructions with a blank line inside: line of their end */
	size_t n_empty_lines, cap_empty_lines;
};

#define AST_INIT  \
	{         \
		0 \
	}

void ast_release(struct ast *ast);
void ast_node_release(struct ast_node *node);
/* Finds name, flags, rest and end in node->text. */
void ast_node_split(struct ast_node *node, char escape);
/* The node of the instruction that outer holds as its rest (ONBUILD), at its own places. */
void ast_node_inner(struct ast_node *out, const struct ast_node *outer, char escape);
/* Line and column of the byte at offset `at` of a text with these pieces (at least one). */
void ast_position(const struct ast_piece *pieces, size_t n_pieces, size_t at, int *line,
		  int *column);

/* Reads a word such as 3<<-"EOF"; false when it is none. Content and lines stay empty. */
bool heredoc_parse(struct heredoc *out, const char *word);
void heredoc_release(struct heredoc *h);
void heredoc_copy(struct heredoc *dst, const struct heredoc *src);
/* The body as the file or the shell gets it: leading tabs dropped when chomp; free(). */
char *heredoc_body(const struct heredoc *h);

CLEANUP_RELEASE(ast)
CLEANUP_RELEASE(ast_node)
CLEANUP_RELEASE(heredoc)
