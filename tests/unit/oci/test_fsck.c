#include "image_fixture.h"

#include <ftw.h>

#include "oci/layer_index.h"
#include "oci/layer_writer.h"
#include "oci/prune.h"

struct listener {
	struct reporter reporter;
	char text[8192];
};

static void listen(struct reporter *r, enum log_level level, const char *text)
{
	struct listener *l = (struct listener *)r;
	size_t used = strlen(l->text);

	snprintf(l->text + used, sizeof(l->text) - used, "%s%s\n",
		 level == LOG_WARNING ? "W " : "I ", text);
}

static struct strlist seen;

static int see(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)type;
	(void)at;
	strlist_addf(&seen, "%s %lu %lld %lld.%09ld", path, (unsigned long)st->st_ino,
		     (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	return 0;
}

/* Every file and folder with its times: what was written, moved or removed shows. free() */
static char *whole_store(const struct fixture *f)
{
	char *text;

	assert_int_equal(nftw(f->root, see, 16, FTW_PHYS), 0);
	strlist_sort(&seen);
	text = strlist_join(&seen, "\n");
	strlist_clear(&seen);
	return text;
}

static struct fsck_result fsck(struct fixture *f, bool repair, struct listener *l)
{
	AUTO_FREE char *before = whole_store(f);
	struct fsck_result r;

	memset(l, 0, sizeof(*l));
	l->reporter.log = listen;
	assert_ok(f, store_fsck(f->store, repair, &l->reporter, &r, &f->err));
	AUTO_FREE char *after = whole_store(f);

	if (!repair)
		assert_string_equal(after, before);
	return r;
}

/* One problem with this text; repaired, and then none is left. */
static void one_problem(struct fixture *f, const char *part, uint64_t repairs)
{
	struct listener l;
	struct fsck_result r = fsck(f, false, &l);

	if (r.problems != 1 || !strstr(l.text, part))
		fail_msg("%d problems, wanted \"%s\":\n%s", (int)r.problems, part, l.text);
	assert_int_equal(r.repaired, 0);
	r = fsck(f, false, &l);
	assert_int_equal(r.problems, 1);
	r = fsck(f, true, &l);
	if (r.repaired != repairs)
		fail_msg("%d repairs:\n%s", (int)r.repaired, l.text);
	r = fsck(f, true, &l);
	if (r.problems != 0)
		fail_msg("problems after the repair:\n%s", l.text);
}

/* An image with one real layer, made by the layer writer, so that facts about it exist. */
static struct image *real_image(struct fixture *f)
{
	struct layer_options o = {.compression = COMPRESSION_GZIP, .mtime_limit = -1};
	struct entry e = {.type = ENTRY_DIR, .path = "etc", .mode = 0755};
	AUTO_PTR(layer_writer) w = NULL;
	AUTO_PTR(image) image = image_new();
	AUTO(layer) layer = {0};

	assert_ok(f, layer_writer_open(&w, f->store, &o, &f->err));
	assert_ok(f, layer_writer_add(w, &e, NULL, &f->err));
	assert_ok(f, layer_writer_finish(w, &layer, &f->err));
	platform_host(&image->config.platform);
	manifest_add_layer(&image->manifest, &layer.descriptor);
	image_config_add_layer(&image->config, &layer.diff_id);
	assert_ok(f, image_save(image, f->store, &f->err));
	return take_ptr(image);
}

static void flip(struct fixture *f, const char *path)
{
	AUTO_FREE char *full = path_join(f->root, path);
	AUTO_FD int fd = open(full, O_RDWR | O_CLOEXEC);
	char c;

	assert_int_equal(pread(fd, &c, 1, 20), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 20), 1);
}

static void test_clean(void **state)
{
	static const char *const platforms[] = {"linux/amd64", "linux/arm64"};
	struct fixture *f = *state;
	struct listener l;
	AUTO_PTR(image) image = real_image(f);
	AUTO_PTR(image) other = make_image(f, "x", 0);
	struct image *members[] = {image, other};
	AUTO(descriptor) index = {0};

	make_index(f, members, platforms, 2, &index);
	tag(f, "app", &image->descriptor);
	tag(f, "multi", &index);
	struct fsck_result r = fsck(f, false, &l);

	assert_string_equal(l.text, "");
	assert_int_equal(r.checked, 6);
	assert_int_equal(r.problems, 0);
	/* A member that was never fetched is no problem, nor is a layer that a registry has. */
	assert_ok(f, store_delete_blob(f->store, &other->descriptor.digest, &f->err));
	assert_ok(f, store_delete_blob(f->store, &image->manifest.layers[0].digest, &f->err));
	assert_ok(f, store_meta_put(f->store, "from", digest_hex(&image->manifest.layers[0].digest),
				    "h/r\n", 4, &f->err));
	r = fsck(f, true, &l);
	assert_string_equal(l.text, "");
}

static void test_flipped_layer(void **state)
{
	struct fixture *f = *state;
	struct listener l;
	AUTO_PTR(image) image = real_image(f);
	char path[STORE_BLOB_PATH];

	tag(f, "app", &image->descriptor);
	store_blob_path(&image->manifest.layers[0].digest, path);
	flip(f, path);
	struct fsck_result r = fsck(f, false, &l);

	assert_int_equal(r.problems, 1);
	assert_non_null(strstr(l.text, image->manifest.layers[0].digest.text));
	assert_true(fixture_exists(f, path));
	r = fsck(f, true, &l);
	/* The damaged blob is set aside; the image keeps its name and is told to lack a layer. */
	assert_int_equal(r.problems, 2);
	assert_int_equal(r.repaired, 1);
	assert_false(fixture_exists(f, path));
	assert_non_null(strstr(l.text, "image app:latest: layer"));
	assert_string_equal(lookup(f, "app").text, image->descriptor.digest.text);
}

