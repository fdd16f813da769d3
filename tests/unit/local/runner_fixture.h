/* A runner on a sandbox fixture: tasks of definitions given as JSON with single quotes, in the network of this machine. */
#pragma once

#include "tests/unit/sandbox/sandbox_fixture.h"

#include <unistd.h>

#include "base/time.h"
#include "deploy/task_json.h"
#include "local/ecs_task.h"
#include "local/runner.h"
#include "oci/layout.h"

#define PATIENCE 60000000000ll /* nanoseconds */
#define GROUP    "/ecs/app"

struct runner_fixture {
	struct fixture *base;
	struct state *state;
	struct log_store *logs;
	struct runner *runner;
	struct images images;
	char *folder;
	char *task; /* the last one's id */
};

static inline void save_image(struct fixture *f)
{
	AUTO_PTR(image) image = image_new();
	AUTO(image_ref) ref = {0};

	platform_host(&image->config.platform);
	image_config_add_layer(&image->config, &f->base.diff_id);
	image_config_set_env(&image->config, "PATH", "/bin");
	image_config_set_env(&image->config, "FROM_IMAGE", "yes");
	strlist_add(&image->config.cmd, "busybox");
	strlist_add(&image->config.cmd, "echo");
	strlist_add(&image->config.cmd, "the image's command");
	image->config.has_cmd = true;
	image->manifest.layers = xcalloc(1, sizeof(*image->manifest.layers));
	image->manifest.n_layers = 1;
	descriptor_copy(&image->manifest.layers[0], &f->base.descriptor);
	must(image_save(image, f->store, &must_err));
	must(image_ref_parse(&ref, "app:1", &must_err));
	must(layout_tag(f->store, &ref, &image->descriptor, &must_err));
}

static inline void fixture_open_runner(struct runner_fixture *f)
{
	struct runner_options o = {.state = f->state,
				   .sandbox = f->base->sb,
				   .store = f->base->store,
				   .images = &f->images,
				   .logs = f->logs,
				   .reporter = &f->base->reporter,
				   .folder = f->folder,
				   .region = "eu-west-1"};

	must(runner_open(&f->runner, &o, &must_err));
}

static inline int runner_setup(void **state)
{
	struct runner_fixture *f = xcalloc(1, sizeof(*f));
	AUTO_FREE char *logs = NULL, *documents = NULL;

	fixture_setup((void **)&f->base);
	f->folder = xstrfmt("%s/local", f->base->root);
	logs = xstrfmt("%s/logs", f->folder);
	documents = xstrfmt("%s/state", f->folder);
	f->images = (struct images){.store = f->base->store, .registry = "127.0.0.1:4599"};
	must(state_open(&f->state, documents, &must_err));
	must(log_store_open(&f->logs, logs, &must_err));
	state_lock(f->state);
	must(state_put(f->state, STATE_LOG_GROUPS, GROUP, json_object(), &must_err));
	state_unlock(f->state);
	save_image(f->base);
	fixture_open_runner(f);
	*state = f;
	return 0;
}

static inline int runner_teardown(void **state)
{
	struct runner_fixture *f = *state;

	runner_free(f->runner);
	log_store_free(f->logs);
	state_free(f->state);
	fixture_teardown((void **)&f->base);
	free(f->folder);
	free(f->task);
	free(f);
	return 0;
}

static inline json_t *json_of(const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	json_t *out;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	must(json_parse(&out, copy, strlen(copy), "test", &must_err));
	return out;
}

/* As RunTask does it. definition: {'containerDefinitions': ..}; settings: {'overrides': ..} or NULL. */
static inline void run_task(struct runner_fixture *f, const char *definition, const char *settings)
{
	AUTO_JSON *td = json_of(definition);
	AUTO_JSON *cluster = json_of(
		"{'clusterName': 'c', 'clusterArn': 'arn:aws:ecs:eu-west-1:000000000000:cluster/c'}");
	AUTO_JSON *asked = json_of(settings ? settings : "{}");
	AUTO_JSON *registered = NULL;
	struct ecs_task_order o = {.cluster = cluster,
				   .settings = asked,
				   .group = "family:app",
				   .now = (double)time_now()};

	json_object_set_new(td, "family", json_string("app"));
	json_object_set_new(td, "revision", json_integer(1));
	json_object_set_new(
		td, "taskDefinitionArn",
		json_string("arn:aws:ecs:eu-west-1:000000000000:task-definition/app:1"));
	registered = json_pack("{s:O}", "taskDefinition", td);
	o.definition = registered;
	free(f->task);
	state_lock(f->state);
	must(state_put(f->state, STATE_TASK_DEFINITIONS, "app:1", json_incref(registered),
		       &must_err));
	must(state_put(f->state, STATE_TASKS, "x", json_object(), &must_err));
	must(state_remove(f->state, STATE_TASKS, "x", &must_err));
	json_t *task = ecs_task_new(&o, &f->task);

	must(state_put(f->state, STATE_TASKS, f->task, task, &must_err));
	state_unlock(f->state);
	runner_look(f->runner);
}

