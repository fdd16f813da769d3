#include "builder/copy.h"

#include "copy_fixture.h"

/*
 * The key's view of the sources, by comparison: what must not change it, and what must. None of the hashes is written
 * down here.
 */

static void hash_files(struct copy_fixture *f, const char *line, const char *files,
		       char hex[SHA256_HEX_SIZE])
{
	AUTO_FREE char *context = path_join(f->base.folder, "context");

	fs_remove_tree(AT_FDCWD, context, NULL);
	create_files(f, "context", files);
	copy_fixture_hash(f, line, NULL, hex);
}

#define FILES                                                    \
	"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\n"     \
	"f 644 0:0 d/e/c=3\nl 777 0:0 d/l -> a\np 644 0:0 d/p\n" \
	"f 644 0:0 other=x\n"

static void different_under_any_change(void **state)
{
	static const char *const changed[] = {
		"f 644 0:0 d/a=2\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a byte */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=2\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a length */
		"f 640 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a mode */
		"f 4644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a high bit of it */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 755 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a folder's mode */
		"f 644 0:0 d/A=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a name */
		"f 644 0:0 d/a=22\nf 755 0:0 d/b=1\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* contents that changed places */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p", /* a file in another folder */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> b\np 644 0:0 d/p", /* a link's target */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"f 777 0:0 d/l=a\np 644 0:0 d/p", /* types */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\nf 644 0:0 d/p=",
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nd 755 0:0 d/e/c\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p",
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p\nf 644 0:0 d/new=", /* one more */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a\np 644 0:0 d/p\nd 755 0:0 d/new",
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 d/e/c=3\n"
		"l 777 0:0 d/l -> a", /* one less */
	};
	char hashes[ARRAY_SIZE(changed) + 1][SHA256_HEX_SIZE];

	hash_files(*state, "COPY d /x", FILES, hashes[ARRAY_SIZE(changed)]);
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++)
		hash_files(*state, "COPY d /x", changed[i], hashes[i]);
	for (size_t i = 0; i <= ARRAY_SIZE(changed); i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(hashes[i], hashes[k]) == 0)
				fail_msg("%zu and %zu are equal", i, k);
}

static void set_times(const char *folder)
{
	static const char *const names[] = {"d", "d/a", "d/b", "d/e", "d/e/c", "d/l", "d/p"};
	const struct timespec times[2] = {{.tv_sec = 77}, {.tv_sec = 78, .tv_nsec = 9}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *path = path_join(folder, names[i]);

		assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
		if (geteuid() == 0)
			assert_int_equal(lchown(path, 12, 34), 0);
	}
}

static void same_under_what_does_not_count(void **state)
{
	static const char *const same[] = {
		/* made in another order, so that readdir may answer in another */
		"f 644 0:0 other=x\np 644 0:0 d/p\nl 777 0:0 d/l -> a\nd 750 0:0 d/e\n"
		"f 644 0:0 d/e/c=3\nf 755 0:0 d/b=22\nf 644 0:0 d/a=1\n",
		/* files that are not selected, the top folder's own mode */
		FILES "f 600 0:0 other2=zz\nd 700 0:0 d\n",
		/* a hard link is a file with that content */
		"f 644 0:0 d/a=1\nf 755 0:0 d/b=22\nd 750 0:0 d/e\nf 644 0:0 outside=3\n"
		"h 644 0:0 d/e/c => outside\nl 777 0:0 d/l -> a\np 644 0:0 d/p\n",
	};
	struct copy_fixture *f = *state;
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	char wanted[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		hash_files(f, "COPY d /x", FILES, wanted);
		hash_files(f, "COPY d /x", same[i], got);
		assert_string_equal(got, wanted);
	}
	hash_files(f, "COPY d /x", FILES, wanted);
	set_times(context);
	copy_fixture_hash(f, "COPY d /x", NULL, got);
	assert_string_equal(got, wanted);
}

