#include "local/log_page.h"

#include "tests/unit/base/testing.h"

static void offer(struct log_page *p, int64_t time_ms, const char *stream, int64_t position,
		  size_t len)
{
	AUTO_FREE char *text = xcalloc(1, len + 1);
	struct log_event e = {.time_ms = time_ms, .position = position, .text = text, .len = len};

	log_page_offer(p, stream, &e);
}

static void test_the_first_by_time_stay(void **state)
{
	struct log_page p = {.limit = 50};
	uint32_t seed = 7;

	(void)state;
	/* Every number below 1000 comes once, in no order (997 has no part in common with 1000). */
	for (uint32_t i = 0; i < 1000; i++) {
		seed = (seed + 997) % 1000;
		offer(&p, seed / 4, seed % 4 < 2 ? "a" : "b", seed, 3);
	}
	log_page_sort(&p);
	assert_int_equal(p.n, 50);
	assert_int_equal(p.bytes, 150);
	assert_true(p.more);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.list[i].key.position, i);
	log_page_release(&p);
}

static void test_the_last_by_time_stay(void **state)
{
	struct log_page p = {.limit = 10, .newest = true};

	(void)state;
	for (int64_t i = 0; i < 100; i++)
		offer(&p, (i * 37) % 100, "a", i, 1);
	log_page_sort(&p);
	assert_int_equal(p.n, 10);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.list[i].key.time_ms, 99 - (int64_t)i);
	log_page_release(&p);
}

/* Nothing that stays comes behind something that went, or the next page would leave it out. */
static void test_a_page_has_no_gaps(void **state)
{
	struct log_page p = {.limit = LOG_PAGE_EVENTS};

	(void)state;
	offer(&p, 10, "a", 1, LOG_PAGE_BYTES / 2);
	offer(&p, 30, "a", 2, 10);
	assert_false(p.more);
	offer(&p, 20, "b", 1, LOG_PAGE_BYTES / 2);
	assert_int_equal(p.n, 2);
	assert_true(p.more);
	/* It would fit, but 30 went, which is after it only by accident. */
	offer(&p, 25, "b", 2, 0);
	offer(&p, 5, "b", 3, 100);
	log_page_sort(&p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.list[0].key.time_ms, 5);
	assert_int_equal(p.list[1].key.time_ms, 10);
	log_page_release(&p);
}

static void test_add_fills_in_order(void **state)
{
	struct log_page p = {.limit = 3};
	AUTO_FREE char *big = xcalloc(1, LOG_PAGE_BYTES);
	struct log_event small = {.text = "x", .len = 1},
			 large = {.text = big, .len = LOG_PAGE_BYTES};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_page_add(&p, "a", &small));
	assert_false(log_page_add(&p, "a", &small));
	assert_true(p.more);
	log_page_release(&p);
	p = (struct log_page){.limit = 3};
	/* The first fits whatever its size: else no page would ever hold it. */
	assert_true(log_page_add(&p, "a", &large));
	assert_false(log_page_add(&p, "a", &small));
	log_page_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_by_time_stay),
		cmocka_unit_test(test_the_last_by_time_stay),
		cmocka_unit_test(test_a_page_has_no_gaps),
		cmocka_unit_test(test_add_fills_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
