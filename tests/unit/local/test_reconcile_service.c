/* What the reconciler does with a service: the documents are its only memory, so each test looks at them alone. */
#include "tests/unit/local/service_world.h"

static void test_first_deployment(void **state)
{
	struct world *w = *state;
	const json_t *task;

	world_create(w, 2, NULL);
	world_look(w);
	assert_int_equal(world_live(w, 1), 2);
	assert_text(world_record(w, 0), "status", "IN_PROGRESS");
	assert_number(world_service(w), "pendingCount", 2);
	assert_int_equal(world_events(w, "(service web) has started 2 tasks: (task "), 1);
	task = state_get(w->state, STATE_TASKS, world_live_task(w));
	assert_text(task, "startedBy", aws_text(primary(w), "id"));
	assert_text(task, "group", "service:web");
	assert_text(task, "lastStatus", "PROVISIONING");

	world_run(w);
	world_look(w);
	assert_number(world_service(w), "runningCount", 2);
	assert_number(world_service(w), "pendingCount", 0);
	/* A task that has just begun to run is no success yet, and time alone makes it one. */
	assert_text(primary(w), "rolloutState", "IN_PROGRESS");
	assert_true(fabs(w->next - (w->now + 3)) < 0.001);
	w->now += 3;
	world_look(w);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	assert_text(world_record(w, 0), "status", "SUCCESSFUL");
	assert_string_equal(world_newest_event(w), "(service web) has reached a steady state.");
	assert_int_equal(world_events(w, "deployment completed."), 1);
}

static void test_scaling_by_hand(void **state)
{
	struct world *w = *state;

	steady(w, 1, NULL);
	world_set(w, "desiredCount", json_integer(3));
	world_pass(w, 10);
	assert_int_equal(world_live(w, 1), 3);
	assert_int_equal(world_events(w, "has started 2 tasks"), 1);
	assert_int_equal(world_events(w, "has reached a steady state"), 2);
	world_set(w, "desiredCount", json_integer(1));
	world_pass(w, 10);
	assert_int_equal(world_live(w, 1), 1);
	assert_int_equal(world_events(w, "(service web) has stopped 2 running tasks: (task "), 1);
	assert_int_equal(json_array_size(json_object_get(ecs_own(world_service(w)), "records")), 1);
	assert_number(primary(w), "failedTasks", 0);
}

static void test_what_dies_comes_back(void **state)
{
	struct world *w = *state;

	steady(w, 2, NULL);
	w->now += 100;
	world_kill_task(w, world_live_task(w));
	world_look(w);
	assert_int_equal(world_live(w, 1), 1);
	assert_true(fabs(w->next - (w->now + 1)) < 0.001);
	w->now += 1;
	world_look(w);
	assert_int_equal(world_live(w, 1), 2);
	world_pass(w, 10);
	assert_int_equal(world_events(w, "has reached a steady state"), 2);
	assert_text(primary(w), "rolloutState", "COMPLETED");
}

static void test_stopped_by_its_user_it_comes_back_at_once(void **state)
{
	struct world *w = *state;
	const char *id;

	steady(w, 1, NULL);
	id = world_live_task(w);
	world_change_task(w, id,
			  json_pack("{s:s, s:s, s:s, s:s}", "desiredStatus", "STOPPED",
				    "lastStatus", "STOPPED", "stopCode", "UserInitiated",
				    "stoppedReason", "Task stopped by user"));
	world_look(w);
	assert_int_equal(world_live(w, 1), 1);
	assert_number(primary(w), "failedTasks", 0);
}

/* 1, 2, 4 .. 60 seconds. */
static void test_back_off(void **state)
{
	static const double waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct world *w = *state;

	world_create(w, 1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		world_look(w);
		assert_int_equal(world_live(w, 1), 1);
		world_run_task(w, world_live_task(w));
		world_look(w);
		world_kill_task(w, world_live_task(w));
		world_look(w);
		assert_int_equal(world_live(w, 1), 0);
		assert_true(fabs(w->next - (w->now + waits[i])) < 0.001);
		w->now = w->next;
	}
	assert_int_equal(world_events(w, "is unable to consistently start tasks successfully"), 1);
	assert_number(primary(w), "failedTasks", ARRAY_SIZE(waits));
	/* One success ends the row, and a long one the waiting too. */
	world_pass(w, 100);
	assert_number(primary(w), "failedTasks", 0);
	world_kill_task(w, world_live_task(w));
	world_look(w);
	assert_true(fabs(w->next - (w->now + 1)) < 0.001);
}

