/* slipway logs: what the containers of a task or a service wrote. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/log_print.h"
#include "cli/verb.h"
#include "deploy/explain.h"
#include "deploy/logs.h"
#include "deploy/lookup.h"
#include "deploy/task_run.h"

/* How far back a service's lines are read when nothing says it: all of a year would take hours. */
#define SERVICE_SECONDS      3600
#define SERVICE_TAIL_SECONDS 86400
#define PAUSE_MS             1500
#define LOOKS_A_STATE        3 /* the task's state is asked for at every third look at its lines */
#define LAST_LOOKS           2 /* after its end: lines arrive late */

static const struct command_usage usage = {
	.name = "logs",
	.args = "[OPTIONS] SERVICE|TASK|NAME",
	.summary = "Show the logs of a service or task",
	.min_args = 1,
	.max_args = 1,
};

struct logs {
	struct verb verb;
	const char *since, *tail, *container;
	bool follow, timestamps, no_prefix;
	json_t *service, *task; /* one of them */
	struct log_places places;
	struct log_range range;
	struct log_printer printer;
};

static void logs_release(struct logs *l)
{
	verb_release(&l->verb);
	json_decref(l->service);
	json_decref(l->task);
	log_places_release(&l->places);
	log_printer_release(&l->printer);
}
CLEANUP_RELEASE(logs)

/* As docker takes it: how long ago, or when: RFC 3339, or seconds since 1970. */
static int parse_since(const char *text, int64_t *out_ms, struct error *err)
{
	int64_t ns, sec;

	if (*text && !text[strspn(text, "0123456789")] && strlen(text) < 12)
		*out_ms = strtoll(text, NULL, 10) * 1000;
	else if (time_parse_duration(text, &ns, NULL) == 0)
		*out_ms = (time_now_ns() - ns) / 1000000;
	else if (time_parse(text, &sec, NULL) == 0)
		*out_ms = sec * 1000;
	else
		return error_set(err, ERROR_USAGE,
				 "invalid --since \"%s\": a duration (10m), a time "
				 "(2026-11-22T10:00:00Z) or seconds since 1970 is expected",
				 text);
	return 0;
}

static int parse_tail(const char *text, size_t *out, struct error *err)
{
	size_t digits = strspn(text, "0123456789");

	if (strcmp(text, "all") == 0)
		return 0;
	*out = digits && digits < 6 && !text[digits] ? (size_t)strtoul(text, NULL, 10) : 0;
	if (*out < 1 || *out > LOG_TAIL_MAX)
		return error_set(err, ERROR_USAGE,
				 "invalid --tail \"%s\": a number from 1 to %d, or all", text,
				 LOG_TAIL_MAX);
	return 0;
}

static int parse_range(struct logs *l, struct error *err)
{
	if ((l->since && parse_since(l->since, &l->range.since_ms, err) < 0) ||
	    (l->tail && parse_tail(l->tail, &l->range.tail, err) < 0))
		return -1;
	return 0;
}

static int choose_container(struct logs *l, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	if (log_places_keep(&l->places, l->container))
		return 0;
	for (size_t i = 0; i < l->places.n; i++)
		strlist_add(&names, l->places.items[i].container);
	joined = strlist_join(&names, ", ");
	error_set(err, ERROR_USAGE, "it has no container %s", l->container);
	return error_hint(err, "there are: %s", joined);
}

/* What cannot be read is said, and is an error when it is all. */
static int check_places(struct app *a, const struct logs *l, struct error *err)
{
	const struct log_place *unread = NULL;
	size_t n = 0;

	for (size_t i = 0; i < l->places.n; i++) {
		const struct log_place *p = &l->places.items[i];

		n += !p->other;
		unread = p->other ? p : unread;
		if (p->other && l->places.n > 1)
			report_log(a->reporter, LOG_WARNING,
				   "the container %s has no lines in CloudWatch Logs: %s",
				   p->container, p->other);
	}
	if (n)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "the container %s has no lines in CloudWatch Logs: %s",
		  unread ? unread->container : "?", unread ? unread->other : "no definition");
	return error_hint(err, "slipway reads those of the log driver awslogs; its options are in "
			       "the task definition, logConfiguration");
}

