#include "builder/cache.h"

#include <unistd.h>

#include "base/fs.h"
#include "build_fixture.h"
#include "oci/mark.h"

static void put_layer(struct build_fixture *f, struct cache_record *r, const char *bytes)
{
	assert_ok(store_put(f->store, MEDIA_OCI_LAYER_GZIP, bytes, strlen(bytes),
			    &r->layer.descriptor, err));
	r->layer.diff_id = digest_of("tar", 3);
	r->layer.uncompressed = 1024;
	r->created = 1700000000;
}

static void a_record_comes_back(void **state)
{
	struct build_fixture *f = *state;
	AUTO(cache_record) in = {.created = 0};
	AUTO(cache_record) out = {.created = 0};

	put_layer(f, &in, "layer");
	assert_false(cache_get(f->store, "00aa", &out));
	cache_put(f->store, "00aa", "run", &in);
	assert_true(cache_get(f->store, "00aa", &out));
	assert_string_equal(out.layer.descriptor.digest.text, in.layer.descriptor.digest.text);
	assert_string_equal(out.layer.descriptor.media_type, MEDIA_OCI_LAYER_GZIP);
	assert_int_equal(out.layer.descriptor.size, 5);
	assert_string_equal(out.layer.diff_id.text, in.layer.diff_id.text);
	assert_int_equal(out.layer.uncompressed, 1024);
	assert_int_equal(out.created, 1700000000);
}

static void a_record_without_its_layer_is_a_miss(void **state)
{
	struct build_fixture *f = *state;
	AUTO(cache_record) in = {.created = 0};
	AUTO(cache_record) out = {.created = 0};

	put_layer(f, &in, "gone");
	cache_put(f->store, "00bb", "copy", &in);
	assert_ok(store_delete_blob(f->store, &in.layer.descriptor.digest, err));
	assert_false(cache_get(f->store, "00bb", &out));
}

/* A killed build left its file in the making, and this one has the same process id. */
static void names_of_the_dead_are_not_taken(void **state)
{
	struct build_fixture *f = *state;
	AUTO(cache_record) r = {.created = 0};
	AUTO(cache_record) out = {.created = 0};

	put_layer(f, &r, "bytes");
	cache_put(f->store, "00aa", "run", &r);
	for (int i = 0; i < 100; i++) {
		AUTO_FREE char *left = store_path(f->store, "cache/steps/.%ld-%d.tmp",
						  (long)getpid(), i);

		assert_int_equal(fs_write_file_atomic(left, "x", 1, 0600, NULL), 0);
	}
	r.created = 2;
	cache_put(f->store, "00aa", "run", &r);
	assert_true(cache_get(f->store, "00aa", &out));
	assert_int_equal(out.created, 2);
}

static void damaged_records_are_misses(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"null",
		"{\"version\":1}",
		"{\"version\":2,\"layer\":{},\"diff_id\":\"\",\"uncompressed\":1,\"created\":1}",
		"{\"version\":1,\"kind\":\"run\",\"layer\":{\"mediaType\":\"x\"},\"diff_id\":\"x\"}",
		"{\"version\":1,\"layer\":{\"mediaType\":\"x\",\"digest\":\"sha256:../x\",\"size\":1}}",
		"\x01\x02",
	};
	struct build_fixture *f = *state;
	AUTO(cache_record) out = {.created = 0};

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		cache_write_file(f->store, "steps", "00cc.json", damaged[i], strlen(damaged[i]));
		assert_false(cache_get(f->store, "00cc", &out));
	}
}

/* Cut anywhere, it is a miss: rename without fsync may leave that behind. */
static void cut_records_are_misses(void **state)
{
	struct build_fixture *f = *state;
	AUTO(cache_record) in = {.created = 0};
	AUTO(cache_record) out = {.created = 0};
	AUTO(strbuf) text = STRBUF_INIT;

	put_layer(f, &in, "cut");
	cache_put(f->store, "00dd", "run", &in);
	assert_true(cache_read_file(f->store, "steps", "00dd.json", &text));
	for (size_t len = 0; len < text.len; len++) {
		cache_write_file(f->store, "steps", "00dd.json", text.buf, len);
		assert_false(cache_get(f->store, "00dd", &out));
	}
}

static void times(void **state)
{
	struct build_fixture *f = *state;
	int64_t created = 0;

	assert_false(cache_get_created(f->store, "00ee", &created));
	cache_put_created(f->store, "00ee", 1234567890);
	assert_true(cache_get_created(f->store, "00ee", &created));
	assert_int_equal(created, 1234567890);
	cache_write_file(f->store, "created", "00ee", "12", 2);
	assert_false(cache_get_created(f->store, "00ee", &created));
}

/* Prune finds what a record names by reading every digest in it. */
static void bases_are_kept(void **state)
{
	struct build_fixture *f = *state;
	AUTO(descriptor) d = {.size = 0};
	AUTO(mark) marked = {.hex = STRMAP_INIT};

	assert_ok(store_put(f->store, MEDIA_OCI_CONFIG, "{}", 2, &d, err));
	cache_put_base(f->store, &d.digest);
	cache_put_base(f->store, &d.digest);
	assert_ok(mark_cache(&marked, f->store, err));
	assert_true(mark_has(&marked, &d.digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back),
		cmocka_unit_test(a_record_without_its_layer_is_a_miss),
		cmocka_unit_test(names_of_the_dead_are_not_taken),
		cmocka_unit_test(damaged_records_are_misses),
		cmocka_unit_test(cut_records_are_misses),
		cmocka_unit_test(times),
		cmocka_unit_test(bases_are_kept),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
