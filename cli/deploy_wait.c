/* The last part of a deploy: until it runs or is known to have failed, and where it is reached. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/deploy_job.h"
#include "cli/log_text.h"
#include "deploy/address.h"
#include "deploy/explain.h"
#include "deploy/logs.h"
#include "deploy/task_run.h"
#include "net/knock.h"

/* How long IAM may need until everybody knows of a role. */
#define ROLE_KNOWN_NS (60 * INT64_C(1000000000))

/* How often a task that runs is looked at before it is believed: many apps die in their first second. */
#define SETTLE_LOOKS 3
#define KNOCK_MS     1000

/* Only a public address is reached from here. */
static enum knock_answer knock(const struct deploy_job *j, const struct task_address *address)
{
	int ms = j->target.poll_ms && j->target.poll_ms < KNOCK_MS ? j->target.poll_ms : KNOCK_MS;

	if (!address->public_ip || !address->ports.n)
		return KNOCK_SILENT;
	return net_knock(address->public_ip, (int)strtol(address->ports.items[0], NULL, 10), ms);
}

/* Until its first port answers; a while at most. */
static int settle(struct deploy_job *j, const struct task_address *address, struct error *err)
{
	enum knock_answer answer = knock(j, address);

	for (int i = 0; i < SETTLE_LOOKS && answer != KNOCK_OPEN; i++) {
		json_t *now;

		if (deploy_target_pause(&j->target, 0, err) < 0 ||
		    task_describe(&j->target, aws_text(j->task, "taskArn"), &now, err) < 0)
			return -1;
		if (now) {
			json_decref(j->task);
			j->task = now;
		}
		if (task_is_stopped(j->task))
			return 0;
		answer = knock(j, address);
	}
	if (answer != KNOCK_OPEN && address->public_ip && address->ports.n)
		report_log(
			j->app->reporter, LOG_WARNING,
			"%s:%s %s yet: does the app listen on 0.0.0.0 (not 127.0.0.1), and is the "
			"port open in the security group?",
			address->public_ip, address->ports.items[0],
			answer == KNOCK_REFUSED ? "refuses connections" : "does not answer");
	return 0;
}

static void add_addresses(struct deploy_job *j, const struct task_address *address)
{
	const char *host = address->public_ip ? address->public_ip : address->private_ip;

	for (size_t i = 0; host && i < address->ports.n; i++) {
		const char *port = address->ports.items[i];
		bool tls = strcmp(port, "443") == 0;

		if (tls || strcmp(port, "80") == 0)
			strlist_addf(&j->addresses, "%s://%s", tls ? "https" : "http", host);
		else
			strlist_addf(&j->addresses, "http://%s:%s", host, port);
	}
}

/* A service of the local target has an address of its own, which stays. */
static int find_stable_address(struct deploy_job *j, struct task_address *address,
			       struct error *err)
{
	AUTO_JSON *service = NULL;

	if (service_find(&j->target, j->service_name, &service, err) < 0)
		return -1;
	task_address_local(address, service);
	return 0;
}

static int find_addresses(struct deploy_job *j, struct error *err)
{
	AUTO(task_address) address = {0};

	if (j->lb.dns) {
		strlist_take(&j->addresses, load_balancer_url(&j->lb));
		return 0;
	}
	if (j->express.url) {
		strlist_add(&j->addresses, j->express.url);
		return 0;
	}
	if (j->app->aws_flags.local && j->service_name) {
		if (find_stable_address(j, &address, err) < 0)
			return -1;
		add_addresses(j, &address);
		return 0;
	}
	if (j->service_name && !j->task &&
	    service_running_task(&j->target, &j->rollout, &j->task, err) < 0)
		return -1;
	if (!j->task)
		return 0;
	if (task_address_find(&address, &j->target, j->task, j->definition.json, err) < 0)
		return -1;
	if (!j->service_name && settle(j, &address, err) < 0)
		return -1;
	add_addresses(j, &address);
	return 0;
}

static int wait_for_service(struct deploy_job *j, struct error *err)
{
	const struct follow_options o = {.deadline = j->deadline,
					 .max_failures = j->flags->max_failures};
	bool ready = true;

	if (service_follow(&j->target, &j->rollout, &o, &j->outcome, &j->summary, err) < 0)
		return -1;
	if (j->outcome != DEPLOY_RUNNING)
		return 0;
	if (j->rollout.unchanged)
		j->outcome = DEPLOY_UNCHANGED;
	if (j->lb.arn && !j->lb.active &&
	    load_balancer_wait(&j->target, &j->lb, j->deadline, &ready, err) < 0)
		return -1;
	if (!ready)
		report_log(j->app->reporter, LOG_WARNING,
			   "the load balancer does not answer yet: it takes some minutes");
	return 0;
}

/* The report of a task that stopped, and the code that its container gave. */
static int explain_end(struct deploy_job *j, struct error *err)
{
	AUTO(strbuf) report = STRBUF_INIT;
	AUTO(task_end) end = {.exit_code = -1};

	task_end_read(&end, j->task, j->definition.json);
	j->exit_code = task_end_code(&end);
	if (j->outcome != DEPLOY_FAILED)
		return 0;
	if (explain_task(&j->target, j->task, NULL, NULL, &report, err) < 0)
		return -1;
	j->summary = strbuf_detach(&report, NULL);
	return 0;
}

/* The containers' output, told while the task is waited for. */
struct output {
	struct deploy_job *job;
	struct log_places places;
	struct log_reader *reader; /* NULL: nothing was there to read from yet */
	int step;
	bool several; /* containers: each line says whose it is */
};

