#include "oci/repository.h"

#include "base/strbuf.h"
#include "oci/mark.h"
#include "store_fixture.h"

static struct digest put(struct fixture *f, const char *text)
{
	AUTO(descriptor) d = {0};

	assert_ok(f, store_put(f->store, "text/plain", text, strlen(text), &d, &f->err));
	return d.digest;
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "a/b", "a-b_c.d__e/0"};
	static const char *const bad[] = {"", "/", "a/", "/a", "A", "a,b", "..", ".lock", "a//b"};
	struct fixture *f = *state;
	AUTO(strlist) names = STRLIST_INIT;
	char longest[257];

	memset(longest, 'a', sizeof(longest));
	longest[255] = '\0';
	assert_true(repository_is_name(longest));
	assert_ok(f, repository_make(f->store, longest, &f->err));
	longest[255] = 'a';
	longest[256] = '\0';
	assert_false(repository_is_name(longest));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_false(repository_exists(f->store, good[i]));
		assert_ok(f, repository_make(f->store, good[i], &f->err));
		assert_ok(f, repository_make(f->store, good[i], &f->err));
		assert_true(repository_exists(f->store, good[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_fails(f, ERROR_SYNTAX, "name", repository_make(f->store, bad[i], &f->err));
		assert_false(repository_exists(f->store, bad[i]));
	}
	assert_ok(f, repository_list(f->store, &names, &f->err));
	assert_int_equal(names.n, 4);
	assert_string_equal(names.items[1], "a-b_c.d__e/0");
}

static void test_blobs(void **state)
{
	struct fixture *f = *state;
	struct digest d = put(f, "blob");
	AUTO_FREE char *where = NULL;

	assert_false(repository_has_blob(f->store, "a", &d));
	assert_false(repository_find_blob(f->store, &d, &where));
	assert_ok(f, repository_link_blob(f->store, "a", &d, &f->err));
	assert_true(repository_has_blob(f->store, "a", &d));
	assert_false(repository_has_blob(f->store, "b", &d));
	assert_true(repository_find_blob(f->store, &d, &where));
	assert_string_equal(where, "a");
	/* A link whose blob is gone shows nothing. */
	assert_ok(f, store_delete_blob(f->store, &d, &f->err));
	assert_false(repository_has_blob(f->store, "a", &d));
	assert_ok(f, repository_unlink_blob(f->store, "a", &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "link of a blob",
		     repository_unlink_blob(f->store, "a", &d, &f->err));
}

static void test_manifests_and_tags(void **state)
{
	struct fixture *f = *state;
	struct digest one = put(f, "one"), two = put(f, "two"), got;
	AUTO(strbuf) type = STRBUF_INIT;
	AUTO(strlist) tags = STRLIST_INIT;

	assert_ok(f, repository_link_manifest(f->store, "a", &one, "text/one", &f->err));
	assert_ok(f, repository_link_manifest(f->store, "a", &two, "text/two", &f->err));
	assert_ok(f, repository_manifest(f->store, "a", &two, &type, &f->err));
	assert_string_equal(type.buf, "text/two");
	assert_ok(f, repository_tag(f->store, "a", "x", &one, &f->err));
	assert_ok(f, repository_tag(f->store, "a", "y", &one, &f->err));
	assert_ok(f, repository_tag(f->store, "a", "y", &two, &f->err));
	assert_ok(f, repository_resolve(f->store, "a", "y", &got, &f->err));
	assert_true(digest_equal(&got, &two));
	assert_fails(f, ERROR_SYNTAX, "..", repository_tag(f->store, "a", "..", &one, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "no tag",
		     repository_resolve(f->store, "a", "../x", &got, &f->err));
	assert_ok(f, repository_unlink_manifest(f->store, "a", &one, &f->err));
	assert_ok(f, repository_tags(f->store, "a", &tags, &f->err));
	assert_int_equal(tags.n, 1);
	assert_fails(f, ERROR_NOT_FOUND, one.text,
		     repository_unlink_manifest(f->store, "a", &one, &f->err));
	assert_ok(f, repository_untag(f->store, "a", "y", &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "tag", repository_untag(f->store, "a", "y", &f->err));
}

static int collect(void *arg, const struct digest *referrer, const char *text, struct error *err)
{
	struct strbuf *out = arg;

	(void)err;
	strbuf_printf(out, "%.10s=%s;", digest_hex(referrer), text);
	return 0;
}

static void test_referrers(void **state)
{
	struct fixture *f = *state;
	struct digest subject = put(f, "subject"), one = put(f, "one"), two = put(f, "two");
	AUTO(strbuf) got = STRBUF_INIT;
	/* In the order of digests: sha256("two") is 3fc4cc.., sha256("one") 7692c3.. */
	const char *both = "3fc4ccfe74=2;7692c3ad35=1;";

	assert_ok(f, repository_add_referrer(f->store, "a", &subject, &one, "1", &f->err));
	assert_ok(f, repository_add_referrer(f->store, "a", &subject, &two, "2", &f->err));
	assert_ok(f,
		  repository_each_referrer(f->store, "a", &subject, NULL, collect, &got, &f->err));
	assert_string_equal(got.buf, both);
	strbuf_reset(&got);
	assert_ok(f, repository_each_referrer(f->store, "a", &subject, two.text, collect, &got,
					      &f->err));
	assert_string_equal(got.buf, strchr(both, ';') + 1);
	assert_ok(f, repository_remove_referrer(f->store, "a", &subject, &one, &f->err));
	assert_ok(f, repository_remove_referrer(f->store, "a", &subject, &one, &f->err));
	assert_ok(f, repository_remove_referrer(f->store, "a", &subject, &two, &f->err));
	strbuf_reset(&got);
	assert_ok(f,
		  repository_each_referrer(f->store, "a", &subject, NULL, collect, &got, &f->err));
	assert_int_equal(got.len, 0);
}

static bool is_stale(void *arg, int64_t since)
{
	return since < *(const int64_t *)arg;
}

/* What no manifest names goes when it is stale, in each repository by itself. */
static void test_marks(void **state)
{
	struct fixture *f = *state;
	struct digest layer = put(f, "layer"), config = put(f, "{}"), loose = put(f, "loose");
	AUTO_FREE char *text = xstrfmt(
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":2},"
		"\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":5}]}",
		config.text, layer.text);
	struct digest manifest = put(f, text);
	int64_t now = time(NULL);
	struct mark_stale stale = {is_stale, &now};
	AUTO(mark) m = {0};
	AUTO(mark) later = {0};

	assert_ok(f,
		  repository_link_manifest(f->store, "a", &manifest, MEDIA_OCI_MANIFEST, &f->err));
	assert_ok(f, repository_link_blob(f->store, "a", &layer, &f->err));
	assert_ok(f, repository_link_blob(f->store, "b", &layer, &f->err));
	assert_ok(f, repository_link_blob(f->store, "b", &loose, &f->err));
	now -= 100;
	assert_ok(f, mark_repositories(&m, f->store, &stale, &f->err));
	assert_true(mark_has(&m, &manifest) && mark_has(&m, &layer) && mark_has(&m, &config) &&
		    mark_has(&m, &loose));
	now += 1000;
	assert_ok(f, mark_repositories(&later, f->store, &stale, &f->err));
	assert_true(mark_has(&later, &layer) && mark_has(&later, &config));
	assert_false(mark_has(&later, &loose));
	assert_true(repository_has_blob(f->store, "a", &layer));
	assert_false(repository_has_blob(f->store, "b", &layer));
	assert_false(repository_has_blob(f->store, "b", &loose));
	/* Of a manifest that cannot be read it is not known what it needs. */
	assert_ok(f, store_delete_blob(f->store, &manifest, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "fsck --repair",
		     mark_repositories(&later, f->store, &stale, &f->err));
}

static void test_serving(void **state)
{
	struct fixture *f = *state;
	int one = -1, two = -1;

	assert_false(repository_is_served(f->store));
	assert_ok(f, repository_serve(f->store, &one, &f->err));
	assert_ok(f, repository_serve(f->store, &two, &f->err));
	assert_true(repository_is_served(f->store));
	close(one);
	assert_true(repository_is_served(f->store));
	close(two);
	assert_false(repository_is_served(f->store));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_names),
		store_test(test_blobs),
		store_test(test_manifests_and_tags),
		store_test(test_referrers),
		store_test(test_marks),
		store_test(test_serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
