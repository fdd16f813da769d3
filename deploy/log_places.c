#include "deploy/log_places.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"

static void place_release(struct log_place *place)
{
	free(place->container);
	free(place->group);
	free(place->region);
	free(place->stream);
	free(place->prefix);
	free(place->other);
}

void log_places_release(struct log_places *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		place_release(&p->items[i]);
	free(p->items);
	*p = (struct log_places){0};
}

bool log_places_keep(struct log_places *p, const char *container)
{
	struct log_place kept;
	size_t at = 0;

	while (at < p->n && strcmp(p->items[at].container, container) != 0)
		at++;
	if (at == p->n)
		return false;
	kept = p->items[at];
	for (size_t i = 0; i < p->n; i++)
		if (i != at)
			place_release(&p->items[i]);
	p->items[0] = kept;
	p->n = 1;
	return true;
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
	const char *id = path_base(aws_text(task, "taskArn"));

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

	json_array_foreach (json_object_get(td, "containerDefinitions"), i, container) {
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
