#include "dockerfile/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "dockerfile/expand.h"
#include "dockerfile/words.h"

enum directive_state {
	DIRECTIVES_ALL,
	DIRECTIVES_NO_ESCAPE, /* behind a "#!" line: escape is a comment there */
	DIRECTIVES_DONE,
};

struct parser {
	const struct dockerfile_source *src;
	struct ast *ast;
	struct error *err;
	int line; /* the last one read */
	enum directive_state directives;
	bool seen_escape;
	char *check;             /* value of the "# check=" comment above the next instruction */
	struct strlist comments; /* lines directly above it */
};

static bool next_line(struct parser *p, const char **text, size_t *len)
{
	*text = source_line(p->src, p->line + 1, len);
	if (!*text)
		return false;
	p->line++;
	return true;
}

static size_t leading_blanks(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && word_is_blank(text[n]))
		n++;
	return n;
}

static int repeated_directive(struct parser *p, const char *name)
{
	return source_error(p->err, p->src, p->line, 1, "only one %s parser directive can be used",
			    name);
}

static int take_directive(struct parser *p, const char *name, const char *value)
{
	struct ast *ast = p->ast;

	if (strcmp(name, "escape") == 0) {
		if (p->directives == DIRECTIVES_NO_ESCAPE)
			return 0;
		if (p->seen_escape)
			return repeated_directive(p, name);
		p->seen_escape = true;
		if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
			return source_error(p->err, p->src, p->line, 1,
					    "invalid escape token '%s' does not match ` or \\",
					    value);
		ast->escape = value[0];
		return 0;
	}
	if (strcmp(name, "syntax") == 0 ? ast->syntax != NULL : ast->check != NULL)
		return repeated_directive(p, name);
	if (strcmp(name, "syntax") == 0) {
		ast->syntax = xstrndup(value, strcspn(value, " "));
		ast->syntax_line = p->line;
	} else {
		ast->check = xstrdup(value);
		ast->check_line = p->line;
	}
	return 0;
}