/* The task's document once this member of it says so; a new reference. */
static inline json_t *await_member(struct runner_fixture *f, const char *member, const char *text)
{
	const int64_t until = time_monotonic_ns() + PATIENCE;
	json_t *found = NULL;

	state_lock(f->state);
	while (!found && time_monotonic_ns() < until) {
		const json_t *task = state_get(f->state, STATE_TASKS, f->task);
		uint64_t seen = state_version(f->state);

		if (strcmp(aws_text(task, member), text) == 0)
			found = json_deep_copy(task);
		else if (ecs_task_is_stopped(task))
			fail_msg("it stopped: %s", aws_text(task, "stoppedReason"));
		else
			state_wait(f->state, seen, 1000);
	}
	state_unlock(f->state);
	assert_non_null(found);
	return found;
}

static inline json_t *await_status(struct runner_fixture *f, const char *status)
{
	return await_member(f, "lastStatus", status);
}

static inline json_t *await_health(struct runner_fixture *f, const char *health)
{
	return await_member(f, "healthStatus", health);
}

static inline void stop_task(struct runner_fixture *f)
{
	state_lock(f->state);
	json_t *task = state_get(f->state, STATE_TASKS, f->task);

	assert_true(ecs_task_stop(task, "UserInitiated", "Enough.", (double)time_now()));
	must(state_put(f->state, STATE_TASKS, f->task, json_incref(task), &must_err));
	state_unlock(f->state);
	runner_look(f->runner);
}

static inline const json_t *container_of(const json_t *task, const char *name)
{
	const json_t *c = container_named(json_object_get(task, "containers"), name);

	assert_non_null(c);
	return c;
}

/* -1: it has none. */
static inline int exit_code_of(const json_t *task, const char *name)
{
	return (int)task_json_int(container_of(task, name), "exitCode", -1);
}

/* It ended so by itself. */
static inline void assert_exit(const json_t *task, const char *name, int code)
{
	if (exit_code_of(task, name) != code)
		fail_msg("container %s: exit code %d, %s: %s", name, exit_code_of(task, name),
			 aws_text(task, "stoppedReason"),
			 aws_text(container_of(task, name), "reason"));
}

static inline int add_line(void *arg, const struct log_event *e, struct error *err)
{
	(void)err;
	strbuf_add(arg, e->text, e->len);
	strbuf_putc(arg, '\n');
	return 0;
}

/* The lines of a container's log; free(). */
static inline char *log_of(struct runner_fixture *f, const char *container)
{
	AUTO_FREE char *stream = xstrfmt("app/%s/%s", container, f->task);
	struct strbuf out = STRBUF_INIT;

	must(log_store_read(f->logs, GROUP, stream, 0, add_line, &out, &must_err));
	return strbuf_detach(&out, NULL);
}

/* Until its log holds the word. */
static inline void await_word(struct runner_fixture *f, const char *container, const char *word)
{
	AUTO_FREE char *stream = xstrfmt("app/%s/%s", container, f->task);

	for (int tries = 0; tries < 3000; tries++, usleep(20000)) {
		AUTO(strbuf) log = STRBUF_INIT;

		if (log_store_read(f->logs, GROUP, stream, 0, add_line, &log, NULL) == 0 &&
		    strstr(log.buf, word))
			return;
	}
	fail_msg("%s does not say %s", container, word);
}

#define LOG                                                            \
	"'logConfiguration': {'logDriver': 'awslogs', 'options': {"    \
	"'awslogs-group': '/ecs/app', 'awslogs-region': 'eu-west-1', " \
	"'awslogs-stream-prefix': 'app'}}"
#define SHELL(script) "'image': 'app:1', 'command': ['/bin/sh', '-c', '" script "'], " LOG
#define ONE(more)     "{'containerDefinitions': [{'name': 'web', " more "}]}"

#define R(name)       cmocka_unit_test_setup_teardown(name, runner_setup, runner_teardown)