static void depends_on_where_it_came_from_only_by_name(void **state)
{
	struct copy_fixture *f = *state;
	char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];

	hash_files(f, "COPY d /x", "f 644 0:0 d/a=1", one);
	hash_files(f, "COPY e/f /x", "f 644 0:0 e/f/a=1", two);
	assert_string_equal(one, two);
	/* the name of one file is the name in the destination */
	hash_files(f, "COPY a /x/", "f 644 0:0 a=1", one);
	hash_files(f, "COPY b /x/", "f 644 0:0 b=1", two);
	assert_string_not_equal(one, two);
	hash_files(f, "COPY p/a /x/", "f 644 0:0 p/a=1", two);
	assert_string_equal(one, two);
	/* a link gives its target's content under its own name */
	hash_files(f, "COPY a /x/", "f 644 0:0 b=1\nl 777 0:0 a -> b", two);
	assert_string_equal(one, two);
	/* with --parents the folders above are kept, and the folder itself */
	hash_files(f, "COPY --parents p/a /x/", "f 644 0:0 p/a=1", one);
	hash_files(f, "COPY --parents q/a /x/", "f 644 0:0 q/a=1", two);
	assert_string_not_equal(one, two);
	hash_files(f, "COPY --parents p /x/", "d 755 0:0 p", one);
	hash_files(f, "COPY --parents p /x/", "d 700 0:0 p", two);
	assert_string_not_equal(one, two);
	/* two folders are not one with the contents of both */
	hash_files(f, "COPY p q /x/", "f 644 0:0 p/a=1\nf 644 0:0 q/b=2", one);
	hash_files(f, "COPY p q /x/", "f 644 0:0 p/a=1\nf 644 0:0 p/b=2\nd 755 0:0 q", two);
	assert_string_not_equal(one, two);
	/* an empty folder is not nothing, and not a file */
	hash_files(f, "COPY p* /x", "d 755 0:0 p", one);
	hash_files(f, "COPY p* /x", "", two);
	assert_string_not_equal(one, two);
	hash_files(f, "COPY p* /x", "f 755 0:0 p=", two);
	assert_string_not_equal(one, two);
}

/* An octal --chmod replaces every mode; a symbolic one works on them. */
static void modes_count_unless_they_are_set(void **state)
{
	struct copy_fixture *f = *state;
	char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];

	hash_files(f, "COPY --chmod=644 d /x", "f 600 0:0 d/a=1\nd 700 0:0 d/e", one);
	hash_files(f, "COPY --chmod=644 d /x", "f 777 0:0 d/a=1\nd 755 0:0 d/e", two);
	assert_string_equal(one, two);
	hash_files(f, "COPY --chmod=a+X d /x", "f 600 0:0 d/a=1\nd 700 0:0 d/e", one);
	hash_files(f, "COPY --chmod=a+X d /x", "f 777 0:0 d/a=1\nd 755 0:0 d/e", two);
	assert_string_not_equal(one, two);
}

/* One side of a comparison of images. */
static void hash_image(struct copy_fixture *f, const char *line, const char *text,
		       char hex[SHA256_HEX_SIZE])
{
	AUTO(test_image) image;

	test_image_init(&image, f, text);
	copy_fixture_hash(f, line, &image, hex);
}

static void images_count_by_content(void **state)
{
	static const struct {
		const char *line, *one, *two;
		bool equal;
	} rows[] = {
		{"COPY --from=s d /x", "f 644 1:2 d/a=1", "f 644 1:2 d/a=1\nf 644 0:0 e=2", true},
		/* the same files in other layers */
		{"COPY --from=s d /x", "f 644 1:2 d/a=1\nf 644 0:0 d/b=2",
		 "f 644 1:2 d/a=0\n--\nf 644 0:0 d/b=2\n--\nf 644 1:2 d/a=1", true},
		{"COPY --from=s d /x", "f 644 1:2 d/a=1", "f 644 1:3 d/a=1", false},
		{"COPY --from=s d /x", "f 644 1:2 d/a=1", "f 644 2:2 d/a=1", false},
		{"COPY --from=s --chown=5 d /x", "f 644 1:2 d/a=1", "f 644 2:3 d/a=1", true},
		{"COPY --from=s d /x", "f 644 1:2 d/a=1", "f 644 1:2 d/a=1\nx d/a user.k=v", false},
		{"COPY --from=s d /x", "f 644 1:2 d/a=1\nx d/a user.k=v",
		 "f 644 1:2 d/a=1\nx d/a user.k=w", false},
		{"COPY --from=s d /x", "c 644 0:0 d/a 1:3", "c 644 0:0 d/a 1:5", false},
		{"COPY --from=s d /x", "c 644 0:0 d/a 1:3", "b 644 0:0 d/a 1:3", false},
		{"COPY --from=s d /x", "d 700 1:2 d\nf 644 0:0 d/a=1",
		 "d 755 0:0 d\nf 644 0:0 d/a=1", true},
		{"COPY --from=s a /x/", "f 644 0:0 a=1", "f 644 0:0 b=1\nl 777 0:0 a -> b", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];

		hash_image(*state, rows[i].line, rows[i].one, one);
		hash_image(*state, rows[i].line, rows[i].two, two);
		if ((strcmp(one, two) == 0) != rows[i].equal)
			fail_msg("row %zu: %s", i, rows[i].equal ? "different" : "equal");
	}
}

