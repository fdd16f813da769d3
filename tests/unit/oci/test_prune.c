#include "image_fixture.h"
#include "lease_fixture.h"

#include <sys/file.h>
#include <sys/wait.h>

#include "oci/lease.h"
#include "oci/prune.h"

#define DAY (24 * 3600)

static struct prune_result prune(struct fixture *f, const struct prune_options *o)
{
	struct prune_result r;

	assert_ok(f, store_prune(f->store, o, &r, &f->err));
	return r;
}

static void age_blob(struct fixture *f, const struct digest *d, int64_t seconds)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	fixture_age(f, path, seconds);
}

static void age_image(struct fixture *f, const struct image *i, int64_t seconds)
{
	age_blob(f, &i->descriptor.digest, seconds);
	age_blob(f, &i->manifest.config.digest, seconds);
	for (size_t k = 0; k < i->manifest.n_layers; k++)
		age_blob(f, &i->manifest.layers[k].digest, seconds);
}

static bool is_whole(struct fixture *f, const struct image *i)
{
	return store_has(f->store, &i->descriptor.digest, -1) &&
	       store_has(f->store, &i->manifest.config.digest, -1) &&
	       image_complete(i, f->store, NULL);
}

static bool has_any(struct fixture *f, const struct image *i)
{
	bool any = store_has(f->store, &i->descriptor.digest, -1) ||
		   store_has(f->store, &i->manifest.config.digest, -1);

	for (size_t k = 0; k < i->manifest.n_layers; k++)
		any |= store_has(f->store, &i->manifest.layers[k].digest, -1);
	return any;
}

static void test_names_keep(void **state)
{
	static const char *const platforms[] = {"linux/amd64"};
	struct fixture *f = *state;
	struct prune_options o = {.grace = 3600};
	AUTO_PTR(image) named = make_image(f, "named", 2);
	AUTO_PTR(image) unnamed = make_image(f, "unnamed", 1);
	AUTO_PTR(image) member = make_image(f, "member", 1);
	AUTO_PTR(image) loose = make_image(f, "loose", 2);
	AUTO_PTR(image) young = make_image(f, "young", 1);
	struct image *members[] = {member};
	AUTO(descriptor) index = {0};

	make_index(f, members, platforms, 1, &index);
	tag(f, "multi", &index);
	tag(f, "app", &named->descriptor);
	assert_ok(f, layout_add(f->store, &unnamed->descriptor, &f->err));
	age_image(f, named, 2 * 3600);
	age_image(f, unnamed, 2 * 3600);
	age_image(f, member, 2 * 3600);
	age_image(f, loose, 2 * 3600);
	age_blob(f, &index.digest, 2 * 3600);
	struct prune_result r = prune(f, &o);

	/* Manifest, config and two layers of 7 bytes ("loose-0"). */
	assert_int_equal(r.blobs, 4);
	assert_int_equal(r.bytes, loose->descriptor.size + loose->manifest.config.size + 14);
	assert_int_equal(r.images, 0);
	assert_true(is_whole(f, named) && is_whole(f, unnamed) && is_whole(f, member));
	assert_true(is_whole(f, young));
	assert_false(has_any(f, loose));
	assert_true(store_has(f->store, &index.digest, -1));

	o.grace = 0;
	r = prune(f, &o);
	assert_int_equal(r.blobs, 3);
	assert_false(has_any(f, young));

	o.all = true;
	r = prune(f, &o);
	assert_int_equal(r.images, 1);
	assert_false(has_any(f, unnamed));
	assert_true(is_whole(f, named) && is_whole(f, member));
}

/* Layers that two images share stay as long as one of them needs them. */
static void test_shared_layers(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.all = true, .build_cache = true};
	AUTO_PTR(image) one = make_image(f, "x", 1);
	AUTO_PTR(image) two = make_image(f, "x", 2);

	tag(f, "two", &two->descriptor);
	prune(f, &o);
	assert_true(is_whole(f, two));
	assert_false(store_has(f->store, &one->descriptor.digest, -1));
	assert_true(store_has(f->store, &one->manifest.layers[0].digest, -1));
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

