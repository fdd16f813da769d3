/* slipway deploy: from a Dockerfile to what runs on ECS. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "cli/annotations.h"
#include "cli/ci_output.h"
#include "cli/cmd.h"
#include "cli/deploy_job.h"
#include "cli/json_print.h"
#include "cli/local_target.h"
#include "cli/verb.h"
#include "deploy/task_run.h"

static const char *outcome_name(enum deploy_outcome outcome)
{
	static const char *const names[] = {
		[DEPLOY_RUNNING] = "running",
		[DEPLOY_UNCHANGED] = "unchanged",
		[DEPLOY_ENDED] = "ended",
		[DEPLOY_FAILED] = "failed",
		[DEPLOY_ROLLED_BACK] = "rolled back",
		[DEPLOY_TIMED_OUT] = "timed out",
	};

	return names[outcome];
}

static int exit_code(const struct deploy_job *j)
{
	switch (j->outcome) {
	case DEPLOY_RUNNING:
	case DEPLOY_UNCHANGED:
	case DEPLOY_ENDED:
		return 0;
	case DEPLOY_ROLLED_BACK:
		return EXIT_ROLLED_BACK;
	case DEPLOY_TIMED_OUT:
		return EXIT_TIMED_OUT;
	case DEPLOY_FAILED:
		break;
	}
	if (!j->flags->wait || j->service_name)
		return 1;
	return j->exit_code > 0 ? j->exit_code : EXIT_SLIPWAY;
}

static void print_field(const char *name, const char *value)
{
	if (value && *value)
		printf("%-16s %s\n", name, value);
}

static json_t *text_or_nothing(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

static const char *service_arn(const struct deploy_job *j)
{
	return j->express.arn ? j->express.arn : j->rollout.arn;
}

static void print_json(const struct deploy_job *j, int code)
{
	AUTO_JSON *out = json_pack(
		"{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:i}", "app", j->name, "image",
		j->image_name, "digest", json_text(j->image.descriptor.digest.text), "cluster",
		j->target.cluster, "taskDefinitionArn", text_or_nothing(j->definition_arn),
		"serviceArn", text_or_nothing(service_arn(j)), "taskArn",
		text_or_nothing(j->task ? aws_text(j->task, "taskArn") : NULL), "urls",
		json_from_strlist(&j->addresses), "outcome", outcome_name(j->outcome), "exitCode",
		code);

	json_print(out);
}

/* Of a deploy that ended before it had a result. */
static void print_json_error(const struct deploy_job *j, const struct error *why)
{
	AUTO_JSON *out = json_pack("{s:o, s:o, s:o, s:s, s:o}", "app", text_or_nothing(j->name),
				   "image", text_or_nothing(j->image_name), "serviceArn",
				   text_or_nothing(service_arn(j)), "outcome", "failed", "error",
				   text_or_nothing(why->message));

	json_print(out);
}

static void print_json_plan(const struct deploy_job *j)
{
	AUTO(strlist) lines = STRLIST_INIT;
	json_t *texts = json_array();

	deploy_job_plan(j, &lines);
	for (size_t i = 0; i < lines.n; i++)
		json_array_append_new(texts, json_text(lines.items[i]));
	AUTO_JSON *out = json_pack("{s:o, s:o, s:s, s:o}", "app", text_or_nothing(j->name), "image",
				   text_or_nothing(j->image_name), "outcome", "planned", "plan",
				   texts);
	json_print(out);
}

static void print_result(const struct deploy_job *j, int code)
{
	if (j->flags->json) {
		print_json(j, code);
		return;
	}
	print_field("image", j->image_name);
	print_field("task definition", j->definition_arn);
	print_field("service", service_arn(j));
	print_field("task", j->task ? aws_text(j->task, "taskArn") : NULL);
	for (size_t i = 0; i < j->addresses.n; i++)
		print_field("address", j->addresses.items[i]);
	print_field("status page", j->target.local);
}

/* For the jobs after this one. j->summary or why says what went wrong; NULL: nothing did. */
static int write_ci(struct deploy_job *j, int code, const char *why, struct error *err)
{
	const bool done = code == 0 || j->outcome == DEPLOY_ROLLED_BACK;
	const char *failure = code == 0 ? NULL : why ? why : j->summary;
	const struct ci_result r = {
		.app = j->name ? j->name : "",
		.image = why ? NULL : j->image_name,
		.digest = why ? NULL : j->image.descriptor.digest.text,
		.task_definition = why ? NULL : j->definition_arn,
		.url = done && j->addresses.n ? j->addresses.items[0] : NULL,
		.running = service_arn(j) ? service_arn(j)
			   : j->task      ? aws_text(j->task, "taskArn")
					  : NULL,
		.outcome = why ? "failed" : outcome_name(j->outcome),
		.failure = failure,
	};

	if (failure)
		annotate_failure(j->app, "slipway deploy", failure);
	return ci_output_write(j->app, &r, j->flags->output_env, err);
}

