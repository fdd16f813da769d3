#include "local/reconciler.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/pool.h"
#include "local/ecs_name.h"
#include "local/reconcile.h"
#include "local/scaling_meter.h"

/* After a failure, such as a full disk, it is tried again. */
#define RETRY_MS 1000

struct reconciler {
	struct reconciler_options o;
	struct pool *pool;
	struct group group;
	struct scaling_meter *meter;
	atomic_bool over;
	bool started;
	char *told; /* the failure that was told last; NULL: none */
};

/* The same failure again and again is told once. */
static void tell(struct reconciler *r, const struct error *err)
{
	if (r->told && strcmp(r->told, err->message) == 0)
		return;
	free(r->told);
	r->told = xstrdup(err->message);
	report_log(r->o.reporter, LOG_WARNING, "local target: %s", err->message);
}

static int look_at_services(struct reconciler *r, struct reconcile *look)
{
	AUTO(error) err = ERROR_INIT;

	if (reconcile_services(look, &err) == 0 && reconcile_forget(look, &err) == 0) {
		free(r->told);
		r->told = NULL;
		return 0;
	}
	tell(r, &err);
	return -1;
}

/* With the lock held, as all of a look; it goes while tasks are measured and the others look. */
static int look_elsewhere(struct reconciler *r, struct reconcile *look)
{
	AUTO(strlist) ids = {0};
	AUTO(error) err = ERROR_INIT;
	struct runner_usage usage;
	double now;

	scaling_tasks(r->meter, look, &ids);
	state_unlock(r->o.state);
	runner_look(r->o.runner);
	network_look(r->o.network);
	now = ecs_now();
	for (size_t i = 0; i < ids.n; i++)
		if (runner_task_usage(r->o.runner, ids.items[i], &usage))
			scaling_add(r->meter, ids.items[i], usage.cpu_ns, usage.memory_bytes, now);
	state_lock(r->o.state);
	if (scaling_decide(r->meter, look, &err) == 0)
		return 0;
	tell(r, &err);
	return -1;
}

/* Until something changes, or time brings something. */
static void wait_for_change(struct reconciler *r, const struct reconcile *look, uint64_t seen,
			    bool failed)
{
	double ms = look->next > 0 ? (look->next - ecs_now()) * 1000 + 1 : -1;

	if (failed)
		seen = state_version(r->o.state);
	if (failed && (ms < 0 || ms > RETRY_MS))
		ms = RETRY_MS;
	if (ms > INT32_MAX / 2)
		ms = INT32_MAX / 2.0;
	if (look->next > 0 && ms < 1)
		ms = 1;
	if (!atomic_load(&r->over))
		state_wait(r->o.state, seen, (int)ms);
}

static int run(void *arg, struct error *err)
{
	struct reconciler *r = arg;

	(void)err;
	state_lock(r->o.state);
	while (!atomic_load(&r->over)) {
		struct reconcile look = {
			.state = r->o.state,
			.now = ecs_now(),
			.settle = r->o.settle_ms ? r->o.settle_ms / 1000.0 : RECONCILE_SETTLE,
			.retry = r->o.retry_ms ? r->o.retry_ms / 1000.0 : RECONCILE_RETRY,
		};
		uint64_t seen = state_version(r->o.state);
		bool failed = look_at_services(r, &look) < 0;

		failed |= look_elsewhere(r, &look) < 0;
		wait_for_change(r, &look, seen, failed);
	}
	state_unlock(r->o.state);
	return 0;
}

int reconciler_start(struct reconciler **out, const struct reconciler_options *o, struct error *err)
{
	AUTO_PTR(reconciler) r = xcalloc(1, sizeof(*r));

	r->o = *o;
	r->pool = pool_new(1);
	r->meter = scaling_meter_new(o->sample_ms ? o->sample_ms / 1000.0 : SCALING_PERIOD);
	group_init(&r->group, r->pool);
	r->started = true;
	if (group_run_now(&r->group, run, r, err) < 0)
		return -1;
	*out = take_ptr(r);
	return 0;
}

void reconciler_free(struct reconciler *r)
{
	if (!r)
		return;
	if (r->started) {
		state_lock(r->o.state);
		atomic_store(&r->over, true);
		state_wake(r->o.state);
		state_unlock(r->o.state);
		group_wait(&r->group, NULL);
	}
	pool_free(r->pool);
	scaling_meter_free(r->meter);
	free(r->told);
	free(r);
}
