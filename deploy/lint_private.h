/* What the files of lint share: places, a rule, how a rule speaks. Included by deploy/lint*.c alone. */
#pragma once

#include "deploy/lint.h"

/* A place in the JSON, as a chain on the stack; key NULL: an element of a list. */
struct lint_place {
	const struct lint_place *up; /* NULL: this is the task itself */
	const char *key;
	size_t index;
	const char *label; /* of an element: how people call it; NULL: by index */
};

struct lint;

struct lint_rule {
	const char *id;
	enum lint_level level;
	/* One of them: looks at the task, or at each container. */
	void (*task)(struct lint *l);
	void (*container)(struct lint *l, const json_t *c, const struct lint_place *at);
};

struct lint {
	const struct task_definition *td;
	const struct lint_options *options;
	const struct lint_rule *rule;
	struct lint_findings *out;
	const char *network_mode; /* "" when not said */
	bool fargate;
	bool own_network; /* awsvpc */
};

extern const struct lint_place lint_top;

/* A finding of the present rule, at its level or at another. */
void lint_say(struct lint *l, const struct lint_place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void lint_say_as(struct lint *l, enum lint_level level, const struct lint_place *at,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* PLACE.KEY, PLACE[INDEX]: made on the stack of whoever says it. */
#define LINT_AT(up, key)          (&(struct lint_place){(up), (key), 0, NULL})
#define LINT_IN(up, index, label) (&(struct lint_place){(up), NULL, (index), (label)})

/* containerDefinitions[web].image; free() */
char *lint_place_text(const struct lint_place *at);
/* Its line in the file's text, from 1; 0 when it is not there. */
int lint_place_line(const struct lint_place *at, const char *text);

/* Each file's rules; an id NULL ends them. */
extern const struct lint_rule lint_rules_shape[], lint_rules_task[], lint_rules_fargate[],
	lint_rules_container[], lint_rules_links[];

/* The place of the container definition i, called label. */
#define LINT_CONTAINER(i, label) LINT_IN(LINT_AT(&lint_top, "containerDefinitions"), (i), (label))
