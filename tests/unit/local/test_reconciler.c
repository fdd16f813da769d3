/* The thread of the reconciler, on a real state, with a runner and a network that are this test. */
#include "local/reconciler.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/time.h"
#include "local/ecs_name.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"
#include "tests/unit/base/scratch.h"

#define ARN    "arn:aws:ecs:us-east-1:000000000000:"
#define KEY    "main/web"
#define SECOND 1000000000

static struct state *documents;
static atomic_int network_looks;

/* What is to run runs, what is to stop has stopped. */
static void move_on(const char *id, const json_t *task)
{
	json_t *changed = json_deep_copy(task);
	bool live = ecs_task_is_live(task);

	json_object_set_new(changed, "lastStatus", json_string(live ? "RUNNING" : "STOPPED"));
	json_object_set_new(changed, live ? "startedAt" : "stoppedAt", json_real(ecs_now()));
	assert_int_equal(state_put(documents, STATE_TASKS, id, changed, NULL), 0);
}

void runner_look(struct runner *r)
{
	const char *id;
	json_t *task;
	void *next;

	(void)r;
	state_lock(documents);
	json_object_foreach_safe(state_all(documents, STATE_TASKS), next, id,
				 task) if (!ecs_task_is_stopped(task) &&
					   (!ecs_task_is_live(task) || ecs_task_started(task) == 0))
		move_on(id, task);
	state_unlock(documents);
}

/* A whole core, which is four times a task's share. */
bool runner_task_usage(struct runner *r, const char *task_id, struct runner_usage *out)
{
	(void)r;
	(void)task_id;
	*out = (struct runner_usage){.cpu_ns = time_monotonic_ns(), .memory_bytes = 1};
	return true;
}

void network_look(struct network *n)
{
	(void)n;
	atomic_fetch_add(&network_looks, 1);
}

static void put(const char *kind, const char *key, json_t *document)
{
	assert_non_null(document);
	assert_int_equal(state_put(documents, kind, key, document, NULL), 0);
}

static void fill(void)
{
	json_t *service = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:[], s:[], s:{s:s, s:[], s:[], s:{}}}", "serviceName",
		"web", "serviceArn", ARN "service/main/web", "clusterArn", ARN "cluster/main",
		"status", "ACTIVE", "desiredCount", 1, "deployments", "events", "slipway",
		"cluster", "main", "records", "revisions", "tasks");

	put(STATE_CLUSTERS, "main",
	    json_pack("{s:s, s:s, s:s}", "clusterName", "main", "clusterArn", ARN "cluster/main",
		      "status", "ACTIVE"));
	put(STATE_TASK_DEFINITIONS, "app:1",
	    json_pack("{s:{s:s, s:s, s:s, s:[{s:s, s:s}]}}", "taskDefinition", "taskDefinitionArn",
		      ARN "task-definition/app:1", "cpu", "256", "memory", "512",
		      "containerDefinitions", "name", "app", "image", "app"));
	ecs_service_deploy(service,
			   json_object_get(state_get(documents, STATE_TASK_DEFINITIONS, "app:1"),
					   "taskDefinition"),
			   ecs_now());
	put(STATE_SERVICES, KEY, service);
}

/* Waits, as clients do, until the service says so. */
static void wait_for(bool (*is_so)(const json_t *service), const char *what)
{
	int64_t end = time_monotonic_ns() + 20LL * SECOND;

	state_lock(documents);
	while (!is_so(state_get(documents, STATE_SERVICES, KEY))) {
		if (time_monotonic_ns() >= end)
			fail_msg("never: %s", what);
		state_wait(documents, state_version(documents), 100);
	}
	state_unlock(documents);
}

static bool is_complete(const json_t *service)
{
	const json_t *state = json_object_get(ecs_service_primary(service), "rolloutState");

	return strcmp(json_string_value(state), "COMPLETED") == 0;
}

static bool runs_three(const json_t *service)
{
	return json_integer_value(json_object_get(service, "runningCount")) == 3;
}

static void put_scaling(void)
{
	put(STATE_SCALABLE_TARGETS, "service/main/web",
	    json_pack("{s:s, s:s, s:i, s:i, s:{s:[]}}", "ResourceId", "service/main/web",
		      "ScalableDimension", "ecs:service:DesiredCount", "MinCapacity", 1,
		      "MaxCapacity", 3, "slipway", "activities"));
	put(STATE_SCALING_POLICIES, "service/main/web/cpu",
	    json_pack("{s:s, s:s, s:{s:f, s:{s:s}, s:i}, s:{}}", "PolicyName", "cpu", "ResourceId",
		      "service/main/web", "TargetTrackingScalingPolicyConfiguration", "TargetValue",
		      25.0, "PredefinedMetricSpecification", "PredefinedMetricType",
		      "ECSServiceAverageCPUUtilization", "ScaleOutCooldown", 0, "slipway"));
}

static void test_from_documents_to_running_tasks(void **state)
{
	struct reconciler_options o = {.settle_ms = 50, .retry_ms = 50, .sample_ms = 50};
	struct reconciler *r;

	(void)state;
	assert_ok(state_open(&documents, in_scratch("state"), err));
	state_lock(documents);
	fill();
	state_unlock(documents);
	o.state = documents;
	assert_ok(reconciler_start(&r, &o, err));
	wait_for(is_complete, "the deployment is complete");
	assert_true(atomic_load(&network_looks) > 0);
	state_lock(documents);
	put_scaling();
	state_unlock(documents);
	wait_for(runs_three, "as many tasks as its CPU asks for");
	reconciler_free(r);
	reconciler_free(NULL);
	state_free(documents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_documents_to_running_tasks)};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
