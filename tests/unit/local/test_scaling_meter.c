/* Target tracking: what is measured moves the desired count, out at once, in slowly, within bounds. */
#include "local/scaling_meter.h"

#include "tests/unit/local/service_world.h"

#define RESOURCE "service/main/web"
#define POLICY   RESOURCE "/cpu"

struct scaled {
	struct world w;
	struct scaling_meter *meter;
	int64_t cpu_ns;
};

static void put_target(struct scaled *s, int least, int most)
{
	world_put(&s->w, STATE_SCALABLE_TARGETS, RESOURCE,
		  json_pack("{s:s, s:s, s:i, s:i, s:{s:[], s:b}}", "ResourceId", RESOURCE,
			    "ScalableDimension", "ecs:service:DesiredCount", "MinCapacity", least,
			    "MaxCapacity", most, "slipway", "activities", "unclamped", 1));
}

static void put_policy(struct scaled *s, const char *metric, double target)
{
	world_put(&s->w, STATE_SCALING_POLICIES, POLICY,
		  json_pack("{s:s, s:s, s:{s:f, s:{s:s}, s:i, s:i}, s:{}}", "PolicyName", "cpu",
			    "ResourceId", RESOURCE, "TargetTrackingScalingPolicyConfiguration",
			    "TargetValue", target, "PredefinedMetricSpecification",
			    "PredefinedMetricType", metric, "ScaleOutCooldown", 60,
			    "ScaleInCooldown", 120, "slipway"));
}

static int setup(void **state)
{
	struct scaled *s = xcalloc(1, sizeof(*s));

	world_init(&s->w);
	s->meter = scaling_meter_new(5);
	world_create(&s->w, 2, NULL);
	world_pass(&s->w, 10);
	put_target(s, 1, 10);
	put_policy(s, "ECSServiceAverageCPUUtilization", 50);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scaled *s = *state;

	scaling_meter_free(s->meter);
	state_free(s->w.state);
	free(s);
	return 0;
}

/* A round: every task used so many percent of its quarter of a core since the last one, and has that much memory. */
static void measure(struct scaled *s, double percent, int64_t memory)
{
	AUTO(strlist) ids = {0};
	struct reconcile r = world_reconcile(&s->w);

	s->cpu_ns += (int64_t)(percent / 100 * 0.25 * 5 * 1e9);
	scaling_tasks(s->meter, &r, &ids);
	for (size_t i = 0; i < ids.n; i++)
		scaling_add(s->meter, ids.items[i], s->cpu_ns, memory, s->w.now);
	assert_int_equal(scaling_decide(s->meter, &r, NULL), 0);
	s->w.now += 5;
}

static void rounds(struct scaled *s, int n, double percent)
{
	for (int i = 0; i < n; i++)
		measure(s, percent, 0);
}

static int64_t count(struct scaled *s)
{
	return aws_int(world_service(&s->w), "desiredCount");
}

static json_t *activity(struct scaled *s)
{
	json_t *target = state_get(s->w.state, STATE_SCALABLE_TARGETS, RESOURCE);

	return json_array_get(json_object_get(ecs_own(target), "activities"), 0);
}

static void test_wanted(void **state)
{
	static const struct {
		int count;
		double average, target;
		int wanted;
	} rows[] = {
		{2, 100, 50, 4}, {3, 60, 50, 4}, {1, 100, 60, 2}, {4, 25, 50, 2}, {5, 50, 50, 5},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(scaling_wanted(rows[i].count, rows[i].average, rows[i].target),
				 rows[i].wanted);
}

static void test_out_at_once(void **state)
{
	struct scaled *s = *state;

	/* The first look has nothing to compare with; three more make an average. */
	rounds(s, 3, 100);
	assert_int_equal(count(s), 2);
	rounds(s, 1, 100);
	assert_int_equal(count(s), 4);
	assert_text(activity(s), "Description", "Setting desired count to 4.");
	assert_text(activity(s), "StatusCode", "Successful");
	assert_non_null(strstr(aws_text(activity(s), "Cause"), "triggered policy cpu"));
	assert_int_equal(world_events(&s->w, "desired count is set to 4"), 1);
	/* Not again before the cooldown is over. */
	world_look(&s->w);
	world_run(&s->w);
	rounds(s, 10, 100);
	assert_int_equal(count(s), 4);
	rounds(s, 6, 100);
	assert_int_equal(count(s), 8);
}

static void test_never_beyond_the_bounds(void **state)
{
	struct scaled *s = *state;

	put_target(s, 1, 3);
	rounds(s, 30, 100);
	assert_int_equal(count(s), 3);
}

static void test_in_one_at_a_time(void **state)
{
	struct scaled *s = *state;

	put_target(s, 1, 10);
	world_set(&s->w, "desiredCount", json_integer(4));
	world_pass(&s->w, 10);
	rounds(s, 8, 5);
	assert_int_equal(count(s), 4);
	rounds(s, 2, 5);
	assert_int_equal(count(s), 3);
	/* 120 seconds of cooldown: 24 rounds */
	rounds(s, 20, 5);
	assert_int_equal(count(s), 3);
	rounds(s, 10, 5);
	assert_int_equal(count(s), 2);
	assert_non_null(strstr(aws_text(activity(s), "Cause"), "AlarmLow"));
	rounds(s, 100, 5);
	assert_int_equal(count(s), 1);
}

/* Near the target nothing moves: what goes would have to come back. */
static void test_near_the_target(void **state)
{
	struct scaled *s = *state;

	rounds(s, 60, 47);
	assert_int_equal(count(s), 2);
	assert_null(activity(s));
}

static void test_memory(void **state)
{
	struct scaled *s = *state;

	put_policy(s, "ECSServiceAverageMemoryUtilization", 50);
	for (int i = 0; i < 4; i++)
		measure(s, 0, 512LL << 20);
	assert_int_equal(count(s), 4);
}

static void test_new_bounds(void **state)
{
	struct scaled *s = *state;

	put_target(s, 3, 5);
	measure(s, 0, 0);
	assert_int_equal(count(s), 3);
	assert_text(activity(s), "Cause", "minimum capacity was set to 3");
	/* A count that somebody sets later is theirs. */
	world_set(&s->w, "desiredCount", json_integer(0));
	measure(s, 0, 0);
	assert_int_equal(count(s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wanted),
		cmocka_unit_test_setup_teardown(test_out_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_beyond_the_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_near_the_target, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
