#include "oci/tree.h"

#include "tests/unit/oci/tree_text.h"

static const char base[] = "d bin 755\nf bin/sh abc\nd etc\nf etc/passwd root\nl etc/link passwd\n"
			   "l lib usr/lib\nl abs /usr/lib\nl up ../../usr\nl dangling no/where\n"
			   "l loop loop\nd usr\nd usr/lib\nf usr/lib/x 1\nl usr/lib/self ../lib/x";

static const struct {
	const char *path;
	bool follow;
	const char *found; /* NULL: nothing */
} lookups[] = {
	{"", true, ""},
	{"/", true, ""},
	{".", true, ""},
	{"..", true, ""},
	{"bin/sh", true, "bin/sh"},
	{"/bin//sh", true, "bin/sh"},
	{"bin/./sh", true, "bin/sh"},
	{"bin/../etc/passwd", true, "etc/passwd"},
	{"../../etc/passwd", true, "etc/passwd"},
	{"etc/link", true, "etc/passwd"},
	{"etc/link", false, "etc/link"},
	{"lib", false, "lib"},
	{"lib", true, "usr/lib"},
	{"lib/", false, "lib"},
	{"lib/x", false, "usr/lib/x"},
	{"abs/x", true, "usr/lib/x"},
	{"up/lib/x", true, "usr/lib/x"},
	{"lib/self", true, "usr/lib/x"},
	{"lib/../bin/sh", true, NULL}, /* ".." of usr/lib is usr */
	{"lib/../lib/x", true, "usr/lib/x"},
	{"nothing", true, NULL},
	{"bin/sh/x", true, NULL},
	{"loop", true, NULL},
	{"loop", false, "loop"},
	{"loop/x", true, NULL},
	{"dangling", true, NULL},
	{"dangling", false, "dangling"},
};

static void test_lookup(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();

	assert_ok(f, tree_text_add(f, t, base, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		const struct tree_node *n = tree_lookup(t, lookups[i].path, lookups[i].follow);
		AUTO_FREE char *path = n ? tree_path(n) : NULL;

		if (!lookups[i].found != !path || (path && strcmp(path, lookups[i].found) != 0))
			fail_msg("%s: %s, not %s", lookups[i].path, path, lookups[i].found);
	}
}

static const struct {
	const char *path;
	bool follow;
	const char *real;
	bool exists;
} resolved[] = {
	{"/lib/", true, "usr/lib", true},
	{"lib/new/file", true, "usr/lib/new/file", false},
	{"lib", false, "lib", true},
	{"etc/link", true, "etc/passwd", true},
	{"etc/link", false, "etc/link", true},
	{"app/src/../x", true, "app/x", false},
	{"app/..", true, "", true},
	{"dangling", true, "no/where", false},
	{"dangling/x", true, "no/where/x", false},
	{"dangling", false, "dangling", true},
	{"up/new", true, "usr/new", false},
	{"../../../new", true, "new", false},
	{"", true, "", true},
	{"/", true, "", true},
};

static void test_resolve(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();

	assert_ok(f, tree_text_add(f, t, base, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(resolved); i++) {
		AUTO_FREE char *real = NULL;
		struct tree_node *n;

		assert_ok(f, tree_resolve(t, resolved[i].path, resolved[i].follow, &real, &n,
					  &f->err));
		assert_string_equal(real, resolved[i].real);
		assert_int_equal(n != NULL, resolved[i].exists);
	}
}

static void test_resolve_refuses(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();
	AUTO_FREE char *real = NULL;
	struct tree_node *n;

	assert_ok(f, tree_text_add(f, t, base, &f->err));
	assert_fails(f, ERROR_SYNTAX, "/bin/sh is not a folder",
		     tree_resolve(t, "bin/sh/x", true, &real, &n, &f->err));
	assert_fails(f, ERROR_SYNTAX, "/etc/passwd is not a folder",
		     tree_resolve(t, "etc/link/x", true, &real, &n, &f->err));
	assert_fails(f, ERROR_SYNTAX, "more than 40 symbolic links",
		     tree_resolve(t, "loop/x", true, &real, &n, &f->err));
	assert_fails(f, ERROR_SYNTAX, "more than 40 symbolic links",
		     tree_resolve(t, "loop", true, &real, &n, &f->err));
}

static void hash_of(struct fixture *f, const char *const *layers, const char *path,
		    uint8_t out[SHA256_SIZE])
{
	AUTO_PTR(tree) t = tree_new();
	AUTO(sha256) h = SHA256_INIT;
	const struct tree_node *n;

	for (; *layers; layers++)
		assert_ok(f, tree_text_add(f, t, *layers, &f->err));
	n = tree_lookup(t, path, false);
	assert_non_null(n);
	tree_hash(n, &h);
	sha256_final(&h, out);
}

/* All of these are one file tree, whatever the layers and the order of their entries. */
static void test_hash_of_equal_trees(void **state)
{
	static const char *const ways[][4] = {
		{"d a\nf a/x 1\nf a/y 22\nl a/l x"},
		{"l a/l x\nf a/y 22\nf a/x 1\nd a"},
		{"d a\nf a/x 1", "f a/y 22\nl a/l x"},
		{"d a 700\nf a/x old\nf a/gone 1", "d a\nf a/x 1\nw a/gone\nf a/y 22\nl a/l x"},
		{"d a\nd a/z\nf a/z/q 1", "o a", "f a/x 1\nf a/y 22\nl a/l x"},
		{"f a/x 1\nf a/y 22\nl a/l x"},
		{"d b\nf b/x 1\nf b/y 22\nl b/l x\nl c b", "w b\nd a\nf a/x 1\nf a/y 22\nl a/l x"},
	};
	struct fixture *f = *state;
	uint8_t first[SHA256_SIZE], other[SHA256_SIZE];

	hash_of(f, ways[0], "a", first);
	for (size_t i = 1; i < ARRAY_SIZE(ways); i++) {
		hash_of(f, ways[i], "a", other);
		assert_memory_equal(first, other, sizeof(first));
	}
}

static void test_hash_of_unequal_trees(void **state)
{
	static const char *const layers[] = {
		"d a",           "d a 700",
		"d a\nf a/x 1",  "d a\nf a/x 2",
		"d a\nf a/y 1",  "d a\nf a/x 1\nf a/y 1",
		"d a\nl a/x 1",  "d a\nl a/x 2",
		"d a\nd a/x",    "d a\nd a/x\nf a/x/y 1",
		"d a\nf a/xy 1", "d a\nc a/x",
		"d a\np a/x",    "f a d",
		"l a d",
	};
	struct fixture *f = *state;
	uint8_t hashes[ARRAY_SIZE(layers)][SHA256_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		const char *one[] = {layers[i], NULL};

		hash_of(f, one, "a", hashes[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(hashes[i], hashes[j], SHA256_SIZE);
	}
}

/* Owners and extended attributes count, times do not, and the top's own name does not. */
static void test_hash_of_attributes(void **state)
{
	static const struct xattr one[] = {{"user.a", "1", 1}}, two[] = {{"user.a", "2", 1}};
	static const struct {
		struct entry entry;
		bool same;
	} rows[] = {
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644}, true},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .mtime = 99}, true},
		{{.type = ENTRY_FILE, .path = "g", .mode = 0644}, true},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0600}, false},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .uid = 1}, false},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .gid = 1}, false},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .xattrs = one, .n_xattrs = 1},
		 false},
		{{.type = ENTRY_FILE, .path = "f", .mode = 0644, .xattrs = two, .n_xattrs = 1},
		 false},
	};
	uint8_t hashes[ARRAY_SIZE(rows)][SHA256_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(tree) t = tree_new();
		AUTO(sha256) h = SHA256_INIT;

		tree_begin_layer(t);
		assert_int_equal(tree_put(t, &rows[i].entry, NULL, NULL, NULL), 0);
		tree_hash(tree_lookup(t, rows[i].entry.path, false), &h);
		sha256_final(&h, hashes[i]);
		for (size_t j = 0; j < i; j++)
			assert_int_equal(memcmp(hashes[i], hashes[j], SHA256_SIZE) == 0,
					 rows[i].same && rows[j].same);
	}
}

