/*
 * Are two task definitions the same, and what differs. ECS fills in defaults and keeps some lists in an order of its own when it
 * stores one (ECS API Reference, RegisterTaskDefinition and DescribeTaskDefinition), so both sides are brought to one form first.
 */
#pragma once

#include "deploy/task_definition.h"

/* The same once both are registered: a second deploy of it needs no new revision. Tags do not count: an answer does not repeat them. */
bool task_definition_equal(const struct task_definition *a, const struct task_definition *b);
/*
 * Lines "- PATH: old" and "+ PATH: new" in the order of a, then of what only b has: containerDefinitions[web].environment[PORT].
 * Values of variables and options whose name sounds secret (KEY, TOKEN, SECRET, PASSWORD ...) read "(hidden)". No line: they are equal.
 */
void task_definition_diff(const struct task_definition *a, const struct task_definition *b,
			  struct strlist *out);
/* Whether values of that name are not to be shown. */
bool task_name_is_secret(const char *name);
/* The same, or the value (NULL: none) holds a login: SCHEME://USER:PASSWORD@HOST. */
bool task_value_is_secret(const char *name, const char *value);
/* The common form: defaults filled in or left out, lists without order sorted by their key. json_decref(). */
json_t *task_definition_normal(const struct task_definition *td);
