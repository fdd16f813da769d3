#include "dockerfile/ast.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "dockerfile/expand.h"

void ast_node_release(struct ast_node *node)
{
	size_t i;

	if (!node)
		return;
	free(node->name);
	free(node->text);
	words_release(&node->flags);
	for (i = 0; i < node->n_heredocs; i++)
		heredoc_release(&node->heredocs[i]);
	free(node->heredocs);
	free(node->check);
	strlist_release(&node->comments);
	free(node->pieces);
	memset(node, 0, sizeof(*node));
}

void ast_release(struct ast *ast)
{
	size_t i;

	if (!ast)
		return;
	for (i = 0; i < ast->n_nodes; i++)
		ast_node_release(&ast->nodes[i]);
	free(ast->nodes);
	free(ast->syntax);
	free(ast->check);
	free(ast->empty_lines);
	memset(ast, 0, sizeof(*ast));
}

void ast_node_split(struct ast_node *node, char escape)
{
	size_t name = strcspn(node->text, " \t\v\f\r\n");
	size_t at = name, i, rest;

	node->end = strlen(node->text);
	while (node->end > 0 && word_is_blank(node->text[node->end - 1]))
		node->end--;
	node->name = xstrndup(node->text, name);
	while (word_is_blank(node->text[at]))
		at++;
	words_flags(&node->flags, node->text + at, escape, &rest);
	for (i = 0; i < node->flags.n; i++)
		node->flags.items[i].at += at;
	node->rest = at + rest;
	if (node->rest > node->end)
		node->rest = node->end;
}

void ast_node_inner(struct ast_node *out, const struct ast_node *outer, char escape)
{
	size_t i, n;

	memset(out, 0, sizeof(*out));
	out->text = xstrdup(outer->text + outer->rest);
	out->line_first = outer->line_first;
	out->line_last = outer->line_last;
	out->heredocs = xcalloc(outer->n_heredocs ? outer->n_heredocs : 1, sizeof(*out->heredocs));
	for (i = 0; i < outer->n_heredocs; i++)
		heredoc_copy(&out->heredocs[i], &outer->heredocs[i]);
	out->n_heredocs = outer->n_heredocs;
	out->pieces = xcalloc(outer->n_pieces + 1, sizeof(*out->pieces));
	ast_position(outer->pieces, outer->n_pieces, outer->rest, &out->pieces[0].line,
		     &out->pieces[0].column);
	n = 1;
	for (i = 0; i < outer->n_pieces; i++) {
		if (outer->pieces[i].at <= outer->rest)
			continue;
		out->pieces[n] = outer->pieces[i];
		out->pieces[n++].at -= outer->rest;
	}
	out->n_pieces = n;
	ast_node_split(out, escape);
}

void ast_position(const struct ast_piece *pieces, size_t n_pieces, size_t at, int *line,
		  int *column)
{
	size_t low = 0, high = n_pieces;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (pieces[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	*line = pieces[low].line;
	*column = pieces[low].column + (int)(at - pieces[low].at);
}

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

bool heredoc_parse(struct heredoc *out, const char *word)
{
	AUTO(strlist) words = STRLIST_INIT;
	int fd = 0;
	bool chomp;

	while (isdigit((unsigned char)*word)) {
		fd = fd < 100000 ? fd * 10 + (*word - '0') : fd;
		word++;
	}
	if (word[0] != '<' || word[1] != '<')
		return false;
	word += 2;
	chomp = *word == '-';
	word += chomp;
	while (word_is_blank(*word))
		word++;
	if (!*word || strchr(word, '<') || expand_lex(&words, word, false) < 0 || words.n != 1)
		return false;
	memset(out, 0, sizeof(*out));
	out->name = xstrdup(words.items[0]);
	out->fd = fd;
	out->chomp = chomp;
	out->expand = count_quotes(word) == count_quotes(out->name);
	return true;
}

void heredoc_release(struct heredoc *h)
{
	if (!h)
		return;
	free(h->name);
	free(h->content);
	memset(h, 0, sizeof(*h));
}

void heredoc_copy(struct heredoc *dst, const struct heredoc *src)
{
	*dst = *src;
	dst->name = xstrdup_null(src->name);
	dst->content = xstrdup_null(src->content);
}

char *heredoc_body(const struct heredoc *h)
{
	AUTO(strbuf) out = STRBUF_INIT;
	const char *at = h->content ? h->content : "";

	if (!h->chomp)
		return xstrdup(at);
	while (*at) {
		const char *newline;
		size_t len;

		at += strspn(at, "\t");
		newline = strchr(at, '\n');
		len = newline ? (size_t)(newline - at) + 1 : strlen(at);
		strbuf_add(&out, at, len);
		at += len;
	}
	return strbuf_detach(&out, NULL);
}