/* "# name = value". Whatever else stands here ends the directives. */
static int read_directive(struct parser *p, const char *text, size_t len)
{
	AUTO_FREE char *line = xstrndup(text, len);
	AUTO_FREE char *name = NULL;
	char *at = line, *end;
	size_t n = 0, i;

	if (p->line == 1 && strncmp(line, "#!", 2) == 0) {
		p->directives = DIRECTIVES_NO_ESCAPE;
		return 0;
	}
	if (*at == '#')
		for (at++; word_is_blank(*at);)
			at++;
	if (isalpha((unsigned char)*at))
		while (isalnum((unsigned char)at[n]))
			n++;
	name = xstrndup(at, n);
	for (i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	at += n;
	while (word_is_blank(*at))
		at++;
	if (line[0] != '#' || *at != '=' ||
	    (strcmp(name, "escape") != 0 && strcmp(name, "syntax") != 0 &&
	     strcmp(name, "check") != 0)) {
		p->directives = DIRECTIVES_DONE;
		return 0;
	}
	for (at++; word_is_blank(*at);)
		at++;
	for (end = at + strlen(at); end > at && word_is_blank(end[-1]);)
		*--end = '\0';
	if (!*at) {
		p->directives = DIRECTIVES_DONE;
		return 0;
	}
	return take_directive(p, name, at);
}

/* Cuts the escape character that continues the line; two of them in a row do not. */
static bool cut_continuation(const char *text, size_t *len, char escape)
{
	size_t n = *len;

	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	if (n == 0 || text[n - 1] != escape || (n >= 2 && text[n - 2] == escape))
		return false;
	*len = n - 1;
	return true;
}

static void add_piece(struct ast_node *node, struct strbuf *text, const char *bytes, size_t len,
		      int line, size_t column)
{
	if (len == 0 && node->n_pieces > 0)
		return;
	/* Blanks at the front of the first text do not belong to the instruction. */
	if (text->len == 0)
		node->n_pieces = 0;
	GROW(node->pieces, node->n_pieces + 1, node->cap_pieces);
	node->pieces[node->n_pieces].at = text->len;
	node->pieces[node->n_pieces].line = line;
	node->pieces[node->n_pieces].column = (int)column + 1;
	node->n_pieces++;
	strbuf_add(text, bytes, len);
}

/* Reads lines until one does not continue. The first has been read: text[0..len) without blanks in front. */
static void read_logical_line(struct parser *p, struct ast_node *node, struct strbuf *out,
			      const char *text, size_t len, size_t column)
{
	bool more = cut_continuation(text, &len, p->ast->escape);
	bool empty = false;

	node->line_first = p->line;
	add_piece(node, out, text, len, p->line, column);
	while (more && next_line(p, &text, &len)) {
		size_t blanks = leading_blanks(text, len);

		if (blanks == len) {
			empty = true;
			continue;
		}
		if (text[blanks] == '#')
			continue;
		more = cut_continuation(text, &len, p->ast->escape);
		/* Blanks in front matter inside quotes; before the instruction's name they do not. */
		if (out->len > 0 || blanks > len)
			blanks = 0;
		add_piece(node, out, text + blanks, len - blanks, p->line, blanks);
	}
	node->line_last = p->line;
	if (empty) {
		struct ast *ast = p->ast;

		GROW(ast->empty_lines, ast->n_empty_lines + 1, ast->cap_empty_lines);
		ast->empty_lines[ast->n_empty_lines++] = p->line;
	}
}

static int read_heredoc(struct parser *p, struct ast_node *node, struct heredoc *h)
{
	AUTO(strbuf) content = STRBUF_INIT;
	const char *text;
	size_t len, tabs, whole;
	size_t name_len = strlen(h->name);

	h->line_first = p->line + 1;
	while (next_line(p, &text, &len)) {
		tabs = 0;
		while (h->chomp && tabs < len && text[tabs] == '\t')
			tabs++;
		if (len - tabs == name_len && memcmp(text + tabs, h->name, name_len) == 0) {
			h->content = strbuf_detach(&content, NULL);
			h->line_last = node->line_last = p->line;
			return 0;
		}
		whole = (p->line < p->src->n_lines ? p->src->starts[p->line] : p->src->len) -
			p->src->starts[p->line - 1];
		strbuf_add(&content, text, whole);
	}
	return source_error(p->err, p->src, node->line_first, 1,
			    "unterminated heredoc: no line \"%s\" follows", h->name);
}

/* Whether the node, or the trigger it holds, is RUN, COPY or ADD in a form other than JSON. */
static bool may_have_heredocs(const struct ast_node *node)
{
	AUTO(words) flags = WORDS_INIT;
	AUTO(strlist) json = STRLIST_INIT;
	const char *name = node->text, *rest = node->text + node->rest;
	size_t len = strlen(node->name), after;

	if (strcasecmp(node->name, "ONBUILD") == 0) {
		name = rest;
		len = strcspn(name, " \t\v\f\r\n");
		words_flags(&flags, name + len, '\\', &after);
		rest = name + len + after;
	}
	if (!(len == 3 && (strncasecmp(name, "RUN", 3) == 0 || strncasecmp(name, "ADD", 3) == 0)) &&
	    !(len == 4 && strncasecmp(name, "COPY", 4) == 0))
		return false;
	return strstr(rest, "<<") && words_json(&json, rest) != WORDS_JSON_YES;
}

static int read_heredocs(struct parser *p, struct ast_node *node)
{
	AUTO(strlist) words = STRLIST_INIT;
	struct heredoc found;
	size_t i;

	/* An open quote is the shell's to complain about; there are no heredocs then. */
	if (!may_have_heredocs(node) || expand_lex(&words, node->text, true) < 0)
		return 0;
	for (i = 0; i < words.n; i++) {
		if (!heredoc_parse(&found, words.items[i]))
			continue;
		node->heredocs = xreallocarray(node->heredocs, node->n_heredocs + 1,
					       sizeof(*node->heredocs));
		node->heredocs[node->n_heredocs++] = found;
		if (read_heredoc(p, node, &node->heredocs[node->n_heredocs - 1]) < 0)
			return -1;
	}
	return 0;
}

static int read_node(struct parser *p, const char *text, size_t len, size_t column)
{
	AUTO(strbuf) logical = STRBUF_INIT;
	struct ast *ast = p->ast;
	struct ast_node *node;

	if (ast->n_nodes == LIMIT_INSTRUCTIONS)
		return source_error(p->err, p->src, p->line, 0,
				    "the file has more than %u instructions", LIMIT_INSTRUCTIONS);
	GROW(ast->nodes, ast->n_nodes + 1, ast->cap_nodes);
	node = &ast->nodes[ast->n_nodes++];
	memset(node, 0, sizeof(*node));
	read_logical_line(p, node, &logical, text, len, column);
	node->text = strbuf_detach(&logical, NULL);
	if (leading_blanks(node->text, strlen(node->text)) == strlen(node->text)) {
		/* Only an escape character: no instruction. */
		ast_node_release(node);
		ast->n_nodes--;
		return 0;
	}
	node->check = take_ptr(p->check);
	node->comments = p->comments;
	p->comments = (struct strlist)STRLIST_INIT;
	ast_node_split(node, ast->escape);
	return read_heredocs(p, node);
}

/* Comments directly above an instruction describe it, or silence checks for it; "#" alone separates. */
static void read_comment(struct parser *p, const char *text, size_t len)
{
	AUTO_FREE char *line = xstrndup(text, len);
	char *at = line + 1, *end = line + len;

	while (end > at && word_is_blank(end[-1]))
		*--end = '\0';
	while (word_is_blank(*at))
		at++;
	if (*at)
		strlist_add(&p->comments, at);
	else
		strlist_clear(&p->comments);
	if (*at && strncmp(at, "check", 5) != 0)
		return;
	free(p->check);
	p->check = NULL;
	for (at += *at ? 5 : 0; word_is_blank(*at);)
		at++;
	if (*at == '=')
		p->check = xstrdup(at + 1);
}

static int parse_lines(struct parser *p)
{
	const char *text;
	size_t len;

	while (next_line(p, &text, &len)) {
		size_t blanks = leading_blanks(text, len);

		text += blanks;
		len -= blanks;
		if (p->directives != DIRECTIVES_DONE && read_directive(p, text, len) < 0)
			return -1;
		if (len > 0 && text[0] == '#') {
			if (p->directives == DIRECTIVES_DONE)
				read_comment(p, text, len);
		} else if (len == 0) {
			strlist_clear(&p->comments);
		} else if (read_node(p, text, len, blanks) < 0) {
			return -1;
		}
	}
	return 0;
}

int parse_source(struct ast *out, const struct dockerfile_source *src, struct error *err)
{
	struct parser p = {.src = src, .ast = out, .err = err};
	int r;

	memset(out, 0, sizeof(*out));
	out->escape = '\\';
	r = parse_lines(&p);
	free(p.check);
	strlist_release(&p.comments);
	if (r == 0 && out->n_nodes == 0)
		r = source_error(err, src, src->n_lines, 0, "file with no instructions");
	if (r < 0)
		ast_release(out);
	return r;
}
