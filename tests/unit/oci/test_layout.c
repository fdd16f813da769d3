#include "image_fixture.h"

#include "kill_at.h"

#define HEX_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static size_t count_entries(struct fixture *f)
{
	AUTO(image_index) index = {0};

	assert_ok(f, layout_read(f->store, &index, &f->err));
	return index.n_manifests;
}

static void test_tag_bytes(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};

	assert_ok(f, store_put(f->store, MEDIA_OCI_MANIFEST, "abc", 3, &d, &f->err));
	strmap_set(&d.annotations, "a.note", "kept");
	tag(f, "app:demo", &d);
	AUTO_FREE char *text = fixture_read(f, "index.json");

	assert_string_equal(
		text,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"digest\":\"sha256:" HEX_ABC "\",\"size\":3,\"annotations\":{\"a.note\":\"kept\","
		"\"io.containerd.image.name\":\"docker.io/library/app:demo\","
		"\"org.opencontainers.image.ref.name\":\"app:demo\"}}]}");
}

static void test_names(void **state)
{
	static const struct {
		const char *as, *asked;
	} rows[] = {
		{"debian:12", "docker.io/library/debian:12"},
		{"docker.io/library/debian:13", "debian:13"},
		{"debian", "debian:latest"},
		{"127.0.0.1:5000/app:demo", "127.0.0.1:5000/app:demo"},
		{"index.docker.io/u/a:1", "u/a:1"},
		{"debian:11@sha256:" HEX_ABC, "debian:11"},
		{"by@sha256:" HEX_ABC, "by@sha256:" HEX_ABC},
	};
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};

	assert_ok(f, store_put(f->store, MEDIA_OCI_MANIFEST, "abc", 3, &d, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tag(f, rows[i].as, &d);
		assert_string_equal(lookup(f, rows[i].asked).text, d.digest.text);
	}
	assert_int_equal(count_entries(f), ARRAY_SIZE(rows));
	assert_string_equal(lookup(f, "debian:14").text, "");
	assert_string_equal(lookup(f, "u/debian:12").text, "");
}

static void test_not_found(void **state)
{
	struct fixture *f = *state;
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) d = {0};

	assert_ok(f, image_ref_parse(&ref, "nobody/none:1", &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "image nobody/none:1 is not in the store",
		     layout_find(f->store, &ref, &d, &f->err));
}

/* What skopeo copy ... oci:ROOT:app:x writes: no full name, and a bare word too. */
static void test_foreign_names(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		"\",\"digest\":\"sha256:" HEX_ABC
		"\",\"size\":3,\"annotations\":{\"org.opencontainers.image.ref.name\":\"app:x\"}},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX_ABC
		"\",\"size\":3,\"annotations\":{\"org.opencontainers.image.ref.name\":\"word\"}}]}";
	struct fixture *f = *state;

	fixture_write(f, "index.json", text, strlen(text));
	assert_string_equal(lookup(f, "app:x").text, "sha256:" HEX_ABC);
	assert_string_equal(lookup(f, "docker.io/library/app:x").text, "sha256:" HEX_ABC);
	assert_string_equal(lookup(f, "word").text, "sha256:" HEX_ABC);
}

static void test_retag(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	AUTO(image_index) index = {0};
	struct stat before, after;
	AUTO_FREE char *path = xstrfmt("%s/index.json", f->root);

	tag(f, "app", &one->descriptor);
	assert_int_equal(stat(path, &before), 0);
	tag(f, "app:latest", &one->descriptor);
	assert_int_equal(stat(path, &after), 0);
	/* Nothing to change: nothing is written. */
	assert_int_equal(before.st_ino, after.st_ino);
	tag(f, "app", &two->descriptor);
	assert_string_equal(lookup(f, "app").text, two->descriptor.digest.text);
	assert_ok(f, layout_read(f->store, &index, &f->err));
	/* The former one has lost its name and stays. */
	assert_int_equal(index.n_manifests, 2);
	assert_string_equal(index.manifests[0].digest.text, one->descriptor.digest.text);
	assert_int_equal(index.manifests[0].annotations.n, 0);
	tag(f, "app:old", &one->descriptor);
	assert_int_equal(count_entries(f), 2);
	/* It has another name: the entry goes. */
	tag(f, "app:old2", &one->descriptor);
	tag(f, "app:old", &two->descriptor);
	assert_int_equal(count_entries(f), 3);
}