static void test_cache(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {0};
	AUTO(descriptor) layer = {0};
	AUTO(descriptor) deep = {0};
	AUTO(descriptor) loose = {0};

	assert_ok(f, store_put(f->store, "x/y", "layer", 5, &layer, &f->err));
	assert_ok(f, store_put(f->store, "x/y", "deep", 4, &deep, &f->err));
	assert_ok(f, store_put(f->store, "x/y", "loose", 5, &loose, &f->err));
	write_record(f, "cache/steps/0123.json", &layer);
	fixture_write(f, "cache/steps/broken.json", "{\"layer\":", 9);
	fixture_write(f, "cache/mounts/ab/x.json", loose.digest.text, strlen(loose.digest.text));
	fixture_write(f, "cache/stat/x", "x", 1);
	fixture_write(f, "meta/file/abcd", "x", 1);
	struct prune_result r = prune(f, &o);

	assert_int_equal(r.blobs, 1);
	assert_true(store_has(f->store, &layer.digest, -1));
	assert_true(store_has(f->store, &deep.digest, -1));
	assert_true(fixture_exists(f, "cache/steps/0123.json"));
	assert_true(fixture_exists(f, "meta/file/abcd"));

	o.build_cache = true;
	r = prune(f, &o);
	assert_int_equal(r.blobs, 2);
	assert_int_equal(r.records, 2);
	assert_int_equal(r.failed, 0);
	assert_true(r.bytes >= 9);
	assert_false(fixture_exists(f, "cache/steps"));
	assert_false(fixture_exists(f, "cache/mounts"));
	assert_true(fixture_exists(f, "cache"));
	assert_false(fixture_exists(f, "meta/file/abcd"));
}

/* A mount cache in use keeps the whole build cache. */
static void test_mount_cache_in_use(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.build_cache = true};
	AUTO(descriptor) layer = {0};
	AUTO_FREE char *path = xstrfmt("%s/cache/mounts/ab.lock", f->root);

	assert_ok(f, store_put(f->store, "x/y", "layer", 5, &layer, &f->err));
	write_record(f, "cache/steps/0123.json", &layer);
	fixture_write(f, "cache/mounts/ab.lock", "", 0);
	AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_SH), 0);
	struct prune_result r = prune(f, &o);

	assert_int_equal(r.records, 0);
	assert_true(store_has(f->store, &layer.digest, -1));
	assert_true(fixture_exists(f, "cache/steps/0123.json"));
}

static void chain_folder(const struct digest *chain, char out[200])
{
	snprintf(out, 200, "layers/root/%s", digest_hex(chain));
}

static int removals;

static int refuse_removal(void *arg, const char *path, struct error *err)
{
	(void)arg;
	removals++;
	return error_set(err, ERROR_DENIED, "not allowed: %s", path);
}

static void test_extracted_layers(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {0};
	AUTO_PTR(image) image = make_image(f, "x", 2);
	struct digest chain1 = {0}, chain2 = {0}, other = digest_of("other", 5);
	char kept1[200], kept2[200], gone[200], file[220];

	tag(f, "app", &image->descriptor);
	digest_chain(&chain1, &image->config.diff_ids[0]);
	chain2 = chain1;
	digest_chain(&chain2, &image->config.diff_ids[1]);
	chain_folder(&chain1, kept1);
	chain_folder(&chain2, kept2);
	chain_folder(&other, gone);
	const char *folders[] = {kept1, kept2, gone};

	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s/fs/etc/x", folders[i]);
		fixture_write(f, file, "12345", 5);
	}
	prune(f, &o);
	assert_true(fixture_exists(f, gone));

	/* In use: somebody holds the mode's lock. */
	fixture_write(f, "layers/root/.lock", "", 0);
	AUTO_FREE char *lock = xstrfmt("%s/layers/root/.lock", f->root);
	AUTO_FD int fd = open(lock, O_RDWR | O_CLOEXEC);

	o.build_cache = true;
	assert_int_equal(flock(fd, LOCK_SH), 0);
	prune(f, &o);
	assert_true(fixture_exists(f, gone));
	close(take_fd(fd));

	/* What cannot be removed is reported, and goes the next time. */
	o.remove_tree = refuse_removal;
	struct prune_result r = prune(f, &o);

	assert_int_equal(removals, (int)r.failed);
	assert_true(r.failed >= 1);
	assert_int_equal(r.layers, 1);
	assert_false(fixture_exists(f, gone));
	o.remove_tree = NULL;
	r = prune(f, &o);
	assert_int_equal(r.failed, 0);
	assert_true(r.bytes >= 5);
	assert_true(fixture_exists(f, kept1) && fixture_exists(f, kept2));
	AUTO_FREE char *left = xstrfmt("ls -A '%s/layers/root' | wc -l", f->root);
	FILE *p = popen(left, "r");
	int n = 0;

	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	assert_int_equal(n, 3); /* the lock and two chains */
}

