#include "local/runner_recovery.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/process.h"
#include "deploy/task_json.h"
#include "local/ecs_name.h"
#include "local/ecs_task.h"
#include "local/process_mark.h"
#include "local/task_document.h"

static void kill_left(const json_t *document)
{
	const json_t *mark;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(document, "slipway"), "processes"), i,
			    mark) {
		pid_t pid = process_mark_living(mark);

		if (pid > 0)
			kill(pid, SIGKILL);
	}
}

/* With the state's lock held. */
static void mark_stopped(struct state *s, const char *id, json_t *document, const char *reason,
			 struct reporter *reporter)
{
	AUTO(error) err = ERROR_INIT;

	ecs_task_stop(document, "TerminationNotice", reason, ecs_now());
	task_document_end(document);
	if (state_put(s, STATE_TASKS, id, json_incref(document), &err) < 0)
		report_log(reporter, LOG_WARNING, "task %s: %s", id, err.message);
}

static void mark_all(struct state *s, const char *reason, struct reporter *reporter, bool killing)
{
	AUTO_JSON *tasks = NULL;
	const char *id;
	json_t *document;

	state_lock(s);
	/* Of its own: the state's may not be looked through while it changes. */
	tasks = json_copy(state_all(s, STATE_TASKS));
	json_object_foreach (tasks, id, document) {
		if (strcmp(aws_text(document, "lastStatus"), "STOPPED") == 0)
			continue;
		if (killing)
			kill_left(document);
		mark_stopped(s, id, document, reason, reporter);
	}
	state_unlock(s);
}

void runner_mark_stopped(struct state *s, const char *reason, struct reporter *reporter)
{
	mark_all(s, reason, reporter, false);
}

struct sweep {
	const struct runner_options *o;
	const char *folder;
};

static int sweep_task(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	const struct sweep *s = arg;
	AUTO_FREE char *path = path_join(s->folder, entry);
	AUTO(error) why = ERROR_INIT;

	(void)dirfd;
	(void)st;
	(void)err;
	if (sandbox_remove_tree(s->o->sandbox, path, &why) < 0)
		report_log(s->o->reporter, LOG_WARNING, "%s", why.message);
	return 0;
}

int runner_recover(const struct runner_options *o, const char *folder, struct error *err)
{
	struct sweep s = {.o = o, .folder = folder};

	mark_all(o->state, "The local target ended while this task ran, and its processes with it.",
		 o->reporter, true);
	return fs_each_entry(AT_FDCWD, folder, sweep_task, &s, err);
}
