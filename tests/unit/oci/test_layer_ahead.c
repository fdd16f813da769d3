#include "oci/layer_ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Gives n numbers, then the end or an error. */
struct counting {
	struct source source;
	uint32_t next, n;
	bool fails;
};

static int64_t counting_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct counting *c = (struct counting *)s;
	size_t at = 0;

	if (c->next == c->n && c->fails)
		return error_set(err, ERROR_CORRUPT, "no more after %u", c->n);
	for (; at + 4 <= len && c->next < c->n && at < 1000; at += 4, c->next++)
		memcpy((char *)data + at, &c->next, 4);
	return (int64_t)at;
}

static void test_order_and_end(void **state)
{
	static const uint32_t sizes[] = {0, 1, 250, 251, 1000000};

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct counting c = {
			.source.read = counting_read, .n = sizes[i / 4], .fails = i & 2};
		struct ahead *a = ahead_new(&c.source, i & 1);
		AUTO(error) err = ERROR_INIT;
		const void *data;
		uint32_t seen = 0;
		int64_t got;

		while ((got = ahead_next(a, &data, &err)) > 0)
			for (int64_t at = 0; at < got; at += 4, seen++)
				assert_memory_equal((const char *)data + at, &seen, 4);
		assert_int_equal(seen, c.n);
		assert_int_equal(got, c.fails ? -1 : 0);
		if (c.fails)
			assert_int_equal(err.kind, ERROR_CORRUPT);
		/* The end, and an error, stay. */
		assert_int_equal(ahead_next(a, &data, NULL), got);
		ahead_stop(a);
		ahead_free(a);
	}
}

/* Given up in the middle: the thread ends although nobody takes its blocks. */
static void test_given_up(void **state)
{
	(void)state;
	for (int blocks = 0; blocks < 3; blocks++) {
		struct counting c = {.source.read = counting_read, .n = 1000000000};
		struct ahead *a = ahead_new(&c.source, true);
		const void *data;

		for (int i = 0; i < blocks; i++)
			assert_true(ahead_next(a, &data, NULL) > 0);
		ahead_free(a);
	}
}

/* In a child that may make no thread: 0 when all was read all the same. */
static int read_without_threads(void)
{
	const struct rlimit none = {0, 0};
	struct counting c = {.source.read = counting_read, .n = 5000};
	const void *data;
	int64_t got, total = 0;
	struct ahead *a;

	/* The limit does not hold for root. */
	if ((geteuid() == 0 && setuid(65534) < 0) || setrlimit(RLIMIT_NPROC, &none) < 0)
		return 2;
	a = ahead_new(&c.source, true);
	while ((got = ahead_next(a, &data, NULL)) > 0)
		total += got;
	ahead_free(a);
	return total == 20000 ? 0 : 1;
}

static void test_without_threads(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	if (pid == 0)
		_exit(read_without_threads());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_end),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_without_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
