#include "builder/copy_plan.h"

#include "copy_fixture.h"

static const struct copy_row destinations[] = {
	/* a slash, "", "." and "/." mean a folder; without, one file takes the name */
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a /x/.",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a /x/y/z",
	 .wanted = "d 755 0:0 x\nd 755 0:0 x/y\nf 644 0:0 x/y/z=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a .",
	 .working_dir = "/w",
	 .wanted = "d 755 0:0 w\nf 644 0:0 w/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY [\"a\", \"\"]",
	 .working_dir = "/w",
	 .wanted = "d 755 0:0 w\nf 644 0:0 w/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a b/c",
	 .working_dir = "/w",
	 .wanted = "d 755 0:0 w\nd 755 0:0 w/b\nf 644 0:0 w/b/c=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a ../../../x",
	 .working_dir = "/w",
	 .wanted = "f 644 0:0 x=1\n"},
	{.files = "f 644 0:0 a=1", .line = "COPY a /", .wanted = "f 644 0:0 a=1\n"},
	/* an existing folder takes the file */
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /opt/app",
	 .wanted = "d 755 0:0 opt\nd 700 7:8 opt/app\nf 644 0:0 opt/app/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /opt/to-app",
	 .wanted = "d 755 0:0 opt\nd 700 7:8 opt/app\nf 644 0:0 opt/app/n=1\n"},
	/* several sources to one name: the last wins; a folder among them makes it a folder */
	{.files = "f 644 0:0 a=1\nf 600 0:0 b=2",
	 .line = "COPY a b /x",
	 .wanted = "f 600 0:0 x=2\n"},
	{.files = "f 644 0:0 d/f=1\nf 600 0:0 b=2",
	 .line = "COPY d b /x",
	 .wanted = "d 755 0:0 x\nf 600 0:0 x/b=2\nf 644 0:0 x/f=1\n"},
	/* links in the destination are followed inside the root */
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /lib/",
	 .wanted = "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /lib",
	 .wanted = "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/n=1\n"},
	{.files = "f 644 0:0 d/n=1",
	 .below = MERGED_USR,
	 .line = "COPY d /lib",
	 .wanted = "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /lib/x86/n",
	 .wanted =
		 "d 755 0:0 usr\nd 755 0:0 usr/lib\nd 755 0:0 usr/lib/x86\nf 644 0:0 usr/lib/x86/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /var/run/app/pid",
	 .wanted = "d 755 0:0 run\nd 755 0:0 run/app\nf 644 0:0 run/app/pid=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n .",
	 .working_dir = "/var/run",
	 .wanted = "d 755 0:0 run\nf 644 0:0 run/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = "d 755 0:0 d\nl 777 0:0 d/root -> /\nl 777 0:0 d/up -> ..\n",
	 .line = "COPY n /d/root",
	 .wanted = "f 644 0:0 n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = "d 755 0:0 d\nl 777 0:0 d/root -> /\nl 777 0:0 d/up -> ..\n",
	 .line = "COPY n /d/up/d/up/m",
	 .wanted = "f 644 0:0 m=1\n"},
	/* a link to a file: written through, the link stays; a dangling one makes its target */
	{.files = "f 600 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /etc/link",
	 .wanted = "d 755 0:0 etc\nf 600 0:0 etc/conf=1\n"},
	{.files = "f 600 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /etc/dangling",
	 .wanted = "d 755 0:0 made\nd 755 0:0 made/by\nf 600 0:0 made/by/copy=1\n"},
	{.files = "f 600 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /etc/dangling/",
	 .wanted = "d 755 0:0 made\nd 755 0:0 made/by\nd 755 0:0 made/by/copy\n"
		   "f 600 0:0 made/by/copy/n=1\n"},
	{.files = "f 600 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /loop",
	 .error = "too many levels of symbolic links",
	 .kind = ERROR_SYNTAX},
	/* inside a copied folder a link in the way is replaced */
	{.files = "f 600 0:0 d/link=1",
	 .below = MERGED_USR,
	 .line = "COPY d /etc",
	 .wanted = "d 755 0:0 etc\nf 600 0:0 etc/link=1\n"},
	{.files = "f 600 0:0 link=1",
	 .below = MERGED_USR,
	 .line = "COPY link /etc/",
	 .wanted = "d 755 0:0 etc\nf 600 0:0 etc/link=1\n"},
	/* the top folder keeps what it is, folders below take the source's */
	{.files = "d 755 0:0 d\nd 750 0:0 d/sub\nf 644 0:0 d/sub/n=1",
	 .below = MERGED_USR,
	 .line = "COPY d /opt/app",
	 .wanted =
		 "d 755 0:0 opt\nd 700 7:8 opt/app\nd 750 0:0 opt/app/sub\nf 644 0:0 opt/app/sub/n=1\n"},
	/* what does not go together */
	{.files = "f 644 0:0 d/n=1",
	 .below = MERGED_USR,
	 .line = "COPY d /etc/conf",
	 .error = "cannot copy to non-directory: /etc/conf",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 d/conf/n=1",
	 .below = MERGED_USR,
	 .line = "COPY d /etc",
	 .error = "cannot copy to non-directory: /etc/conf",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 d/lib/n=1",
	 .below = MERGED_USR,
	 .line = "COPY d /",
	 .error = "cannot copy to non-directory: /lib",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 d/app=1",
	 .below = MERGED_USR,
	 .line = "COPY d /opt",
	 .error = "cannot replace to directory /opt/app with file",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /etc/conf/x",
	 .error = "cannot copy to non-directory: /etc/conf",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY n /etc/conf/",
	 .error = "cannot copy to non-directory: /etc/conf",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 a=1\nf 644 0:0 d/n=1",
	 .line = "COPY a d /x",
	 .error = "cannot copy to non-directory: /x",
	 .kind = ERROR_SYNTAX},
	/* what an upper layer of the image took away is not there */
	{.files = "f 644 0:0 n=1",
	 .below = "l 777 0:0 lib -> usr/lib\nd 755 0:0 usr\nd 755 0:0 usr/lib\n--\nw lib",
	 .line = "COPY n /lib/",
	 .wanted = "d 755 0:0 lib\nf 644 0:0 lib/n=1\n"},
};

