#include "store_fixture.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "kill_at.h"

#define HEX_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void put_abc(struct fixture *f, struct descriptor *d)
{
	assert_ok(f, store_put(f->store, "a/b", "abc", 3, d, &f->err));
}

static void test_layout_files(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *layout = fixture_read(f, "oci-layout");
	AUTO_FREE char *index = fixture_read(f, "index.json");
	struct stat st;

	assert_string_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
	assert_string_equal(index, "{\"schemaVersion\":2,\"mediaType\":\"application/"
				   "vnd.oci.image.index.v1+json\",\"manifests\":[]}");
	assert_int_equal(stat(f->root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(fixture_exists(f, "blobs/sha256"));
}

static void test_open_again(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) again = NULL;

	fixture_write(f, "index.json", "kept", 4);
	assert_ok(f, store_open(&again, f->root, &f->err));
	AUTO_FREE char *index = fixture_read(f, "index.json");

	assert_string_equal(index, "kept");
	AUTO_FREE char *path = store_path(again, "meta/%s", "x");
	AUTO_FREE char *want = xstrfmt("%s/meta/x", f->root);

	assert_string_equal(path, want);
}

static void test_relative_root(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) again = NULL;

	assert_int_equal(chdir(f->folder), 0);
	assert_ok(f, store_open(&again, "./root", &f->err));
	assert_int_equal(chdir("/"), 0);
	assert_string_equal(store_root(again), f->root);
}

static void test_refused_folders(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) s = NULL;

	assert_int_equal(chmod(f->root, 0770), 0);
	assert_fails(f, ERROR_DENIED, "can be written by others (mode 0770)",
		     store_open(&s, f->root, &f->err));
	assert_int_equal(chmod(f->root, 0702), 0);
	assert_fails(f, ERROR_DENIED, "SLIPWAY_ROOT", store_open(&s, f->root, &f->err));
	assert_int_equal(chmod(f->root, 0700), 0);
	fixture_write(f, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}", 30);
	assert_fails(f, ERROR_UNSUPPORTED, "2.0.0", store_open(&s, f->root, &f->err));
	fixture_write(f, "oci-layout", "{", 1);
	assert_fails(f, ERROR_SYNTAX, "oci-layout", store_open(&s, f->root, &f->err));
}

