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

	free(node->name);
	free(node->text);
	words_release(&node->flags);
	for (i = 0; i < node->n_heredocs; i++)
		heredoc_release(&node->heredocs[i]);
	free(node->heredocs);
	free(node->pieces);
	memset(node, 0, sizeof(*node));
}

void ast_release(struct ast *ast)
{
	size_t i;

	for (i = 0; i < ast->n_nodes; i++)
		ast_node_release(&ast->nodes[i]);
	free(ast->nodes);
	free(ast->syntax);
	free(ast->check);
	free(ast->empty_lines);
	memset(ast, 0, sizeof(*ast));
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
