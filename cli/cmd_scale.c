/* slipway scale: how many tasks a service runs, or between which bounds it decides that itself. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/verb.h"
#include "deploy/lookup.h"
#include "deploy/scale.h"
#include "deploy/scaling.h"

#define MAX_TASKS 5000 /* of a service, by ECS's quotas */

static const struct command_usage usage = {
	.name = "scale",
	.args = "[OPTIONS] SERVICE N|MIN..MAX",
	.summary = "Set how many tasks a service runs",
	.min_args = 2,
	.max_args = 2,
};

struct scale {
	struct verb verb;
	const char *timeout;
	int64_t timeout_ns;
	bool detach, no_autoscaling;
	int64_t cpu; /* 0: not given */
	bool ranged;
	int64_t count;
	struct scaling range;
	json_t *service;
	bool by_itself; /* Application Auto Scaling decides */
	struct scaling now;
};

static int parse(struct scale *s, const char *text, struct error *err)
{
	size_t digits = strspn(text, "0123456789");

	s->ranged = strstr(text, "..") != NULL;
	if (s->cpu && scaling_check_cpu(s->cpu, err) < 0)
		return -1;
	if (s->ranged && s->no_autoscaling)
		return error_set(err, ERROR_USAGE,
				 "--no-autoscaling goes with a number, not with "
				 "bounds");
	if (s->ranged) {
		s->range.cpu_percent = s->cpu;
		return scaling_parse(text, &s->range, err);
	}
	if (s->cpu)
		return error_set(err, ERROR_USAGE,
				 "--cpu-target goes with bounds: scale NAME MIN..MAX");
	s->count = digits && digits < 6 && !text[digits] ? strtoll(text, NULL, 10) : -1;
	if (s->count < 0 || s->count > MAX_TASKS)
		return error_set(err, ERROR_USAGE,
				 "invalid count \"%s\": a number up to %d, or bounds such as 1..10",
				 text, MAX_TASKS);
	return 0;
}

/* Who may not ask can still scale. */
static int find_scaling(struct app *a, struct scale *s, const char *name, struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (scaling_find(&s->verb.target, name, &s->by_itself, &s->now, &local) == 0)
		return 0;
	if (local.kind != ERROR_DENIED || s->ranged || s->no_autoscaling)
		return error_move(err, &local);
	report_log(a->reporter, LOG_WARNING,
		   "whether Application Auto Scaling decides the count is not known: %s",
		   local.message);
	return 0;
}

static int refuse_scaled(const struct scale *s, const char *name, struct error *err)
{
	AUTO_FREE char *cpu = s->now.cpu_percent
				      ? xstrfmt(" at %lld %% CPU", (long long)s->now.cpu_percent)
				      : xstrdup("");

	error_set(
		err, ERROR_USAGE,
		"Application Auto Scaling decides how many tasks %s runs: from %lld to %lld%s; it "
		"would undo another count",
		name, (long long)s->now.min, (long long)s->now.max, cpu);
	return error_hint(
		err,
		"'slipway scale%s %s MIN..MAX' changes the bounds; with --no-autoscaling the "
		"count is yours again",
		deploy_target_flag(&s->verb.target), name);
}

static int end_scaling(struct app *a, struct scale *s, const char *name, struct error *err)
{
	bool removed;

	if (scaling_remove(&s->verb.target, name, &removed, err) < 0)
		return -1;
	if (removed)
		report_log(a->reporter, LOG_INFO, "%s does not scale by itself any more", name);
	return 0;
}

/* The scaler moves a count into its bounds only when a metric makes it look. */
static int set_range(struct scale *s, const char *name, int64_t current, struct error *err)
{
	const struct deploy_target *t = &s->verb.target;

	if (!s->range.cpu_percent)
		s->range.cpu_percent = s->now.cpu_percent ? s->now.cpu_percent
							  : SCALING_CPU_DEFAULT;
	if (scaling_apply(t, name, &s->range, err) < 0)
		return -1;
	if (current < s->range.min)
		return service_scale(t, name, s->range.min, err);
	return current > s->range.max ? service_scale(t, name, s->range.max, err) : 0;
}

static int apply(struct app *a, struct scale *s, const char *name, struct error *err)
{
	const struct deploy_target *t = &s->verb.target;
	int64_t current = aws_int(s->service, "desiredCount");

	if (find_scaling(a, s, name, err) < 0)
		return -1;
	if (s->ranged)
		return set_range(s, name, current, err);
	if (s->by_itself && !s->no_autoscaling)
		return refuse_scaled(s, name, err);
	if (s->by_itself && end_scaling(a, s, name, err) < 0)
		return -1;
	return service_scale(t, name, s->count, err);
}

/* When ECS last wrote something about it: its own clock, for what happens after. */
static double newest_event(const json_t *service)
{
	const json_t *event = json_array_get(json_object_get(service, "events"), 0);

	return event ? json_number_value(json_object_get(event, "createdAt")) : (double)time_now();
}

static int settle(struct app *a, struct scale *s, const char *name, struct error *err)
{
	enum deploy_outcome outcome;
	AUTO_FREE char *counts = NULL;

	if (service_settle(&s->verb.target, name, newest_event(s->service),
			   time_monotonic_ns() + s->timeout_ns, &outcome, &counts, err) < 0)
		return -1;
	if (outcome == DEPLOY_RUNNING)
		return 0;
	report_log(a->reporter, LOG_WARNING, "%s is not there in time: %s; ECS goes on", name,
		   counts ? counts : "nothing is known");
	return EXIT_TIMED_OUT;
}

static int run(struct app *a, struct scale *s, const char *word, struct error *err)
{
	struct deploy_target *t = &s->verb.target;
	const char *name, *kind;
	int r = 0;

	if (lookup_need_service(t, word, &s->service, err) < 0)
		return -1;
	name = aws_text(s->service, "serviceName");
	kind = aws_text(s->service, "schedulingStrategy");
	if (strcmp(kind, "DAEMON") == 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s is a DAEMON service: it runs one task an instance", name);
	t->app = verb_app_of(s->service, name);
	if (deploy_target_identify(t, err) < 0 || apply(a, s, name, err) < 0)
		return -1;
	if (!s->detach)
		r = settle(a, s, name, err);
	if (r == 0 && s->ranged)
		printf("%s %lld..%lld\n", name, (long long)s->range.min, (long long)s->range.max);
	else if (r == 0)
		printf("%s %lld\n", name, (long long)s->count);
	return r;
}

int cmd_scale(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	struct scale s = {.timeout = "10m"};
	struct option options[] = {
		OPTION_ROWS_VERB(a, s.verb),
		{0, "cpu-target", OPTION_INT, "PERCENT",
		 "With bounds: the average CPU to keep (default 60)", &s.cpu},
		{0, "no-autoscaling", OPTION_FLAG, NULL,
		 "With a number: the service scales by itself no more", &s.no_autoscaling},
		{'d', "detach", OPTION_FLAG, NULL, "Do not wait until it is so", &s.detach},
		OPTION_ROW_TIMEOUT(s.timeout, "10m"),
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (parse(&s, args.items[1], err) < 0 ||
	    verb_parse_timeout(s.timeout, &s.timeout_ns, err) < 0)
		return -1;
	if (verb_begin(&s.verb, a, args.items[0], err) < 0)
		return -1;
	r = run(a, &s, args.items[0], err);
	json_decref(s.service);
	verb_release(&s.verb);
	return verb_end(a, r, err);
}