static void test_target_must_be_there(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	AUTO(image_ref) ref = {0};
	struct digest none = digest_of("none", 4);

	descriptor_set(&d, MEDIA_OCI_MANIFEST, &none, 4);
	assert_ok(f, image_ref_parse(&ref, "app", &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "tag app:latest", layout_tag(f->store, &ref, &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, none.text, layout_add(f->store, &d, &f->err));
	assert_int_equal(count_entries(f), 0);
}

static void test_add_untag_remove(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO(image_ref) a = {0};
	AUTO(image_ref) b = {0};
	struct digest target = {0};
	bool gone = true;

	assert_ok(f, image_ref_parse(&a, "a", &f->err));
	assert_ok(f, image_ref_parse(&b, "b", &f->err));
	assert_ok(f, layout_add(f->store, &one->descriptor, &f->err));
	assert_ok(f, layout_add(f->store, &one->descriptor, &f->err));
	assert_int_equal(count_entries(f), 1);
	/* A name takes the place of the unnamed entry. */
	tag(f, "a", &one->descriptor);
	tag(f, "b", &one->descriptor);
	assert_ok(f, layout_add(f->store, &one->descriptor, &f->err));
	assert_int_equal(count_entries(f), 2);
	assert_ok(f, layout_untag(f->store, &a, &target, &gone, &f->err));
	assert_false(gone);
	assert_string_equal(target.text, one->descriptor.digest.text);
	assert_int_equal(count_entries(f), 1);
	assert_fails(f, ERROR_NOT_FOUND, "no image is named a:latest",
		     layout_untag(f->store, &a, &target, &gone, &f->err));
	assert_ok(f, layout_untag(f->store, &b, &target, &gone, &f->err));
	assert_true(gone);
	assert_int_equal(count_entries(f), 0);
	tag(f, "a", &one->descriptor);
	tag(f, "b", &one->descriptor);
	assert_ok(f, layout_remove(f->store, &target, &f->err));
	assert_ok(f, layout_remove(f->store, &target, &f->err));
	assert_int_equal(count_entries(f), 0);
}

static void find_text(struct fixture *f, const char *text, const char *digest)
{
	AUTO(descriptor) d = {0};

	if (layout_find_text(f->store, text, &d, &f->err) < 0)
		fail_msg("%s: %s", text, f->err.message);
	assert_string_equal(d.digest.text, digest);
}

static void test_find_text(void **state)
{
	static const char *const platforms[] = {"linux/amd64", "linux/arm64"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	AUTO_PTR(image) three = make_image(f, "three", 1);
	struct image *images[] = {two, three};
	AUTO(descriptor) index = {0};
	AUTO(descriptor) d = {0};
	char prefix[24];

	tag(f, "app:demo", &one->descriptor);
	make_index(f, images, platforms, 2, &index);
	tag(f, "multi", &index);
	find_text(f, "app:demo", one->descriptor.digest.text);
	find_text(f, "multi", index.digest.text);
	find_text(f, one->descriptor.digest.text, one->descriptor.digest.text);
	find_text(f, digest_hex(&one->descriptor.digest), one->descriptor.digest.text);
	find_text(f, one->manifest.config.digest.text, one->descriptor.digest.text);
	digest_short(&one->manifest.config.digest, prefix);
	find_text(f, prefix, one->descriptor.digest.text);
	find_text(f, prefix + strlen("sha256:"), one->descriptor.digest.text);
	/* Members of an index have IDs of their own. */
	find_text(f, digest_hex(&three->descriptor.digest), three->descriptor.digest.text);
	find_text(f, digest_hex(&three->manifest.config.digest), three->descriptor.digest.text);
	find_text(f, digest_hex(&index.digest), index.digest.text);
	AUTO_FREE char *by_digest = xstrfmt("multi@%s", three->descriptor.digest.text);

	find_text(f, by_digest, three->descriptor.digest.text);
	assert_fails(f, ERROR_NOT_FOUND, "no image in the store",
		     layout_find_text(f->store, "0000", &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "abc", layout_find_text(f->store, "abc", &d, &f->err));
	assert_fails(f, ERROR_USAGE, "lower-case", layout_find_text(f->store, "App", &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "none:1",
		     layout_find_text(f->store, "none:1", &d, &f->err));
}

static void test_ambiguous_prefix(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	char prefix[5] = "";
	struct digest first = {0};

	/* Numbers until two digests share four digits. */
	AUTO(strlist) seen = STRLIST_INIT;

	for (int i = 0; !*prefix; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d", i);
		struct digest now = digest_of(text, (size_t)n);

		for (size_t k = 0; k < seen.n && !*prefix; k++) {
			first = digest_of(seen.items[k], strlen(seen.items[k]));
			if (strncmp(digest_hex(&first), digest_hex(&now), 4) == 0)
				memcpy(prefix, digest_hex(&now), 4);
		}
		if (*prefix) {
			assert_ok(f, store_put(f->store, "x/y", text, (size_t)n, &d, &f->err));
			assert_ok(f, layout_add(f->store, &d, &f->err));
		}
		strlist_add(&seen, text);
	}
	for (size_t k = 0; k < seen.n; k++) {
		struct digest now = digest_of(seen.items[k], strlen(seen.items[k]));

		if (!digest_equal(&now, &first))
			continue;
		assert_ok(f, store_put(f->store, "x/y", seen.items[k], strlen(seen.items[k]), &d,
				       &f->err));
		assert_ok(f, layout_add(f->store, &d, &f->err));
	}
	assert_fails(f, ERROR_USAGE, "fits 2 images",
		     layout_find_text(f->store, prefix, &d, &f->err));
	find_text(f, first.text, first.text);
}

static void test_unnamed_are_bounded(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = make_image(f, "x", 0);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};

	strbuf_puts(&text, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i < LAYOUT_UNNAMED + 5; i++)
		strbuf_printf(&text,
			      "%s{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			      "\",\"digest\":\"sha256:%064x\",\"size\":1}",
			      i ? "," : "", i);
	strbuf_puts(&text, "]}");
	fixture_write(f, "index.json", text.buf, text.len);
	tag(f, "app", &image->descriptor);
	assert_ok(f, layout_read(f->store, &index, &f->err));
	assert_int_equal(index.n_manifests, LAYOUT_UNNAMED + 1);
	/* The oldest went. */
	assert_int_equal(index.manifests[0].digest.text[strlen("sha256:") + 63], '5');
}

static void test_damaged_index(void **state)
{
	struct fixture *f = *state;
	AUTO(image_index) index = {0};
	AUTO_PTR(image) image = make_image(f, "x", 0);
	AUTO(image_ref) ref = {0};

	assert_ok(f, image_ref_parse(&ref, "a", &f->err));
	fixture_write(f, "index.json", "{\"schemaV", 9);
	assert_fails(f, ERROR_CORRUPT, "slipway fsck --repair",
		     layout_read(f->store, &index, &f->err));
	assert_fails(f, ERROR_CORRUPT, "index.json",
		     layout_tag(f->store, &ref, &image->descriptor, &f->err));
	AUTO_FREE char *text = fixture_read(f, "index.json");

	assert_string_equal(text, "{\"schemaV");
	unlinkat(store_dirfd(f->store), "index.json", 0);
	assert_fails(f, ERROR_CORRUPT, "is missing", layout_read(f->store, &index, &f->err));
}

static int tag_in_child(void *arg)
{
	struct fixture *f = arg;
	AUTO_PTR(store) s = NULL;
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) d = {0};

	if (store_open(&s, f->root, NULL) < 0 || image_ref_parse(&ref, "new:1", NULL) < 0 ||
	    layout_find_text(s, "old:1", &d, NULL) < 0)
		return -1;
	return layout_tag(s, &ref, &d, NULL);
}

/* Fault 2: old or new content, and the next one works. */
static void test_killed_while_tagging(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = make_image(f, "x", 1);
	bool done = false, seen_old = false, seen_new = false;
	AUTO(image_ref) ref = {0};

	assert_ok(f, image_ref_parse(&ref, "new:1", &f->err));
	tag(f, "old:1", &image->descriptor);
	for (int n = 1; !done; n++) {
		struct digest target;
		bool gone;

		done = finishes_before(n, tag_in_child, f);
		assert_string_equal(lookup(f, "old:1").text, image->descriptor.digest.text);
		if (lookup(f, "new:1").text[0]) {
			seen_new = true;
			assert_ok(f, layout_untag(f->store, &ref, &target, &gone, &f->err));
		} else {
			seen_old = true;
		}
		assert_int_equal(tag_in_child(f), 0);
		assert_ok(f, layout_untag(f->store, &ref, &target, &gone, &f->err));
		assert_int_equal(count_entries(f), 1);
	}
	assert_true(seen_old && seen_new);
}

#define PROCESSES 8
#define TAGS      50

static void tag_many(struct fixture *f, int process, const struct descriptor *d)
{
	AUTO_PTR(store) s = NULL;

	if (store_open(&s, f->root, NULL) < 0)
		_exit(1);
	for (int i = 0; i < TAGS; i++) {
		AUTO_FREE char *name = xstrfmt("app:%d-%d", process, i);
		AUTO(image_ref) ref = {0};

		if (image_ref_parse(&ref, name, NULL) < 0 || layout_tag(s, &ref, d, NULL) < 0)
			_exit(2);
	}
	_exit(0);
}

/* No update is lost when many processes tag at the same time. */
static void test_concurrent_tags(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = make_image(f, "x", 1);
	pid_t pids[PROCESSES];

	for (int p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] == 0)
			tag_many(f, p, &image->descriptor);
	}
	for (int p = 0; p < PROCESSES; p++) {
		int status;

		waitpid(pids[p], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_entries(f), PROCESSES * TAGS);
	for (int p = 0; p < PROCESSES; p++)
		for (int i = 0; i < TAGS; i += 7) {
			AUTO_FREE char *name = xstrfmt("app:%d-%d", p, i);

			assert_string_equal(lookup(f, name).text, image->descriptor.digest.text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_tag_bytes),
		store_test(test_names),
		store_test(test_not_found),
		store_test(test_foreign_names),
		store_test(test_retag),
		store_test(test_target_must_be_there),
		store_test(test_add_untag_remove),
		store_test(test_find_text),
		store_test(test_ambiguous_prefix),
		store_test(test_unnamed_are_bounded),
		store_test(test_damaged_index),
		store_test(test_killed_while_tagging),
		store_test(test_concurrent_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
