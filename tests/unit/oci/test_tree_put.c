#include "oci/tree.h"

#include "tests/unit/oci/tree_text.h"

/* Layers, lowest first, and what image-spec 1.1 layer.md and the rules of oci/tree.h make of them. */
static const struct {
	const char *what;
	const char *layers[4];
	const char *merged;
} rows[] = {
	{"one layer",
	 {"d a\nf a/b xyz\nl c a/b\nc dev"},
	 "d a 755 @0\nf a/b 3 @0\nl c a/b @0\nc dev @0\n"},
	{"implicit parents", {"f a/b/c x"}, "d a 755 @0\nd a/b 755 @0\nf a/b/c 1 @0\n"},
	{"order of entries does not count",
	 {"f b/z 1\nf b/a 1\nd b 700\nf a 1"},
	 "f a 1 @0\nd b 700 @0\nf b/a 1 @0\nf b/z 1 @0\n"},
	{"a path twice: the last wins",
	 {"f a 1\nf a 22\nd b\nd b 711\nf c 1\nl c a"},
	 "f a 2 @0\nd b 711 @0\nl c a @0\n"},
	{"the root's own metadata", {"d  700\nf a 1"}, "d  700 @0\nf a 1 @0\n"},
	{"upper file over lower file", {"f a 1", "f a 22"}, "f a 2 @1\n"},
	{"folder over folder merges",
	 {"d a 700\nf a/x 1", "d a 711\nf a/y 1"},
	 "d a 711 @1\nf a/x 1 @0\nf a/y 1 @1\n"},
	{"an implicit parent keeps the lower folder",
	 {"d a 700\nf a/x 1", "f a/y 1"},
	 "d a 700 @0\nf a/x 1 @0\nf a/y 1 @1\n"},
	{"file over folder replaces", {"d a\nf a/x 1\nd a/d\nf a/d/y 1", "f a 1"}, "f a 1 @1\n"},
	{"folder over file replaces", {"f a 1", "d a\nf a/x 1"}, "d a 755 @1\nf a/x 1 @1\n"},
	{"folder over link replaces",
	 {"d b\nl a b\nf b/x 1", "d a\nf a/y 1"},
	 "d a 755 @1\nf a/y 1 @1\nd b 755 @0\nf b/x 1 @0\n"},
	{"a hard link to a link", {"l a /etc/shadow\nh b a", "w a"}, "l b /etc/shadow @0\n"},
	{"whiteout", {"f a 1\nf b 1", "w a"}, "f b 1 @0\n"},
	{"whiteout of a folder", {"d a\nf a/x 1\nf b 1", "w a"}, "f b 1 @0\n"},
	{"whiteout of nothing", {"f a 1", "w b\nw x/y/z\nw a/b"}, "f a 1 @0\n"},
	{"whiteout of a link takes the link alone",
	 {"d d\nf d/x 1\nl l d", "w l"},
	 "d d 755 @0\nf d/x 1 @0\n"},
	{"whiteout through a link", {"d d\nf d/x 1\nl l d", "w l/x"}, "d d 755 @0\nl l d @0\n"},
	{"whiteout before what this layer adds", {"f a 1", "w a\nf a 22"}, "f a 2 @1\n"},
	{"whiteout after what this layer adds", {"f a 1", "f a 22\nw a"}, "f a 2 @1\n"},
	{"whiteout of a folder before",
	 {"d a 700\nf a/x 1", "w a\nd a\nf a/y 1"},
	 "d a 755 @1\nf a/y 1 @1\n"},
	{"whiteout of a folder after",
	 {"d a 700\nf a/x 1", "d a\nf a/y 1\nw a"},
	 "d a 755 @1\nf a/y 1 @1\n"},
	{"whiteout of an implicit folder after",
	 {"d a 700\nd a/b\nf a/b/x 1", "f a/b/y 1\nw a"},
	 "d a 755 @1\nd a/b 755 @1\nf a/b/y 1 @1\n"},
	{"whiteout of what a middle layer made", {"f a 1", "f a 22\nf b 1", "w a\nw b"}, ""},
	{"a whiteout hides no later layer", {"f a 1", "w a", "f a 22"}, "f a 2 @2\n"},
	{"opaque",
	 {"d a 700\nf a/x 1\nd a/d\nf a/d/z 1", "d a 711\no a\nf a/y 1"},
	 "d a 711 @1\nf a/y 1 @1\n"},
	{"opaque after its siblings",
	 {"d a 700\nf a/x 1", "f a/y 1\nf a/z 1\no a"},
	 "d a 700 @0\nf a/y 1 @1\nf a/z 1 @1\n"},
	{"opaque through a link", {"d a\nf a/x 1\nl l a", "o l"}, "d a 755 @0\nl l a @0\n"},
	{"opaque root", {"d a\nf a/x 1\nf b 1", "o \nf c 1"}, "f c 1 @1\n"},
	{"opaque of nothing", {"f a 1", "o b\no a"}, "f a 1 @0\n"},
	{"hard link", {"f a xyz\nh b a"}, "f a 3 @0\nf b 3 [a] @0\n"},
	{"hard link to a lower layer",
	 {"d d\nf d/a xyz", "h b d/a"},
	 "f b 3 [d/a] @0\nd d 755 @0\nf d/a 3 @0\n"},
	{"hard link of a hard link",
	 {"f a xyz\nh b a\nh c b"},
	 "f a 3 @0\nf b 3 [a] @0\nf c 3 [a] @0\n"},
	{"hard link through a link",
	 {"d d\nf d/a xyz\nl l d", "h l/b l/a"},
	 "d d 755 @0\nf d/a 3 @0\nf d/b 3 [d/a] @0\nl l d @0\n"},
	{"hard link over a file", {"f a xyz\nf b 1\nh b a"}, "f a 3 @0\nf b 3 [a] @0\n"},
	{"the target replaced leaves the link",
	 {"f a xyz\nh b a", "f a 1"},
	 "f a 1 @1\nf b 3 [a] @0\n"},
	{"a link's new file in the upper layer",
	 {"l lib usr/lib", "f lib/x 1"},
	 "l lib usr/lib @0\nd usr 755 @1\nd usr/lib 755 @1\nf usr/lib/x 1 [lib/x] @1\n"},
	{"row 2: absolute link as parent",
	 {"l d /etc\nf d/p 1"},
	 "l d /etc @0\nd etc 755 @0\nf etc/p 1 [d/p] @0\n"},
	{"row 3: link beyond the root is clamped",
	 {"l d ../../..\nf d/p 1"},
	 "l d ../../.. @0\nf p 1 [d/p] @0\n"},
	{"row 4: link below, file above",
	 {"d usr\nd usr/lib\nl lib usr/lib", "d lib/x 700"},
	 "l lib usr/lib @0\nd usr 755 @0\nd usr/lib 755 @0\nd usr/lib/x 700 @1\n"},
	{"row 4: folder replaced by link above",
	 {"d a\nf a/x 1", "l a b\nf a/y 1"},
	 "l a b @1\nd b 755 @1\nf b/y 1 [a/y] @1\n"},
	{"link that goes up in what is missing",
	 {"l d x/../y\nf d/p 1"},
	 "l d x/../y @0\nd y 755 @0\nf y/p 1 [d/p] @0\n"},
	{"a chain of links",
	 {"l a b\nl b /c/d\nf a/x 1"},
	 "l a b @0\nl b /c/d @0\nd c 755 @0\nd c/d 755 @0\nf c/d/x 1 [a/x] @0\n"},
};

