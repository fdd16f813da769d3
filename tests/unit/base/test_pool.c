#include "testing.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/pool.h"

static atomic_int n_run, n_now, n_most;

static int count(void *arg, struct error *err)
{
	int now = atomic_fetch_add(&n_now, 1) + 1;
	int most = atomic_load(&n_most);

	(void)arg;
	(void)err;
	while (now > most && !atomic_compare_exchange_weak(&n_most, &most, now))
		;
	sched_yield();
	atomic_fetch_add(&n_run, 1);
	atomic_fetch_sub(&n_now, 1);
	return 0;
}

static void all_jobs_run_on_few_threads(void **state)
{
	AUTO_PTR(pool) pool = pool_new(3);
	struct group g;

	(void)state;
	atomic_store(&n_run, 0);
	atomic_store(&n_most, 0);
	for (int round = 0; round < 5; round++) {
		group_init(&g, pool);
		for (int i = 0; i < 200; i++)
			group_run(&g, count, NULL);
		assert_ok(group_wait(&g, err));
		assert_int_equal(atomic_load(&n_run), 200 * (round + 1));
	}
	assert_true(atomic_load(&n_most) <= 3);
	assert_int_equal(pool_threads(pool), 3);
}

static pthread_barrier_t all_busy;

static int wait_for_all(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	pthread_barrier_wait(&all_busy);
	return 0;
}

/* None of them ends before the last one runs. */
static void jobs_that_wait_for_each_other_have_a_thread_each(void **state)
{
	AUTO_PTR(pool) pool = pool_new(4);
	AUTO(error) why = ERROR_INIT;
	struct group g;

	(void)state;
	pthread_barrier_init(&all_busy, NULL, 5);
	group_init(&g, pool);
	for (int i = 0; i < 4; i++)
		assert_ok(group_run_now(&g, wait_for_all, NULL, err));
	/* All are taken. */
	assert_int_equal(group_run_now(&g, wait_for_all, NULL, &why), -1);
	assert_int_equal(why.kind, ERROR_SYSTEM);
	assert_non_null(strstr(why.message, "start a thread"));
	pthread_barrier_wait(&all_busy);
	assert_ok(group_wait(&g, err));
	pthread_barrier_destroy(&all_busy);
}

/* Results are written by workers and read after the wait, without a lock. */
static int square(void *arg, struct error *err)
{
	int *n = arg;

	(void)err;
	*n *= *n;
	return 0;
}

static void results_are_seen_after_the_wait(void **state)
{
	AUTO_PTR(pool) pool = pool_new(4);
	int numbers[100];
	struct group g;

	(void)state;
	group_init(&g, pool);
	for (int i = 0; i < 100; i++) {
		numbers[i] = i;
		group_run(&g, square, &numbers[i]);
	}
	assert_ok(group_wait(&g, err));
	for (int i = 0; i < 100; i++)
		assert_int_equal(numbers[i], i * i);
}

static int fail_at_three(void *arg, struct error *err)
{
	int n = *(int *)arg;

	atomic_fetch_add(&n_run, 1);
	return n == 3 ? error_set(err, ERROR_STEP, "job %d failed", n) : 0;
}

/* With one thread the order is that of the calls: what comes after the failure is skipped. */
static void the_first_error_stops_the_rest(void **state)
{
	AUTO_PTR(pool) pool = pool_new(1);
	int numbers[50];
	struct group g;

	(void)state;
	atomic_store(&n_run, 0);
	group_init(&g, pool);
	for (int i = 0; i < 50; i++) {
		numbers[i] = i;
		group_run(&g, fail_at_three, &numbers[i]);
	}
	assert_error(group_wait(&g, err), ERROR_STEP, "job 3 failed");
	assert_int_equal(atomic_load(&n_run), 4);
	group_init(&g, pool);
	assert_false(group_failed(&g));
	assert_ok(group_wait(&g, err));
}

static int fail_silently(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	return -1;
}

static void an_error_always_has_a_kind(void **state)
{
	AUTO_PTR(pool) pool = pool_new(1);
	struct group g;

	(void)state;
	group_init(&g, pool);
	group_run(&g, fail_silently, NULL);
	assert_error(group_wait(&g, err), ERROR_SYSTEM, "without saying why");
	group_init(&g, pool);
	group_run(&g, fail_silently, NULL);
	assert_int_equal(group_wait(&g, NULL), -1);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int n_waiting;

/* Returns only when two of it run at once. */
static int meet(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	pthread_mutex_lock(&gate);
	if (++n_waiting == 2)
		pthread_cond_broadcast(&opened);
	while (n_waiting < 2)
		pthread_cond_wait(&opened, &gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

static void jobs_run_at_the_same_time(void **state)
{
	AUTO_PTR(pool) pool = pool_new(2);
	struct group a, b;

	(void)state;
	n_waiting = 0;
	group_init(&a, pool);
	group_init(&b, pool);
	group_run(&a, meet, NULL);
	group_run(&b, meet, NULL);
	assert_ok(group_wait(&a, err));
	assert_ok(group_wait(&b, err));
}

static void an_unused_pool_costs_nothing(void **state)
{
	(void)state;
	pool_free(pool_new(1000000));
	pool_free(NULL);
	assert_true(pool_cpus() >= 1);
	assert_true(pool_cpus() <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_jobs_run_on_few_threads),
		cmocka_unit_test(jobs_that_wait_for_each_other_have_a_thread_each),
		cmocka_unit_test(results_are_seen_after_the_wait),
		cmocka_unit_test(the_first_error_stops_the_rest),
		cmocka_unit_test(an_error_always_has_a_kind),
		cmocka_unit_test(jobs_run_at_the_same_time),
		cmocka_unit_test(an_unused_pool_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
