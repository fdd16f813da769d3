#include "deploy/logs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/task_end.h"

void log_place_release(struct log_place *p)
{
	if (!p)
		return;
	free(p->group);
	free(p->stream);
	free(p->region);
	*p = (struct log_place){0};
}

bool log_place_find(struct log_place *out, const json_t *definition, const char *container,
		    const char *task_arn)
{
	json_t *c = container_named(json_object_get(definition, "containerDefinitions"), container);
	json_t *log = json_object_get(c, "logConfiguration");
	json_t *options = json_object_get(log, "options");
	const char *group = aws_text(options, "awslogs-group");
	const char *prefix = aws_text(options, "awslogs-stream-prefix");

	log_place_release(out);
	if (strcmp(aws_text(log, "logDriver"), "awslogs") != 0 || !*group || !*prefix)
		return false;
	out->group = xstrdup(group);
	out->stream = xstrfmt("%s/%s/%s", prefix, container, arn_name(task_arn));
	if (*aws_text(options, "awslogs-region"))
		out->region = xstrdup(aws_text(options, "awslogs-region"));
	return true;
}

int logs_tail(const struct deploy_target *t, const struct log_place *place, int lines,
	      struct strbuf *out, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:i, s:b}", "logGroupName", place->group,
				      "logStreamName", place->stream, "limit", lines,
				      "startFromHead", 0);
	AUTO(aws_reply) reply = {0};
	json_t *event;
	size_t i;

	if (aws_ask(t->aws,
		    &(struct aws_question){.service = AWS_LOGS,
					   .operation = "GetLogEvents",
					   .params = params,
					   .fine = {"ResourceNotFoundException"},
					   .waiting = true,
					   .region = place->region},
		    &reply, err) < 0)
		return -1;
	json_array_foreach(json_object_get(reply.json, "events"), i, event)
	{
		strbuf_puts(out, aws_text(event, "message"));
		if (out->len && out->buf[out->len - 1] != '\n')
			strbuf_putc(out, '\n');
	}
	return 0;
}