static void print_plan(const struct deploy_job *j, FILE *out)
{
	AUTO(strlist) lines = STRLIST_INIT;

	deploy_job_plan(j, &lines);
	terminal_finish(j->app->terminal);
	for (size_t i = 0; i < lines.n; i++) {
		AUTO(strbuf) line = STRBUF_INIT;

		strbuf_add_printable(&line, lines.items[i], strlen(lines.items[i]), false);
		fprintf(out, "%s\n", line.buf ? line.buf : "");
	}
	fflush(out);
}

/* Ctrl-C at a terminal: what of the deployment that is under way? True: it is to be taken back. */
static bool asks_to_take_back(struct deploy_job *j)
{
	char answer[16] = "";

	if (!j->rollout.deployment || j->rollout.unchanged || !isatty(STDIN_FILENO) ||
	    !isatty(STDERR_FILENO))
		return false;
	terminal_finish(j->app->terminal);
	fprintf(stderr, "The deployment goes on. Leave it running, or roll it back? [L/r] ");
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'r' || answer[0] == 'R';
}

/* What runs on at AWS although this deploy is over. */
static void tell_what_goes_on(const struct deploy_job *j, struct error *why)
{
	const char *local = deploy_target_flag(&j->target);
	AUTO(local_endpoint) e = {0};

	if (j->target.local && local_target_need(j->app, &e, NULL) < 0)
		error_hint(why, "the local target does not run any more: 'slipway local start' "
				"starts it again");
	else if (j->rollout.deployment)
		error_hint(why,
			   "the deployment of the service %s goes on; 'slipway ps%s %s' shows it, "
			   "'slipway rollback%s %s' takes it back",
			   j->service_name, local, j->name, local, j->service_name);
	else if (j->task && !task_is_stopped(j->task))
		error_hint(why, "the task runs on: 'slipway stop%s %s' ends it", local,
			   path_base(aws_text(j->task, "taskArn")));
}

static int interrupted(struct deploy_job *j, struct error *why, struct error *err)
{
	AUTO_FREE char *back = NULL;
	int signal = j->app->cancel->signal;

	cancel_forget(j->app->cancel);
	if (asks_to_take_back(j)) {
		if (service_take_back(&j->target, &j->rollout, &back, err) < 0)
			return -1;
		fprintf(stderr, "%s\n", back);
		return EXIT_ROLLED_BACK;
	}
	cancel_note(j->app->cancel, signal);
	tell_what_goes_on(j, why);
	return error_move(err, why);
}

static int wait_for_it(struct deploy_job *j, struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (j->flags->detach) {
		j->outcome = DEPLOY_RUNNING;
		return 0;
	}
	if (deploy_job_wait(j, &local) == 0)
		return 0;
	if (local.kind != ERROR_CANCELLED) {
		tell_what_goes_on(j, &local);
		return error_move(err, &local);
	}
	return interrupted(j, &local, err);
}

/* AWS's words and a container's: nothing in them orders a terminal about. */
static void print_summary(const char *summary)
{
	AUTO(strbuf) text = STRBUF_INIT;
	size_t len = strlen(summary);

	strbuf_add_printable(&text, summary, len && summary[len - 1] == '\n' ? len - 1 : len, true);
	fprintf(stderr, "slipway: %s\n", text.buf ? text.buf : "");
}

static int deploy(struct deploy_job *j, const char *argument, struct error *err)
{
	int code;

	if (deploy_job_prepare(j, argument, err) < 0)
		return -1;
	print_plan(j, j->flags->dry_run && !j->flags->json ? stdout : stderr);
	if (j->flags->dry_run) {
		if (j->flags->json)
			print_json_plan(j);
		return 0;
	}
	if (deploy_job_apply(j, err) < 0 || deploy_job_start(j, err) < 0)
		return -1;
	code = wait_for_it(j, err);
	if (code != 0)
		return code;
	terminal_finish(j->app->terminal);
	code = exit_code(j);
	if (j->summary && code != 0)
		print_summary(j->summary);
	print_result(j, code);
	if (write_ci(j, code, NULL, err) < 0)
		return -1;
	return code;
}

int cmd_deploy(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(deploy_flags) flags = {0};
	int result = deploy_flags_parse(&flags, a, argc, argv, &args, err);

	if (result != 0)
		return result < 0 ? -1 : 0;
	if (app_progress(a, flags.build.progress, false, err) < 0)
		return -1;
	AUTO(deploy_job) job;

	deploy_job_init(&job, a, &flags);
	result = deploy(&job, args.items[0], err);
	if (result < 0 && err->kind == ERROR_DENIED && strstr(err->message, "not authorized") &&
	    !strstr(err->message, "iam-policy"))
		error_hint(err, "'slipway iam-policy deploy --name %s' prints what a deploy needs",
			   job.name ? job.name : "NAME");
	/* What a build did wrong is told by the build, at its line. */
	if (result < 0 && err->kind != ERROR_CANCELLED && job.image_name)
		write_ci(&job, 1, err->message, NULL);
	if (result < 0 && flags.json)
		print_json_error(&job, err);
	return verb_end(a, result, err);
}