static void heredocs_and_downloads_count(void **state)
{
	struct copy_fixture *f = *state;
	char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];

	hash_files(f, "COPY <<a /x/\n1\na", "", one);
	hash_files(f, "COPY <<a /x/\n2\na", "", two);
	assert_string_not_equal(one, two);
	hash_files(f, "COPY <<b /x/\n1\nb", "", two);
	assert_string_not_equal(one, two);
	for (int i = 0; i < 3; i++) {
		AUTO_FREE char *file = path_join(f->base.folder, "got/file");
		const struct copy_fetched fetched[] = {{.file = file}};
		char *hex = i == 0 ? one : two;
		AUTO(sha256) h = SHA256_INIT;
		AUTO(test_copy) c;

		create_files(f, "got", i < 2 ? "f 600 0:0 file=1" : "f 600 0:0 file=2");
		test_copy_init(&c, f, "ADD http://h/file /x", "/", NULL);
		c.request.fetched = fetched;
		sha256_init(&h);
		assert_ok(copy_hash(&c.request, &h, err));
		sha256_final_hex(&h, hex);
		if (i)
			assert_true((strcmp(one, two) == 0) == (i == 1));
	}
}

static char *manifest(struct copy_fixture *f, const char *files)
{
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(test_copy) c;

	fs_remove_tree(AT_FDCWD, context, NULL);
	create_files(f, "context", files);
	test_copy_init(&c, f, "COPY d /x", "/", NULL);
	assert_ok(copy_manifest(&c.request, &out, err));
	return strbuf_detach(&out, NULL);
}

/* "PATH MODE HASH" a line: what changed changes its line alone; control characters do not get out. */
static void manifest_shows_what_changed(void **state)
{
	AUTO_FREE char *one = manifest(*state, "f 644 0:0 d/a=1\nf 644 0:0 d/b=2");
	AUTO_FREE char *two = manifest(*state, "f 644 0:0 d/a=1\nf 600 0:0 d/b=2");
	AUTO_FREE char *odd = manifest(*state, "f 644 0:0 d/\033[2J=1");
	size_t line = strcspn(one, "\n") + 1;

	assert_int_equal(line, strlen("d/a f644 ") + 16 + 1);
	assert_true(str_starts(one, "d/a f644 "));
	assert_memory_equal(one, two, line);
	assert_true(str_starts(one + line, "d/b f644 "));
	assert_true(str_starts(two + line, "d/b f600 "));
	assert_string_equal(one + line + 9, two + line + 9);
	assert_null(strchr(odd, '\033'));
}

/* The stat cache spares reading: a file whose bytes changed behind its back is not looked at again. */
static void unchanged_files_are_not_read(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *path = path_join(f->base.folder, "context/a");
	uint8_t fake[SHA256_SIZE] = {1}, real[SHA256_SIZE];
	struct copy_item item = {.rel = "", .path = "a"};
	AUTO(test_copy) c;
	struct stat st;

	create_files(f, "context", "f 644 0:0 a=1");
	test_copy_init(&c, f, "COPY a /x", "/", NULL);
	assert_int_equal(stat(path, &st), 0);
	item.st = &st;
	item.e = (struct entry){.type = ENTRY_FILE, .size = 1};
	assert_ok(copy_item_digest(&c.request, &item, real, err));
	stat_cache_put(f->stats, &st, st.st_ctim.tv_sec * 1000000000, fake);
	assert_ok(copy_item_digest(&c.request, &item, real, err));
	assert_memory_equal(real, fake, sizeof(fake));
	/* another state is read */
	st.st_mtim.tv_nsec++;
	assert_ok(copy_item_digest(&c.request, &item, real, err));
	sha256_buf("1", 1, fake);
	assert_memory_equal(real, fake, sizeof(fake));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(different_under_any_change),
		copy_test(same_under_what_does_not_count),
		copy_test(depends_on_where_it_came_from_only_by_name),
		copy_test(modes_count_unless_they_are_set),
		copy_test(images_count_by_content),
		copy_test(heredocs_and_downloads_count),
		copy_test(manifest_shows_what_changed),
		copy_test(unchanged_files_are_not_read),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