static void test_leftovers(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {0};
	AUTO_PTR(ingest) owned = NULL;
	struct digest d = digest_of("abc", 3);

	assert_ok(f, ingest_begin(&owned, f->store, &d, &f->err));
	AUTO_FREE char *part = xstrfmt("ingest/%s.part", digest_hex(&d));

	fixture_write(f, "ingest/tmp-1-1", "old", 3);
	fixture_write(f, "ingest/corrupt-x", "old", 3);
	fixture_write(f, "ingest/young.part", "new", 3);
	fixture_write(f, "ingest/folder-old/x", "old", 3);
	fixture_write(f, "ingest/folder-new/x", "new", 3);
	fixture_write(f, "ingest/gone-7-7/x", "doomed", 6);
	fixture_age(f, "ingest/tmp-1-1", DAY + 60);
	fixture_age(f, "ingest/corrupt-x", DAY + 60);
	fixture_age(f, "ingest/folder-old", DAY + 60);
	fixture_age(f, part, DAY + 60);
	prune(f, &o);
	assert_false(fixture_exists(f, "ingest/tmp-1-1"));
	assert_false(fixture_exists(f, "ingest/corrupt-x"));
	assert_false(fixture_exists(f, "ingest/folder-old"));
	assert_false(fixture_exists(f, "ingest/gone-7-7"));
	assert_true(fixture_exists(f, "ingest/young.part"));
	/* Nobody is at work who could own it. */
	assert_false(fixture_exists(f, "ingest/folder-new"));
	/* Its owner holds the lock. */
	assert_true(fixture_exists(f, part));
	o.build_cache = true;
	o.grace = 60;
	prune(f, &o);
	assert_true(fixture_exists(f, "ingest/young.part"));
	o.grace = 0;
	prune(f, &o);
	assert_false(fixture_exists(f, "ingest/young.part"));
	assert_true(fixture_exists(f, part));
}

