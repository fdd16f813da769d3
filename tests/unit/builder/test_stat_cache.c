#include "builder/stat_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <dirent.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/pool.h"

static char *root;
static struct store *store;

#define HASHED_AT 1000000000000000000ll
#define SECOND    1000000000ll

static struct stat file(uint64_t ino, int64_t age_ns)
{
	int64_t at = HASHED_AT - age_ns;
	struct timespec t = {.tv_sec = at / SECOND, .tv_nsec = at % SECOND};

	return (struct stat){
		.st_dev = 1,
		.st_ino = ino,
		.st_size = 10,
		.st_mode = S_IFREG | 0644,
		.st_mtim = t,
		.st_ctim = t,
	};
}

static struct stat_cache *open_cache(const char *key)
{
	struct stat_cache *c = NULL;

	assert_int_equal(stat_cache_open(&c, store, key, NULL), 0);
	return c;
}

static void put(struct stat_cache *c, const struct stat *st, uint8_t byte)
{
	uint8_t digest[SHA256_SIZE];

	memset(digest, byte, sizeof(digest));
	stat_cache_put(c, st, HASHED_AT, digest);
}

static int get(struct stat_cache *c, const struct stat *st)
{
	uint8_t digest[SHA256_SIZE];

	return stat_cache_get(c, st, digest) ? digest[31] : -1;
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(fs_make_temp_dir("/tmp", "stat-cache-", &root, NULL), 0);
	assert_int_equal(store_open(&store, root, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_free(store);
	assert_int_equal(fs_remove_tree(AT_FDCWD, root, NULL), 0);
	free(root);
	return 0;
}

static void keeps_across_runs(void **state)
{
	struct stat a = file(3, 5 * SECOND), b = file(1, 5 * SECOND), c = file(2, 5 * SECOND);
	struct stat_cache *cache = open_cache("/x");

	(void)state;
	put(cache, &a, 7);
	put(cache, &b, 8);
	stat_cache_free(cache);
	cache = open_cache("/x");
	assert_int_equal(get(cache, &a), 7);
	assert_int_equal(get(cache, &b), 8);
	assert_int_equal(get(cache, &c), -1);
	put(cache, &c, 9);
	stat_cache_free(cache);
	cache = open_cache("/x");
	assert_int_equal(get(cache, &a), 7);
	assert_int_equal(get(cache, &c), 9);
	stat_cache_free(cache);
	cache = open_cache("/other");
	assert_int_equal(get(cache, &a), -1);
	stat_cache_free(cache);
}

static void any_change_misses(void **state)
{
	struct stat original = file(5, 5 * SECOND);
	struct stat_cache *cache = open_cache("/y");

	(void)state;
	put(cache, &original, 1);
	stat_cache_free(cache);
	cache = open_cache("/y");
	for (int field = 0; field < 6; field++) {
		struct stat changed = original;

		changed.st_size += field == 0;
		changed.st_mode ^= field == 1 ? 0100 : 0;
		changed.st_mtim.tv_nsec += field == 2;
		changed.st_ctim.tv_nsec += field == 3;
		changed.st_ino += field == 4;
		changed.st_dev += field == 5;
		assert_int_equal(get(cache, &changed), -1);
	}
	assert_int_equal(get(cache, &original), 1);
	stat_cache_free(cache);
}

/* git's "racily clean": hashed within 2 s of the change, another run does not believe it. */
static void young_entries_serve_this_run_only(void **state)
{
	struct stat young = file(6, SECOND), old = file(7, 2 * SECOND);
	struct stat_cache *cache = open_cache("/z");

	(void)state;
	put(cache, &young, 1);
	put(cache, &old, 2);
	assert_int_equal(get(cache, &young), 1);
	stat_cache_free(cache);
	cache = open_cache("/z");
	assert_int_equal(get(cache, &young), -1);
	assert_int_equal(get(cache, &old), 2);
	stat_cache_free(cache);
}

static char *cache_file(void)
{
	AUTO_FREE char *dir = xstrfmt("%s/cache/stat", root);
	DIR *d = opendir(dir);
	struct dirent *entry;
	char *path = NULL;

	assert_non_null(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			path = xstrfmt("%s/%s", dir, entry->d_name);
	closedir(d);
	assert_non_null(path);
	return path;
}

static void damage_is_a_miss(void **state)
{
	struct stat st = file(8, 5 * SECOND);
	struct stat_cache *cache = open_cache("/damage");
	AUTO_FREE char *path = NULL;
	int fd;

	(void)state;
	put(cache, &st, 1);
	stat_cache_free(cache);
	path = cache_file();
	/* one bit after the other: header 16, then two numbers of 8 bytes and the digest */
	fd = open(path, O_RDWR);
	for (size_t bit = 0; bit < 48 * 8; bit++) {
		off_t at = (off_t)(16 + bit / 8);
		unsigned char byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		cache = open_cache("/damage");
		if (bit) /* the lowest bit is no part of the number, and of no use in a file */
			assert_int_equal(get(cache, &st), -1);
		stat_cache_free(cache);
		byte ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	cache = open_cache("/damage");
	assert_int_equal(get(cache, &st), 1);
	stat_cache_free(cache);
	assert_int_equal(truncate(path, 50), 0);
	cache = open_cache("/damage");
	assert_int_equal(get(cache, &st), -1);
	stat_cache_free(cache);
}

/* Another Dockerfile of the same context does not drive out what this one did not ask for, until that is the greater part. */
static void keeps_what_another_build_needs(void **state)
{
	struct stat a = file(1, 5 * SECOND), b = file(2, 5 * SECOND), c = file(3, 5 * SECOND);
	struct stat_cache *cache = open_cache("/shared");

	(void)state;
	put(cache, &a, 1);
	stat_cache_free(cache);
	cache = open_cache("/shared");
	put(cache, &b, 2);
	stat_cache_free(cache);
	cache = open_cache("/shared");
	assert_int_equal(get(cache, &a), 1);
	assert_int_equal(get(cache, &b), 2);
	stat_cache_free(cache);
	cache = open_cache("/shared");
	put(cache, &c, 3);
	stat_cache_free(cache);
	cache = open_cache("/shared");
	assert_int_equal(get(cache, &a), -1);
	assert_int_equal(get(cache, &c), 3);
	stat_cache_free(cache);
}

static void tells_what_is_settled(void **state)
{
	struct stat young = file(6, SECOND), old = file(7, 2 * SECOND), future = file(8, -SECOND);
	struct stat_cache *cache = open_cache(NULL);
	uint8_t digest[SHA256_SIZE];
	bool settled;

	(void)state;
	put(cache, &young, 1);
	put(cache, &old, 2);
	put(cache, &future, 3);
	assert_true(stat_cache_find(cache, &young, digest, &settled));
	assert_false(settled);
	assert_true(stat_cache_find(cache, &old, digest, &settled));
	assert_true(settled);
	assert_true(stat_cache_find(cache, &future, digest, &settled));
	assert_false(settled);
	stat_cache_free(cache);
}

static void many_entries(void **state)
{
	struct stat_cache *cache = open_cache("/many");

	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		struct stat st = file(i * 7919 % 5000 + 1, 5 * SECOND);

		put(cache, &st, (uint8_t)(st.st_ino & 0x7f));
	}
	stat_cache_free(cache);
	cache = open_cache("/many");
	for (uint64_t i = 1; i <= 5000; i++) {
		struct stat st = file(i, 5 * SECOND);

		assert_int_equal(get(cache, &st), (int)(i & 0x7f));
	}
	stat_cache_free(cache);
}

/* Many new entries go to the file while the build goes on: all are found, young ones in this run alone. */
static void rests(void **state)
{
	enum { N = 30000 };
	struct stat_cache *cache = open_cache("/rest"), *other;
	struct stat young = file(N + 1, SECOND);

	(void)state;
	put(cache, &young, 3);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 1; i <= N; i++) {
			struct stat st = file(i, (5 + round) * SECOND);

			put(cache, &st, (uint8_t)(i % 100 + (uint64_t)round));
		}
		stat_cache_rest(cache);
		/* Another build finds them before this one has ended. */
		other = open_cache("/rest");
		for (uint64_t i = 1; i <= N; i++) {
			struct stat st = file(i, (5 + round) * SECOND);

			assert_int_equal(get(cache, &st), (int)(i % 100) + round);
			assert_int_equal(get(other, &st), (int)(i % 100) + round);
		}
		assert_int_equal(get(cache, &young), 3);
		assert_int_equal(get(other, &young), -1);
		stat_cache_free(other);
	}
	stat_cache_free(cache);
}

/* Where the file cannot be written nothing is lost, and what is asked for is still found. */
static void rests_without_a_file(void **state)
{
	struct stat_cache *cache = open_cache("/rest");
	AUTO_FREE char *dir = xstrfmt("%s/cache", root);

	(void)state;
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, NULL), 0);
	for (uint64_t i = 30000; i; i--) {
		struct stat st = file(i * 7919 % 30011, 5 * SECOND);

		put(cache, &st, (uint8_t)(st.st_ino % 100));
	}
	stat_cache_rest(cache);
	for (uint64_t i = 30000; i; i--) {
		struct stat st = file(i * 7919 % 30011, 5 * SECOND);

		assert_int_equal(get(cache, &st), (int)(st.st_ino % 100));
	}
	stat_cache_free(cache);
}

