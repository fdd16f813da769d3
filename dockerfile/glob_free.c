/*
 * Patterns with "**" beside other text (a**b, **.log): all ways through the
 * pattern are followed at once, so that time stays the product of both lengths.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dockerfile/glob.h"

enum step_kind {
	STEP_CHAR, /* the text of one pattern character: itself, ? or [..] */
	STEP_STAR, /* any characters but "/" */
	STEP_DEEP, /* nothing, or any characters and a "/" */
	STEP_REST, /* any characters */
};

struct step {
	enum step_kind kind;
	const char *at, *end;
};

struct machine {
	struct step *steps;
	size_t n_steps, cap_steps;
	/* State 2i: before step i. 2i+1: inside the STEP_DEEP i. */
	unsigned char *now, *next;
};

static void machine_release(struct machine *m)
{
	free(m->steps);
	free(m->now);
	free(m->next);
}
CLEANUP_RELEASE(machine)

static void add_step(struct machine *m, enum step_kind kind, const char *at, const char *end)
{
	if (kind != STEP_CHAR && m->n_steps && m->steps[m->n_steps - 1].kind == kind)
		return;
	GROW(m->steps, m->n_steps + 1, m->cap_steps);
	m->steps[m->n_steps].kind = kind;
	m->steps[m->n_steps].at = at;
	m->steps[m->n_steps].end = end;
	m->n_steps++;
}

/* Docker takes a leading "**" before plain text as "ends with", anywhere in a name. */
static bool is_plain_suffix(const char *text)
{
	return strncmp(text, "**", 2) == 0 && text[2] != '/' && !strpbrk(text + 2, "*?[]\\");
}

static void compile(struct machine *m, const char *text)
{
	const char *at = text, *end = text + strlen(text);

	if (is_plain_suffix(text)) {
		add_step(m, STEP_REST, at, at);
		at += 2;
	}
	while (at < end) {
		const char *start = at;

		if (at[0] == '*' && at[1] == '*') {
			at += 2;
			if (*at == '/')
				at++;
			add_step(m, at == end ? STEP_REST : STEP_DEEP, start, at);
		} else if (*at == '*') {
			add_step(m, STEP_STAR, start, ++at);
		} else {
			at = glob_char_end(at, end);
			add_step(m, STEP_CHAR, start, at);
		}
	}
}

/* Enters state 2i and all that can be reached from it without a character. */
static void enter(const struct machine *m, unsigned char *states, size_t i)
{
	for (; !states[2 * i]; i++) {
		states[2 * i] = 1;
		if (i == m->n_steps || m->steps[i].kind == STEP_CHAR)
			return;
		if (m->steps[i].kind == STEP_DEEP)
			states[2 * i + 1] = 1;
	}
}

/* Follows every state over one character of the path; false: none is left. */
static bool advance(struct machine *m, const char *at, const char *end, size_t *len)
{
	bool slash = *at == '/', alive = false;
	unsigned char *swap;
	size_t i;

	*len = glob_char_length(at, end);
	memset(m->next, 0, 2 * m->n_steps + 2);
	for (i = 0; i < m->n_steps; i++) {
		const struct step *step = &m->steps[i];

		if (step->kind == STEP_DEEP && m->now[2 * i + 1]) {
			m->next[2 * i + 1] = 1;
			alive = true;
			if (slash)
				enter(m, m->next, i + 1);
		}
		if (!m->now[2 * i])
			continue;
		if (step->kind == STEP_REST || (step->kind == STEP_STAR && !slash))
			enter(m, m->next, i);
		else if (step->kind == STEP_CHAR && glob_char_matches(step->at, step->end, at, end))
			enter(m, m->next, i + 1);
		else
			continue;
		alive = true;
	}
	swap = m->now;
	m->now = m->next;
	m->next = swap;
	return alive;
}

bool glob_match_free(const char *pattern, const char *path)
{
	AUTO(machine) m = {0};
	const char *at = path, *end = path + strlen(path);
	size_t len;

	compile(&m, pattern);
	m.now = xcalloc(m.n_steps + 1, 2);
	m.next = xcalloc(m.n_steps + 1, 2);
	enter(&m, m.now, 0);
	for (; at < end; at += len) {
		/* A folder above the path counts as well. */
		if (*at == '/' && m.now[2 * m.n_steps])
			return true;
		if (!advance(&m, at, end, &len))
			return false;
	}
	return m.now[2 * m.n_steps];
}