static void resolves_destinations(void **state)
{
	check_rows(*state, destinations);
}

static struct plan_node *put(struct plan *p, struct plan_node *dir, const char *name,
			     enum entry_type type)
{
	struct plan_node *n = NULL;

	assert_ok(plan_put(p, dir, name, type, true, &n, err));
	return n;
}

static void keeps_children_in_order(void **state)
{
	static const char *const names[] = {"m", "a", "z", "mm", "\xff", "b"};
	static const char *const sorted[] = {"a", "b", "m", "mm", "z", "\xff"};
	AUTO_PTR(plan) p = plan_new(NULL, (struct plan_owner){1, 2}, 3);
	struct plan_node *root = plan_root(p);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put(p, root, names[i], ENTRY_DIR);
	assert_int_equal(plan_n_children(root), ARRAY_SIZE(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		assert_string_equal(root->folder.children->items[i]->name, sorted[i]);
		assert_ptr_equal(plan_child(root, sorted[i], strlen(sorted[i])),
				 root->folder.children->items[i]);
	}
	/* a part of a longer name is a name of its own */
	assert_ptr_equal(plan_child(root, "mm", 1), root->folder.children->items[2]);
	assert_null(plan_child(root, "mx", 2));
	assert_null(plan_child(root, "", 0));
}

static void replaces_with_all_below(void **state)
{
	AUTO_PTR(plan) p = plan_new(NULL, (struct plan_owner){0, 0}, 0);
	struct plan_node *root = plan_root(p), *dir;
	AUTO_FREE char *path = NULL;

	(void)state;
	assert_ok(plan_folder(p, "/a/b/c", false, &dir, err));
	path = plan_path(dir);
	assert_string_equal(path, "a/b/c");
	put(p, root, "a", ENTRY_FILE);
	dir = put(p, root, "a", ENTRY_DIR);
	assert_int_equal(plan_n_children(dir), 0);
	assert_int_equal(dir->content, PLAN_NO_CONTENT);
	assert_error(plan_put(p, root, "a", ENTRY_FILE, false, &dir, err), ERROR_SYNTAX,
		     "cannot replace to directory /a with file");
}

/* One node for each copied file: 200,000 of them must fit into a small part of 64 MiB. */
static void nodes_are_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct plan_node) <= 72);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(resolves_destinations),
		cmocka_unit_test(keeps_children_in_order),
		cmocka_unit_test(replaces_with_all_below),
		cmocka_unit_test(nodes_are_small),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
