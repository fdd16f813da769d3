#include "registry/relay.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fs.h"
#include "base/pool.h"
#include "base/log.h"

#include "tests/unit/base/scratch.h"

/* A blob that is read while it comes: by two threads, as in an upload. */

#define SIZE  300000
#define PIECE 7000

static struct pool *pool;

static char byte_at(int64_t at)
{
	return (char)('a' + at % 26);
}

static int new_file(const char *name)
{
	int fd = openat(scratch_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void show(struct relay *r, const char *name, int64_t have)
{
	int fd = openat(scratch_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	relay_open(r, fd, have);
}

/* What the fetching thread does. */
struct script {
	struct relay *r;
	bool wrong_first; /* the first file has other bytes, and another one follows */
	bool shorten;     /* the file begins again in the middle */
	bool fail;
	atomic_bool go_on; /* set by the reader: the rest may come */
};

static void write_from(const struct script *s, int fd, int64_t from, int64_t to, int wrong)
{
	char piece[PIECE];

	for (int64_t at = from; at < to;) {
		size_t n = to - at < PIECE ? (size_t)(to - at) : PIECE;

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)(byte_at(at + (int64_t)i) ^ wrong);
		assert_int_equal(pwrite(fd, piece, n, at), n);
		at += (int64_t)n;
		relay_grown(s->r, at);
	}
}

static int fetch(void *arg, struct error *unused)
{
	struct script *s = arg;
	AUTO(error) why = ERROR_INIT;
	int fd = new_file("one");

	(void)unused;
	show(s->r, "one", 0);
	write_from(s, fd, 0, SIZE / 2, s->wrong_first ? 1 : 0);
	while (!atomic_load(&s->go_on))
		cancel_sleep(NULL, 1000000, NULL);
	if (s->fail) {
		close(fd);
		error_set(&why, ERROR_REMOTE, "the source is gone");
		error_hint(&why, "try another");
		why.status = 503;
		relay_end(s->r, -1, &why);
		return 0;
	}
	if (s->wrong_first) {
		close(fd);
		relay_grown(s->r, 0);
		fd = new_file("two");
		show(s->r, "two", 0);
		write_from(s, fd, 0, SIZE / 2, 0);
	} else if (s->shorten) {
		relay_grown(s->r, 0);
		assert_int_equal(ftruncate(fd, 0), 0);
		write_from(s, fd, 0, SIZE / 2, 0);
	}
	write_from(s, fd, SIZE / 2, SIZE, 0);
	close(fd);
	relay_end(s->r, 0, NULL);
	return 0;
}

/* Reads from at on until end; how many of the bytes are not what they should be, or -1. */
static int read_all(struct relay *r, int64_t at, int64_t end, struct error *err)
{
	char buffer[5000];
	int wrong = 0;

	while (at < end) {
		int64_t n = relay_read(r, at, buffer, sizeof(buffer), err);

		if (n < 0)
			return -1;
		for (int64_t i = 0; i < n; i++)
			wrong += buffer[i] != byte_at(at + i);
		at += n;
	}
	return wrong;
}

static void wait_for(struct relay *r, bool whole)
{
	AUTO(error) err = ERROR_INIT;
	int there;

	while ((there = relay_poll(r, whole, &err)) == 0)
		;
	assert_int_equal(there, 1);
}

static void run(struct script *s, struct group *g, struct relay *r)
{
	relay_init(r);
	s->r = r;
	group_init(g, pool);
	group_run(g, fetch, s);
}

static void finish(struct group *g, struct relay *r)
{
	assert_int_equal(group_wait(g, NULL), 0);
	relay_release(r);
}

static void test_follows(void **state)
{
	struct script s = {0};
	struct relay r;
	struct group g;
	AUTO(error) err = ERROR_INIT;
	char again[3];
	int fd;

	(void)state;
	run(&s, &g, &r);
	wait_for(&r, false);
	assert_int_equal(relay_poll(&r, true, &err), 0);
	assert_int_equal(read_all(&r, 0, SIZE / 2, &err), 0);
	/* The rest comes only now: what was read was read before the end was there. */
	assert_int_equal(relay_read(&r, SIZE / 2, again, sizeof(again), &err), 0);
	atomic_store(&s.go_on, true);
	assert_int_equal(read_all(&r, SIZE / 2, SIZE, &err), 0);
	/* From the start, for a second sending. */
	assert_int_equal(read_all(&r, 0, SIZE, &err), 0);
	wait_for(&r, true);
	assert_int_equal(relay_have(&r), SIZE);
	assert_int_equal(relay_dup(&r, &fd, &err), 0);
	assert_int_equal(pread(fd, again, 3, 27), 3);
	assert_memory_equal(again, "bcd", 3);
	close(fd);
	assert_int_equal(relay_read(&r, SIZE, again, 1, &err), -1);
	finish(&g, &r);
}

static void test_begins_again(void **state)
{
	(void)state;
	for (int shorten = 0; shorten < 2; shorten++) {
		struct script s = {.wrong_first = !shorten, .shorten = shorten};
		struct relay r;
		struct group g;
		AUTO(error) err = ERROR_INIT;

		run(&s, &g, &r);
		assert_int_equal(read_all(&r, 0, SIZE / 2, &err), shorten ? 0 : SIZE / 2);
		atomic_store(&s.go_on, true);
		/* A reader in the middle waits until the file has grown so far again. */
		assert_int_equal(read_all(&r, SIZE / 2, SIZE, &err), 0);
		wait_for(&r, true);
		assert_int_equal(read_all(&r, 0, SIZE, &err), 0);
		finish(&g, &r);
	}
}

static void test_fails(void **state)
{
	struct script s = {.fail = true};
	struct relay r;
	struct group g;
	AUTO(error) err = ERROR_INIT;
	AUTO(error) other = ERROR_INIT;

	(void)state;
	run(&s, &g, &r);
	assert_int_equal(read_all(&r, 0, SIZE / 2, &err), 0);
	assert_false(relay_has_failed(&r));
	atomic_store(&s.go_on, true);
	assert_int_equal(read_all(&r, SIZE / 2, SIZE, &err), -1);
	assert_string_equal(err.message, "the source is gone\ntry another");
	assert_int_equal(err.kind, ERROR_REMOTE);
	assert_int_equal(err.status, 503);
	/* Also of what was here: an upload of it would never be whole. And as often as it is asked. */
	assert_int_equal(read_all(&r, 0, 1, &other), -1);
	error_clear(&other);
	assert_int_equal(relay_poll(&r, true, &other), -1);
	assert_string_equal(other.message, err.message);
	assert_int_equal(other.hint_at, err.hint_at);
	assert_true(relay_has_failed(&r));
	finish(&g, &r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_begins_again),
		cmocka_unit_test(test_fails),
	};
	int failed;

	pool = pool_new(1);
	failed = cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
	pool_free(pool);
	return failed;
}
