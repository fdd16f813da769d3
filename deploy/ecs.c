#include "deploy/ecs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int ecs_look(const struct deploy_target *t, const char *operation, json_t *params,
	     struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ECS, .operation = operation, .params = params, .waiting = true};

	return aws_ask(t->aws, &q, reply, err);
}

int ecs_list(const struct deploy_target *t, const char *operation, json_t *params, const char *key,
	     json_t **out, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ECS, .operation = operation, .params = params, .waiting = true};

	return aws_ask_all(t->aws, &q, key, out, err);
}

static int newest_first(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	double s = json_number_value(json_object_get(*x, "createdAt"));
	double u = json_number_value(json_object_get(*y, "createdAt"));

	if (s == u)
		return strcmp(aws_text(*x, "taskArn"), aws_text(*y, "taskArn"));
	return s < u ? 1 : -1;
}

json_t *ecs_newest_first(const json_t *objects)
{
	size_t n = json_array_size(objects);
	AUTO_FREE json_t **items = xcalloc(n + 1, sizeof(*items));
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(objects, i);
	qsort(items, n, sizeof(*items), newest_first);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, items[i]);
	return out;
}