/* The live task that is not this one. */
static const char *other_task(struct world *w, const char *id)
{
	const char *key;
	json_t *task;

	json_object_foreach (state_all(w->state, STATE_TASKS), key, task)
		if (ecs_task_is_live(task) && strcmp(key, id) != 0)
			return key;
	fail_msg("there is no other task");
	return NULL;
}

/* One of two tasks hangs, the other dies twice, then twice after it ran: whether that is a failure is the service's to say. */
static const char *die_twice_run_die_twice(bool reset)
{
	static char rollout[20];
	AUTO_FREE char *hangs = NULL;
	struct world w;

	world_init(&w);
	world_create(&w, 2,
		     reset ? "{\"enable\": true, \"rollback\": false}"
			   : "{\"enable\": true, \"rollback\": false, \"resetOnHealthyTask\": "
			     "false}");
	world_look(&w);
	hangs = xstrdup(world_live_task(&w));
	for (int i = 0; i < 4 && world_live(&w, 1) == 2; i++) {
		world_run_task(&w, other_task(&w, hangs));
		if (i == 2) {
			w.now += 5;
			world_look(&w);
		}
		world_kill_task(&w, other_task(&w, hangs));
		world_look(&w);
		w.now += 100;
		world_look(&w);
	}
	(void)snprintf(rollout, sizeof(rollout), "%s", aws_text(primary(&w), "rolloutState"));
	state_free(w.state);
	return rollout;
}

static void test_reset_on_healthy_task(void **state)
{
	(void)state;
	assert_string_equal(die_twice_run_die_twice(false), "FAILED");
	assert_string_equal(die_twice_run_die_twice(true), "IN_PROGRESS");
}

/* Whoever sets the clock back by a day does not wait a day. */
static void test_a_clock_set_back(void **state)
{
	struct world *w = *state;

	steady(w, 1, NULL);
	world_kill_task(w, world_live_task(w));
	world_look(w);
	w->now -= 86400;
	world_pass(w, 10);
	assert_int_equal(world_live(w, 1), 1);
	world_deploy(w, 2);
	world_look(w);
	world_run(w);
	world_look(w);
	w->now -= 86400;
	world_pass(w, 10);
	assert_text(primary(w), "rolloutState", "COMPLETED");
}

static void test_health(void **state)
{
	struct world *w = *state;
	const char *id;

	world_define(w, 1, true);
	world_create(w, 1, NULL);
	world_look(w);
	id = world_live_task(w);
	world_run(w);
	w->now += 100;
	world_look(w);
	/* Without a word of its health check it is no success, however long it runs. */
	assert_text(primary(w), "rolloutState", "IN_PROGRESS");
	world_change_task(w, id, json_pack("{s:s}", "healthStatus", "HEALTHY"));
	world_look(w);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	world_change_task(w, id, json_pack("{s:s}", "healthStatus", "UNHEALTHY"));
	world_look(w);
	assert_text(state_get(w->state, STATE_TASKS, id), "desiredStatus", "STOPPED");
	assert_text(state_get(w->state, STATE_TASKS, id), "stoppedReason",
		    "Task failed container health checks");
	assert_text(state_get(w->state, STATE_TASKS, id), "stopCode", "ServiceSchedulerInitiated");
	assert_int_equal(world_events(w, "failed container health checks."), 1);
	w->now = w->next;
	world_look(w);
	assert_int_equal(world_live(w, 1), 1);
}

static void test_health_grace(void **state)
{
	struct world *w = *state;

	world_define(w, 1, true);
	world_create(w, 1, NULL);
	world_set(w, "healthCheckGracePeriodSeconds", json_integer(30));
	world_look(w);
	world_run(w);
	world_change_task(w, world_live_task(w), json_pack("{s:s}", "healthStatus", "UNHEALTHY"));
	world_look(w);
	assert_int_equal(world_live(w, 1), 1);
	assert_true(fabs(w->next - (w->now + 30)) < 0.001);
	w->now += 30;
	world_look(w);
	assert_int_equal(world_live(w, 1), 0);
}

