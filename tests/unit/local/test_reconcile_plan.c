/* How deployments of a service roll, fail and are rolled back. */
#include "local/reconcile.h"

#include "tests/unit/local/service_world.h"

#define BREAKER "{\"enable\": true, \"rollback\": true}"

static void test_rolling_update(void **state)
{
	struct world *w = *state;

	steady(w, 2, NULL);
	world_deploy(w, 2);
	world_look(w);
	assert_int_equal(world_live(w, 1), 2);
	assert_int_equal(world_live(w, 2), 2);
	assert_int_equal(n_deployments(w), 2);
	assert_text(json_array_get(json_object_get(world_service(w), "deployments"), 1), "status",
		    "ACTIVE");
	world_run(w);
	world_look(w);
	/* Not before the new ones have proved themselves. */
	assert_int_equal(world_live(w, 1), 2);
	w->now += 3;
	world_look(w);
	assert_int_equal(world_live(w, 1), 0);
	world_pass(w, 10);
	assert_int_equal(n_deployments(w), 1);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	assert_int_equal(world_live(w, 2), 2);
	assert_text(world_record(w, 0), "status", "SUCCESSFUL");
	assert_string_equal(aws_text(world_service(w), "taskDefinition"),
			    PREFIX "task-definition/app:2");
}