static void output_release(struct output *o)
{
	log_reader_free(o->reader);
	log_places_release(&o->places);
}
CLEANUP_RELEASE(output)

static int tell_line(void *arg, const struct log_line *l, struct error *err)
{
	struct output *o = arg;
	struct reporter *r = o->job->app->reporter;
	AUTO(strbuf) line = STRBUF_INIT;

	(void)err;
	if (!o->step)
		o->step = report_step_begin(r, "output of the task");
	if (o->several)
		strbuf_printf(&line, "%s: ", l->container);
	/* Also beside a pipe: a CI runner takes what follows a carriage return for a line of its own, and obeys some. */
	log_text_add_safe(&line, l->text, l->len);
	strbuf_putc(&line, '\n');
	report_step_output(r, o->step, 1, line.buf, line.len);
	return 0;
}

/* A log that cannot be read is no reason to stop waiting. */
static int tell_output(void *arg, const json_t *task, struct error *err)
{
	struct output *o = arg;
	const struct log_range range = {.since_ms = 0};
	AUTO(error) why = ERROR_INIT;

	if (!o->reader) {
		log_places_read(&o->places, o->job->definition.json, task);
		o->several = o->places.n > 1;
		o->reader = log_reader_new(&o->job->target, &o->places, &range);
	}
	if (log_reader_poll(o->reader, tell_line, o, NULL, &why) == 0)
		return 0;
	if (why.kind == ERROR_CANCELLED)
		return error_move(err, &why);
	report_log(o->job->app->reporter, LOG_DEBUG, "%s", why.message);
	return 0;
}

/* What was written last takes a moment to arrive. */
static int tell_rest(struct output *o, const json_t *task, struct error *err)
{
	if (deploy_target_pause(&o->job->target, 0, err) < 0 || tell_output(o, task, err) < 0)
		return -1;
	if (o->step)
		report_step_end(o->job->app->reporter, o->step, STEP_STATUS_DONE, NULL);
	return 0;
}

static int wait_for_task(struct deploy_job *j, struct error *err)
{
	AUTO_FREE char *arn = xstrdup(aws_text(j->task, "taskArn"));
	enum task_until until = j->flags->wait ? TASK_UNTIL_STOPPED : TASK_UNTIL_RUNNING;
	AUTO(output) output = {.job = j};
	const struct task_watcher watcher = {.look = tell_output, .arg = &output};
	json_t *last;

	if (task_wait(&j->target, arn, until, j->deadline, j->flags->wait ? &watcher : NULL, &last,
		      &j->outcome, err) < 0)
		return -1;
	if (j->flags->wait && last && tell_rest(&output, last, err) < 0) {
		json_decref(last);
		return -1;
	}
	if (last) {
		json_decref(j->task);
		j->task = last;
	}
	if (j->outcome == DEPLOY_TIMED_OUT) {
		j->summary = xstrfmt("the task %s is not done in time: it is %s\n", path_base(arn),
				     last ? aws_text(last, "lastStatus") : "not listed");
		return 0;
	}
	return task_is_stopped(j->task) ? explain_end(j, err) : 0;
}

/* Its role was made a moment ago, and ECS could not take it on yet: the next task can. */
static bool died_of_young_role(const struct deploy_job *j)
{
	return j->outcome == DEPLOY_FAILED && j->resources.made_role &&
	       strstr(aws_text(j->task, "stoppedReason"), "unable to assume the role") &&
	       time_monotonic_ns() < j->made_at + ROLE_KNOWN_NS;
}

static int wait_for_tasks(struct deploy_job *j, struct error *err)
{
	int64_t deadline = j->deadline;

	for (int i = 0;; i++) {
		if (wait_for_task(j, err) < 0)
			return -1;
		if (!died_of_young_role(j))
			return 0;
		report_log(j->app->reporter, LOG_INFO,
			   "the new role is not known to ECS yet: running the task again");
		json_decref(j->task);
		free(j->summary);
		j->task = NULL;
		j->summary = NULL;
		if (deploy_target_pause(&j->target, i, err) < 0 || deploy_job_start(j, err) < 0)
			return -1;
		j->deadline = deadline;
	}
}

/* It ran, and ended while its address was looked for. */
static int take_end(struct deploy_job *j, struct error *err)
{
	AUTO(task_end) end = {.exit_code = -1};

	task_end_read(&end, j->task, j->definition.json);
	j->outcome = end.succeeded ? DEPLOY_ENDED : DEPLOY_FAILED;
	strlist_release(&j->addresses);
	j->addresses = (struct strlist)STRLIST_INIT;
	return explain_end(j, err);
}

int deploy_job_wait(struct deploy_job *j, struct error *err)
{
	AUTO(error) why = ERROR_INIT;

	if (j->flags->express) {
		if (express_wait(&j->target, &j->express, j->deadline, &j->outcome, &j->summary,
				 err) < 0)
			return -1;
	} else if ((j->service_name ? wait_for_service(j, err) : wait_for_tasks(j, err)) < 0) {
		return -1;
	}
	if (j->outcome != DEPLOY_RUNNING && j->outcome != DEPLOY_UNCHANGED)
		return 0;
	if (find_addresses(j, &why) < 0) {
		if (why.kind == ERROR_CANCELLED)
			return error_move(err, &why);
		report_log(j->app->reporter, LOG_WARNING, "it runs; its address is not known: %s",
			   why.message);
	}
	return j->task && task_is_stopped(j->task) ? take_end(j, err) : 0;
}