/* As Kubernetes gives an emptyDir. */
static void test_an_empty_volume(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) s = NULL;
	AUTO_PTR(store) refused = NULL;
	AUTO_FREE char *volume = xstrfmt("%s/volume", f->folder);
	AUTO_FREE char *shared = xstrfmt("%s/shared", f->folder);
	struct stat st;

	assert_int_equal(mkdir(volume, 0700), 0);
	assert_int_equal(chmod(volume, 0777), 0);
	assert_ok(f, store_open(&s, volume, &f->err));
	assert_int_equal(stat(volume, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(mkdir(shared, 0700), 0);
	assert_int_equal(chmod(shared, 01777), 0);
	assert_fails(f, ERROR_DENIED, "can be written by others (mode 1777)",
		     store_open(&refused, shared, &f->err));
	assert_int_equal(stat(shared, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
}

static void test_others_folders(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) s = NULL;
	AUTO_FREE char *link = xstrfmt("%s/link", f->folder);

	assert_int_equal(symlink(f->root, link), 0);
	assert_ok(f, store_open(&s, link, &f->err));
	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown(link, 1234, 1234), 0);
	assert_fails(f, ERROR_DENIED, "symbolic link made by user 1234",
		     store_open(&s, link, &f->err));
	assert_int_equal(chown(f->root, 1234, 1234), 0);
	assert_fails(f, ERROR_DENIED, "belongs to user 1234", store_open(&s, f->root, &f->err));
}

static void test_put_and_read(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FD int fd = -1;
	int64_t size = 0;

	put_abc(f, &d);
	assert_string_equal(d.digest.text, "sha256:" HEX_ABC);
	assert_string_equal(d.media_type, "a/b");
	assert_int_equal(d.size, 3);
	assert_true(store_has(f->store, &d.digest, -1));
	assert_true(store_has(f->store, &d.digest, 3));
	assert_false(store_has(f->store, &d.digest, 4));
	assert_ok(f, store_read_blob(f->store, &d.digest, 3, &text, 3, &f->err));
	assert_string_equal(text.buf, "abc");
	assert_fails(f, ERROR_CORRUPT, "the limit is 2",
		     store_read_blob(f->store, &d.digest, 3, &text, 2, &f->err));
	assert_ok(f, store_open_blob(f->store, &d.digest, -1, &fd, &size, &f->err));
	assert_int_equal(size, 3);
	AUTO_FREE char *raw = fixture_read(f, "blobs/sha256/" HEX_ABC);

	assert_string_equal(raw, "abc");
	assert_ok(f, store_verify_blob(f->store, &d.digest, 3, &f->err));
	assert_ok(f, store_delete_blob(f->store, &d.digest, &f->err));
	assert_ok(f, store_delete_blob(f->store, &d.digest, &f->err));
	assert_false(store_has(f->store, &d.digest, -1));
	AUTO_FD int none = -1;

	assert_fails(f, ERROR_NOT_FOUND, HEX_ABC,
		     store_open_blob(f->store, &d.digest, -1, &none, &size, &f->err));
	struct digest unset = {0};

	assert_false(store_has(f->store, &unset, -1));
	assert_fails(f, ERROR_NOT_FOUND, "not in the store",
		     store_read_blob(f->store, &unset, -1, &text, 10, &f->err));
}

/* A blob of the right name and wrong bytes is never handed out, and makes room for a good one. */
static void test_damage(void **state)
{
	static const struct {
		const char *bytes;
		bool size_differs;
	} rows[] = {{"abd", false}, {"ab", true}, {"abcd", true}, {"", true}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(descriptor) d = {0};
		AUTO(strbuf) text = STRBUF_INIT;

		put_abc(f, &d);
		fixture_write(f, "blobs/sha256/" HEX_ABC, rows[i].bytes, strlen(rows[i].bytes));
		assert_int_equal(store_has(f->store, &d.digest, 3), !rows[i].size_differs);
		assert_fails(f, ERROR_CORRUPT, HEX_ABC,
			     store_check_blob(f->store, &d.digest, 3, &f->err));
		assert_true(fixture_exists(f, "blobs/sha256/" HEX_ABC));
		if (i % 2)
			assert_fails(f, ERROR_CORRUPT, "damaged",
				     store_read_blob(f->store, &d.digest, 3, &text, 100, &f->err));
		else
			assert_fails(f, ERROR_CORRUPT, "set aside",
				     store_verify_blob(f->store, &d.digest, 3, &f->err));
		assert_false(fixture_exists(f, "blobs/sha256/" HEX_ABC));
		assert_true(fixture_exists(f, "ingest/corrupt-" HEX_ABC));
	}
	AUTO(descriptor) d = {0};

	put_abc(f, &d);
	assert_ok(f, store_verify_blob(f->store, &d.digest, 3, &f->err));
}

/* A document that lies about a size does not cost a good blob. */
static void test_wrong_expectation(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	put_abc(f, &d);
	assert_fails(f, ERROR_CORRUPT, "has 3 bytes, but a descriptor says 4",
		     store_read_blob(f->store, &d.digest, 4, &text, 100, &f->err));
	assert_ok(f, store_read_blob(f->store, &d.digest, 3, &text, 100, &f->err));
}

struct healed {
	struct fixture *f;
	struct digest digest;
	int opened, refused; /* results of the child: in memory that it shares */
};

static int open_damaged(void *arg)
{
	struct healed *h = arg;
	AUTO(error) err = ERROR_INIT;
	AUTO_FD int fd = -1;
	int64_t size = -1;
	struct stat st;

	if (store_open_blob(h->f->store, &h->digest, 3, &fd, &size, &err) < 0) {
		h->refused++;
		return err.kind == ERROR_CORRUPT ? 0 : -1;
	}
	h->opened++;
	return fd >= 0 && size == 3 && fstat(fd, &st) == 0 && st.st_size == 3 ? 0 : -1;
}

static void put_good_blob(void *arg)
{
	struct healed *h = arg;
	AUTO_FREE char *good = path_join(h->f->root, "good");
	AUTO_FREE char *blob = path_join(h->f->root, "blobs/sha256/" HEX_ABC);

	fixture_write(h->f, "good", "abc", 3);
	assert_int_equal(rename(good, blob), 0);
}

/* Another process heals the blob at any moment: what is handed out is the good one. */
static void test_healed_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct healed *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool done = false;

	assert_true(h != MAP_FAILED);
	h->f = f;
	h->digest = digest_of("abc", 3);
	for (int n = 1; !done; n++) {
		fixture_write(f, "blobs/sha256/" HEX_ABC, "ab", 2);
		done = finishes_around(n, open_damaged, put_good_blob, h);
	}
	assert_true(h->opened > 1);
	assert_true(h->refused > 1);
	munmap(h, sizeof(*h));
}