/* How many of both revisions live at each look: never more than the maximum, never fewer healthy than the minimum. */
static void test_percentages(void **state)
{
	static const struct {
		int count, least, most, live_most, live_least;
	} rows[] = {
		{4, 100, 200, 8, 4}, {4, 100, 150, 6, 4}, {4, 50, 100, 4, 2},
		{4, 75, 125, 5, 3},  {1, 0, 100, 1, 0},   {3, 50, 200, 6, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		int most = 0, least = 1000;

		world_init(&w);
		steady(&w, rows[i].count, NULL);
		world_percents(&w, rows[i].least, rows[i].most);
		world_deploy(&w, 2);
		for (int round = 0; round < 60; round++) {
			int live;

			world_look(&w);
			live = world_live(&w, 0);
			most = live > most ? live : most;
			least = live < least ? live : least;
			world_run(&w);
			w.now += 1;
		}
		assert_int_equal(world_live(&w, 2), rows[i].count);
		assert_int_equal(world_live(&w, 1), 0);
		assert_text(primary(&w), "rolloutState", "COMPLETED");
		assert_true(most <= rows[i].live_most);
		assert_true(least >= rows[i].live_least);
		state_free(w.state);
	}
}

/* One task, at most 150 percent: that is one, and one has to stay. */
static void test_percentages_that_leave_no_room(void **state)
{
	struct world *w = *state;

	steady(w, 1, NULL);
	world_percents(w, 100, 150);
	world_deploy(w, 2);
	world_pass(w, 30);
	assert_int_equal(world_live(w, 1), 1);
	assert_int_equal(world_live(w, 2), 0);
	assert_int_equal(world_events(w, "was unable to stop or start tasks during a deployment"),
			 1);
}

static void test_circuit_breaker_rolls_back(void **state)
{
	struct world *w = *state;
	const json_t *record;
	AUTO_FREE char *good = NULL;

	steady(w, 1, BREAKER);
	good = xstrdup(aws_text(primary(w), "id"));
	w->failing = true;
	world_deploy(w, 2);
	world_pass(w, 60);
	record = world_record(w, 0);
	assert_text(record, "status", "ROLLBACK_SUCCESSFUL");
	assert_text(json_object_get(record, "deploymentCircuitBreaker"), "status", "TRIGGERED");
	assert_number(json_object_get(record, "deploymentCircuitBreaker"), "failureCount", 3);
	assert_number(json_object_get(record, "deploymentCircuitBreaker"), "threshold", 3);
	assert_text(record, "statusReason",
		    "ECS deployment circuit breaker: tasks failed to start.");
	assert_int_equal(world_events(w, "deployment failed: tasks failed to start."), 1);
	assert_int_equal(world_events(w, "(service web) rolling back to deployment ecs-svc/"), 1);
	/* What ran before never stopped. */
	assert_text(primary(w), "id", good);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	assert_int_equal(n_deployments(w), 1);
	assert_int_equal(world_live(w, 1), 1);
	assert_int_equal(world_live(w, 2), 0);
	assert_text(world_service(w), "taskDefinition", PREFIX "task-definition/app:1");
	assert_int_equal(json_object_size(state_all(w->state, STATE_TASKS)), 4);
}

static void test_thresholds(void **state)
{
	static const struct {
		const char *breaker;
		int count, failures;
	} rows[] = {
		{"{\"enable\": true, \"rollback\": false}", 1, 3},
		{"{\"enable\": true, \"rollback\": false}", 10, 5},
		{"{\"enable\": true, \"rollback\": false, \"thresholdConfiguration\": "
		 "{\"type\": \"COUNT\", \"value\": 2}}",
		 1, 2},
		{"{\"enable\": true, \"rollback\": false, \"thresholdConfiguration\": "
		 "{\"type\": \"UNBOUNDED_PERCENT\", \"value\": 100}}",
		 1, 1},
		{"{\"enable\": true, \"rollback\": false, \"thresholdConfiguration\": "
		 "{\"type\": \"BOUNDED_PERCENT\", \"value\": 100}}",
		 4, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		world_init(&w);
		world_create(&w, rows[i].count, rows[i].breaker);
		world_look(&w);
		for (int n = 0; n < rows[i].failures; n++) {
			assert_text(primary(&w), "rolloutState", "IN_PROGRESS");
			if (!world_live(&w, 1)) {
				w.now = w.next;
				world_look(&w);
			}
			world_kill_task(&w, world_live_task(&w));
			world_look(&w);
		}
		assert_text(primary(&w), "rolloutState", "FAILED");
		assert_text(world_record(&w, 0), "status", "STOPPED");
		w.now += 1000;
		world_look(&w);
		assert_int_equal(world_live(&w, 1), 0);
		state_free(w.state);
	}
}

/* Without a rollback what ran before runs on, and nothing of the new one. */
static void test_circuit_breaker_without_rollback(void **state)
{
	struct world *w = *state;

	steady(w, 1, "{\"enable\": true, \"rollback\": false}");
	w->failing = true;
	world_deploy(w, 2);
	world_pass(w, 60);
	assert_text(primary(w), "rolloutState", "FAILED");
	assert_text(primary(w), "taskDefinition", PREFIX "task-definition/app:2");
	assert_text(world_record(w, 0), "status", "STOPPED");
	assert_int_equal(world_live(w, 1), 1);
	assert_int_equal(world_live(w, 2), 0);
	/* It is kept in number: by hand, and when one dies. */
	w->failing = false;
	world_set(w, "desiredCount", json_integer(3));
	world_pass(w, 10);
	assert_int_equal(world_live(w, 1), 3);
	assert_int_equal(world_live(w, 2), 0);
	assert_number(json_array_get(json_object_get(world_service(w), "deployments"), 1),
		      "desiredCount", 3);
	world_kill_task(w, world_live_task(w));
	world_pass(w, 60);
	assert_int_equal(world_live(w, 1), 3);
	world_set(w, "desiredCount", json_integer(1));
	world_pass(w, 10);
	assert_int_equal(world_live(w, 0), 1);
	assert_text(primary(w), "rolloutState", "FAILED");
	/* The next one is not held back by it. */
	world_deploy(w, 3);
	world_pass(w, 60);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	assert_int_equal(world_live(w, 3), 1);
	assert_int_equal(world_live(w, 0), 1);
	assert_int_equal(n_deployments(w), 1);
}

/* Deleted after that, it ends as any other. */
static void test_failed_service_drains(void **state)
{
	struct world *w = *state;

	steady(w, 2, "{\"enable\": true, \"rollback\": false}");
	w->failing = true;
	world_deploy(w, 2);
	world_pass(w, 60);
	assert_text(primary(w), "rolloutState", "FAILED");
	assert_int_equal(world_live(w, 1), 2);
	world_set(w, "status", json_string("DRAINING"));
	world_pass(w, 10);
	assert_int_equal(world_live(w, 0), 0);
	assert_text(world_service(w), "status", "INACTIVE");
}

static void test_nothing_to_roll_back_to(void **state)
{
	struct world *w = *state;

	w->failing = true;
	world_create(w, 1, BREAKER);
	world_deploy(w, 2);
	world_pass(w, 60);
	assert_text(primary(w), "rolloutState", "FAILED");
	assert_text(world_record(w, 0), "status", "ROLLBACK_FAILED");
	assert_int_equal(world_live(w, 0), 0);
	assert_text(world_record(w, 1), "status", "STOPPED");
}

static void ask_to_stop(struct world *w, const char *status)
{
	json_t *service = json_deep_copy(world_service(w));

	json_object_set_new(json_array_get(json_object_get(ecs_own(service), "records"), 0),
			    "status", json_string(status));
	world_put(w, STATE_SERVICES, KEY, service);
}

static void test_stopping_a_deployment(void **state)
{
	struct world *w = *state;

	steady(w, 1, NULL);
	world_deploy(w, 2);
	world_look(w);
	ask_to_stop(w, "ROLLBACK_REQUESTED");
	world_look(w);
	assert_int_equal(world_live(w, 2), 0);
	world_pass(w, 10);
	assert_text(world_record(w, 0), "status", "ROLLBACK_SUCCESSFUL");
	assert_text(primary(w), "taskDefinition", PREFIX "task-definition/app:1");

	world_deploy(w, 3);
	world_look(w);
	ask_to_stop(w, "STOP_REQUESTED");
	world_pass(w, 10);
	assert_text(world_record(w, 0), "status", "STOPPED");
	assert_text(primary(w), "rolloutState", "FAILED");
	assert_int_equal(world_live(w, 1), 1);
	assert_int_equal(world_live(w, 3), 0);
}

static void test_replaced_on_its_way(void **state)
{
	struct world *w = *state;

	steady(w, 1, NULL);
	world_deploy(w, 2);
	world_look(w);
	world_run(w);
	world_deploy(w, 3);
	world_look(w);
	/* It came to nothing: its tasks go at once, those from before stay until the newest runs. */
	assert_int_equal(world_live(w, 2), 0);
	assert_int_equal(world_live(w, 1), 1);
	assert_text(world_record(w, 1), "status", "STOPPED");
	world_pass(w, 10);
	assert_int_equal(world_live(w, 3), 1);
	assert_int_equal(world_live(w, 0), 1);
	assert_int_equal(n_deployments(w), 1);
	assert_text(world_record(w, 0), "status", "SUCCESSFUL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rolling_update, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_percentages, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_percentages_that_leave_no_room, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_circuit_breaker_rolls_back, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_thresholds, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_failed_service_drains, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_circuit_breaker_without_rollback, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_roll_back_to, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_stopping_a_deployment, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_replaced_on_its_way, world_setup,
						world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
