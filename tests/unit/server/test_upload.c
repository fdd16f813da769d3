#include "server/upload.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/sink.h"
#include "base/time.h"
#include "tests/unit/oci/store_fixture.h"

static void put(struct fixture *f, struct upload *u, const char *text)
{
	assert_ok(f, sink_write(ingest_sink(u->ingest), text, strlen(text), &f->err));
}

static void commit(struct fixture *f, struct upload *u, const char *text)
{
	struct digest d = digest_of(text, strlen(text));

	assert_ok(f, ingest_expect(u->ingest, &d, &f->err));
	assert_ok(f, ingest_commit(u->ingest, NULL, -1, &f->err));
	assert_true(store_has(f->store, &d, (int64_t)strlen(text)));
}

static void test_session(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(uploads) all = NULL;
	struct upload *u = NULL, *again = NULL;
	char id[UPLOAD_ID_SIZE];

	assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	assert_ok(f, uploads_begin(all, "a/b", &u, &f->err));
	memcpy(id, u->id, sizeof(id));
	assert_int_equal(strlen(id), 32);
	put(f, u, "first ");
	assert_int_equal(uploads_size(all, "a/b", id), 6);
	/* One request at a time, and of its repository. */
	assert_int_equal(uploads_take(all, "a/b", id, &again, &f->err), -1);
	assert_int_equal(f->err.number, EWOULDBLOCK);
	uploads_park(all, u);
	assert_fails(f, ERROR_NOT_FOUND, id, uploads_take(all, "a", id, &again, &f->err));
	assert_int_equal(uploads_size(all, "a", id), -1);
	assert_ok(f, uploads_take(all, "a/b", id, &again, &f->err));
	put(f, again, "second");
	commit(f, again, "first second");
	uploads_end(all, again);
	assert_int_equal(uploads_size(all, "a/b", id), -1);
}

/* Of more sessions than are kept open the oldest are closed, and hash their bytes again. */
static void test_many_and_a_restart(void **state)
{
	struct fixture *f = *state;
	struct uploads *all = NULL;
	struct upload *u = NULL;
	char ids[70][UPLOAD_ID_SIZE];

	assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_ok(f, uploads_begin(all, "r", &u, &f->err));
		memcpy(ids[i], u->id, sizeof(ids[i]));
		put(f, u, "x");
		uploads_park(all, u);
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			assert_ok(f, uploads_take(all, "r", ids[i], &u, &f->err));
			assert_int_equal(ingest_size(u->ingest), round + 1);
			put(f, u, "y");
			uploads_park(all, u);
		}
		uploads_free(all);
		assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	}
	assert_ok(f, uploads_take(all, "r", ids[0], &u, &f->err));
	commit(f, u, "xyy");
	uploads_end(all, u);
	uploads_free(all);
}

static void test_other_algorithm_and_cut(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(uploads) all = NULL;
	struct upload *u = NULL;
	struct digest d;

	/* SHA-512 of "abc", FIPS 180-4's example. */
	assert_ok(f,
		  digest_parse(
			  &d,
			  "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			  &f->err));
	assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	assert_ok(f, uploads_begin(all, "r", &u, &f->err));
	put(f, u, "ax");
	assert_ok(f, ingest_cut(u->ingest, 1, &f->err));
	put(f, u, "b");
	assert_ok(f, ingest_expect(u->ingest, &d, &f->err));
	put(f, u, "c");
	assert_ok(f, ingest_commit(u->ingest, NULL, 3, &f->err));
	assert_true(store_has(f->store, &d, 3));
	uploads_end(all, u);
}

static void test_limit_and_age(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(uploads) all = NULL;
	struct upload *u = NULL;

	for (int i = 0; i < 100; i++) {
		AUTO_FREE char *name = xstrfmt("ingest/upload-%032d-x", i);

		fixture_write(f, name, "", 0);
	}
	assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	assert_fails(f, ERROR_UNSUPPORTED, "100 uploads", uploads_begin(all, "r", &u, &f->err));
	/* What nobody went on with for a day makes room. */
	fixture_age(f, "ingest/upload-00000000000000000000000000000005-x", 25 * 3600);
	assert_ok(f, uploads_begin(all, "r", &u, &f->err));
	assert_false(fixture_exists(f, "ingest/upload-00000000000000000000000000000005-x"));
	uploads_end(all, u);
}

/* Without another upload: what is parked is closed, and after a day ended. */
static void test_old_sessions_end_by_themselves(void **state)
{
	const int64_t minute = 60000000000ll;
	struct fixture *f = *state;
	AUTO_PTR(uploads) all = NULL;
	struct upload *u = NULL, *busy = NULL;
	int64_t begin;

	assert_ok(f, uploads_new(&all, f->store, 100, &f->err));
	begin = time_monotonic_ns();
	assert_ok(f, uploads_begin(all, "r", &u, &f->err));
	assert_ok(f, uploads_begin(all, "r", &busy, &f->err));
	AUTO_FREE char *id = xstrdup(u->id);

	put(f, u, "x");
	uploads_park(all, u);
	/* Looked at a day later for the first time: it is closed, and goes. Who is at work is left alone. */
	uploads_look(all, begin + 5 * minute, time_now() + 25 * 3600);
	assert_int_equal(uploads_size(all, "r", id), 1);
	uploads_look(all, begin + 11 * minute, time_now() + 23 * 3600);
	assert_int_equal(uploads_size(all, "r", id), 1);
	uploads_look(all, begin + 12 * minute, time_now() + 25 * 3600);
	assert_int_equal(uploads_size(all, "r", id), 1);
	uploads_look(all, begin + 23 * minute, time_now() + 25 * 3600);
	assert_int_equal(uploads_size(all, "r", id), -1);
	assert_int_equal(uploads_size(all, "r", busy->id), 0);
	uploads_end(all, busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_session),
		store_test(test_many_and_a_restart),
		store_test(test_other_algorithm_and_cut),
		store_test(test_limit_and_age),
		store_test(test_old_sessions_end_by_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