static void test_empty_blobs(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) empty = {0};
	AUTO(descriptor) d = {0};

	assert_ok(f, store_put(f->store, "a/b", "", 0, &empty, &f->err));
	assert_true(store_has(f->store, &empty.digest, -1));
	put_abc(f, &d);
	fixture_write(f, "blobs/sha256/" HEX_ABC, "", 0);
	assert_false(store_has(f->store, &d.digest, -1));
	put_abc(f, &d);
	assert_true(store_has(f->store, &d.digest, 3));
}

struct seen {
	int n;
	int64_t bytes;
	int stop_at;
};

static int count_blob(void *arg, const struct digest *d, int64_t size, int64_t mtime,
		      struct error *err)
{
	struct seen *seen = arg;

	(void)err;
	assert_true(digest_is_set(d));
	assert_true(mtime > 1600000000);
	seen->bytes += size;
	return ++seen->n == seen->stop_at ? 7 : 0;
}

static void test_each(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {0}, stopped = {.stop_at = 1};
	AUTO(descriptor) d = {0};

	put_abc(f, &d);
	assert_ok(f, store_put(f->store, "a/b", "defg", 4, &d, &f->err));
	fixture_write(f, "blobs/sha256/README", "x", 1);
	fixture_write(f, "blobs/sha512/ab", "x", 1);
	assert_ok(f, store_each_blob(f->store, count_blob, &seen, &f->err));
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.bytes, 7);
	assert_int_equal(store_each_blob(f->store, count_blob, &stopped, &f->err), 7);
}

static void test_touch(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	AUTO_FREE char *path = xstrfmt("%s/blobs/sha256/" HEX_ABC, f->root);
	struct stat st;

	assert_false(store_touch(f->store, &d.digest, -1));
	put_abc(f, &d);
	fixture_age(f, "blobs/sha256/" HEX_ABC, 100000);
	assert_true(store_touch(f->store, &d.digest, 3));
	assert_int_equal(stat(path, &st), 0);
	assert_true(time(NULL) - st.st_mtime < 1000);
	/* Storing the same bytes again counts as use. */
	fixture_age(f, "blobs/sha256/" HEX_ABC, 100000);
	put_abc(f, &d);
	assert_int_equal(stat(path, &st), 0);
	assert_true(time(NULL) - st.st_mtime < 1000);
}

