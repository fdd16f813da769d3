#include "builder/cache_mount.h"

#include "build_fixture.h"

static void init(struct cache_mount *m, struct run_mount *mount, const char *text)
{
	struct expand_scope scope = {.lookup = no_variable};

	*mount = (struct run_mount){.text = NULL};
	assert_ok(mount_parse(mount, text, &scope, NULL, err));
	cache_mount_init(m, mount, mount->target, NULL, NULL);
}

static void folders_are_named_by_hash(void **state)
{
	static const char *const rows[] = {
		"type=cache,target=/a",
		"type=cache,target=/b",
		"type=cache,target=/a,id=x",
		"type=cache,target=/a,uid=1",
		"type=cache,target=/a,gid=1",
		"type=cache,target=/a,mode=0700",
		"type=cache,target=/a,id=../../../../etc",
	};
	struct cache_mount mounts[ARRAY_SIZE(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(run_mount) mount;

		init(&mounts[i], &mount, rows[i]);
		assert_int_equal(strspn(mounts[i].hash, "0123456789abcdef"), 64);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(mounts[i].hash, mounts[k].hash);
	}
	AUTO(run_mount) again, space;
	struct cache_mount same, other;

	/* The same folder wherever it is mounted, when the id says so; and another in another name space. */
	init(&same, &again, "type=cache,target=/elsewhere,id=x,sharing=locked,ro");
	assert_string_equal(same.hash, mounts[2].hash);
	init(&other, &space, "type=cache,target=/a");
	cache_mount_init(&other, &space, "/a", "team", NULL);
	assert_string_not_equal(other.hash, mounts[0].hash);

	static const uint8_t one[SHA256_SIZE] = {1}, two[SHA256_SIZE] = {2};
	struct cache_mount first, second;

	cache_mount_init(&first, &space, "/a", NULL, one);
	cache_mount_init(&second, &space, "/a", NULL, two);
	assert_string_not_equal(first.hash, mounts[0].hash);
	assert_string_not_equal(first.hash, second.hash);
}

static int open_one(struct build_fixture *f, struct cache_mount *m, const struct cancel *cancel,
		    struct error *err)
{
	return cache_mounts_open(m, 1, f->store, cancel, NULL, 0, err);
}

static void locks(void **state)
{
	struct build_fixture *f = *state;
	const struct cancel now = {.signal = 2, .count = 1, .wake_fd = -1};
	AUTO(run_mount) shared, locked;
	struct cache_mount a, b, c;

	init(&a, &shared, "type=cache,target=/a");
	cache_mount_init(&b, &shared, "/a", NULL, NULL);
	init(&c, &locked, "type=cache,target=/a,sharing=locked");
	assert_ok(open_one(f, &a, NULL, err));
	assert_ok(open_one(f, &b, NULL, err));
	assert_string_equal(a.path, b.path);
	/* A locked one waits for both; cancelling ends the wait. */
	assert_error(open_one(f, &c, &now, err), ERROR_CANCELLED, "cancelled");
	cache_mount_release(&a);
	cache_mount_release(&b);
	cache_mount_release(&c);
	assert_ok(open_one(f, &c, &now, err));
	cache_mount_release(&c);
}

static void private_mounts_never_wait(void **state)
{
	struct build_fixture *f = *state;
	AUTO(run_mount) mount;
	struct cache_mount a, b;
	AUTO_FREE char *first = NULL;

	init(&a, &mount, "type=cache,target=/p,sharing=private");
	cache_mount_init(&b, &mount, "/p", NULL, NULL);
	assert_ok(open_one(f, &a, NULL, err));
	assert_ok(open_one(f, &b, NULL, err));
	assert_string_not_equal(a.path, b.path);
	first = xstrdup(a.path);
	cache_mount_release(&a);
	cache_mount_release(&b);
	/* Alone it gets the first folder again, with what is in it. */
	assert_ok(open_one(f, &b, NULL, err));
	assert_string_equal(b.path, first);
	cache_mount_release(&b);
}

static void one_folder_at_two_places_of_a_step(void **state)
{
	struct build_fixture *f = *state;
	AUTO(run_mount) a, b;
	struct cache_mount mounts[2];

	init(&mounts[0], &a, "type=cache,target=/a,id=i,sharing=locked");
	init(&mounts[1], &b, "type=cache,target=/b,id=i,sharing=locked");
	assert_ok(cache_mounts_open(mounts, 2, f->store, NULL, NULL, 0, err));
	assert_string_equal(mounts[0].path, mounts[1].path);
	cache_mount_release(&mounts[0]);
	cache_mount_release(&mounts[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folders_are_named_by_hash),
		cmocka_unit_test(locks),
		cmocka_unit_test(private_mounts_never_wait),
		cmocka_unit_test(one_folder_at_two_places_of_a_step),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