static void test_entry(void **state)
{
	static const struct xattr attribute[] = {{"user.a", "1", 1}};
	const struct entry in = {.type = ENTRY_CHAR,
				 .path = "dev/x",
				 .mode = 0620,
				 .uid = 5,
				 .gid = 6,
				 .mtime = 77,
				 .dev_major = 1,
				 .dev_minor = 3,
				 .xattrs = attribute,
				 .n_xattrs = 1};
	AUTO_PTR(tree) t = tree_new();
	struct tree_node *n;
	struct entry out;

	(void)state;
	tree_begin_layer(t);
	assert_int_equal(tree_put(t, &in, &n, NULL, NULL), 0);
	tree_entry(n, "there", &out);
	assert_string_equal(out.path, "there");
	assert_int_equal(out.type, ENTRY_CHAR);
	assert_int_equal(out.mode, 0620);
	assert_int_equal(out.uid, 5);
	assert_int_equal(out.gid, 6);
	assert_int_equal(out.mtime, 77);
	assert_int_equal(out.dev_major, 1);
	assert_int_equal(out.dev_minor, 3);
	assert_int_equal(out.n_xattrs, 1);
	assert_string_equal(out.xattrs[0].name, "user.a");
	assert_false(out.has_content);
}

static void test_missing_index(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();
	struct digest none = digest_of("none", 4);

	assert_fails(f, ERROR_NOT_FOUND, none.text, tree_add_layer(t, f->store, &none, &f->err));
	assert_int_equal(tree_layers(t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_lookup),
		store_test(test_resolve),
		store_test(test_resolve_refuses),
		store_test(test_hash_of_equal_trees),
		store_test(test_hash_of_unequal_trees),
		cmocka_unit_test(test_hash_of_attributes),
		cmocka_unit_test(test_entry),
		store_test(test_missing_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