struct thread {
	struct stat_cache *cache;
	uint64_t first;
};

static int put_and_get(void *arg, struct error *err)
{
	const struct thread *t = arg;

	for (uint64_t i = 0; i < 2000; i++) {
		struct stat st = file(t->first + i, 5 * SECOND);

		put(t->cache, &st, (uint8_t)(st.st_ino % 100));
		if (get(t->cache, &st) != (int)(st.st_ino % 100))
			return error_set(err, ERROR_CORRUPT, "%llu is lost",
					 (unsigned long long)st.st_ino);
	}
	return 0;
}

static void serves_several_threads(void **state)
{
	struct stat_cache *cache = open_cache("/threads");
	AUTO_PTR(pool) pool = pool_new(4);
	struct thread threads[4];
	struct group g;

	(void)state;
	group_init(&g, pool);
	for (uint64_t i = 0; i < ARRAY_SIZE(threads); i++) {
		/* they overlap */
		threads[i] = (struct thread){cache, i * 1000 + 1};
		group_run(&g, put_and_get, &threads[i]);
	}
	assert_int_equal(group_wait(&g, NULL), 0);
	for (uint64_t i = 1; i <= 5000; i++) {
		struct stat st = file(i, 5 * SECOND);

		assert_int_equal(get(cache, &st), (int)(i % 100));
	}
	stat_cache_free(cache);
}

static void without_a_key_nothing_is_written(void **state)
{
	struct stat st = file(9, 5 * SECOND);
	struct stat_cache *cache = open_cache(NULL);
	AUTO_FREE char *dir = xstrfmt("%s/cache/stat", root);

	(void)state;
	put(cache, &st, 4);
	assert_int_equal(get(cache, &st), 4);
	stat_cache_free(cache);
	assert_int_not_equal(access(dir, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_across_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(any_change_misses, setup, teardown),
		cmocka_unit_test_setup_teardown(young_entries_serve_this_run_only, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_a_miss, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_another_build_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_what_is_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(many_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(rests, setup, teardown),
		cmocka_unit_test_setup_teardown(rests_without_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(serves_several_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_key_nothing_is_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
