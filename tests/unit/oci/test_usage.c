#include "image_fixture.h"

#include "oci/prune.h"

static struct prune_result prune(struct fixture *f, const struct prune_options *o)
{
	struct prune_result r;

	assert_ok(f, store_prune(f->store, o, &r, &f->err));
	return r;
}

/* A record as the build cache writes it. */
static void write_record(struct fixture *f, const char *path, const struct descriptor *layer)
{
	AUTO_FREE char *text = xstrfmt(
		"{\"version\":1,\"layer\":{\"mediaType\":\"x/y\",\"digest\":\"%s\","
		"\"size\":%lld},\"more\":[{\"deep\":\"%s\"}]}",
		layer->digest.text, (long long)layer->size, digest_of("deep", 4).text);

	fixture_write(f, path, text, strlen(text));
}

static void chain_folder(const struct digest *chain, char out[200])
{
	snprintf(out, 200, "layers/root/%s", digest_hex(chain));
}

static bool is_whole(struct fixture *f, const struct image *i)
{
	return store_has(f->store, &i->descriptor.digest, -1) &&
	       store_has(f->store, &i->manifest.config.digest, -1) &&
	       image_complete(i, f->store, NULL);
}

/* Counted before, and what is said to be reclaimable is what prune then frees. */
static void test_usage(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 2);
	AUTO_PTR(image) two = make_image(f, "x", 1);
	AUTO_PTR(image) loose = make_image(f, "loose", 1);
	struct disk_usage u;
	struct prune_result r;
	struct prune_options o = {.all = true, .build_cache = true};
	struct digest chain = {0}, other = digest_of("other", 5);
	char folder[200], file[220];
	AUTO(descriptor) cached = {0};

	tag(f, "one", &one->descriptor);
	tag(f, "two", &two->descriptor);
	tag(f, "two:again", &two->descriptor);
	digest_chain(&chain, &one->config.diff_ids[0]);
	chain_folder(&chain, folder);
	snprintf(file, sizeof(file), "%s/fs/x", folder);
	fixture_write(f, file, "x", 1);
	chain_folder(&other, folder);
	snprintf(file, sizeof(file), "%s/fs/x", folder);
	fixture_write(f, file, "x", 1);
	assert_ok(f, store_put(f->store, "x/y", "cached", 6, &cached, &f->err));
	write_record(f, "cache/steps/0.json", &cached);
	fixture_write(f, "ingest/half.part", "half", 4);
	fixture_write(f, "ingest/run-x/upper/y", "y", 1);
	assert_ok(f, store_usage(f->store, &u, &f->err));
	assert_int_equal(u.images, 2);
	/* Two manifests, two configs, the two layers "x-0" and "x-1". */
	assert_int_equal(u.image_bytes, one->descriptor.size + one->manifest.config.size +
						two->descriptor.size + two->manifest.config.size +
						6);
	assert_int_equal(u.blobs, 10);
	assert_int_equal(u.layers, 2);
	assert_int_equal(u.cache_entries, 1);
	assert_int_equal(u.unfinished, 2);
	assert_true(u.ingest_bytes >= 4 + 4096);
	assert_true(u.layer_bytes >= 2 * 4096 && u.cache_bytes >= 4096);
	assert_true((int64_t)u.reclaimable_bytes >
		    loose->descriptor.size + loose->manifest.config.size + 7);
	r = prune(f, &o);
	assert_int_equal(r.bytes, u.reclaimable_bytes);
	assert_true(is_whole(f, one) && is_whole(f, two));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
