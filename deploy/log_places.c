#include "deploy/log_places.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/task_end.h"

void log_places_release(struct log_places *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		free(p->items[i].container);
		free(p->items[i].group);
		free(p->items[i].region);
		free(p->items[i].stream);
		free(p->items[i].prefix);
		free(p->items[i].other);
	}
	if (p)
		free(p->items);
}

const struct log_place *log_places_find(const struct log_places *p, const char *container)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->items[i].other && strcmp(p->items[i].container, container) == 0)
			return &p->items[i];
	return NULL;
}

static char *text_or_null(const char *text)
{
	return *text ? xstrdup(text) : NULL;
}

static void find_stream(struct log_place *place, const char *prefix, const json_t *task)
{
	const json_t *containers = json_object_get(task, "containers");
	const char *id = arn_name(aws_text(task, "taskArn"));

	if (*prefix) {
		place->prefix = xstrfmt("%s/%s/", prefix, place->container);
		place->stream = *id ? xstrfmt("%s%s", place->prefix, id) : NULL;
		return;
	}
	place->stream = text_or_null(
		aws_text(container_named(containers, place->container), "runtimeId"));
	if (!place->stream)
		place->other = xstrdup("awslogs without a stream prefix");
}

void log_places_read(struct log_places *out, const json_t *td, const json_t *task)
{
	json_t *container;
	size_t i;

	json_array_foreach(json_object_get(td, "containerDefinitions"), i, container)
	{
		const json_t *log = json_object_get(container, "logConfiguration");
		const json_t *options = json_object_get(log, "options");
		const char *driver = aws_text(log, "logDriver");
		struct log_place place = {.container = xstrdup(aws_text(container, "name"))};

		if (strcmp(driver, "awslogs") != 0) {
			place.other = xstrdup(*driver ? driver : "no log driver");
		} else {
			place.group = xstrdup(aws_text(options, "awslogs-group"));
			place.region = text_or_null(aws_text(options, "awslogs-region"));
			find_stream(&place, aws_text(options, "awslogs-stream-prefix"), task);
		}
		GROW(out->items, out->n + 1, out->cap);
		out->items[out->n++] = place;
	}
}