static void test_lost_config(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = real_image(f);
	AUTO_PTR(image) good = make_image(f, "good", 1);

	tag(f, "app", &image->descriptor);
	tag(f, "good", &good->descriptor);
	assert_ok(f, store_delete_blob(f->store, &image->manifest.config.digest, &f->err));
	one_problem(f, "W image app:latest: config of image", 1);
	assert_string_equal(lookup(f, "app").text, "");
	assert_string_equal(lookup(f, "good").text, good->descriptor.digest.text);
	/* A good blob is never removed. */
	assert_true(store_has(f->store, &image->descriptor.digest, -1));
	assert_true(store_has(f->store, &image->manifest.layers[0].digest, -1));
}

static void test_flipped_manifest(void **state)
{
	struct fixture *f = *state;
	struct listener l;
	AUTO_PTR(image) image = real_image(f);
	char path[STORE_BLOB_PATH];

	tag(f, "app", &image->descriptor);
	store_blob_path(&image->descriptor.digest, path);
	flip(f, path);
	struct fsck_result r = fsck(f, false, &l);

	assert_int_equal(r.problems, 2);
	assert_true(fixture_exists(f, path));
	r = fsck(f, true, &l);
	assert_int_equal(r.repaired, 2);
	assert_string_equal(lookup(f, "app").text, "");
	r = fsck(f, true, &l);
	assert_int_equal(r.problems, 0);
}

static void test_lost_index(void **state)
{
	static const char *const damage[] = {"", "{\"schemaVersion\":2", NULL};
	static const char *const platforms[] = {"linux/amd64"};
	struct fixture *f = *state;
	AUTO_PTR(image) image = real_image(f);
	AUTO_PTR(image) member = make_image(f, "member", 1);
	struct image *members[] = {member};
	AUTO(descriptor) multi = {0};

	make_index(f, members, platforms, 1, &multi);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		AUTO(image_index) index = {0};

		if (damage[i])
			fixture_write(f, "index.json", damage[i], strlen(damage[i]));
		else
			unlinkat(store_dirfd(f->store), "index.json", 0);
		one_problem(f, "index.json", 1);
		assert_ok(f, layout_read(f->store, &index, &f->err));
		/* The image and the index; what the index names is no entry of its own. */
		assert_int_equal(index.n_manifests, 2);
		tag(f, "app", &image->descriptor);
	}
}

static void test_strange_files(void **state)
{
	struct fixture *f = *state;

	fixture_write(f, "blobs/sha256/README", "x", 1);
	one_problem(f, "blobs/sha256/README is not a blob", 1);
	assert_true(fixture_exists(f, "ingest/corrupt-README"));
}

static void test_wrong_diff_id(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = real_image(f);
	struct digest wrong = digest_of("wrong", 5);

	tag(f, "app", &image->descriptor);
	assert_ok(f,
		  layer_meta_put(f->store, &image->manifest.layers[0].digest, &wrong, 5, &f->err));
	one_problem(f, "says diff ID sha256:", 1);
}

static void test_damaged_path_index(void **state)
{
	struct fixture *f = *state;
	struct listener l;
	AUTO_PTR(image) image = real_image(f);
	AUTO_FREE char *path = xstrfmt("meta/index/%s", digest_hex(&image->config.diff_ids[0]));
	AUTO_PTR(index_reader) reader = NULL;

	tag(f, "app", &image->descriptor);
	flip(f, path);
	for (int i = 0; i < 2; i++) {
		struct fsck_result r = fsck(f, false, &l);

		assert_int_equal(r.problems, 1);
		assert_non_null(strstr(l.text, "W "));
		assert_true(fixture_exists(f, path));
	}
	struct fsck_result r = fsck(f, true, &l);

	assert_int_equal(r.problems, 1);
	assert_int_equal(r.repaired, 1);
	assert_ok(f, index_reader_open(&reader, f->store, &image->config.diff_ids[0], &f->err));
}

static void test_records(void **state)
{
	struct fixture *f = *state;

	fixture_write(f, "cache/steps/good.json", "{}", 2);
	fixture_write(f, "cache/steps/bad.json", "{\"a\":", 5);
	one_problem(f, "cache record bad.json", 1);
	assert_true(fixture_exists(f, "cache/steps/good.json"));
	assert_false(fixture_exists(f, "cache/steps/bad.json"));
}

static void test_half_made_folders(void **state)
{
	struct fixture *f = *state;

	fixture_write(f, "layers/root/aaaa/fs/etc/x", "x", 1);
	fixture_write(f, "layers/root/aaaa/.ok", "boot", 4);
	fixture_write(f, "layers/root/bbbb/fs/etc/x", "x", 1);
	one_problem(f, "layers/root/bbbb is half-made", 1);
	assert_true(fixture_exists(f, "layers/root/aaaa/fs/etc/x"));
	assert_false(fixture_exists(f, "layers/root/bbbb"));
}

/* Silence is allowed. */
static void test_no_reporter(void **state)
{
	struct fixture *f = *state;
	struct fsck_result r;

	fixture_write(f, "blobs/sha256/README", "x", 1);
	assert_ok(f, store_fsck(f->store, true, NULL, &r, &f->err));
	assert_int_equal(r.problems, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_clean),         store_test(test_flipped_layer),
		store_test(test_lost_config),   store_test(test_flipped_manifest),
		store_test(test_lost_index),    store_test(test_strange_files),
		store_test(test_wrong_diff_id), store_test(test_damaged_path_index),
		store_test(test_records),       store_test(test_half_made_folders),
		store_test(test_no_reporter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