static void test_layers(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(tree) t = tree_new();
		AUTO(strbuf) got = STRBUF_INIT;
		size_t n = 0;

		for (; rows[i].layers[n]; n++)
			if (tree_text_add(f, t, rows[i].layers[n], &f->err) < 0)
				fail_msg("%s: %s", rows[i].what, f->err.message);
		tree_text(&got, t);
		if (strcmp(got.buf, rows[i].merged) != 0)
			fail_msg("%s: got\n%swant\n%s", rows[i].what, got.buf, rows[i].merged);
		assert_int_equal(tree_layers(t), n);
	}
}

static const struct {
	const char *layers[3];
	const char *why;
} bad[] = {
	{{"l a b\nl b a\nf a/x 1"}, "lead in circles"},
	{{"l a a/b\nf a/x 1"}, "lead in circles"},
	{{"f a 1\nf a/b 1"}, "parent is not a folder"},
	{{"f a 1", "f a/b 1"}, "parent is not a folder"},
	{{"f a 1\nl l a\nf l/b 1"}, "parent is not a folder"},
	{{"h b a"}, "target a does not exist"},
	{{"f a 1", "w a\nh b a"}, "target a does not exist"},
	{{"d a\nh b a"}, "target a is a folder"},
	{{"f a 1\nh a a"}, "a hard link to itself"},
	{{"d a\nf a/x 1\nh a a/x"}, "a hard link to itself or into what it replaces"},
	{{"l  /etc"}, "the root is not a folder"},
};

static void test_bad_layers(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_PTR(tree) t = tree_new();
		size_t n = 0;

		for (; bad[i].layers[n + 1]; n++)
			assert_ok(f, tree_text_add(f, t, bad[i].layers[n], &f->err));
		assert_fails(f, ERROR_CORRUPT, bad[i].why,
			     tree_text_add(f, t, bad[i].layers[n], &f->err));
	}
}

/* Row 3: 40 links are followed, as the kernel does, 41 are not. */
static void test_chain_of_links(void **state)
{
	struct fixture *f = *state;

	for (int n = 40; n <= 41; n++) {
		AUTO_PTR(tree) t = tree_new();
		AUTO(strbuf) layer = STRBUF_INIT;

		for (int i = 1; i <= n; i++)
			strbuf_printf(&layer, "l l%d l%d\n", i, i - 1);
		strbuf_printf(&layer, "d l0\nf l%d/x 1\n", n);
		if (n == 40)
			assert_ok(f, tree_text_add(f, t, layer.buf, &f->err));
		else
			assert_fails(f, ERROR_CORRUPT, "lead in circles",
				     tree_text_add(f, t, layer.buf, &f->err));
	}
}

