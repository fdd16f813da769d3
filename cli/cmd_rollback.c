/* slipway rollback: a service runs again what it ran before. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/verb.h"
#include "deploy/follow.h"
#include "deploy/lookup.h"
#include "deploy/rollback.h"

static const struct command_usage usage = {
	.name = "rollback",
	.args = "[OPTIONS] SERVICE [REVISION]",
	.summary = "Bring a service back to an earlier task definition",
	.min_args = 1,
	.max_args = 2,
};

struct rollback {
	struct verb verb;
	const char *timeout;
	int64_t timeout_ns, max_failures;
	bool detach;
};

static int follow(struct app *a, const struct rollback *b, struct service_rollout *rollout,
		  struct error *err)
{
	const struct follow_options o = {
		.deadline = time_monotonic_ns() + b->timeout_ns,
		.max_failures = b->max_failures,
	};
	enum deploy_outcome outcome = DEPLOY_FAILED;
	AUTO_FREE char *summary = NULL;

	if (service_follow(&b->verb.target, rollout, &o, &outcome, &summary, err) < 0)
		return -1;
	if (outcome == DEPLOY_RUNNING)
		return 0;
	report_log(a->reporter, LOG_WARNING, "%s", summary ? summary : "the rollback failed");
	return outcome == DEPLOY_ROLLED_BACK ? EXIT_ROLLED_BACK
	       : outcome == DEPLOY_TIMED_OUT ? EXIT_TIMED_OUT
					     : 1;
}

static int run(struct app *a, struct rollback *b, const char *word, const char *revision,
	       struct error *err)
{
	struct deploy_target *t = &b->verb.target;
	AUTO_JSON *service = NULL;
	AUTO_FREE char *arn = NULL;
	AUTO(service_rollout) rollout = {0};
	int r = 0;

	if (lookup_need_service(t, word, &service, err) < 0)
		return -1;
	if (!service_primary(service))
		return error_set(err, ERROR_UNSUPPORTED,
				 "the service %s has no deployments of ECS's own (another "
				 "deployment controller)",
				 word);
	t->app = verb_app_of(service, aws_text(service, "serviceName"));
	if (deploy_target_identify(t, err) < 0 ||
	    (revision ? rollback_resolve(t, service, revision, &arn, err)
		      : rollback_find(t, service, &arn, err)) < 0 ||
	    rollback_apply(t, service, arn, &rollout, err) < 0)
		return -1;
	if (rollout.unchanged)
		report_log(a->reporter, LOG_INFO, "%s runs %s already", rollout.service,
			   path_base(arn));
	else if (!b->detach)
		r = follow(a, b, &rollout, err);
	if (r == 0)
		printf("%s\n", arn);
	return r;
}

int cmd_rollback(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	struct rollback b = {.timeout = "15m", .max_failures = 2};
	struct option options[] = {
		OPTION_ROWS_VERB(a, b.verb),
		{0, "max-failures", OPTION_INT, "N",
		 "Give up after so many tasks died alike (default 2)", &b.max_failures},
		{'d', "detach", OPTION_FLAG, NULL, "Do not wait until it runs", &b.detach},
		OPTION_ROW_TIMEOUT(b.timeout, "15m"),
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_parse_timeout(b.timeout, &b.timeout_ns, err) < 0)
		return -1;
	if (verb_begin(&b.verb, a, args.items[0], err) < 0)
		return -1;
	r = run(a, &b, args.items[0], args.n > 1 ? args.items[1] : NULL, err);
	verb_release(&b.verb);
	return verb_end(a, r, err);
}