static int find(struct app *a, struct logs *l, const char *word, struct error *err)
{
	const struct deploy_target *t = &l->verb.target;
	AUTO_JSON *definition = NULL;
	const char *name;

	if (lookup_any(t, word, TASKS_ALL, &l->service, &l->task, err) < 0)
		return -1;
	name = l->task ? aws_text(l->task, "taskDefinitionArn")
		       : aws_text(l->service, "taskDefinition");
	if (!*name)
		return error_set(err, ERROR_UNSUPPORTED,
				 "the service %s has no task definition of its own (another "
				 "deployment controller); name one of its tasks",
				 word);
	if (describe_definition(t, name, &definition, err) < 0)
		return -1;
	log_places_read(&l->places, definition, l->task);
	if ((l->container && choose_container(l, err) < 0) || check_places(a, l, err) < 0)
		return -1;
	if (l->service && !l->since)
		l->range.since_ms = (time_now() -
				     (l->range.tail ? SERVICE_TAIL_SECONDS : SERVICE_SECONDS)) *
				    1000;
	return 0;
}

/* An hour after its end ECS forgets a task. */
static int is_stopped(const struct logs *l, bool *stopped, struct error *err)
{
	AUTO_JSON *now = NULL;

	if (task_describe(&l->verb.target, aws_text(l->task, "taskArn"), &now, err) < 0)
		return -1;
	*stopped = !now || task_is_stopped(now);
	return 0;
}

static int follow(struct app *a, struct logs *l, struct log_reader *r, struct error *err)
{
	int64_t pause = a->env.poll_ms ? a->env.poll_ms : PAUSE_MS;
	bool stopped = false;
	int last = LAST_LOOKS;

	for (int i = 0; last > 0; i++) {
		if (l->task && !stopped && i % LOOKS_A_STATE == 0 &&
		    is_stopped(l, &stopped, err) < 0)
			return -1;
		last -= stopped;
		if (cancel_sleep(a->cancel, pause * 1000000, err) < 0 ||
		    log_reader_poll(r, log_printer_line, &l->printer, NULL, err) < 0)
			return -1;
		if (fflush(stdout) != 0)
			return error_errno(err, "write to standard output");
	}
	return 0;
}

static void note_silence(struct app *a, const struct logs *l, const struct log_reader *r)
{
	const char *group = log_reader_missing_group(r);

	if (group)
		report_log(a->reporter, LOG_WARNING, "the log group %s does not exist (yet)",
			   group);
	else if (l->service && !l->since)
		report_log(a->reporter, LOG_INFO,
			   "no line in the last %s; --since says how far back to look",
			   l->range.tail ? "day" : "hour");
	else
		report_log(a->reporter, LOG_INFO, "no line there");
}

static int show(struct app *a, struct logs *l, const char *word, struct error *err)
{
	AUTO_PTR(log_reader) r = NULL;
	size_t n = 0;

	if (find(a, l, word, err) < 0)
		return -1;
	log_printer_init(&l->printer, a, &l->places, l->service != NULL);
	l->printer.timestamps = l->timestamps;
	if (l->no_prefix)
		l->printer.width = 0;
	r = log_reader_new(&l->verb.target, &l->places, &l->range);
	if (log_reader_poll(r, log_printer_line, &l->printer, &n, err) < 0)
		return -1;
	if (fflush(stdout) != 0)
		return error_errno(err, "write to standard output");
	if (!n)
		note_silence(a, l, r);
	return l->follow ? follow(a, l, r, err) : 0;
}

int cmd_logs(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(logs) l = {.printer = {.out = STRBUF_INIT}};
	struct option options[] = {
		OPTION_ROWS_VERB(a, l.verb),
		{'f', "follow", OPTION_FLAG, NULL, "Go on with what comes, until the task ends",
		 &l.follow},
		{0, "since", OPTION_STRING, "TIME",
		 "Lines since then: 10m, 2026-11-22T10:00:00Z (default of a service: 1h)",
		 &l.since},
		{'n', "tail", OPTION_STRING, "N", "Begin with the last N lines (default: all)",
		 &l.tail},
		{'t', "timestamps", OPTION_FLAG, NULL, "Show the time of each line", &l.timestamps},
		{0, "container", OPTION_STRING, "NAME", "Only this container", &l.container},
		{0, "no-log-prefix", OPTION_FLAG, NULL, "Do not say which container wrote a line",
		 &l.no_prefix},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (parse_range(&l, err) < 0)
		return -1;
	if (verb_begin(&l.verb, a, args.items[0], err) < 0)
		return -1;
	r = show(a, &l, args.items[0], err);
	/* Who follows ends it by Ctrl-C: there is nothing to tell. */
	if (r < 0 && l.follow && err->kind == ERROR_CANCELLED)
		return error_exit_code(err, a->cancel);
	/* "| head" has seen enough. */
	if (r < 0 && err->number == EPIPE)
		return 128 + SIGPIPE;
	return verb_end(a, r, err);
}