static void test_facts(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {0};
	AUTO_PTR(image) image = make_image(f, "x", 1);
	const char *hex = digest_hex(&image->manifest.layers[0].digest);
	const char *diff = digest_hex(&image->config.diff_ids[0]);
	struct digest other = digest_of("other", 5);

	tag(f, "app", &image->descriptor);
	assert_ok(f, store_meta_put(f->store, "diff", hex, "x", 1, &f->err));
	assert_ok(f, store_meta_put(f->store, "index", diff, "x", 1, &f->err));
	assert_ok(f, store_meta_put(f->store, "diff", digest_hex(&other), "x", 1, &f->err));
	assert_ok(f, store_meta_put(f->store, "index", digest_hex(&other), "x", 1, &f->err));
	assert_ok(f, store_meta_put(f->store, "from", digest_hex(&other), "x", 1, &f->err));
	prune(f, &o);
	AUTO(strbuf) text = STRBUF_INIT;

	assert_ok(f, store_meta_get(f->store, "diff", hex, &text, &f->err));
	assert_ok(f, store_meta_get(f->store, "index", diff, &text, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "",
		     store_meta_get(f->store, "diff", digest_hex(&other), &text, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "",
		     store_meta_get(f->store, "index", digest_hex(&other), &text, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "",
		     store_meta_get(f->store, "from", digest_hex(&other), &text, &f->err));
}

static void test_general_lease(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.all = true, .build_cache = true};
	AUTO_PTR(image) loose = make_image(f, "loose", 1);
	AUTO(descriptor) cached = {0};

	assert_ok(f, store_put(f->store, "x/y", "cached", 6, &cached, &f->err));
	write_record(f, "cache/steps/0.json", &cached);
	age_image(f, loose, DAY);
	age_blob(f, &cached.digest, DAY);
	fixture_write(f, "ingest/folder/x", "at work", 7);
	pid_t pid = start_holder(f, NULL);
	struct prune_result r = prune(f, &o);

	assert_int_equal(r.in_use, 1);
	assert_int_equal(r.blobs, 0);
	assert_true(fixture_exists(f, "ingest/folder/x"));
	assert_true(is_whole(f, loose) && store_has(f->store, &cached.digest, -1));
	assert_true(fixture_exists(f, "cache/steps/0.json"));
	end_holder(pid);
	/* The lease of a killed process holds nothing. */
	r = prune(f, &o);
	assert_int_equal(r.in_use, 0);
	assert_int_equal(r.blobs, 4);
	assert_false(fixture_exists(f, "ingest/folder"));
	assert_false(has_any(f, loose));
}

static void test_precise_lease(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.all = true, .build_cache = true};
	AUTO_PTR(image) kept = make_image(f, "kept", 2);
	AUTO_PTR(image) loose = make_image(f, "loose", 1);
	AUTO_PTR(image) young = NULL;
	struct digest chain = {0};
	char folder[200], file[220];

	age_image(f, kept, DAY);
	age_image(f, loose, DAY);
	digest_chain(&chain, &kept->config.diff_ids[0]);
	chain_folder(&chain, folder);
	snprintf(file, sizeof(file), "%s/fs/x", folder);
	fixture_write(f, file, "x", 1);
	fixture_age(f, folder, DAY);
	assert_ok(f, layout_add(f->store, &kept->descriptor, &f->err));
	pid_t pid = start_holder(f, &kept->descriptor.digest);

	young = make_image(f, "young", 1);
	assert_ok(f, layout_add(f->store, &young->descriptor, &f->err));
	struct prune_result r = prune(f, &o);

	assert_int_equal(r.in_use, 1);
	assert_true(is_whole(f, kept) && is_whole(f, young));
	assert_true(fixture_exists(f, folder));
	assert_false(has_any(f, loose));
	end_holder(pid);
	r = prune(f, &o);
	assert_int_equal(r.images, 2);
	assert_false(has_any(f, kept) || has_any(f, young) || fixture_exists(f, folder));
}

/* What a listed image needs cannot be told when it cannot be read: nothing is swept. */
static void test_unreadable_names(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.all = true, .build_cache = true};
	struct prune_result r;
	AUTO_PTR(image) image = make_image(f, "x", 1);
	AUTO_PTR(image) loose = make_image(f, "loose", 1);

	tag(f, "app", &image->descriptor);
	assert_ok(f, store_delete_blob(f->store, &image->descriptor.digest, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "slipway fsck --repair",
		     store_prune(f->store, &o, &r, &f->err));
	fixture_write(f, "index.json", "{", 1);
	assert_fails(f, ERROR_CORRUPT, "index.json", store_prune(f->store, &o, &r, &f->err));
	assert_true(is_whole(f, loose));
	assert_true(store_has(f->store, &image->manifest.layers[0].digest, -1));
}

#define IMAGES 40

/* Makes images one after the other, each under a lease and from a layer that was made before it. */
static int build_many(const struct fixture *f)
{
	AUTO_PTR(store) s = NULL;

	if (store_open(&s, f->root, NULL) < 0)
		return 1;
	for (int i = 0; i < IMAGES; i++) {
		AUTO_PTR(lease) l = NULL;
		AUTO_PTR(image) image = image_new();
		AUTO(image_ref) ref = {0};
		AUTO_FREE char *name = xstrfmt("app:%d", i);

		if (lease_take(&l, s, NULL) < 0 || image_ref_parse(&ref, name, NULL) < 0)
			return 2;
		for (int k = 0; k < 3; k++) {
			AUTO_FREE char *bytes = xstrfmt("%d-%d", i, k);
			AUTO(descriptor) layer = {0};

			if (store_put(s, MEDIA_OCI_LAYER, bytes, strlen(bytes), &layer, NULL) < 0)
				return 3;
			manifest_add_layer(&image->manifest, &layer);
			image_config_add_layer(&image->config, &layer.digest);
		}
		if (image_save(image, s, NULL) < 0 ||
		    layout_tag(s, &ref, &image->descriptor, NULL) < 0)
			return 4;
	}
	return 0;
}

/* Fault 12: prune without any grace beside a process at work never takes what that is about to name. */
static void test_beside_a_build(void **state)
{
	struct fixture *f = *state;
	struct prune_options o = {.all = true, .build_cache = true};
	int status, rounds = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(build_many(f));
	while (waitpid(pid, &status, WNOHANG) == 0) {
		prune(f, &o);
		rounds++;
	}
	assert_int_equal(status, 0);
	assert_true(rounds > 0);
	for (int i = 0; i < IMAGES; i++) {
		AUTO_FREE char *name = xstrfmt("app:%d", i);
		AUTO(descriptor) d = {0};
		AUTO_PTR(image) image = NULL;

		assert_ok(f, layout_find_text(f->store, name, &d, &f->err));
		assert_ok(f, image_load(&image, f->store, &d, NULL, &f->err));
		assert_true(image_complete(image, f->store, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_names_keep),
		store_test(test_shared_layers),
		store_test(test_cache),
		store_test(test_mount_cache_in_use),
		store_test(test_extracted_layers),
		store_test(test_leftovers),
		store_test(test_facts),
		store_test(test_general_lease),
		store_test(test_precise_lease),
		store_test(test_unreadable_names),
		store_test(test_beside_a_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