static void test_meta(void **state)
{
	struct fixture *f = *state;
	AUTO(strbuf) text = STRBUF_INIT;

	assert_fails(f, ERROR_NOT_FOUND, "meta/diff/x",
		     store_meta_get(f->store, "diff", "x", &text, &f->err));
	assert_ok(f, store_meta_put(f->store, "diff", "x", "one", 3, &f->err));
	assert_ok(f, store_meta_put(f->store, "diff", "x", "two", 3, &f->err));
	assert_ok(f, store_meta_get(f->store, "diff", "x", &text, &f->err));
	assert_string_equal(text.buf, "two");
	/* An empty file is what a power cut leaves of a file that was never synced. */
	fixture_write(f, "meta/diff/x", "", 0);
	assert_fails(f, ERROR_NOT_FOUND, "empty",
		     store_meta_get(f->store, "diff", "x", &text, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "..",
		     store_meta_get(f->store, "..", "index.json", &text, &f->err));
	assert_fails(f, ERROR_SYSTEM, "../x",
		     store_meta_put(f->store, "diff", "../x", "y", 1, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "", store_meta_get(f->store, "diff", "", &text, &f->err));
}

/* The folders beside blobs may be deleted at any time. */
static void test_private_folders_return(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};

	assert_ok(f, fs_remove_tree(store_dirfd(f->store), "ingest", &f->err));
	assert_ok(f, fs_remove_tree(store_dirfd(f->store), "meta", &f->err));
	put_abc(f, &d);
	assert_ok(f, store_meta_put(f->store, "diff", "x", "one", 3, &f->err));
}

static void test_store_is_gone(void **state)
{
	struct fixture *f = *state;
	AUTO(descriptor) d = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	assert_ok(f, fs_remove_tree(AT_FDCWD, f->root, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, f->root,
		     store_put(f->store, "a/b", "abc", 3, &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "", store_meta_get(f->store, "a", "b", &text, &f->err));
}

static int open_in_child(void *arg)
{
	AUTO_PTR(store) s = NULL;

	return store_open(&s, arg, NULL);
}

/* Killed at any moment while it makes the folder, the next start finds or makes a whole store. */
static void test_killed_while_made(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *root = xstrfmt("%s/killed", f->folder);
	bool done = false;
	int n;

	for (n = 1; !done; n++) {
		AUTO_PTR(store) s = NULL;
		AUTO(descriptor) d = {0};

		assert_int_equal(fs_remove_tree(AT_FDCWD, root, NULL), 0);
		done = finishes_before(n, open_in_child, root);
		assert_ok(f, store_open(&s, root, &f->err));
		assert_ok(f, store_put(s, "a/b", "abc", 3, &d, &f->err));
		AUTO_FREE char *index = xstrfmt("%s/index.json", root);
		AUTO(strbuf) text = STRBUF_INIT;

		assert_ok(f, fs_read_file(index, &text, 1000, &f->err));
		assert_int_equal(text.buf[text.len - 1], '}');
	}
	assert_true(n > 20);
}

/* The common start: a store that is there is opened without a write and in a handful of calls. */
static void test_open_is_cheap(void **state)
{
	struct fixture *f = *state;
	int n = 1;

	while (!finishes_before(n, open_in_child, f->root))
		n++;
	/* Two stops a call; sanitizers add some of their own. */
	assert_true(n < 60);
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	AUTO_FD int first = -1;
	AUTO_FD int second = -1;
	struct cancel cancel = {.signal = 15, .count = 1, .wake_fd = -1};

	assert_ok(f, store_lock(f->store, "index.lock", "works", &first, &f->err));
	store_set_wait(f->store, NULL, NULL, 20);
	assert_fails(f, ERROR_SYSTEM, "another slipway works",
		     store_lock(f->store, "index.lock", "works", &second, &f->err));
	store_set_wait(f->store, &cancel, NULL, 0);
	assert_fails(f, ERROR_CANCELLED, "",
		     store_lock(f->store, "index.lock", "works", &second, &f->err));
	close(take_fd(first));
	assert_ok(f, store_lock(f->store, "index.lock", "works", &second, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_layout_files),
		store_test(test_open_again),
		store_test(test_relative_root),
		store_test(test_refused_folders),
		store_test(test_an_empty_volume),
		store_test(test_others_folders),
		store_test(test_put_and_read),
		store_test(test_damage),
		store_test(test_wrong_expectation),
		store_test(test_healed_meanwhile),
		store_test(test_empty_blobs),
		store_test(test_each),
		store_test(test_touch),
		store_test(test_meta),
		store_test(test_private_folders_return),
		store_test(test_store_is_gone),
		store_test(test_killed_while_made),
		store_test(test_open_is_cheap),
		store_test(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