static void test_deleting(void **state)
{
	struct world *w = *state;

	steady(w, 2, NULL);
	world_set(w, "status", json_string("DRAINING"));
	world_look(w);
	assert_int_equal(world_live(w, 0), 0);
	assert_text(world_service(w), "status", "DRAINING");
	world_run(w);
	world_look(w);
	assert_text(world_service(w), "status", "INACTIVE");
	assert_int_equal(n_deployments(w), 0);
	/* Seen for an hour, then forgotten, and its tasks with it. */
	w->now += 3599;
	world_look(w);
	assert_non_null(state_get(w->state, STATE_SERVICES, KEY));
	w->now += 2;
	world_look(w);
	assert_null(state_get(w->state, STATE_SERVICES, KEY));
	assert_int_equal(json_object_size(state_all(w->state, STATE_TASKS)), 0);
}

/* However long the row of deaths, the hour's tasks are at most a thousand. */
static void test_many_stopped_tasks(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 1100; i++) {
		char id[33];

		snprintf(id, sizeof(id), "%032d", i);
		world_put(w, STATE_TASKS, id,
			  json_pack("{s:s, s:s, s:f}", "lastStatus", "STOPPED", "desiredStatus",
				    "STOPPED", "stoppedAt", w->now + i * 0.001));
	}
	world_look(w);
	assert_int_equal(json_object_size(state_all(w->state, STATE_TASKS)), 1000);
	assert_null(state_get(w->state, STATE_TASKS, "00000000000000000000000000000099"));
	assert_non_null(state_get(w->state, STATE_TASKS, "00000000000000000000000000000100"));
}

/*
 * The process dies after each of its writes in turn, in the middle of a deployment that fails and is rolled back; the next one goes on and
 * comes to the same end, with every task and failure counted once.
 */
static void test_a_crash_after_any_write(void **state)
{
	int64_t writes = 1;

	(void)state;
	for (int64_t die = 0; die < writes; die++) {
		struct world w;
		int64_t before;

		world_init(&w);
		steady(&w, 3,
		       "{\"enable\": true, \"rollback\": true, \"thresholdConfiguration\": "
		       "{\"type\": \"COUNT\", \"value\": 5}}");
		w.failing = true;
		world_deploy(&w, 2);
		before = w.state->writes;
		for (int i = 0; i < 40; i++) {
			int64_t at_look = w.state->writes;

			/* only writes of the reconciler's are cut off: the world's stand for another process's */
			if (die >= at_look - before && die < writes) {
				w.state->writes_left = die - (at_look - before);
				if (world_try_look(&w) < 0) {
					w.state->writes_left = -1;
					world_look(&w);
				}
				w.state->writes_left = -1;
			}
			world_look(&w);
			world_run(&w);
			w.now += 1;
		}
		world_pass(&w, 60);
		if (die == 0)
			writes = w.state->writes - before;
		assert_int_equal(world_live(&w, 1), 3);
		assert_int_equal(world_live(&w, 2), 0);
		assert_text(world_record(&w, 0), "status", "ROLLBACK_SUCCESSFUL");
		assert_number(json_object_get(world_record(&w, 0), "deploymentCircuitBreaker"),
			      "failureCount", 6);
		assert_int_equal(json_object_size(state_all(w.state, STATE_TASKS)), 9);
		assert_int_equal(world_events(&w, "deployment failed"), 1);
		assert_int_equal(world_events(&w, "rolling back"), 1);
		state_free(w.state);
	}
	assert_true(writes > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_deployment, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_scaling_by_hand, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_what_dies_comes_back, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_stopped_by_its_user_it_comes_back_at_once,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_back_off, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_reset_on_healthy_task, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_a_clock_set_back, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_health, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_health_grace, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_deleting, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_many_stopped_tasks, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_a_crash_after_any_write, world_setup,
						world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
