#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "deploy/task_json.h"
#include "local/ecs_task.h"
#include "local/process_mark.h"
#include "local/runner_private.h"
#include "local/task_document.h"

const char *container_status(const struct container *c)
{
	switch (c->state) {
	case CONTAINER_RUNNING:
		return "RUNNING";
	case CONTAINER_STOPPED:
		return "STOPPED";
	case CONTAINER_PENDING:
	case CONTAINER_STARTING:
	default:
		return "PENDING";
	}
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_text(text));
}

static void set_time(json_t *object, const char *key, int64_t ns)
{
	if (ns)
		json_object_set_new(object, key, task_document_time(ns));
}

static void fill_container(json_t *out, const struct container *c)
{
	set_text(out, "lastStatus", container_status(c));
	set_text(out, "healthStatus", container_health_name(c->health));
	set_text(out, "imageDigest", c->digest);
	set_text(out, "runtimeId", c->id);
	set_text(out, "reason", c->reason);
	if (c->state == CONTAINER_STOPPED && c->has_exit_code)
		json_object_set_new(out, "exitCode", json_integer(c->exit_code));
	else
		json_object_del(out, "exitCode");
	if (c->n_restarts > 0)
		json_object_set_new(out, "restartCount", json_integer(c->n_restarts));
}

static void fill_processes(json_t *document, const struct task *t)
{
	json_t *own = json_object_get(document, "slipway"), *marks = json_array();

	if (!own) {
		own = json_object();
		json_object_set_new(document, "slipway", own);
	}
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].pid > 0)
			json_array_append_new(marks, process_mark(t->containers[i].pid));
	json_object_set_new(own, "processes", marks);
}

static void fill_log_notes(json_t *notes, const struct task *t)
{
	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container_plan *p = t->containers[i].plan;
		AUTO_FREE char *text = NULL;

		if (!p->log_unheeded)
			continue;
		text = xstrfmt(
			"Container \"%s\": the log option %s has no effect here: each line is "
			"an event.",
			p->name, p->log_unheeded);
		json_array_append_new(notes, json_text(text));
	}
}

/* What is not as the definition has it; said in each task, since it is each task's limits that do not hold. */
static void fill_notes(json_t *document, const struct task *t)
{
	json_t *notes = json_array();
	int64_t memory = t->plan.memory;

	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].plan->memory > memory)
			memory = t->containers[i].plan->memory;
	if ((t->runner->unmet & CGROUP_MEMORY) && memory > 0)
		json_array_append_new(
			notes, json_string("The memory limit is not enforced: this machine lets "
					   "slipway make no control group."));
	if ((t->runner->unmet & CGROUP_CPU) && t->plan.cpu > 0)
		json_array_append_new(
			notes, json_string("The CPU limit is not enforced: this machine lets "
					   "slipway make no control group."));
	fill_log_notes(notes, t);
	json_object_set_new(json_object_get(document, "slipway"), "notes", notes);
}

/* Once its network is there, ECS's agent hears of it (Task, connectivity). */
static void fill_connectivity(json_t *document, const struct task *t)
{
	if (json_object_get(document, "connectivity") || strcmp(t->status, "PROVISIONING") == 0)
		return;
	json_object_set_new(document, "connectivity", json_string("CONNECTED"));
	json_object_set_new(document, "connectivityAt", task_document_time(time_now_ns()));
}

static void fill(json_t *document, struct task *t)
{
	json_t *containers = json_object_get(document, "containers");

	/* From when others can know it: what is counted from then on must not begin before. */
	if (t->is_running && t->started == 0)
		t->started = time_now_ns();
	for (size_t i = 0; i < t->n_containers; i++) {
		const struct container *c = &t->containers[i];
		json_t *out = container_named(containers, c->plan->name);

		if (out)
			fill_container(out, c);
	}
	set_text(document, "lastStatus", t->status);
	fill_connectivity(document, t);
	set_text(document, "healthStatus", container_health_name(task_health(t)));
	set_time(document, "pullStartedAt", t->pull_started);
	set_time(document, "pullStoppedAt", t->pull_stopped);
	set_time(document, "startedAt", t->started);
	set_time(document, "executionStoppedAt", t->execution_stopped);
	set_time(document, "stoppedAt", t->stopped);
	fill_processes(document, t);
	fill_notes(document, t);
	if (t->stop_code)
		ecs_task_stop(document, t->stop_code, t->stop_reason, ecs_now());
	if (strcmp(t->status, "STOPPED") == 0)
		task_document_end(document);
	else
		json_object_set_new(document, "version",
				    json_integer(task_json_int(document, "version", 0) + 1));
}

void task_write(struct task *t)
{
	struct state *s = t->runner->o.state;
	AUTO(error) err = ERROR_INIT;
	json_t *document;

	state_lock(s);
	document = state_get(s, STATE_TASKS, t->id);
	if (document) {
		pthread_mutex_lock(&t->lock);
		fill(document, t);
		pthread_mutex_unlock(&t->lock);
		if (state_put(s, STATE_TASKS, t->id, json_incref(document), &err) < 0)
			report_log(t->runner->o.reporter, LOG_WARNING, "task %s: %s", t->id,
				   err.message);
	}
	state_unlock(s);
}