/* Paths are short, but links make folders deeper than any path. */
static void test_depth(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();
	AUTO(strbuf) layer = STRBUF_INIT;

	for (int link = 0; link < 3; link++) {
		strbuf_printf(&layer, "l l%d ", link);
		if (link)
			strbuf_printf(&layer, "l%d", link - 1);
		for (int i = 0; i < 1900; i++)
			strbuf_puts(&layer, i || link ? "/a" : "a");
		strbuf_putc(&layer, '\n');
	}
	strbuf_puts(&layer, "f l0/x 1\nf l1/x 1\nf l2/x 1\n");
	assert_fails(f, ERROR_CORRUPT, "nested too deep", tree_text_add(f, t, layer.buf, &f->err));
}

static void test_hard_links_share_an_inode(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) t = tree_new();
	const struct tree_node *a, *b, *c;

	assert_ok(f, tree_text_add(f, t, "f a xyz\nh b a\nf c xyz\nh c2 c", &f->err));
	a = tree_lookup(t, "a", false);
	b = tree_lookup(t, "b", false);
	c = tree_lookup(t, "c", false);
	assert_int_equal(a->inode, b->inode);
	assert_int_not_equal(a->inode, c->inode);
	assert_memory_equal(tree_content(a), tree_content(b), 32);
	assert_ok(f, tree_text_add(f, t, "f a other", &f->err));
	assert_int_not_equal(tree_lookup(t, "a", false)->inode, tree_lookup(t, "b", false)->inode);
}

struct drops {
	struct strbuf text;
};

static void note_drop(void *arg, struct tree_node *n)
{
	AUTO_FREE char *path = tree_path(n);

	strbuf_printf(&((struct drops *)arg)->text, "%s\n", path);
}

/* Followers of a layer hear what goes: the top of what goes as a whole, once. */
static void test_put_tells(void **state)
{
	static const struct {
		struct entry entry;
		const char *dropped;
		bool hid, left;
	} puts[] = {
		{{.type = ENTRY_FILE, .path = "d/new", .mode = 0644}, "", false, true},
		{{.type = ENTRY_FILE, .path = "d/x", .mode = 0644}, "d/x\n", false, true},
		{{.type = ENTRY_WHITEOUT, .path = "d"}, "d/sub\nd/y\n", true, true},
		{{.type = ENTRY_WHITEOUT, .path = "e"}, "e\n", true, false},
		{{.type = ENTRY_WHITEOUT, .path = "e"}, "", false, false},
		{{.type = ENTRY_SYMLINK, .path = "g", .link = "d"}, "g\n", false, true},
	};
	struct fixture *f = *state;
	AUTO_PTR(tree) lower = tree_new();
	AUTO_PTR(tree) t = NULL;
	struct drops drops = {.text = STRBUF_INIT};
	AUTO(strbuf) before = STRBUF_INIT;
	AUTO(strbuf) after = STRBUF_INIT;

	assert_ok(f, tree_text_add(f, lower,
				   "d d\nf d/x 1\nf d/y 1\nd d/sub\nf d/sub/z 1\nd e\nf e/q 1\n"
				   "d g\nf g/h 1",
				   &f->err));
	tree_text(&before, lower);
	t = tree_clone(lower);
	tree_on_drop(t, note_drop, &drops);
	tree_begin_layer(t);
	for (size_t i = 0; i < ARRAY_SIZE(puts); i++) {
		struct tree_node *node;
		bool hid;

		strbuf_reset(&drops.text);
		assert_ok(f, tree_put(t, &puts[i].entry, &node, &hid, &f->err));
		assert_string_equal(drops.text.buf, puts[i].dropped);
		assert_int_equal(hid, puts[i].hid);
		assert_int_equal(node != NULL, puts[i].left);
	}
	strbuf_release(&drops.text);
	/* The tree it was cloned from is what it was. */
	tree_text(&after, lower);
	assert_string_equal(before.buf, after.buf);
}

/* Many folders and files, in order and in the opposite order, give one tree in a moment. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(tree) up = tree_new();
	AUTO_PTR(tree) down = tree_new();
	AUTO(strbuf) a = STRBUF_INIT;
	AUTO(strbuf) b = STRBUF_INIT;

	tree_begin_layer(up);
	tree_begin_layer(down);
	for (int i = 0; i < 20000; i++)
		for (int way = 0; way < 2; way++) {
			char path[64];
			struct entry e = {.type = ENTRY_FILE, .path = path, .mode = 0644};
			int n = way ? 19999 - i : i;

			snprintf(path, sizeof(path), "usr/d%d/f%d", n % 7, n);
			assert_ok(f, tree_put(way ? down : up, &e, NULL, NULL, &f->err));
		}
	tree_text(&a, up);
	tree_text(&b, down);
	assert_string_equal(a.buf, b.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_layers),
		store_test(test_bad_layers),
		store_test(test_chain_of_links),
		store_test(test_depth),
		store_test(test_hard_links_share_an_inode),
		store_test(test_put_tells),
		store_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
