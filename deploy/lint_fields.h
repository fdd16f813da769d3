/* Every field that a task definition may have, with its type: what ECS's own service model says of RegisterTaskDefinition. */
#pragma once

#include <stdbool.h>

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER, /* an integer */
	FIELD_FLAG,
	FIELD_OBJECT,
	FIELD_MAP, /* of texts by text */
	FIELD_TEXTS,
	FIELD_NUMBERS,
	FIELD_OBJECTS,
};

struct lint_field {
	const char *shape; /* "" the task, "ContainerDefinition", "PortMapping" ... */
	const char *name;
	enum field_type type;
	bool required;
	const char *
		of; /* of objects their shape; of texts the words there are, blanks between; NULL: any */
};

const struct lint_field *lint_field_find(const char *shape, const char *name);
/* The shape's fields one by one: last NULL gives the first, NULL comes after the last. */
const struct lint_field *lint_field_next(const char *shape, const struct lint_field *last);
/* Which field may have been meant, or NULL. */
const char *lint_field_nearest(const char *shape, const char *name);
