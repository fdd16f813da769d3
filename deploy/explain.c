#include "deploy/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/ecs.h"
#include "deploy/hints.h"
#include "deploy/logs.h"

#define LOG_LINES  50
#define MAX_EVENTS 5

int describe_definition(const struct deploy_target *t, const char *name, json_t **out,
			struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "taskDefinition", name);
	AUTO(aws_reply) reply = {0};
	json_t *definition;

	if (ecs_look(t, "DescribeTaskDefinition", params, &reply, err) < 0)
		return -1;
	if (json_get_object(reply.json, "taskDefinition", &definition,
			    "the answer of DescribeTaskDefinition", err) < 0)
		return -1;
	*out = json_incref(definition);
	return 0;
}

char *explain_console_url(const struct deploy_target *t, const char *task_arn)
{
	const char *domain = strcmp(t->partition, "aws-cn") == 0 ? "console.amazonaws.cn"
			     : strcmp(t->partition, "aws-us-gov") == 0
				     ? "console.amazonaws-us-gov.com"
				     : "console.aws.amazon.com";

	if (t->local)
		return xstrdup(t->local);
	return xstrfmt("https://%s.%s/ecs/v2/clusters/%s/tasks/%s", t->region, domain,
		       path_base(t->cluster), path_base(task_arn));
}

/* One line of text, as "  name      text". */
static void add_field(struct strbuf *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	strbuf_printf(out, "  %-10s ", name);
	strbuf_add_printable(out, text, strlen(text), false);
	strbuf_putc(out, '\n');
}

static void add_container(struct strbuf *out, const json_t *container)
{
	const char *reason = aws_text(container, "reason");
	const char *health = aws_text(container, "healthStatus");
	int code = container_exit_code(container);
	AUTO(strbuf) line = STRBUF_INIT;

	strbuf_printf(&line, "%s: ", aws_text(container, "name"));
	if (code >= 0)
		strbuf_printf(&line, "exit code %d", code);
	else
		strbuf_puts(&line, "no exit code, it never ran or was lost");
	if (*health && strcmp(health, "UNKNOWN") != 0)
		strbuf_printf(&line, ", %s", health);
	if (*reason)
		strbuf_printf(&line, ", %s", reason);
	add_field(out, "container", line.buf);
}

/* The bar keeps a line from being an order to a CI runner, which looks past blanks for "::". */
static void add_quoted(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_puts(out, "    | ");
		strbuf_add_printable(out, text, n, false);
		strbuf_putc(out, '\n');
		text += n + (text[n] == '\n');
	}
}

/* The last lines that the container wrote; text keeps them. */
static int add_log(const struct deploy_target *t, const json_t *definition, const json_t *task,
		   const char *name, struct strbuf *text, struct strbuf *out, struct error *err)
{
	AUTO(log_places) places = {0};
	AUTO(error) why = ERROR_INIT;
	const struct log_place *place;

	log_places_read(&places, definition, task);
	place = log_places_find(&places, name);
	if (!place) {
		strbuf_printf(out,
			      "  log        %s writes to no CloudWatch log that slipway can read\n",
			      name);
		return 0;
	}
	/* What was written last takes a moment to arrive there. */
	if (logs_tail(t, place, LOG_LINES, text, &why) < 0 ||
	    (!text->len && (deploy_target_pause(t, 0, &why) < 0 ||
			    logs_tail(t, place, LOG_LINES, text, &why) < 0))) {
		if (why.kind == ERROR_CANCELLED)
			return error_move(err, &why);
		strbuf_printf(out, "  log        %s %s could not be read: %s\n", place->group,
			      place->stream, why.message);
		return 0;
	}
	strbuf_printf(out, "  log        %s %s%s\n", place->group, place->stream,
		      text->len ? ", its last lines:" : ": nothing was written");
	add_quoted(out, text->buf ? text->buf : "");
	return 0;
}

void explain_events(const json_t *events, double since, struct strbuf *out)
{
	size_t n = 0;

	while (n < json_array_size(events) && n < MAX_EVENTS &&
	       json_number_value(json_object_get(json_array_get(events, n), "createdAt")) >= since)
		n++;
	while (n-- > 0)
		add_field(out, "event", aws_text(json_array_get(events, n), "message"));
}

static void add_hint(const struct task_end *end, const struct strbuf *log, struct strbuf *out)
{
	const struct failure_facts facts = {
		.reason = end->reason,
		.log = log->buf,
		.exit_code = end->exit_code,
	};
	const char *hint = failure_hint(&facts);

	if (hint)
		add_field(out, "hint", hint);
}

int explain_task(const struct deploy_target *t, const json_t *task, const json_t *events,
		 struct task_end *end, struct strbuf *out, struct error *err)
{
	const char *arn = aws_text(task, "taskArn");
	AUTO_JSON *definition = NULL;
	AUTO(task_end) own = {.exit_code = -1};
	AUTO(strbuf) log = STRBUF_INIT;
	AUTO_FREE char *url = explain_console_url(t, arn);
	json_t *c;
	size_t i;

	if (!end)
		end = &own;
	describe_definition(t, aws_text(task, "taskDefinitionArn"), &definition, NULL);
	task_end_read(end, task, definition);
	strbuf_printf(out, "%s: %s\n", t->app, end->cause);
	add_field(out, "task", arn);
	if (*aws_text(task, "stopCode")) {
		AUTO_FREE char *stop = xstrfmt("%s: %s", aws_text(task, "stopCode"),
					       aws_text(task, "stoppedReason"));

		add_field(out, "reason", stop);
	}
	json_array_foreach (json_object_get(task, "containers"), i, c)
		add_container(out, c);
	if (definition && end->culprit &&
	    add_log(t, definition, task, end->culprit, &log, out, err) < 0)
		return -1;
	explain_events(events, 0, out);
	add_field(out, "console", url);
	add_hint(end, &log, out);
	return 0;
}
